//go:build go1.25

package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/state"
)

// process is one whose state is kept.
type process struct {
	state.Keeper
	log *logtest.Hook

	mu       sync.Mutex
	place    state.Place
	learned  []int // how many lives, each time
	refuses  error
	requests atomic.Int32 // for the record
	once     bool         // it has a record only once
	reported atomic.Bool
}

func newProcess(dir string) *process {
	logger, hook := logtest.NewNullLogger()
	p := &process{log: hook, place: state.Place{Dir: dir, Key: key}}
	p.Keeper = state.Keeper{
		Logger: logger,
		Place: func() state.Place {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.place
		},
		Learn: func(s *state.Saved) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.learned = append(p.learned, len(s.Record.Lives))
			return p.refuses
		},
		Record: func() (state.Saved, bool) {
			p.requests.Add(1)
			if p.reported.Load() {
				return state.Saved{}, false
			}
			p.reported.Store(p.once)
			return state.Saved{Record: *record(1 + p.known())}, true
		},
	}
	return p
}

// known is how many lives there were before.
func (p *process) known() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.learned {
		n += l
	}
	return n
}

func (p *process) move(dir string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.place.Dir = dir
}

// logged returns the levels of what was logged.
func (p *process) logged() (levels []logrus.Level) {
	for _, e := range p.log.AllEntries() {
		levels = append(levels, e.Level)
	}
	return levels
}

// livesIn returns how many lives the state in a directory has, -1 where there is none.
func livesIn(dir string) int {
	s, err := state.Read(filepath.Join(dir, key.FileName()))
	if err != nil {
		return -1
	}
	return len(s.Record.Lives)
}

func TestKeeperHandsOver(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		synctest.Test(t, func(t *testing.T) {
			p := newProcess(dir)
			end := p.Start()
			if p.known() != i {
				t.Errorf("life %d knows of %d before it", i, p.known())
			}
			if !end() {
				t.Error("the state was not written at the end")
			}
			if n := livesIn(dir); n != i+1 || len(p.logged()) > 0 {
				t.Errorf("life %d left %d lives, and said %v", i, n, p.logged())
			}
		})
	}
}

// A process that is killed has lost a sixteenth of its run, a second at least, and a quarter of an hour at most.
func TestKeeperInterval(t *testing.T) {
	for _, test := range []struct{ run, fine, max time.Duration }{
		{10 * time.Second, 0, time.Second},
		{5 * time.Minute, 0, 20 * time.Second},
		{6 * time.Hour, 0, 15 * time.Minute},
		{10 * time.Second, 200 * time.Millisecond, 640 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newProcess(t.TempDir())
			p.place.Fine = test.fine
			end := p.Start()
			time.Sleep(test.run)
			synctest.Wait()
			before := p.requests.Load()
			time.Sleep(test.max)
			synctest.Wait()
			if n := p.requests.Load() - before; n < 1 || n > 2 {
				t.Errorf("after %s: %d states in %s, want 1", test.run, n, test.max)
			}
			end()
		})
	}
}

// The second process of a key goes on without a state, says so once, and learns what the first one knew when that ends.
func TestKeeperSecondWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, second := newProcess(dir), newProcess(dir)
		endFirst, endSecond := first.Start(), second.Start()
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel}, second.logged()); diff != "" || second.known() != 0 {
			t.Errorf("it knows of %d lives, and said (-want +got):\n%s", second.known(), diff)
		}
		endFirst()
		time.Sleep(10 * time.Minute)
		if second.known() != 1 || livesIn(dir) != 2 {
			t.Errorf("when the first had ended it knew of %d lives, and %d are kept", second.known(), livesIn(dir))
		}
		endSecond()
		if len(first.logged()) > 0 {
			t.Errorf("the first one said %v", first.logged())
		}
	})
}

// A directory that cannot be, is gone, or comes back is told once each, and tried again.
func TestKeeperWithoutDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := filepath.Join(t.TempDir(), "parent")
		if err := os.WriteFile(parent, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(parent, "state")
		p := newProcess(dir)
		end := p.Start()
		time.Sleep(time.Hour)
		if err := os.Remove(parent); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if livesIn(dir) != 1 {
			t.Error("it is not kept once it can be")
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if livesIn(dir) != 1 {
			t.Error("it is not kept again after the directory was removed")
		}
		end()
		want := []logrus.Level{logrus.WarnLevel, logrus.InfoLevel, logrus.WarnLevel, logrus.InfoLevel}
		if diff := cmp.Diff(want, p.logged()); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

// What could not be written is written when it can be, though there is nothing new by then.
func TestKeeperWritesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		inTheWay := filepath.Join(dir, key.FileName()+".new")
		if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		p := newProcess(dir)
		p.once = true
		end := p.Start()
		time.Sleep(time.Hour)
		if err := os.RemoveAll(inTheWay); err != nil {
			t.Fatal(err)
		}
		end()
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel, logrus.InfoLevel}, p.logged()); diff != "" ||
			livesIn(dir) != 1 {
			t.Errorf("%d lives are kept; said (-want +got):\n%s", livesIn(dir), diff)
		}
	})
}

