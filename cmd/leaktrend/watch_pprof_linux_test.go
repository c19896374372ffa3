package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside"
)

// A Go process is watched from outside, by what it serves with net/http/pprof and without: its alerts name the line of
// code and the peer of the connections.
func TestWatchPprof(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of real time")
	}
	t.Parallel()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	path := filepath.Join(t.TempDir(), "leaker")
	if out, err := exec.Command(tool, "build", "-o", path, "./testdata/leaker").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// The descriptors are told in the words of the kernel, and the line whether the process serves its profiles or not.
	// Since when they are new is said where that is not when the growth began.
	const descriptors = " are tcp CLOSE_WAIT to "
	for name, want := range map[string][]string{
		"pprof": {"open_fds leak: ", "main.go:", " new descriptors "},
		"alone": {"goroutines leak: ", "main.go:14 accounts for ", "chan receive, created by main.leak ",
			" new descriptors "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Each has its own, young one: of more than 1,000 goroutines it is not told who created them.
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
			args := []string{"watch", "--pid", strconv.Itoa(leaker.Process.Pid), "--soak", "20s"}
			if name == "pprof" {
				args = append(args, "--pprof", "http://"+served)
			} else if o, err := outside.Open(leaker.Process.Pid); err != nil {
				t.Skip("this toolchain is not known, or this system forbids it: ", err)
			} else {
				_ = o.Close()
			}
			want := append(slices.Clone(want), descriptors+peer)
			got := until(t, args, want...)
			for _, text := range want {
				if !strings.Contains(got.stdout+got.stderr, text) {
					t.Errorf("no %q in\n%s%s", text, got.stdout, got.stderr)
				}
			}
		})
	}
}

func TestWatchPprofTarget(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("leaktrend-pprof-%d", os.Getpid())
	leaky(t, name)
	pattern := "[l]" + name[1:] // does not match the test itself
	// The one process that matches is watched, though nothing answers at the address.
	// and its value
	one := until(t, []string{"watch", "--name", pattern, "--pprof", "http://127.0.0.1:1", "--interval", "50ms"},
		"open_fds ")
	if one.code != 0 || !strings.Contains(one.stdout, "open_fds") {
		t.Errorf("one process: code %d\n%s%s", one.code, one.stdout, one.stderr)
	}
	leaky(t, name)
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"address", []string{"--pid", "1", "--pprof", "ftp://x"}, []string{"--pprof"}},
		{"endpoint", []string{"--url", "http://127.0.0.1:1/metrics", "--pprof", "http://127.0.0.1:1"},
			[]string{"--pprof", "not with --url"}},
		{"several processes", []string{"--name", pattern, "--pprof", "http://127.0.0.1:1"},
			[]string{"2 processes match", "--pid"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := leaktrend(t, "", append([]string{"watch"}, test.args...)...)
			if got.code != 2 {
				t.Errorf("exit code %d", got.code)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("no %q in %s", want, got.stderr)
				}
			}
		})
	}
}
