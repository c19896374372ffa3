package walls

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestAPI holds the exported names of the packages that the README shows to others. A name that goes breaks their
// build.
func TestAPI(t *testing.T) {
	shown := []string{"alerting", "alerting/slogger", "detector", "detector/collector", "detector/leaktest",
		"sampler/profile/remote"}
	all, _ := sources(t)
	var names []string
	for _, s := range all {
		if s.test() || !slices.Contains(shown, s.dir) {
			continue
		}
		for _, d := range exported(s.file) {
			names = append(names, s.dir+" "+d.name)
		}
	}
	slices.Sort(names)
	got := strings.Join(slices.Compact(names), "\n") + "\n"
	const golden = "testdata/api.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gone := slices.DeleteFunc(strings.Split(string(want), "\n"), func(name string) bool {
		return slices.Contains(names, name) || name == ""
	})
	if len(gone) > 0 {
		t.Errorf("%q were exported, and are not any more: who uses them does not build", gone)
	}
	if len(gone) == 0 && got != string(want) {
		t.Errorf("there are new exported names; go test -update writes %s anew", golden)
	}
}
