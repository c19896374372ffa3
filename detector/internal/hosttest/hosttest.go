// Package hosttest builds programs that embed leaktrend as a service does: as a module of its own that requires it.
// Only tests use it.
package hosttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/mdzesseis/leaktrend"

// Module is the module of a program outside of leaktrend.
type Module struct {
	Dir string // where it stands
}

// New returns the module of a program of one file that requires the checkout at root. The rest of its requirements are
// leaktrend's own: building it fetches no module that the caller was not built with.
func New(t *testing.T, root, program string) *Module {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	requirements, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own, found := strings.CutPrefix(string(requirements), "module "+module+"\n")
	if !found {
		t.Fatalf("%s is not the module %s", root, module)
	}
	m := &Module{Dir: t.TempDir()}
	for name, text := range map[string]string{
		"main.go": program,
		"go.sum":  string(sums),
		"go.mod": fmt.Sprintf("module ssw-logs-capture\n%s\nrequire %s v0.0.0\n\nreplace %[2]s => %q\n", own, module,
			filepath.ToSlash(root)),
	} {
		if err := os.WriteFile(filepath.Join(m.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// Go runs the go command in the module and returns what it prints. The test fails when the command does.
func (m *Module) Go(t *testing.T, arguments ...string) string {
	t.Helper()
	cmd := exec.Command("go", arguments...)
	cmd.Dir = m.Dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
