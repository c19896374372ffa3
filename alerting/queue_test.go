//go:build go1.25

package alerting

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// A sink that is slow gets all of a burst: what waits is bounded by the findings, not by the queue.
func TestBurstIsDeliveredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &receiver{answer: func(n int, _ Alert) error {
			if n == 0 {
				<-release
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
		stop := running(t, d)
		d.Notify(alertN(0))
		synctest.Wait()
		const burst = 10_000
		var want []string
		for i := range burst {
			if i > 0 {
				d.Notify(alertN(i))
			}
			want = append(want, fmt.Sprint(i))
		}
		wantStats(t, d, SinkStats{Name: "receiver", Queued: burst})
		close(release)
		synctest.Wait()
		stop()
		wantStats(t, d, SinkStats{Name: "receiver", Sent: burst})
		if diff := cmp.Diff(want, b.ids()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

// Once the queue is full, what waits of a finding gives way to its latest alert, and a finding that ended meanwhile is
// not told at all.
func TestFullQueueKeepsTheLatestOfEachFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		var reported []string
		b := &receiver{}
		b.answer = func(_ int, a Alert) error {
			if !up.Load() {
				return errors.New("down")
			}
			reported = append(reported, fmt.Sprint(a.ID, " ", a.Status, " ", a.Severity))
			return nil
		}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
		alert := func(id string, status Status, severity Severity) Alert {
			return Alert{ID: id, Event: Event{Status: status, Severity: severity}}
		}
		stop := running(t, d)
		d.Notify(alert("over", Firing, Warning))
		d.Notify(alert("worse", Firing, Warning))
		d.Notify(alert("same", Firing, Warning))
		for i := range queueSize {
			d.Notify(alert(fmt.Sprint("other", i), Firing, Warning))
		}
		d.Notify(alert("worse", Firing, Critical))
		d.Notify(alert("worse", Firing, High))
		d.Notify(alert("new", Firing, Warning))
		d.Notify(alert("over", Resolved, Warning))
		time.Sleep(20 * time.Second)
		up.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		want := []string{"same firing warning"}
		for i := range queueSize {
			want = append(want, fmt.Sprint("other", i, " firing warning"))
		}
		want = append(want, "worse firing high", "new firing warning") // by the age of what is sent
		if diff := cmp.Diff(want, reported); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		got := d.Stats()[0]
		got.Retried = 0 // as many as fit into the time
		wantOf := SinkStats{Name: "receiver", Sent: queueSize + 3, Dropped: 4, LastError: "down",
			LastErrorAt: got.LastErrorAt}
		if diff := cmp.Diff(wantOf, got); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// Beyond what is kept the oldest alerts are lost, and that is said.
func TestFindingsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &receiver{answer: func(int, Alert) error { <-release; return nil }}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"receiver", b})
		stop := running(t, d)
		d.Notify(alertN(0))
		synctest.Wait()
		for i := 1; i < maxFindings+5; i++ {
			d.Notify(alertN(i))
		}
		// 0 is being sent; 1 to 5 had to go.
		wantStats(t, d, SinkStats{Name: "receiver", Dropped: 5, Queued: maxFindings})
		close(release)
		synctest.Wait()
		d.Notify(alertN("more")) // for which one that was told is forgotten
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "receiver", Sent: maxFindings + 1, Dropped: 5})
		stop()
		if len(d.firing) != maxFindings || !d.isFiring("more") || len(d.sinks[0].findings) != maxFindings {
			t.Errorf("%d findings are known to hold, %d to the sink", len(d.firing), len(d.sinks[0].findings))
		}
		if got := b.ids(); len(got) != maxFindings+1 || got[1] != "6" {
			t.Errorf("%d were sent, the second was %s", len(got), got[1])
		}
		if n := strings.Count(out.String(), "the oldest alerts are dropped"); n != 2 {
			t.Errorf("%d warnings of the loss, want one for each time:\n%s", n, out)
		}
	})
}

func TestHangingSinkDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := sendFunc(func(ctx context.Context, _ Alert) error {
			<-ctx.Done()
			return ctx.Err()
		})
		b := &receiver{}
		d := NewDispatcher(nil, NamedSink{"hangs", hangs}, NamedSink{"receiver", b})
		stop := running(t, d)
		start := time.Now()
		for i := range 3 {
			d.Notify(alertN(i))
		}
		synctest.Wait()
		if got := b.ids(); len(got) != 3 || time.Since(start) != 0 {
			t.Errorf("after %v the other sink has %v", time.Since(start), got)
		}
		time.Sleep(attemptTimeout)
		synctest.Wait()
		if got := d.Stats()[0]; !got.Failing || got.LastError != "context deadline exceeded" {
			t.Errorf("an attempt does not end with its time: %+v", got)
		}
		start = time.Now()
		stop()
		if elapsed := time.Since(start); elapsed != defaultDrain {
			t.Errorf("the drain took %v, want %v", elapsed, defaultDrain)
		}
	})
}

