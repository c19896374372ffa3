//go:build go1.25

package alerting

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errRefused = Final(errors.New("404"))

// resolvedOf is the end of the finding with that id.
func resolvedOf(id any) Alert { return Alert{ID: fmt.Sprint(id), Event: Event{Status: Resolved}} }

// What is refused is offered again in 1, 2, 4 and then 5 minutes, for as long as it takes.
func TestRefusedAlertIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refusals = 300 // a day
		b := &receiver{answer: func(n int, _ Alert) error {
			if n < refusals {
				return errRefused
			}
			return nil
		}}
		logger, out := testLogger()
		d := NewDispatcher(logger, NamedSink{"receiver", b})
		stop := running(t, d)
		d.Notify(alertN(1))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "receiver", Refused: 4, Retried: 3, Queued: 1, Waiting: 1, Failing: true,
			LastError: "404"})
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "receiver", Sent: 1, Refused: refusals, Retried: refusals, LastError: "404"})
		d.Notify(resolvedOf(1))
		synctest.Wait()
		wantStats(t, d, SinkStats{Name: "receiver", Sent: 2, Refused: refusals, Retried: refusals, LastError: "404"})
		stop()
		for i := 1; i <= refusals; i++ {
			minDelay := min(time.Minute<<min(i-1, 3), 5*time.Minute)
			if gap := b.times[i] - b.times[i-1]; gap < minDelay || gap > min(minDelay*5/4+1, 5*time.Minute) {
				t.Errorf("attempt %d came %v after the one before, want %v or up to a quarter more", i, gap, minDelay)
			}
		}
		want := `level=warning msg="alerting: the receiver refuses alerts; those that still hold are sent again every 1 to 5 minutes" dropped=0 error=404 sink=receiver
level=info msg="alerting: sending alerts works again" dropped=0 sink=receiver
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// deliver runs a script of alerts, a minute before each, against a sink that refuses everything until it is healed, and
// returns what the sink took.
func deliver(t *testing.T, heal time.Duration, script ...Alert) (got []string, stats SinkStats) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		d := NewDispatcher(nil, NamedSink{"receiver", sendFunc(func(_ context.Context, a Alert) error {
			if time.Since(start) < heal {
				return errRefused
			}
			got = append(got, fmt.Sprint(a.ID, " ", a.Status, " ", a.Severity))
			return nil
		})})
		stop := running(t, d)
		for _, a := range script {
			time.Sleep(time.Minute)
			d.Notify(a)
		}
		time.Sleep(time.Hour)
		stop()
		stats = d.Stats()[0]
	})
	stats.Retried, stats.Refused, stats.LastErrorAt = 0, 0, time.Time{} // as often as there was time
	return got, stats
}

func TestAlertsAfterRefusal(t *testing.T) {
	firing := func(id string, severity Severity) Alert {
		return Alert{ID: id, Event: Event{Status: Firing, Severity: severity}}
	}
	const never = math.MaxInt64
	for _, tc := range []struct {
		name      string
		heal      time.Duration
		script    []Alert
		delivered []string
		stats     SinkStats
	}{
		{
			"it holds", 30 * time.Minute, []Alert{firing("a", Warning), firing("b", High)},
			[]string{"a firing warning", "b firing high"}, SinkStats{Sent: 2},
		},
		{
			"the latest is told", 30 * time.Minute, []Alert{firing("a", Warning), firing("a", High),
				firing("a", Critical)},
			[]string{"a firing critical"}, SinkStats{Sent: 1, Dropped: 2},
		},
		{
			"it ended before it was told", 30 * time.Minute, []Alert{firing("a", Warning), resolvedOf("a"),
				firing("b", Warning)},
			[]string{"b firing warning"}, SinkStats{Sent: 1, Failed: 2},
		},
		{
			"it begins anew", 30 * time.Minute, []Alert{firing("a", Warning), resolvedOf("a"), firing("a", High)},
			[]string{"a firing high"}, SinkStats{Sent: 1, Failed: 2},
		},
		{
			"it was never told", 0, []Alert{resolvedOf("a")},
			nil, SinkStats{Dropped: 1},
		},
		{
			"it was never told and never will be", never, []Alert{firing("a", Warning), resolvedOf("a"),
				firing("b", Warning)},
			nil, SinkStats{Failed: 2, Queued: 1, Waiting: 1, Failing: true},
		},
		{
			"news heal at once", 3*time.Minute - 1, []Alert{firing("a", Warning), firing("b", Warning),
				firing("c", Warning)},
			[]string{"a firing warning", "b firing warning", "c firing warning"}, SinkStats{Sent: 3},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, stats := deliver(t, tc.heal, tc.script...)
			slices.Sort(got) // whose turn comes first is left to chance
			if diff := cmp.Diff(tc.delivered, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			tc.stats.Name = "receiver"
			if tc.heal > 0 {
				tc.stats.LastError = "404"
			}
			if diff := cmp.Diff(tc.stats, stats); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// The end of a finding that was told is given up when it is refused, and no other waits for it.
func TestRefusedEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &receiver{answer: func(_ int, a Alert) error {
			if a.Status == Resolved && a.ID == "a" {
				return errRefused
			}
			return nil
		}}
		d := NewDispatcher(nil, NamedSink{"receiver", b})
		stop := running(t, d)
		for _, id := range []string{"a", "b"} {
			d.Notify(alertN(id))
			d.Notify(resolvedOf(id))
		}
		time.Sleep(time.Hour)
		stop()
		if diff := cmp.Diff([]string{"a", "a", "b", "b"}, b.ids()); diff != "" {
			t.Errorf("tried (-want +got):\n%s", diff)
		}
		wantStats(t, d, SinkStats{Name: "receiver", Sent: 3, Refused: 1, Failed: 1, LastError: "404"})
	})
}

// A burst that a receiver refuses costs it one attempt each, and then one of them all every few minutes. Once it takes
// one, it gets what still holds, within a minute.
func TestRefusedBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst, over = 10_000, 4_000
		var healed atomic.Bool
		got := map[string]int{}
		tried := 0
		d := NewDispatcher(nil, NamedSink{"receiver", sendFunc(func(_ context.Context, a Alert) error {
			tried++
			if !healed.Load() {
				return errRefused
			}
			got[fmt.Sprint(a.ID, a.Status)]++
			return nil
		})})
		stop := running(t, d)
		for i := range burst {
			d.Notify(alertN(i))
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if tried < burst+20 || tried > burst+30 {
			t.Errorf("%d attempts in two hours, want one for each of %d and 20 to 30", tried, burst)
		}
		for i := range over {
			d.Notify(resolvedOf(i))
		}
		healed.Store(true)
		time.Sleep(lastOffer + firstOffer)
		synctest.Wait()
		want := map[string]int{}
		for i := over; i < burst; i++ {
			want[fmt.Sprint(i, Firing)] = 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		stop()
		stats := d.Stats()[0]
		if stats.Sent != burst-over || stats.Failed != 2*over || stats.Queued != 0 || stats.Waiting != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// One alert that is refused for what it holds delays no other, and is tried no more often for their sake.
func TestOneAlertIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := 0, 0
		d := NewDispatcher(nil, NamedSink{"receiver", sendFunc(func(_ context.Context, a Alert) error {
			if a.ID == "bad" {
				bad++
				return errRefused
			}
			good++
			return nil
		})})
		stop := running(t, d)
		d.Notify(alertN("bad"))
		for i := range 600 {
			d.Notify(alertN(i))
			time.Sleep(10 * time.Second)
		}
		stop()
		if good != 600 || bad < 22 || bad > 25 { // every 5 minutes of 100, more often at first, and at the end
			t.Errorf("%d taken; the one that is refused was offered %d times", good, bad)
		}
	})
}

// At the end what was refused has its last chance, but a receiver that refuses it does not get all the others.
func TestStopOffersOnceMore(t *testing.T) {
	for _, tc := range []struct {
		healed bool
		tried  int
	}{{true, 2 * 100}, {false, 100 + 1}} {
		synctest.Test(t, func(t *testing.T) {
			var healed atomic.Bool
			b := &receiver{answer: func(int, Alert) error {
				if healed.Load() {
					return nil
				}
				return errRefused
			}}
			d := NewDispatcher(nil, NamedSink{"receiver", b})
			stop := running(t, d)
			for i := range 100 {
				d.Notify(alertN(i))
			}
			synctest.Wait()
			healed.Store(tc.healed)
			start := time.Now()
			stop()
			if n := len(b.ids()); n != tc.tried || time.Since(start) != 0 {
				t.Errorf("healed %v: %d attempts, want %d, in %v", tc.healed, n, tc.tried, time.Since(start))
			}
		})
	}
}

// A sink that panics, or that ends the goroutine that calls it, is as one that refuses: counted, told once, tried
// again.
func TestSinkThatPanics(t *testing.T) {
	for _, tc := range []struct {
		name string
		sink func()
		err  string
		log  []string
	}{
		{"panic", func() { panic("at http://h/s3cret") }, "panic: at http://h/...", []string{
			`level=error msg="alerting: sending alerts: the sink panicked"`,
			`level=info msg="alerting: sending alerts works again"`,
		}},
		{"nil", func() { panic((error)(nil)) }, "panic: " + new(runtime.PanicNilError).Error(), []string{
			`level=error msg="alerting: sending alerts: the sink panicked"`,
			`level=info msg="alerting: sending alerts works again"`,
		}},
		{"goexit", runtime.Goexit, "the sink ended the goroutine that called it", []string{
			`level=warning msg="alerting: the receiver refuses alerts; those that still hold are sent again every 1 ` +
				`to 5 minutes"`,
			`level=info msg="alerting: sending alerts works again"`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &receiver{answer: func(n int, _ Alert) error {
					if n < 5 {
						tc.sink()
					}
					return nil
				}}
				logger, out := testLogger()
				d := NewDispatcher(logger, NamedSink{"receiver", b})
				stop := running(t, d)
				d.Notify(alertN(1))
				d.Notify(alertN(2))
				time.Sleep(time.Hour)
				stop()
				wantStats(t, d, SinkStats{Name: "receiver", Sent: 2, Retried: 5, Refused: 5, Panics: 5,
					LastError: tc.err})
				if ids := b.ids(); !slices.Equal(slices.Sorted(slices.Values(ids[5:])), []string{"1", "2"}) {
					t.Errorf("tried %v, want both at the end", ids)
				}
				var events []string
				for line := range strings.Lines(out.String()) {
					line, _, _ = strings.Cut(line, " dropped=")
					events = append(events, strings.TrimSpace(line))
				}
				if diff := cmp.Diff(tc.log, events); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
				if strings.Contains(out.String(), "s3cret") {
					t.Errorf("secret in the log: %s", out)
				}
			})
		})
	}
}

