package holders

import (
	"os"
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
	const want = `open: main.sessions (map[int]*main.session), 8,192 entries
  variable: main.sessions map[int]*main.session […] grows
  object: main.session
keep: the goroutine at main.work main.go:48 in its variable mine
  goroutine: main.work mine []*main.session […] grows
  object: main.session
files: main.files (map[int]*os.File), 64 entries
  variable: main.files map[int]*os.File […] grows
  object: os.File .file
  object: os.file
`
	commands := map[string][]string{runtime.GOARCH: {path}}
	if emulator, err := exec.LookPath("qemu-aarch64"); err == nil {
		commands["arm64"] = []string{emulator, path}
	}
	for arch, command := range commands {
		build := exec.Command("go", "build", "-o", path, "./testdata/service")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(command[0], append(command[1:], "2")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := regexp.MustCompile(` /\S*/`).ReplaceAllString(string(out), " "); got != want {
			t.Errorf("%s: %s\nwant:\n%s", arch, got, want)
		}
	}
}
