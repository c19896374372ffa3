// Package testchild runs the test program again as a process of its own that executes commands, line by line. Only
// tests use it.
package testchild

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

const childEnv = "LEAKTREND_TEST_CHILD"

// Child is the test program run again.
type Child struct {
	PID int

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// Start starts a child, with further variables in its environment. The package under test has a TestChild that calls
// Serve. The child ends with the test.
func Start(t testing.TB, env ...string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(append(os.Environ(), childEnv+"=1"), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Child{cmd: cmd, in: in, out: bufio.NewScanner(out), PID: cmd.Process.Pid}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c.Do(t, "ready")
	return c
}

// Order has the child do one thing, of which no answer is awaited.
func (c *Child) Order(t testing.TB, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		t.Fatal(err)
	}
}

// Do has the child do one thing, and returns its answer.
func (c *Child) Do(t testing.TB, order string) string {
	t.Helper()
	c.Order(t, order)
	for c.out.Scan() {
		if answer, ok := strings.CutPrefix(c.out.Text(), "done: "); ok {
			return answer
		}
	}
	t.Fatalf("child did not answer %q: %v", order, c.out.Err())
	return ""
}

// Serve executes the commands for the child, until its input ends: gc, open 50 files, grow by 64 MiB, start 20 threads,
// spin for 100 ms, become a bare program without descriptors, or one of the test's own orders. In an ordinary run it
// skips the test.
func Serve(t *testing.T, own map[string]func(t *testing.T) (answer string)) {
	if os.Getenv(childEnv) == "" {
		t.Skip("runs in a child process")
	}
	var files []*os.File
	var kept [][]byte
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		answer := "ok"
		switch order := orders.Text(); order {
		case "ready":
		case "gc":
			runtime.GC()
		case "open":
			for range 50 {
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
			}
		case "grow":
			b := make([]byte, 64<<20)
			for i := range b {
				b[i] = 1
			}
			kept = append(kept, b)
		case "threads":
			for range 20 { // some of them use an idle thread
				started := make(chan struct{})
				go func() {
					runtime.LockOSThread()
					close(started)
					select {}
				}()
				<-started
			}
		case "spin":
			for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
			}
		case "bare":
			t.Fatal(becomeBare())
		default:
			obey, ok := own[order]
			if !ok {
				t.Fatalf("unknown order %q", order)
			}
			answer = obey(t)
		}
		fmt.Println("done:", answer)
	}
	runtime.KeepAlive(files)
	runtime.KeepAlive(kept)
}
