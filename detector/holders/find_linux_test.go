package holders

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// A service names the global map that keeps its memory alive, and the goroutine, at the line that has it, not where it
// waits, and what keeps its files open, each with the way from there. What searches keeps nothing.
func TestFind(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	if !strings.HasPrefix(runtime.Version(), "go1.2") || strings.Contains(runtime.Version(), " ") {
		t.Skipf("%s may not be known", runtime.Version())
	}
	path := filepath.Join(t.TempDir(), "service")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/service").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(path, "2").Output()
	if err != nil {
		t.Fatal(err)
	}
	const want = `open: main.sessions (map[int]*main.session), 8,192 entries
  variable: main.sessions map[int]*main.session […] grows
  object: main.session
keep: the goroutine at main.work main.go:47 in its variable mine
  goroutine: main.work mine []*main.session […] grows
  object: main.session
files: main.files (map[int]*os.File), 64 entries
  variable: main.files map[int]*os.File […] grows
  object: os.File .file
  object: os.file
`
	if got := regexp.MustCompile(` /\S*/`).ReplaceAllString(string(out), " "); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
}
