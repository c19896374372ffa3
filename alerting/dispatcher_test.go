//go:build go1.25

package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

type sendFunc func(context.Context, Alert) error

func (f sendFunc) Send(ctx context.Context, a Alert) error { return f(ctx, a) }

// book is a sink that writes down what it gets, and when.
type book struct {
	mu     sync.Mutex
	start  time.Time
	tried  []string
	times  []time.Duration
	answer func(n int, a Alert) error // for the nth attempt, from 0
}

func (b *book) Send(_ context.Context, a Alert) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.start.IsZero() {
		b.start = time.Now()
	}
	n := len(b.tried)
	b.tried = append(b.tried, a.ID)
	b.times = append(b.times, time.Since(b.start))
	if b.answer == nil {
		return nil
	}
	return b.answer(n, a)
}

func (b *book) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.tried...)
}

func testLogger() (*logrus.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&out)
	logger.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	return logger, &out
}

// running starts Run and returns what stops it and waits for it.
func running(t *testing.T, d *Dispatcher) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func alertN(id any) Alert { return Alert{ID: fmt.Sprint(id), Event: Event{Status: Firing}} }

func wantStats(t *testing.T, d *Dispatcher, want ...SinkStats) {
	t.Helper()
	if diff := cmp.Diff(want, d.Stats(), cmpopts.IgnoreFields(SinkStats{}, "LastErrorAt")); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestNotifyBeforeDuringAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		d := NewDispatcher(nil, NamedSink{"book", b})
		d.Notify(alertN("before"))
		synctest.Wait()
		if got := b.ids(); len(got) != 0 {
			t.Fatalf("sent before Run: %v", got)
		}
		stop := running(t, d)
		synctest.Wait()
		d.Notify(alertN("during"))
		synctest.Wait()
		if err := d.Run(t.Context()); err == nil {
			t.Error("a second Run at the same time gives no error")
		}
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("stopping with nothing queued took %v", took)
		}
		d.Notify(alertN("after"))
		wantStats(t, d, SinkStats{Name: "book", Sent: 2, Queued: 1})
		running(t, d)()
		if diff := cmp.Diff([]string{"before", "during", "after"}, b.ids()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

func TestSinksShareNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Alert
		var mu sync.Mutex
		scribble := SinkFunc(func(a Alert) {
			mu.Lock()
			got = append(got, a.Clone())
			mu.Unlock()
			a.Sites[0].Types[0], a.Exhaustion.Limit = "scribbled", -1
		})
		d := NewDispatcher(nil, NamedSink{"a", scribble}, NamedSink{"b", scribble})
		a := fullAlert()
		a.Version = ""
		d.Notify(a)
		a.Sites[0].Types[0], a.Evidence.T, a.Profiles[0].Path = "reused", -1, "reused"
		running(t, d)()
		if diff := cmp.Diff([]Alert{fullAlert(), fullAlert()}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRetryBacksOffUntilSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failures = 70 // over an hour at one a minute
		b := &book{answer: func(n int, _ Alert) error {
			if n < failures {
				return errors.New("http://bob:s3cret@example.com/s3cret is down")
			}
			return nil
		}}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"book", b})
		stop := running(t, d)
		d.Notify(alertN(1))
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		for i := 1; i < len(b.times); i++ {
			top := time.Minute
			if i < 7 {
				top = min(time.Second<<(i-1), time.Minute)
			}
			if gap := b.times[i] - b.times[i-1]; gap < top/2 || gap > top {
				t.Errorf("attempt %d came %v after the one before, want %v to %v", i, gap, top/2, top)
			}
		}
		wantStats(t, d, SinkStats{Name: "book", Sent: 1, Retried: failures, LastError: "http://example.com/... is down"})

		d.Notify(alertN(2))
		synctest.Wait()
		stop()
		want := `level=warning msg="alerting: sending alerts fails, retrying" dropped=0 error="http://example.com/... is down" sink=book
level=info msg="alerting: sending alerts works again" dropped=0 sink=book
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestOrderIsKeptOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{answer: func(n int, _ Alert) error {
			if n < 5 {
				return errors.New("down")
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"book", b})
		stop := running(t, d)
		for i := range 3 {
			d.Notify(alertN(i))
		}
		time.Sleep(5 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"0", "0", "0", "0", "0", "0", "1", "2"}, b.ids()); diff != "" {
			t.Errorf("tried (-want +got):\n%s", diff)
		}
	})
}

// A receiver that chokes on one alert still gets the others, but never the end of a finding before its beginning.
func TestAlertThatKeepsFailingLetsOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		b := &book{}
		b.answer = func(_ int, a Alert) error {
			if a.ID == "poison" {
				return errors.New("500")
			}
			sent = append(sent, a.ID)
			return nil
		}
		d := NewDispatcher(nil, NamedSink{"book", b})
		stop := running(t, d)
		d.Notify(alertN("poison"))
		d.Notify(Alert{ID: "poison", Event: Event{Status: Resolved}})
		d.Notify(alertN("a"))
		d.Notify(alertN("b"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b"}, sent); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if got := d.Stats()[0]; got.Queued != 2 || got.Sent != 2 {
			t.Errorf("%+v: want 2 sent and 2 queued", got)
		}
		stop()
	})
}

func TestRetryAfterIsHonouredUpToAMinute(t *testing.T) {
	for _, tc := range []struct{ after, least, most time.Duration }{
		{20 * time.Second, 20 * time.Second, 20 * time.Second},
		{time.Hour, time.Minute, time.Minute},
		{time.Millisecond, time.Second / 2, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &book{answer: func(n int, _ Alert) error {
				if n == 0 {
					return fmt.Errorf("busy: %w", &RetryAfterError{errors.New("429"), tc.after})
				}
				return nil
			}}
			d := NewDispatcher(nil, NamedSink{"book", b})
			stop := running(t, d)
			d.Notify(alertN(1))
			time.Sleep(5 * time.Minute)
			stop()
			if len(b.times) != 2 || b.times[1] < tc.least || b.times[1] > tc.most {
				t.Errorf("asked for %v: attempts at %v", tc.after, b.times)
			}
		})
	}
}

func TestFinalErrorsAndPanicsAreNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{answer: func(n int, _ Alert) error {
			switch n {
			case 0, 1:
				return Final(errors.New("404"))
			case 2:
				panic("at http://h/s3cret")
			}
			return nil
		}}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"book", b})
		stop := running(t, d)
		for i := range 3 {
			d.Notify(alertN(i))
		}
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "book", Failed: 3, Failing: true, LastError: "panic: at http://h/..."})
		d.Notify(alertN(3))
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "book", Sent: 1, Failed: 3, LastError: "panic: at http://h/..."})
		stop()
		var events []string
		for line := range strings.Lines(out.String()) {
			line, _, _ = strings.Cut(line, " dropped=")
			events = append(events, strings.TrimSpace(line))
		}
		want := []string{
			`level=warning msg="alerting: sending alerts fails for good"`,
			`level=error msg="alerting: sending alerts: the sink panicked"`,
			`level=info msg="alerting: sending alerts works again"`,
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		if strings.Contains(out.String(), "s3cret") {
			t.Errorf("secret in the log: %s", out)
		}
	})
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &book{answer: func(n int, _ Alert) error {
			if n == 0 {
				<-release
			}
			return nil
		}}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"book", b})
		stop := running(t, d)
		d.Notify(alertN(0))
		synctest.Wait()
		for i := 1; i <= queueSize+5; i++ {
			d.Notify(alertN(i))
		}
		// 0 is being sent; 1 to 5 were pushed out after it.
		wantStats(t, d, SinkStats{Name: "book", Dropped: 5, Queued: queueSize + 1})
		close(release)
		synctest.Wait()
		stop()
		wantStats(t, d, SinkStats{Name: "book", Sent: queueSize + 1, Dropped: 5})
		want := []string{"0"}
		for i := 6; i <= queueSize+5; i++ {
			want = append(want, fmt.Sprint(i))
		}
		if diff := cmp.Diff(want, b.ids()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if n := strings.Count(out.String(), "queue is full"); n != 1 {
			t.Errorf("%d warnings about the full queue, want 1:\n%s", n, out)
		}
	})
}

func TestPushedOutWhileFailingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{answer: func(n int, _ Alert) error {
			if n == 0 {
				time.Sleep(time.Second)
				return errors.New("down")
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"book", b})
		stop := running(t, d)
		d.Notify(alertN("first"))
		synctest.Wait()
		for i := range queueSize {
			d.Notify(alertN(i))
		}
		time.Sleep(time.Minute)
		stop()
		wantStats(t, d, SinkStats{Name: "book", Sent: queueSize, Dropped: 1, LastError: "down"})
	})
}

func TestHangingSinkDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := sendFunc(func(ctx context.Context, _ Alert) error {
			<-ctx.Done()
			return ctx.Err()
		})
		b := &book{}
		d := NewDispatcher(nil, NamedSink{"hangs", hangs}, NamedSink{"book", b})
		stop := running(t, d)
		begin := time.Now()
		for i := range 3 {
			d.Notify(alertN(i))
		}
		synctest.Wait()
		if got := b.ids(); len(got) != 3 || time.Since(begin) != 0 {
			t.Errorf("after %v the other sink has %v", time.Since(begin), got)
		}
		time.Sleep(attemptTimeout)
		synctest.Wait()
		if got := d.Stats()[0]; !got.Failing || got.LastError != "context deadline exceeded" {
			t.Errorf("an attempt does not end with its time: %+v", got)
		}
		begin = time.Now()
		stop()
		if took := time.Since(begin); took != defaultDrain {
			t.Errorf("the drain took %v, want %v", took, defaultDrain)
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
		name        string
		sink        Sink
		drain, took time.Duration
		left        int
	}{
		{"all in time", slow(time.Second, nil), 0, 3 * time.Second, 0},
		{"two of three", slow(2*time.Second, nil), 0, defaultDrain, 1},
		{"longer", slow(10*time.Second, nil), time.Minute, 30 * time.Second, 0},
		{"none", slow(time.Second, nil), -1, 0, 3},
		{"the wait would take too long", slow(0, &RetryAfterError{errors.New("429"), 30 * time.Second}), 0, 0, 3},
		{"final", slow(time.Second, Final(errors.New("404"))), 0, 3 * time.Second, 0},
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
				begin := time.Now()
				if err := d.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took != tc.took {
					t.Errorf("Run took %v, want %v", took, tc.took)
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
		b := &book{answer: func(int, Alert) error {
			if down {
				return errors.New("down")
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"book", b})
		stop := running(t, d)
		d.Notify(alertN(1))
		time.Sleep(10*time.Minute + time.Nanosecond)
		synctest.Wait()
		down = false
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != 0 || d.Stats()[0].Sent != 1 {
			t.Errorf("after %v: %+v", took, d.Stats()[0])
		}
	})
}

func TestSinkThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		active := 0
		b := &book{}
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
		begin := time.Now()
		stop()
		if took := time.Since(begin); took != defaultDrain+grace {
			t.Errorf("Run took %v to give up, want %v", took, defaultDrain+grace)
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
	book
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

func TestFiringSetIsBounded(t *testing.T) {
	d := NewDispatcher(nil)
	for i := range maxFiring + 50 {
		d.Notify(alertN(i))
	}
	if len(d.firing) != maxFiring || !d.isFiring(fmt.Sprint(maxFiring+49)) {
		t.Errorf("%d findings known, the last one: %v", len(d.firing), d.isFiring(fmt.Sprint(maxFiring+49)))
	}
}

func TestNotifyFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		d := NewDispatcher(nil, NamedSink{"book", b}, NamedSink{"panics", SinkFunc(func(Alert) { panic("x") })})
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
			if s.Sent+s.Failed+s.Dropped != senders*each || s.Queued != 0 {
				t.Errorf("%+v: want %d in sum", s, senders*each)
			}
		}
	})
}

func TestClip(t *testing.T) {
	got := clip("http://h/s3cret " + strings.Repeat("é", 500))
	if len(got) > maxErrorText+len(redact.Mark) || !utf8.ValidString(got) || !strings.HasPrefix(got, "http://h/... é") || !strings.HasSuffix(got, redact.Mark) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