func TestDrain(t *testing.T) {
	slow := func(d time.Duration, err error) sendFunc {
		return func(ctx context.Context, _ Alert) error {
			select {
			case <-time.After(d):
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	for _, tc := range []struct {
		name           string
		sink           Sink
		drain, elapsed time.Duration
		left           int
	}{
		{"all in time", slow(time.Second, nil), 0, 3 * time.Second, 0},
		{"two of three", slow(2*time.Second, nil), 0, defaultDrain, 1},
		{"longer", slow(9*time.Second, nil), time.Minute, 27 * time.Second, 0}, // an attempt may take ten
		{"none", slow(time.Second, nil), -1, 0, 3},
		{"the wait would take too long", slow(0, &RetryAfterError{errors.New("429"), 30 * time.Second}), 0, 0, 3},
		{"refused", slow(time.Second, Final(errors.New("404"))), 0, 3 * time.Second, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, out := testLogger()
				d := NewDispatcher(logger, NamedSink{"slow", tc.sink})
				d.DrainTimeout = tc.drain
				for i := range 3 {
					d.Notify(alertN(i))
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				start := time.Now()
				if err := d.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if elapsed := time.Since(start); elapsed != tc.elapsed {
					t.Errorf("Run took %v, want %v", elapsed, tc.elapsed)
				}
				if got := d.Stats()[0].Queued; got != tc.left {
					t.Errorf("%d alerts left, want %d", got, tc.left)
				}
				want := 0
				if tc.left > 0 {
					want = 1
				}
				line := fmt.Sprintf(`sinks="slow: %d" undelivered=%[1]d`, tc.left)
				if got := strings.Count(out.String(), line); got != want {
					t.Errorf("%d lines with %s, want %d:\n%s", got, line, want, out)
				}
			})
		})
	}
}

// What is still failing when Run is stopped gets its last chance at once, not after the rest of its wait.
func TestStopRetriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		b := &receiver{answer: func(int, Alert) error {
			if down {
				return errors.New("down")
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
		stop := running(t, d)
		d.Notify(alertN(1))
		time.Sleep(10*time.Minute + time.Nanosecond)
		synctest.Wait()
		down = false
		start := time.Now()
		stop()
		if elapsed := time.Since(start); elapsed != 0 || d.Stats()[0].Sent != 1 {
			t.Errorf("after %v: %+v", elapsed, d.Stats()[0])
		}
	})
}

func TestSinkThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		active := 0
		b := &receiver{}
		deaf := sendFunc(func(ctx context.Context, a Alert) error {
			active++
			defer func() { active-- }()
			if active > 1 {
				t.Error("called again before it returned")
			}
			if a.ID == "hang" {
				<-release
			}
			return b.Send(ctx, a)
		})
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"deaf", deaf})
		stop := running(t, d)
		d.Notify(alertN("hang"))
		time.Sleep(attemptTimeout + grace)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "deaf", Queued: 1, Stuck: true})
		start := time.Now()
		stop()
		if elapsed := time.Since(start); elapsed != defaultDrain+grace {
			t.Errorf("Run took %v to give up, want %v", elapsed, defaultDrain+grace)
		}
		if n := strings.Count(out.String(), "does not return"); n != 1 {
			t.Errorf("%d warnings that it hangs, want 1:\n%s", n, out)
		}

		d.Notify(alertN("next"))
		stop = running(t, d)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "deaf", Queued: 2, Stuck: true})
		close(release)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "deaf", Sent: 2})
		stop()
		if diff := cmp.Diff([]string{"hang", "next"}, b.ids()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

type refreshing struct {
	receiver
	refreshed []string // what was known to be firing at each call
	err       error
	idle      int
}

func (r *refreshing) Refresh(_ context.Context, firing func(string) bool) error {
	var ids []string
	for _, id := range []string{"a", "b"} {
		if firing(id) {
			ids = append(ids, id)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refreshed = append(r.refreshed, fmt.Sprintf("%v %v", time.Now().UTC().Format("04:05"), ids))
	return r.err
}

func (r *refreshing) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *refreshing) CloseIdleConnections() { r.idle++ }

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &refreshing{}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"r", r})
		stop := running(t, d)
		d.Notify(alertN("a"))
		d.Notify(alertN("b"))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		d.Notify(Alert{ID: "a", Event: Event{Status: Resolved}})
		r.fail(errors.New("no"))
		time.Sleep(time.Minute)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "r", Sent: 3, Failing: true, LastError: "no"})
		r.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.idle != 0 {
			t.Error("connections closed before the end")
		}
		stop()
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"01:00 [a b]", "02:00 [b]", "03:00 [b]"}, r.refreshed); diff != "" {
			t.Errorf("refreshed (-want +got):\n%s", diff)
		}
		if r.idle != 1 {
			t.Errorf("idle connections closed %d times, want once", r.idle)
		}
		want := `level=warning msg="alerting: repeating alerts fails, retrying" dropped=0 error=no sink=r
level=info msg="alerting: repeating alerts works again" dropped=0 sink=r
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestNotifyFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &receiver{}
		d := NewDispatcher(nil, NamedSink{"receiver", b}, NamedSink{"panics", SinkFunc(func(Alert) { panic("x") })})
		const senders, each = 8, 200
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for range each {
					d.Notify(fullAlert())
					d.Stats()
				}
			})
		}
		for range 3 { // stopped and started again meanwhile
			stop := running(t, d)
			time.Sleep(time.Millisecond)
			stop()
		}
		wg.Wait()
		running(t, d)()
		for _, s := range d.Stats() {
			waits := map[string]int{"receiver": 0, "panics": 1}[s.Name]
			if s.Sent+s.Failed+s.Dropped+uint64(s.Queued) != senders*each || s.Queued != waits {
				t.Errorf("%+v: want %d in sum, %d of them queued", s, senders*each, waits)
			}
		}
	})
}

func TestClip(t *testing.T) {
	got := clip("http://h/s3cret " + strings.Repeat("é", 500))
	if len(got) > maxErrorText+len(redact.Mark) || !utf8.ValidString(got) ||
		!strings.HasPrefix(got, "http://h/... é") || !strings.HasSuffix(got, redact.Mark) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
