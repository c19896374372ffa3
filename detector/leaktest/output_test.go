package leaktest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plain returns an output of go test with places of this machine and times made equal.
func plain(t *testing.T, out string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out = strings.ReplaceAll(out, here+string(filepath.Separator), "HERE/")
	out = regexp.MustCompile(`\d+\.\d+s`).ReplaceAllString(out, "TIME")
	// With proof there are fewer stretches.
	out = strings.ReplaceAll(out, ", and nothing can wake them: proven by the runtime", "")
	out = regexp.MustCompile(`each stretch of [0-9, ]+ rounds`).ReplaceAllString(out, "each stretch of N rounds")
	out = regexp.MustCompile(`\d+ more waits? here`).ReplaceAllString(out, "N more wait here")
	return regexp.MustCompile(`(?m)^.*more memory is in use.*\n`).ReplaceAllString(out, "")
}

// goTest returns what go test prints of a package below testdata.
func goTest(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, append([]string{"test", "-count=1", "./testdata/" + dir}, arguments...)...)
	cmd.Env = append(os.Environ(), "GITHUB_ACTIONS=true", "GITHUB_WORKSPACE="+root)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return plain(t, string(out))
}

// The output is what an editor jumps from, and what GitHub shows beside the line.
func TestOutput(t *testing.T) {
	const pkg = "github.com/mdzesseis/leaktrend/detector/leaktest/testdata/"
	for _, test := range []struct{ dir, want string }{
		{"leaky",
			`::error file=detector/leaktest/testdata/leaky/leaky.go,line=8,title=leak::1 goroutine leaks a round, N more wait here (chan receive)
--- FAIL: TestRefresh (TIME)
    leaky_test.go:11: leak: what a round leaves behind adds up (it grew in each stretch of N rounds)
        leaky.go:8: 1 goroutine leaks a round, N more wait here (chan receive)
        	` + pkg + `leaky.Refresh.func1 (leaky.go:8)
        	started by ` + pkg + `leaky.Refresh (leaky.go:7)
FAIL
FAIL	` + pkg + `leaky	TIME
FAIL
`},
		{"left", `PASS
leaktest: the tests have left goroutines behind: they run once more, to see whether these leak
PASS
::error file=detector/leaktest/testdata/left/left_test.go,line=16,title=leak::1 goroutine leaks a run, N more wait here (chan receive)
leak: each run of the tests leaves more goroutines behind
left_test.go:16: 1 goroutine leaks a run, N more wait here (chan receive)
	` + pkg + `left.TestLeaves.func1 (left_test.go:16)
	started by ` + pkg + `left.TestLeaves (left_test.go:15)
FAIL	` + pkg + `left	TIME
FAIL
`},
		{"pool", "ok  \t" + pkg + "pool\tTIME\n"},
	} {
		t.Run(test.dir, func(t *testing.T) {
			if diff := cmp.Diff(test.want, goTest(t, test.dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
