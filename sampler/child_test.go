package sampler

import (
	"bufio"
	"context"
	"encoding/json"
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

// child is this test program run again, doing what it is told line by line.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	pid int
}

func startChild(t testing.TB, env ...string) *child {
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
	c := &child{cmd: cmd, in: in, out: bufio.NewScanner(out), pid: cmd.Process.Pid}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c.tell(t, "ready")
	return c
}

// tell has the child do one thing, and returns its answer.
func (c *child) tell(t testing.TB, order string) string {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		t.Fatal(err)
	}
	for c.out.Scan() {
		if answer, ok := strings.CutPrefix(c.out.Text(), "done: "); ok {
			return answer
		}
	}
	t.Fatalf("child did not answer %q: %v", order, c.out.Err())
	return ""
}

// TestChild is what the child runs; it does nothing in an ordinary run.
func TestChild(t *testing.T) {
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
			for range 20 { // some of them take a thread that stands idle
				started := make(chan struct{})
				go func() {
					runtime.LockOSThread()
					close(started)
					select {}
				}()
				<-started
			}
		case "spin":
			for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
			}
		case "bare":
			t.Fatal(becomeBare())
		case "resources":
			self, err := NewSelf()
			if err != nil {
				t.Fatal(err)
			}
			var s Sample
			if err := self.Sample(context.Background(), &s); err != nil {
				t.Fatal(err)
			}
			readings, err := json.Marshal(s.Readings)
			if err != nil {
				t.Fatal(err)
			}
			answer = string(readings)
			if err := self.Close(); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown order %q", order)
		}
		fmt.Println("done:", answer)
	}
	runtime.KeepAlive(files)
	runtime.KeepAlive(kept)
}
