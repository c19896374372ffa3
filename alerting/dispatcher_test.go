//go:build go1.25

package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"
)

type sendFunc func(context.Context, Alert) error

func (f sendFunc) Send(ctx context.Context, a Alert) error { return f(ctx, a) }

// receiver is a sink that writes down what it gets, and when.
type receiver struct {
	mu     sync.Mutex
	start  time.Time
	tried  []string
	times  []time.Duration
	answer func(n int, a Alert) error // for the nth attempt, from 0
}

func (b *receiver) Send(_ context.Context, a Alert) error {
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

func (b *receiver) ids() []string {
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
		b := &receiver{}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
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
		start := time.Now()
		stop()
		if elapsed := time.Since(start); elapsed != 0 {
			t.Errorf("stopping with nothing queued took %v", elapsed)
		}
		d.Notify(alertN("after"))
		wantStats(t, d, SinkStats{Name: "receiver", Sent: 2, Queued: 1})
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
		b := &receiver{answer: func(n int, _ Alert) error {
			if n < failures {
				return errors.New("http://bob:s3cret@example.com/s3cret is down")
			}
			return nil
		}}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"receiver", b})
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
		wantStats(t, d, SinkStats{Name: "receiver", Sent: 1, Retried: failures,
			LastError: "http://example.com/... is down"})

		d.Notify(alertN(2))
		synctest.Wait()
		stop()
		want := `level=warning msg="alerting: sending alerts fails, retrying" dropped=0 error="http://example.com/... is down" sink=receiver
level=info msg="alerting: sending alerts works again" dropped=0 sink=receiver
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestOrderIsKeptOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &receiver{answer: func(n int, _ Alert) error {
			if n < 5 {
				return errors.New("down")
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
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
		b := &receiver{}
		b.answer = func(_ int, a Alert) error {
			if a.ID == "poison" {
				return errors.New("500")
			}
			sent = append(sent, a.ID)
			return nil
		}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
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
	for _, tc := range []struct{ after, min, max time.Duration }{
		{20 * time.Second, 20 * time.Second, 20 * time.Second},
		{time.Hour, time.Minute, time.Minute},
		{time.Millisecond, time.Second / 2, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &receiver{answer: func(n int, _ Alert) error {
				if n == 0 {
					return fmt.Errorf("busy: %w", &RetryAfterError{errors.New("429"), tc.after})
				}
				return nil
			}}
			d := NewDispatcher(nil, NamedSink{"receiver", b})
			stop := running(t, d)
			d.Notify(alertN(1))
			time.Sleep(5 * time.Minute)
			stop()
			if len(b.times) != 2 || b.times[1] < tc.min || b.times[1] > tc.max {
				t.Errorf("asked for %v: attempts at %v", tc.after, b.times)
			}
		})
	}
}
