//go:build go1.25

package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/outside"
)

// A program whose runtime was not ready when it was opened is read later. One that can never be read costs less and
// less.
func TestOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var tries []time.Duration
		p, err := openProcess(os.Getpid(), func(int) (*outside.Process, error) {
			tries = append(tries, time.Since(start))
			return nil, errors.New("its goroutines could not be read")
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var s sampler.Sample
		for time.Since(start) < 4*time.Hour {
			_ = p.Sample(t.Context(), &s)
			time.Sleep(5 * time.Second)
		}
		want := []time.Duration{0}
		for _, seconds := range []int{10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 8710, 12310} {
			want = append(want, time.Duration(seconds)*time.Second)
		}
		if !slices.Equal(tries, want) {
			t.Errorf("opened at %v, want %v", tries, want)
		}
	})
}

// What was closed is not opened again, though the process has executed another program by then.
func TestNotOpenedAfterTheEnd(t *testing.T) {
	opened := 0
	p, err := openProcess(os.Getpid(), func(int) (*outside.Process, error) {
		opened++
		return nil, errors.New("its goroutines could not be read")
	})
	if err != nil {
		t.Fatal(err)
	}
	p.executable = "the one before"
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Profiles().Present() || opened != 1 {
		t.Errorf("opened %d times, want once", opened)
	}
}

// A program that takes long to be opened does not hold up samples: it is read from then on.
func TestOpenedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := errors.New("its goroutines could not be read")
		p, failed := openProcess(os.Getpid(), func(int) (*outside.Process, error) { return nil, err })
		if failed != nil {
			t.Fatal(failed)
		}
		defer p.Close()
		opened := make(chan struct{})
		p.open = func(int) (*outside.Process, error) {
			<-opened
			return nil, outside.ErrNotGo
		}
		time.Sleep(reopenAfter)
		var s sampler.Sample
		for i := range 10 {
			start := time.Now()
			_ = p.Sample(t.Context(), &s)
			if elapsed := time.Since(start); elapsed > openWait || i > 0 && elapsed > 0 {
				t.Errorf("sample %d takes %s", i, elapsed)
			}
		}
		if p.Note() == "" {
			t.Error("nothing lacks though it is not opened yet")
		}
		close(opened)
		synctest.Wait()
		if note := p.Note(); note != "" {
			t.Error(note)
		}
	})
}

// One that is closed while it is opened is not read.
func TestClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := openProcess(os.Getpid(), func(int) (*outside.Process, error) { return nil, fs.ErrPermission })
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan struct{})
		p.open = func(int) (*outside.Process, error) {
			<-end
			return nil, outside.ErrNotGo
		}
		time.Sleep(reopenAfter)
		_ = p.Present()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		close(end)
		synctest.Wait()
		if p.Present() || p.Note() == "" {
			t.Error("it was opened")
		}
	})
}

// What is not read is said when that is known, and that it is read after all.
func TestNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		p, failed := openProcess(os.Getpid(), func(int) (*outside.Process, error) { return nil, err })
		if failed != nil {
			t.Fatal(failed)
		}
		defer p.Close()
		var notes []string
		p.OnNote(func(note string, lacks bool) { notes = append(notes, fmt.Sprint(note, " ", lacks)) })
		try := func() (wait time.Duration) {
			p.mu.Lock()
			p.next = time.Now()
			p.mu.Unlock()
			start := time.Now()
			_ = p.Profiles().Present()
			return p.next.Sub(start).Round(10 * time.Second)
		}
		var waits []time.Duration
		var denied []bool
		for _, err = range []error{outside.ErrNotGo, fs.ErrPermission, fs.ErrPermission, fs.ErrPermission,
			fs.ErrPermission, fs.ErrPermission, errNotNow} {
			if wait := try(); err != outside.ErrNotGo {
				waits = append(waits, wait)
			}
			denied = append(denied, p.Denied())
		}
		if diff := cmp.Diff([]bool{false, true, true, true, true, true, false}, denied); diff != "" {
			t.Errorf("denied (-want +got):\n%s", diff)
		}
		p.open, err = outside.Open, nil
		o, cannot := outside.Open(os.Getpid())
		if cannot != nil {
			t.Skip("this toolchain is not known, or this system forbids it: ", cannot)
		}
		_ = o.Close()
		try()
		const not = "if it is a Go program, its goroutines and live heap are not read: "
		if diff := cmp.Diff([]string{
			not + fs.ErrPermission.Error() + " true", not + errNotNow.Error() + " true",
			"goroutines and live heap are read from now on false",
		}, notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		const second = time.Second
		if diff := cmp.Diff([]time.Duration{10 * second, 20 * second, 40 * second, 60 * second, 60 * second,
			120 * second}, waits); diff != "" {
			t.Errorf("it is opened again after (-want +got):\n%s", diff)
		}
	})
}
