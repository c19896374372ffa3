package leaktest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unprofiled has a kernel write no profile of leaked goroutines itself, nor wait long for them to block before it does.
var unprofiled = strings.NewReplacer("prof.WriteTo(os.Stdout, 2)", "_, _ = prof, os.Stdout",
	"time.Sleep(100 * time.Millisecond)", "time.Sleep(time.Millisecond)")

// buildGoKer builds the kernels of GoKer (Yuan and others 2021) that the Go distribution has since Go 1.26, with a main
// function that checks them. They are left where they are.
func buildGoKer(t *testing.T) (program string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src/runtime/testdata/testgoroutineleakprofile/goker")
	files, err := filepath.Glob(filepath.Join(dir, "*[0-9].go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("this Go distribution has no kernels of GoKer: Go 1.26 and later do")
	}
	here, err := filepath.Abs("testdata/goker")
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	var overlay struct{ Replace map[string]string }
	overlay.Replace = make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(scratch, filepath.Base(file))
		if err := os.WriteFile(changed, []byte(unprofiled.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(here, filepath.Base(file))] = changed
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(scratch, "goker")
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", program, "./testdata/goker").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// allKernelsEnv asks for every kernel instead of every eighth: they take minutes, on a busy machine a quarter of an hour.
const allKernelsEnv = "LEAKTREND_GOKER"

func TestGoKer(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	program := buildGoKer(t)
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(out))
	slices.Sort(names)
	if len(names) < 60 {
		t.Fatalf("only %d kernels", len(names))
	}
	for i, name := range names {
		if i%8 != 0 && os.Getenv(allKernelsEnv) == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Many of them block in some of their runs only, and in fewer on a busy machine.
			for _, more := range [][]string{nil, nil, {"20"}, {"20"}} {
				out, err := exec.Command(program, append([]string{name}, more...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if strings.Contains(string(out), "a round, ") {
					t.Logf("%s", out)
					return
				}
			}
			if slices.Contains(rare, name) {
				t.Log("it has not blocked this time")
				return
			}
			t.Error("no leak is found")
		})
	}
}

// rare are kernels that block in 2 and 69 of 100 runs, by their own comments, and on a busy machine in hardly any.
var rare = []string{"Moby27782", "Moby28462"}
