package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// leakyPython opens 25 files a second and closes none. It may open so many that it does not end while a test is slow,
// yet would within the hour.
const leakyPython = `
import os, resource, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
if hard == resource.RLIM_INFINITY or hard > 65536:
    hard = 65536
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
kept = []
while True:
    kept.append(os.open("/dev/null", os.O_RDONLY))
    time.sleep(0.04)
`

// leaky starts a program that leaks descriptors, with an argument that --name finds.
func leaky(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	// Asked for its own path, as python3 may be a script that starts it.
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs Linux and python3")
	}
	child := exec.Command(strings.TrimSpace(string(python)), "-c", leakyPython, name)
	child.Env = append(os.Environ(), env...)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // so that one that is killed is gone
		defer close(ended)
		_ = child.Wait()
	}()
	t.Cleanup(func() {
		_ = child.Process.Kill()
		<-ended
	})
	return child
}

func TestWatchFindsLeakOfAnotherLanguage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of real time")
	}
	t.Parallel()
	child := leaky(t, "leaktrend")
	out := filepath.Join(t.TempDir(), "watched.csv")
	args := []string{"watch", "--pid", strconv.Itoa(child.Process.Pid), "--soak", "2m", "--interval", "100ms",
		"--exit-code", "-o", out}
	got := until(t, args, "open_fds leak: ")
	if got.code != exitLeak || !strings.Contains(got.stdout, "open_fds leak: ") {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}

	// What was recorded of the live run gives the same events in replay,
	// but for what the descriptors are, which a recording does not hold.
	live := regexp.MustCompile(`open_fds leak: [^"]*? in (at most )?[0-9,]+( to [0-9,]+)? [a-z]+s`).FindString(
		got.stdout)
	again := leaktrend(t, "", "replay", "--format", "json", out)
	if live == "" || !strings.Contains(again.stdout, live) {
		t.Errorf("live: %s\nreplay: %s", live, again.stdout)
	}
}

// Elsewhere than on a terminal watch ends with the last process, and tells by its exit code what was found on any of
// them.
func TestWatchEndsWithLastProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 8 s of real time")
	}
	t.Parallel()
	name := fmt.Sprintf("leaktrend-last-%d", os.Getpid())
	first, second := leaky(t, name), leaky(t, name)
	alerted := func(stdout string, of *exec.Cmd) bool {
		return regexp.MustCompile(fmt.Sprintf(`pid %d .*open_fds leak: `, of.Process.Pid)).MatchString(stdout)
	}
	got := reacting(t, []string{"watch", "--name", name, "--soak", "1m", "--exit-code"},
		func(stdout, stderr string, _ func()) {
			if alerted(stdout, first) && alerted(stdout, second) {
				_ = first.Process.Kill()
			}
			if strings.Contains(stderr, fmt.Sprintf("process %d (", first.Process.Pid)) {
				_ = second.Process.Kill()
			}
		})
	if got.code != exitLeak || !strings.Contains(got.stderr, "the last process of --name "+name+" ended") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, child := range []*exec.Cmd{first, second} {
		for _, want := range []string{
			fmt.Sprintf("  warning   pid %d ", child.Process.Pid),
			fmt.Sprintf("process %d ", child.Process.Pid),
		} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("no %q in\n%s", want, got.stderr)
			}
		}
	}

	// A recording is of one process.
	third, fourth := leaky(t, name), leaky(t, name)
	got = leaktrend(t, "", "watch", "--name", name, "-o", filepath.Join(t.TempDir(), "x.csv"))
	if got.code != exitUsage || !strings.Contains(got.stderr, "2 processes match, choose one with --pid") {
		t.Errorf("exit code %d\n%s (%d, %d)", got.code, got.stderr, third.Process.Pid, fourth.Process.Pid)
	}
}

// With --wait, watch begins without a process, goes on when the last has ended, and watches the next. That is the next
// life of the same, so its leak is the one that was told.
func TestWatchWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s of real time")
	}
	t.Parallel()
	name := fmt.Sprintf("leaktrend-wait-%d", os.Getpid())
	const alert, leaks = "open_fds leak: ", "LEAK"
	var first, second *exec.Cmd
	before := "" // what was printed until the first had ended
	got := reacting(t, []string{"watch", "--name", name, "--wait", "--soak", "1m", "--exit-code"},
		func(stdout, stderr string, interrupt func()) {
			switch {
			case first == nil:
				first = leaky(t, name)
			case second == nil && strings.Contains(stderr, fmt.Sprintf("process %d (", first.Process.Pid)):
				before = stdout
				second = leaky(t, name)
			case second == nil && strings.Contains(stdout, alert):
				_ = first.Process.Kill()
			case second != nil && strings.Contains(stdout[len(before):], leaks):
				interrupt()
			}
		})
	verdict := regexp.MustCompile(`(?m)^LEAK +open_fds `)
	if got.code != exitLeak || !strings.Contains(before, alert) || strings.Count(got.stdout, alert) != 1 ||
		len(verdict.FindAllString(got.stdout, -1)) != 2 {
		t.Errorf("exit code %d; %q until the first had ended\n%s%s", got.code, before, got.stdout, got.stderr)
	}
	if got := leaktrend(t, "", "watch", "--name", name+"-none", "--wait", "--duration", "100ms",
		"--exit-code"); got.code != exitRan {
		t.Errorf("none while it waited: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
