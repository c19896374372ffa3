package leaktest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// unprofiled has a kernel write no profile of leaked goroutines itself, nor wait long for them to block before it does.
var unprofiled = strings.NewReplacer("prof.WriteTo(os.Stdout, 2)", "_, _ = prof, os.Stdout",
	"time.Sleep(100 * time.Millisecond)", "time.Sleep(time.Millisecond)")

// goRoot returns where the Go distribution is.
func goRoot(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	return strings.TrimSpace(string(root))
}

// buildGoKer builds the kernels of GoKer (Yuan and others 2021) that the Go distribution has since Go 1.26, with a main
// function that checks them. They are left where they are.
func buildGoKer(t *testing.T) (program string) {
	t.Helper()
	dir := filepath.Join(goRoot(t), "src/runtime/testdata/testgoroutineleakprofile/goker")
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
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", program,
		"./testdata/goker").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// allKernelsEnv asks for every kernel instead of every eighth: they take minutes, on a busy machine a quarter of an
// hour.
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
	flaky := flakyKernels(t)
	var tried, found atomic.Int32
	t.Run("kernels", func(t *testing.T) {
		for i, name := range names {
			if i%8 != 0 && os.Getenv(allKernelsEnv) == "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tried.Add(1)
				switch {
				case checkKernel(t, program, name):
					found.Add(1)
				case slices.Contains(flaky, name):
					t.Log("it has not blocked this time")
				default:
					t.Error("no leak is found")
				}
			})
		}
	})
	// On a busy machine some of the flaky ones block in no round, or not in every one.
	if found.Load()*2 < tried.Load() {
		t.Errorf("leaks are found in %d of %d kernels", found.Load(), tried.Load())
	}
}

// checkKernel reports whether a leak of a kernel is found.
func checkKernel(t *testing.T, program, name string) bool {
	t.Helper()
	// Many of them block in some of their runs only, and in fewer on a busy machine.
	for _, more := range [][]string{nil, nil, {"20"}, {"20"}} {
		out, err := exec.Command(program, append([]string{name}, more...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "a round, ") {
			t.Logf("%s", out)
			return true
		}
	}
	return false
}

// flakyKernels returns those that the Go distribution's own test says to block in some of their runs only.
func flakyKernels(t *testing.T) (flaky []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goRoot(t), "src/runtime/goroutineleakprofile_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`makeFlakyTest\("(\w+)"`).FindAllStringSubmatch(string(text), -1) {
		flaky = append(flaky, match[1])
	}
	if len(flaky) == 0 {
		t.Fatal("no kernel is called flaky")
	}
	return flaky
}
