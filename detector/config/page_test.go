package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the page of the settings anew")

// TestPage holds docs/configuration.md to the table: what stands there between the comment and the next heading is made
// from it.
func TestPage(t *testing.T) {
	t.Parallel()
	path := filepath.FromSlash("../../docs/configuration.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark, next = "-update -->\n", "\n## Other spellings\n"
	head, rest, ok := strings.Cut(string(text), mark)
	_, tail, ok2 := strings.Cut(rest, next)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q before %q", path, mark, next)
	}
	want := head + mark + reference(t) + next + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s is not what the table says (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

// reference is the table of all keys, and the file that holds the defaults.
func reference(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprint(&b, "\n| key | default | meaning | other spelling |\n|---|---|---|---|\n")
	defaults := Default()
	var inert []string
	for i := range keys {
		k := &keys[i]
		if k.inert() {
			inert = append(inert, "`"+k.name()+"`")
			continue
		}
		_, standard := k.text(&defaults)
		var others []string
		for _, s := range k.spellings[1:] {
			others = append(others, "`"+qualified(k.group, s.name)+"`")
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", k.name(), standard, k.meaning, strings.Join(others, ", "))
	}
	fmt.Fprintf(&b, "| %s | | accepted with a warning, does nothing | |\n", strings.Join(inert, ", "))
	fmt.Fprint(&b, "\nThe defaults as a file:\n\n```yaml\n")
	if err := Write(&b, defaults, nil); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(&b, "```\n")
	return b.String()
}
