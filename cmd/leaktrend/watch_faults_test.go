package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What could not be read or judged is said, the rest is judged, and the exit code tells of it where no leak was found.
func TestWatchTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	const metrics = "go_goroutines 10\nprocess_open_fds 5\n"
	var requests, other atomic.Int64
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		soak   string // by default none: nothing is judged for want of time
		code   int
		says   string
	}{
		{"all is read and judged", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metrics)
		}, "40s", exitRan, "goroutines 10 ok"},
		{"too short", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metrics)
		}, "0s", exitPart, "goroutines 10 early"},
		{"labels that change", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metrics)
			n := requests.Add(1)
			for i := range 5000 {
				fmt.Fprintf(w, "m{id=\"%d_%d\"} 1\n", n, i)
			}
		}, "40s", exitPart, "more than 4098 resources are read"},
		{"every other time", func(w http.ResponseWriter, _ *http.Request) {
			if other.Add(1)%2 == 0 {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, metrics)
		}, "40s", exitPart, "answered 503"},
		{"names that change the terminal", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "evil{l=\"\x1b[2J\x1b]0;pwn\x07\"} 1\nevil{l=\"\u202e\"} 2\n"+
				"{\"\u202ebad\x1b[2J\"} 3\n")
		}, "0s", exitPart, "pwn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			defer server.Close()
			got := until(t, []string{"watch", "--url", server.URL, "--interval", "50ms", "--soak", test.soak,
				"--exit-code"}, test.says)
			if got.code != test.code || !strings.Contains(got.stdout+got.stderr, test.says) {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if lacks := strings.Contains(got.stderr, "not read or judged in full: "); lacks != (test.code == exitPart) {
				t.Errorf("what lacks is told: %t\n%s", lacks, got.stderr)
			}
			if strings.ContainsAny(got.stdout+got.stderr, "\x1b\x07\u202e") {
				t.Errorf("the terminal gets %q", got.stdout+got.stderr)
			}
		})
	}
}

// A process that ends with a disk that is full is watched to its end, and the exit code tells what is missing.
func TestWatchedProcessEndsWithoutRoom(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil || runtime.GOOS != "linux" {
		t.Skip("no /dev/full here")
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end := func() {
		once.Do(func() {
			_ = child.Process.Kill()
			_ = child.Wait()
		})
	}
	defer end()
	args := []string{"watch", "--pid", strconv.Itoa(child.Process.Pid), "-o", "/dev/full", "--interval", "50ms"}
	got := reacting(t, args, func(_, stderr string, _ func()) {
		if strings.Contains(stderr, "cannot be written: no space left on device") {
			end()
		}
	})
	if got.code != exitPart || !strings.Contains(got.stderr, " ended") ||
		!strings.Contains(got.stderr, "leaktrend: samples are missing from the recording") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