// Another receiver is told of what holds, also of what the one before was told, and of no end of what it does not know.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu      sync.Mutex
			got     []string
			refuses = true
			slow    sync.Once
		)
		d := NewDispatcher(nil, NamedSink{"receiver", sendFunc(func(_ context.Context, a Alert) error {
			if a.ID == "slow" {
				slow.Do(func() { time.Sleep(5 * time.Second) }) // meanwhile the receiver is replaced
			}
			mu.Lock()
			defer mu.Unlock()
			if a.ID == "refused" && refuses {
				return errRefused
			}
			got = append(got, fmt.Sprint(a.ID, " ", a.Status))
			return nil
		})})
		stop := running(t, d)
		for _, id := range []string{"over", "holds", "refused", "ends", "slow"} {
			a := alertN(id)
			a.Time = time.Now()
			if id == "slow" {
				d.Notify(resolvedOf("over"))
				synctest.Wait()
			}
			d.Notify(a)
			time.Sleep(time.Second)
		}
		d.Notify(resolvedOf("ends")) // waits behind the slow one
		mu.Lock()
		got, refuses = nil, false
		mu.Unlock()
		d.Renew("receiver")
		d.Renew("no such sink")
		time.Sleep(time.Minute)
		synctest.Wait()
		d.Notify(resolvedOf("holds"))
		synctest.Wait()
		stop()
		want := []string{"slow firing", "holds firing", "refused firing", "slow firing", "holds resolved"}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told after the change (-want +got):\n%s", diff)
		}
	})
}
