package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestRecordAndReplay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	path := filepath.Join(t.TempDir(), "self.csv")
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", path, "--interval", "20ms", "--duration", "300ms", "--soak", "10s")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# leaktrend recording v1\n", "# interval: 20ms\n", "# soak: 10s\n", "time,", "rss_bytes", "open_fds"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the recording lacks %q:\n%.400s", want, text)
		}
	}
	if got := leaktrend(t, "", "replay", path); got.code != 0 || !strings.Contains(got.stdout, "soak 10s") {
		t.Errorf("replay: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := leaktrend(t, "", "record", "--pid", "1", "-o", path, "--duration", "1s"); got.code != 2 || !strings.Contains(got.stderr, "--force") {
		t.Errorf("a recording was replaced without --force: exit code %d, %s", got.code, got.stderr)
	}
}

func TestRecordEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() {
		once.Do(func() {
			_ = child.Process.Kill()
			_ = child.Wait()
		})
	}
	defer kill()
	args := []string{"record", "--pid", strconv.Itoa(child.Process.Pid), "-o", "-", "--interval", "50ms"}
	got := reacting(t, args, func(stdout, _ string, _ func()) {
		if strings.Contains(stdout, "\ntime,") { // the first sample follows with it
			kill()
		}
	})
	if got.code != 0 || !strings.Contains(got.stderr, "ended") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

func TestRecordToFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", "/dev/full", "--interval", "50ms", "--duration", "5s")
	if got.code != 2 || !strings.Contains(got.stderr, "no space left") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

// What was never sampled is not healthy.
func TestNothingSampled(t *testing.T) {
	t.Parallel()
	down := "http://127.0.0.1:1/metrics"
	out := filepath.Join(t.TempDir(), "down.csv")
	for _, args := range [][]string{
		{"watch", "--url", down, "--duration", "200ms", "--interval", "50ms", "--exit-code"},
		{"record", "--url", down, "--duration", "200ms", "--interval", "50ms", "-o", out},
	} {
		got := leaktrend(t, "", args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "nothing was sampled from "+down) {
			t.Errorf("%s: exit code %d\n%s%s", args[0], got.code, got.stdout, got.stderr)
		}
	}
}
