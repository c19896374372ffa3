package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

func TestRecordAndReplay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	path := filepath.Join(t.TempDir(), "self.csv")
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", path, "--interval", "20ms",
		"--duration", "300ms", "--soak", "10s")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# leaktrend recording v1\n", "# interval: 20ms\n", "# soak: 10s\n", "time,",
		"rss_bytes", "open_fds"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the recording lacks %q:\n%.400s", want, text)
		}
	}
	if got := leaktrend(t, "", "replay", path); got.code != 0 || !strings.Contains(got.stdout, "soak 10s") {
		t.Errorf("replay: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := leaktrend(t, "", "record", "--pid", "1", "-o", path, "--duration", "1s"); got.code != 2 ||
		!strings.Contains(got.stderr, "--force") {
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
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", "/dev/full", "--interval", "50ms",
		"--duration", "5s")
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
		{"watch", "--url", down, "--duration", "200ms", "--interval", "50ms"},
		{"watch", "--url", down, "--duration", "200ms", "--interval", "50ms", "--exit-code"},
		{"record", "--url", down, "--duration", "200ms", "--interval", "50ms", "-o", out},
	} {
		got := leaktrend(t, "", args...)
		if got.code != exitPart || !strings.Contains(got.stderr, "nothing was sampled from "+down) ||
			args[0] == "record" && !strings.Contains(got.stderr, down+": 127.0.0.1:1: connection refused") ||
			notWords.MatchString(got.stderr) ||
			strings.Contains(got.stderr, "after hours") { // which is no answer to that
			t.Errorf("%s: exit code %d\n%s%s", args[0], got.code, got.stdout, got.stderr)
		}
	}
}

// A disk that is full keeps nobody from watching: it is said, and the exit code tells of it.
func TestWatchWithoutRoomForItsRecording(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil || runtime.GOOS != "linux" {
		t.Skip("no /dev/full here")
	}
	const once = "cannot be written: no space left on device; tried again"
	got := until(t, []string{"watch", "--pid", strconv.Itoa(os.Getpid()), "-o", "/dev/full", "--interval", "50ms",
		"--exit-code"}, once)
	if got.code != exitPart || strings.Count(got.stderr, once) != 1 ||
		!strings.Contains(got.stderr, "/dev/full: no space left on device: ") ||
		!strings.Contains(got.stdout, "rss_bytes") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// Signals are those of the whole process, so it is the command itself that gets them here.
func TestRecordIsRotated(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.csv.1")
	command := exec.Command(os.Args[0], "record", "--pid", strconv.Itoa(os.Getpid()), "-o", path, "--interval", "20ms")
	command.Env = append(os.Environ(), asCommand+"=1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill() }()
	holdsRows := func(path string) func() bool {
		return func() bool {
			text, err := os.ReadFile(path)
			return err == nil && strings.Count(string(text), "\n") > 5
		}
	}
	await.True(t, "rows", holdsRows(path))
	second := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", path, "--force", "--duration", "1s")
	if second.code != exitUsage || !strings.Contains(second.stderr, path+": another leaktrend is recording into it") {
		t.Errorf("a second recorder: exit code %d, %s", second.code, second.stderr)
	}
	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await.True(t, "rows in the new file", holdsRows(path))
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	for _, file := range []string{path, rotated} {
		if got := leaktrend(t, "", "replay", file); got.code != 0 || strings.Contains(got.stderr, "skipped") {
			t.Errorf("%s: exit code %d\n%s%s", file, got.code, got.stdout, got.stderr)
		}
	}
}
