// Package state keeps what was learned of a process from one start to the next, in a file: small, versioned, with a
// checksum, replaced as a whole, with one writer at a time. Package lives decides what is learned, and the monitor
// when it is saved and loaded; the files, and what goes wrong with them, are handled here. A fault is never a reason
// not to start, and costs no alert: a state that cannot be used is moved aside with a warning, and learning starts
// anew.
package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/state/filelock"
)

const (
	// longest between two writes, and how much of a run may be lost where it is killed when it is younger
	maxEvery    = 15 * time.Minute
	maxRetry    = 5 * time.Minute
	lostShare   = 16
	minEvery    = time.Second
	firstRetry  = time.Second
	readingWait = 500 * time.Millisecond // for the state, before the first sample is taken without it
	endWait     = 2 * time.Second        // for the state to be written at the end
)

// ErrLate says that a state came when too much had been sampled and decided without it.
var ErrLate = errors.New("it came too late")

// Place says where a state belongs.
type Place struct {
	Dir string // empty = nowhere
	Key Key
	// Fine is how much of a soak run may be lost where it is killed; 0 outside of soak mode.
	Fine time.Duration
}

// Keeper keeps the state of one process in its file while it runs, on a goroutine of its own: a disk that hangs delays
// nobody.
type Keeper struct {
	Logger *logrus.Logger
	// Place is asked again before each write.
	Place func() Place
	// Learn takes what was saved by the life before: usually before the first sample, later where the disk is slow or
	// the life before is only just ending. An error says why it cannot be used: then it is moved aside, but for
	// ErrLate, with which the file is left to whoever comes next.
	Learn func(*Saved) error
	// Record returns the record and the alerts that are to be saved; ok is false where there is nothing new.
	Record func() (s Saved, ok bool)

	mu      sync.Mutex
	written time.Time // of the state that this Keeper wrote or learned last
}

// know notes which state there is nothing to learn from.
func (k *Keeper) know(written time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written = written
}

func (k *Keeper) knows(s *Saved) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return s.Written.Equal(k.written)
}

// Start begins to keep the state, and returns once it was read, or half a second later. The function that it returns
// writes the latest state and ends that. It reports whether it could, within two seconds: what hangs is left behind.
func (k *Keeper) Start() (end func() bool) {
	r := &run{Keeper: k, started: time.Now(), read: make(chan struct{}), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	if k.Place().Dir == "" {
		close(r.read) // nothing to wait for, though a reload may name a directory
		r.first = true
	}
	go r.keep(ctx)
	awaitOr(r.read, readingWait)
	return func() bool {
		cancel()
		return awaitOr(r.ended, endWait)
	}
}

// awaitOr reports whether a channel was closed within a time.
func awaitOr(done <-chan struct{}, limit time.Duration) bool {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-done:
		return true
	case <-late.C:
		return false
	}
}

// run is one run of a Keeper. All but the channels is for its goroutine.
type run struct {
	*Keeper
	started time.Time
	read    chan struct{} // closed once the state was looked for
	first   bool          // it was
	ended   chan struct{} // closed once all is over
	file    *File
	place   Place
	late    Place // that is left to others
	// unwritten is what could not be written yet.
	unwritten *Saved
	problem   guard.News
	leftOut   int // alerts, as was said last
	failed    int // attempts in a row
}

// keep works until ctx ends.
func (r *run) keep(ctx context.Context) {
	defer close(r.ended)
	for {
		over := ctx.Err() != nil // the last step begins after the end of the run
		err := guard.Do(r.step)
		if !r.first {
			r.first = true
			close(r.read)
		}
		r.report(err)
		if over {
			break
		}
		wait := time.NewTimer(r.next(err))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
	if err := guard.Do(r.close); err != nil {
		r.report(err)
	}
}

// next returns how long to wait until the next step.
func (r *run) next(err error) time.Duration {
	if err != nil {
		r.failed++
		return min(firstRetry<<min(r.failed-1, 20), maxRetry)
	}
	r.failed = 0
	shortest := minEvery
	if r.place.Fine > 0 {
		shortest = min(shortest, r.place.Fine)
	}
	return min(max(time.Since(r.started)/lostShare, shortest), maxEvery)
}

// step writes the state, and opens its file before that where it is not open.
func (r *run) step() error {
	place := r.Place()
	if place != r.place {
		if err := r.close(); err != nil {
			return err
		}
	}
	r.place = place
	if place.Dir == "" || r.late == place {
		return nil
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	if saved, ok := r.Record(); ok {
		r.unwritten = &saved
	}
	if r.unwritten == nil {
		return nil
	}
	at := time.Now()
	err := r.file.Write(*r.unwritten, at)
	switch {
	case err == nil:
		r.unwritten = nil
		r.know(at)
		r.warnLeftOut()
	case errors.Is(err, fs.ErrNotExist): // the directory is gone, and with it the lock
		err = errors.Join(err, r.close())
	}
	return err
}

func (r *run) close() error {
	file := r.file
	if file == nil {
		return nil
	}
	r.file = nil
	return file.Close()
}

// open opens the file, and has what is in it learned.
func (r *run) open() error {
	file, saved, unusable, err := Open(r.place.Dir, r.place.Key, time.Now())
	if err != nil {
		return err
	}
	r.file = file
	if saved != nil && !r.knows(saved) {
		unusable = r.Learn(saved)
		if errors.Is(unusable, ErrLate) {
			r.late = r.place
			return errors.Join(fmt.Errorf("%s: %w", file.Path(), unusable), r.close())
		}
		if unusable != nil {
			unusable = errors.Join(fmt.Errorf("%s: %w", file.Path(), unusable), file.MoveAside())
		} else {
			r.know(saved.Written)
		}
	}
	if unusable != nil {
		r.Logger.Warnf("Resource monitor: what earlier lives of this process taught cannot be used, and learning "+
			"begins anew: %v; kept as %s",
			unusable, file.Path()+asideSuffix)
	}
	return nil
}

// warnLeftOut warns of alerts that the next life will not know of, when there are more of them.
func (r *run) warnLeftOut() {
	n := r.file.LeftOut()
	if n > r.leftOut {
		r.Logger.Warnf("Resource monitor: %s: %d of the alerts that hold have no room in the state, the least severe "+
			"and oldest of them: "+
			"the next life finds and tells them anew", r.file.Path(), n)
	}
	r.leftOut = n
}

// report logs what is wrong when that changes.
func (r *run) report(err error) {
	switch changed := r.problem.ChangedError(err); {
	case !changed:
	case err == nil && r.late == (Place{}):
		r.Logger.Info("Resource monitor: the state is kept again")
	case err == nil:
	case errors.Is(err, ErrLate):
		r.Logger.Warnf(
			"Resource monitor: this process goes on without what earlier lives taught, and keeps nothing: %v", err)
	case errors.Is(err, filelock.ErrLocked):
		r.Logger.Warnf("Resource monitor: another process of this executable and instance keeps the state here: this "+
			"one goes on without until that has ended; `instance` tells them apart: %v", err)
	default:
		guard.Entry(r.Logger, err).Warn("Resource monitor: the state cannot be kept, which is tried again")
	}
}
