package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

func TestFindProcesses(t *testing.T) {
	const mark = "987654321" // on the command line of two processes
	var want []int
	for range 2 {
		cmd := exec.Command("sleep", mark)
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		want = append(want, cmd.Process.Pid)
	}
	slices.Sort(want)
	await.Until(t, func() string { // both have to execute sleep
		got, err := Find("^sleep " + mark + "$")
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(want, got)
	})
	byName, err := Find("^sleep$")
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range want {
		if !slices.Contains(byName, pid) {
			t.Errorf("%d is not among the processes by name %v", pid, byName)
		}
	}
	everything, err := Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(everything) || !slices.Contains(everything, want[0]) {
		t.Errorf("all processes: %v", everything)
	}
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		if slices.Contains(everything, pid) {
			t.Errorf("%d, this process or its parent, is among %v", pid, everything)
		}
	}
	if got, err := Find("no process " + regexp.QuoteMeta("(is called this)")); err != nil || len(got) != 0 {
		t.Errorf("no match: %v, %v", got, err)
	}
	for _, pattern := range []string{"", "(", "[z-a]"} {
		if got, err := Find(pattern); err == nil {
			t.Errorf("pattern %q: %v, want an error", pattern, got)
		}
	}
}

// A process that has ended and was not yet waited for is not found.
func TestFindProcessesNoZombie(t *testing.T) {
	cmd := testchild.Sleep(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await.True(t, "a zombie", func() bool { return testchild.StateOf(t, cmd.Process.Pid) == "Z" })
	got, err := Find("^sleep$")
	if err != nil || slices.Contains(got, cmd.Process.Pid) {
		t.Errorf("zombie %d is among %v (%v)", cmd.Process.Pid, got, err)
	}
}

// Another process of this one's name may look for the same pattern: its command line is not what is looked for.
func TestFindProcessesNotOthersThatLook(t *testing.T) {
	const mark = "987654322"
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	alike := filepath.Join(t.TempDir(), strings.TrimSpace(string(own)))
	if err := os.Symlink(sleep, alike); err != nil {
		t.Fatal(err)
	}
	start := func(path string) int {
		cmd := exec.Command(path, mark)
		cmd.Args[0] = "sleep" // by which programs of several names know what they are
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	looks, sought := start(alike), start(sleep)
	find := func(pattern string) []int {
		pids, err := Find(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return pids
	}
	await.Until(t, func() string { return cmp.Diff([]int{sought}, find("^sleep "+mark+"$")) })
	byName := "^" + regexp.QuoteMeta(strings.TrimSpace(string(own))) + "$"
	await.True(t, "the other one by its name", func() bool { return slices.Contains(find(byName), looks) })
}
