// Package outbox writes for those who must not wait: the reader of a pipe may be asleep. What is written, and how it
// looks, is for others.
package outbox

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	maxBytes = 1 << 20         // that wait for the reader
	patience = 5 * time.Second // of Flush with a reader that takes nothing
)

// Writer passes on what is written to it, in order, from a goroutine of its own, which ends when there is nothing to
// pass on. It is safe for concurrent use.
type Writer struct {
	to      io.Writer
	missing func(lines int) string // what to write in the place of lines

	mu      sync.Mutex
	waiting [][]byte
	size    int           // of these in bytes
	lost    int           // writes for which there was no room, and of which nothing was said yet
	active  bool          // the goroutine is there
	since   time.Time     // when it began to write what it writes now
	moved   chan struct{} // closed when it has
	failed  error         // of the latest write that failed, until it is returned
}

// New returns a Writer to another one.
func New(to io.Writer) *Writer { return NewNoting(to, noted) }

// NewNoting returns a Writer that writes what a function returns where lines are missing, and calls it by then.
func NewNoting(to io.Writer, missing func(lines int) string) *Writer {
	return &Writer{to: to, missing: missing, moved: make(chan struct{})}
}

func noted(lines int) string {
	return fmt.Sprintf("(%d lines are missing here: nobody read them)\n", lines)
}

// Write takes a copy of p and returns at once. Where a MiB waits already it takes nothing, and that is noted between
// the others when there is room again. The error is that of a write before.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failed; err != nil {
		w.failed = nil
		return 0, err
	}
	if w.size+len(p) > maxBytes {
		w.lost++
		return len(p), nil
	}
	if w.lost > 0 {
		if text := w.missing(w.lost); text != "" {
			w.put([]byte(text))
		}
		w.lost = 0
	}
	w.put(append([]byte(nil), p...))
	return len(p), nil
}

// put needs w.mu.
func (w *Writer) put(p []byte) {
	w.waiting = append(w.waiting, p)
	w.size += len(p)
	if !w.active {
		w.active, w.since = true, time.Now()
		go w.pass()
	}
}

// pass writes what waits, until nothing does.
func (w *Writer) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 {
		p := w.waiting[0]
		w.since = time.Now()
		w.mu.Unlock()
		_, err := w.to.Write(p)
		w.mu.Lock()
		if err != nil {
			w.failed = err
		}
		w.waiting = w.waiting[1:]
		w.size -= len(p)
		close(w.moved)
		w.moved = make(chan struct{})
	}
	w.active, w.waiting = false, nil
}

// Flush waits until all is written, unless the reader has taken nothing for five seconds.
func (w *Writer) Flush() {
	for {
		w.mu.Lock()
		active, moved, late := w.active, w.moved, time.Until(w.since.Add(patience))
		w.mu.Unlock()
		if !active {
			return
		}
		over := time.NewTimer(late)
		select {
		case <-moved:
			over.Stop()
		case <-over.C:
			return
		}
	}
}
