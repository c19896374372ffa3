package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// Every command has a page, and every flag an entry on it with its text.
func TestManPages(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "share", "man1")
	if got := leaktrend(t, "", "man", "-d", dir); got != (outcome{}) {
		t.Fatalf("man -d: %+v", got)
	}
	var want []string
	for _, c := range documented(rootCommand()) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		want = append(want, name)
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		page := readable(string(text))
		for _, part := range []string{c.Short, c.UseLine(), strings.Split(c.Long, "\n")[0], c.Example} {
			if !strings.Contains(page, part) {
				t.Errorf("%s lacks %q:\n%s", name, part, text)
			}
		}
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, "--"+f.Name) || !strings.Contains(page, f.Usage) {
				t.Errorf("%s lacks --%s: %s\n%s", name, f.Name, f.Usage, text)
			}
		})
		if strings.Contains(page, "[=false]") || strings.Contains(page, `=""`) {
			t.Errorf("%s has defaults that say nothing:\n%s", name, text)
		}
		alone := leaktrend(t, "", append([]string{"man"}, strings.Fields(c.CommandPath())[1:]...)...)
		if diff := cmp.Diff(string(text), alone.stdout); diff != "" {
			t.Errorf("man %s prints another page (-file +printed):\n%s", c.Name(), diff)
		}
		if groff, err := exec.LookPath("groff"); err == nil {
			run := exec.Command(groff, "-k", "-man", "-ww", "-Tutf8", "-z")
			run.Stdin = strings.NewReader(string(text))
			if out, err := run.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("groff of %s: %v\n%s", name, err, out)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if len(got) < 16 {
		t.Errorf("only %d pages", len(got))
	}
}

// readable is the text of a page as it is read: without fonts and escapes.
func readable(page string) string {
	return strings.NewReplacer(`\-`, "-", `\fB`, "", `\fI`, "", `\fP`, "", `\fR`, "", `\&`, "", `\[aq]`, "'", `\e`, `\`,
		`\(aq`, "'", `\'`, "'").Replace(page)
}

func TestManFaults(t *testing.T) {
	t.Parallel()
	full := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(full, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"man", "bogus"}, "leaktrend: bogus: no such command\n"},
		{[]string{"man", "leaktrend"}, "leaktrend: leaktrend: no such command\n"},
		{[]string{"man", "-d", full, "watch"}, "leaktrend: -d " + full + ": all pages are written, so it takes no " +
			"watch\n"},
		{[]string{"man", "-d", full}, "leaktrend: " + full + ": not a directory\n"},
	} {
		want := outcome{exitUsage, "", test.says}
		if diff := cmp.Diff(want, leaktrend(t, "", test.args...), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.args, diff)
		}
	}
}
