//go:build go1.25

package outbox

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowly is a reader that takes what it is sent when it is told to.
type slowly struct {
	bytes.Buffer
	read chan struct{}
}

func (s *slowly) Write(p []byte) (int, error) {
	<-s.read
	return s.Buffer.Write(p)
}

func TestWriterNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &slowly{read: make(chan struct{})}
		w := New(to)
		line := []byte(strings.Repeat("x", 1023) + "\n")
		start := time.Now()
		const lines = 3000
		for range lines {
			if n, err := w.Write(line); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		line[0] = 'y' // which is the caller's again
		if elapsed := time.Since(start); elapsed != 0 {
			t.Errorf("the writes took %v", elapsed)
		}
		w.Flush()
		if elapsed := time.Since(start); elapsed != patience {
			t.Errorf("the flush took %v, want %v", elapsed, patience)
		}
		close(to.read)
		synctest.Wait()
		fmt.Fprintln(w, "more")
		w.Flush()
		want := strings.Repeat(strings.Repeat("x", 1023)+"\n", maxBytes/1024) +
			fmt.Sprintf("(%d lines are missing here: nobody read them)\nmore\n", lines-maxBytes/1024)
		if got := to.String(); got != want {
			t.Errorf("%d bytes arrived, want %d; they end in %q", len(got), len(want), got[max(0, len(got)-80):])
		}
		if w.size != 0 || w.active {
			t.Errorf("%d bytes wait, active %v", w.size, w.active)
		}
	})
}

// A reader that is slow is waited for, for as long as it takes something.
func TestFlushOfASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &slowly{read: make(chan struct{})}
		w := New(to)
		for i := range 10 {
			fmt.Fprintln(w, i)
		}
		go func() {
			for range 10 {
				time.Sleep(patience - 1)
				to.read <- struct{}{}
			}
		}()
		w.Flush()
		if got, want := to.String(), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"; got != want {
			t.Errorf("%q arrived, want %q", got, want)
		}
	})
}

// An error is told by the next write, once.
func TestErrorsAreReturned(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	w := New(write)
	for _, want := range []bool{false, true, false, true} {
		if _, err := fmt.Fprintln(w, "x"); (err != nil) != want {
			t.Errorf("error %v, want one: %v", err, want)
		}
		w.Flush()
	}
}
