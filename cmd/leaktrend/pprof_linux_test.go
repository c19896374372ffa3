package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Go process that serves net/http/pprof is watched from outside: its alerts name the line of code and the peer of the connections.
func TestWatchPprof(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	path := filepath.Join(t.TempDir(), "leaker")
	if out, err := exec.Command(tool, "build", "-o", path, "./testdata/leaker").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	leaker := exec.Command(path)
	stdout, err := leaker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := leaker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = leaker.Process.Kill()
		_ = leaker.Wait()
	}()
	var served, peer string
	if _, err := fmt.Fscan(stdout, &served, &peer); err != nil {
		t.Fatal(err)
	}
	got := leaktrend(t, "", "watch", "--pid", strconv.Itoa(leaker.Process.Pid), "--pprof", "http://"+served, "--soak", "20s", "--duration", "20s")
	all := got.stdout + got.stderr
	for _, want := range []string{"open_fds leak: ", "main.go:", "new descriptors are tcp CLOSE_WAIT to " + peer} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if bad := leaktrend(t, "", "watch", "--pid", "1", "--pprof", "ftp://x"); bad.code != 2 || !strings.Contains(bad.stderr, "--pprof") {
		t.Errorf("a bad address: code %d, %s", bad.code, bad.stderr)
	}
}
