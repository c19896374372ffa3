package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// onceAfter is how long after an interrupt another one is taken for the same: timeout sends it to the process, and at
// once to its group. No person is that fast.
const onceAfter = 100 * time.Millisecond

// noticeAfter is how long after an interrupt a message says that the command is ending.
const noticeAfter = time.Second

// endAtOnce has a second interrupt end the program at once, by the function that gives up taking them. Whoever waits
// for what is left to deliver is told.
func endAtOnce(interrupted context.Context, giveUp func(), stderr io.Writer) {
	context.AfterFunc(interrupted, func() {
		time.AfterFunc(onceAfter, giveUp)
		time.AfterFunc(noticeAfter, func() {
			fmt.Fprintln(stderr, "leaktrend: ending; interrupt again to end at once")
		})
	})
}

// interruptible is a reader that a signal ends: whoever is asked for input may never write any.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	buf  []byte
	read chan result // what comes of reading into buf
	busy bool        // until it has come
	left []byte      // of buf
	err  error       // that follows
}

type result struct {
	n   int
	err error
}

// Read reads, or returns the error of the context.
func (r *interruptible) Read(p []byte) (n int, err error) {
	if len(r.left) == 0 && r.err == nil && len(p) > 0 {
		if err := r.fill(len(p)); err != nil {
			return 0, err
		}
	}
	n = copy(p, r.left)
	r.left = r.left[n:]
	if len(r.left) == 0 {
		err = r.err
	}
	return n, err
}

// fill waits for input. A read that nobody waits for any more goes on, and its buffer is its own until it is over.
func (r *interruptible) fill(size int) error {
	if !r.busy {
		if len(r.buf) < size {
			r.buf = make([]byte, size)
		}
		r.busy, r.read = true, make(chan result, 1)
		go func(into []byte, read chan<- result) {
			n, err := r.from.Read(into)
			read <- result{n, err}
		}(r.buf[:size], r.read)
	}
	select {
	case got := <-r.read:
		r.busy, r.left, r.err = false, r.buf[:got.n], got.err
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