// Another directory, as after a reload, gets what is known, and what is there already is kept aside where it cannot be
// learned.
func TestKeeperMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := t.TempDir(), t.TempDir()
		path, text := fill(t, other, record(3), time.Now())
		p := newProcess("")
		end := p.Start()
		p.move(one)
		time.Sleep(time.Minute)
		if livesIn(one) != 1 {
			t.Error("a directory that is named later is not used")
		}
		p.refuses = errors.New("another state is in use")
		p.move(other)
		time.Sleep(time.Minute)
		end()
		kept, err := os.ReadFile(path + ".unusable")
		if err != nil || string(kept) != string(text) || livesIn(other) < 1 {
			t.Errorf("%v: what was there was not kept, or nothing came in its place", err)
		}
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel}, p.logged()); diff != "" ||
			!slices.Equal(p.learned, []int{3}) {
			t.Errorf("learned %v; said (-want +got):\n%s", p.learned, diff)
		}
	})
}

// A directory that was gone when the state was to be written, and is there again, has nothing new to learn from.
func TestKeeperDirectoryComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		path, _ := fill(t, dir, record(3), time.Now())
		p := newProcess(dir)
		record := p.Record
		p.Record = func() (state.Saved, bool) {
			if p.requests.Load() == 0 {
				if err := os.Rename(dir, dir+" gone"); err != nil {
					t.Error(err)
				}
			}
			return record()
		}
		p.Learn = func(s *state.Saved) error {
			p.learned = append(p.learned, len(s.Record.Lives))
			if len(p.learned) > 1 {
				return errors.New("another state is in use")
			}
			return nil
		}
		end := p.Start()
		if err := os.Rename(dir+" gone", dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		end()
		if _, err := os.Stat(path + ".unusable"); !os.IsNotExist(err) || livesIn(dir) != 4 {
			t.Errorf("%d lives are kept, want 4; moved aside: %v", livesIn(dir), err)
		}
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel, logrus.InfoLevel}, p.logged()); diff != "" ||
			!slices.Equal(p.learned, []int{3}) {
			t.Errorf("learned %v; said (-want +got):\n%s", p.learned, diff)
		}
	})
}

// What comes too late is left to whoever comes next, and said once.
func TestKeeperTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		fill(t, dir, record(3), time.Now())
		p := newProcess(dir)
		p.refuses = state.ErrLate
		end := p.Start()
		time.Sleep(time.Hour)
		next := newProcess(dir)
		endNext := next.Start()
		if next.known() != 3 {
			t.Errorf("the next one knows of %d lives, want 3", next.known())
		}
		endNext()
		end()
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel}, p.logged()); diff != "" || livesIn(dir) != 4 {
			t.Errorf("%d lives are kept; said (-want +got):\n%s", livesIn(dir), diff)
		}
	})
}

// A record that panics is no more than a state that is not kept.
func TestKeeperPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t.TempDir())
		p.Record = func() (state.Saved, bool) { panic("by the test") }
		end := p.Start()
		time.Sleep(time.Hour)
		if !end() || !slices.Equal(p.logged(), []logrus.Level{logrus.WarnLevel}) {
			t.Errorf("said %v", p.logged())
		}
	})
}

// A disk that hangs holds up nobody: neither the start nor the end. What it gives late is learned late.
func TestKeeperHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		fill(t, dir, record(2), time.Now())
		p := newProcess(dir)
		learn, answers := p.Learn, make(chan bool)
		p.Learn = func(s *state.Saved) error {
			<-answers
			return learn(s)
		}
		start := time.Now()
		end := p.Start()
		if elapsed := time.Since(start); elapsed != 500*time.Millisecond {
			t.Errorf("the start took %s", elapsed)
		}
		ended := make(chan bool)
		go func() { ended <- end() }()
		if <-ended {
			t.Error("it says that all was written")
		}
		if elapsed := time.Since(start); elapsed != 2500*time.Millisecond {
			t.Errorf("start and end took %s", elapsed)
		}
		close(answers)
		synctest.Wait()
		if p.known() != 2 || livesIn(dir) != 3 {
			t.Errorf("what came late was not learned: %d lives, and %d are kept", p.known(), livesIn(dir))
		}
	})
}

// Alerts that have no room are said, once.
func TestKeeperLeavesAlertsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t.TempDir())
		p.Record = func() (state.Saved, bool) {
			s := state.Saved{Record: *record(1)}
			for _, id := range []string{"a", "b", "c", "d", "e"} {
				s.Alerts = append(s.Alerts,
					alerting.Alert{ID: id, Event: alerting.Event{Time: now, Summary: strings.Repeat("x", 16<<10)}})
			}
			return s, true
		}
		end := p.Start()
		time.Sleep(time.Hour)
		end()
		if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel}, p.logged()); diff != "" {
			t.Fatalf("said (-want +got):\n%s", diff)
		}
		if text := p.log.LastEntry().Message; !strings.Contains(text, "2 of the alerts that hold") {
			t.Errorf("said %q", text)
		}
	})
}
