package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/ttytest"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var begin = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return begin.Add(d) }

// title is the first line of a table that was drawn at an instant.
func title(d time.Duration) string { return "pid 7 x  " + at(d).Local().Format("15:04:05 MST") }

func status(name string, state detector.State, value float64) detector.Status {
	r, _ := sampler.Lookup(name)
	return detector.Status{
		Resource: r, State: state, Trend: state == detector.Firing, Judged: true, Value: value, SlopePerHour: 60, Since: begin, Why: "for a reason",
	}
}

func take(v *View, d time.Duration, readings ...sampler.Reading) {
	v.Take(&sampler.Sample{Time: at(d), Readings: readings})
}

func check(t *testing.T, tty *ttytest.Terminal, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, tty.Lines()); diff != "" {
		t.Errorf("the terminal shows (-want +got)\n%s", diff)
	}
}

func TestTerminal(t *testing.T) {
	tty := ttytest.New(t, 100, 24)
	fmt.Fprintln(tty.File, "$ leaktrend watch")
	v := New(tty.File, "pid 7 x")
	take(v, 0, sampler.Reading{Resource: "open_fds", Value: 10}, sampler.Reading{Resource: "threads", Value: 4})
	three := []detector.Status{status("open_fds", detector.Learning, 10), status("threads", detector.Healthy, 4), status("rss_bytes", detector.Healthy, 1<<20)}
	v.Show(at(0), three)
	check(
		t, tty, "$ leaktrend watch", title(0),
		"too short  open_fds   ▁  10 → 10         for a reason",
		"ok         threads    ▁  4 → 4           for a reason",
		"ok         rss_bytes     0 B → 1.0 MB    for a reason",
	)

	// Too early for another: nothing is written.
	before := tty.Raw()
	v.Show(at(redraw-1), three[:1])
	if got := tty.Raw(); got != before {
		t.Errorf("drawn again before its time: %q", got[len(before):])
	}

	// A table that shrinks leaves nothing behind, and a log line stays above it.
	take(v, 3*time.Minute, sampler.Reading{Resource: "open_fds", Value: 100})
	v.Show(at(3*time.Minute), []detector.Status{status("open_fds", detector.Firing, 100)})
	log := v.Logger()
	log.WithTime(at(0)).Info("one line")
	check(
		t, tty, "$ leaktrend watch",
		at(0).Local().Format(time.TimeOnly)+"  info      one line",
		title(3*time.Minute),
		"LEAK  open_fds  ▁█  10 → 100  +60/h  since "+begin.Format(time.TimeOnly)+" (3m)",
	)

	// One that grows as well.
	v.Finish(at(3*time.Minute+1), three[:2])
	log.WithTime(at(0)).Warn("another")
	check(
		t, tty, "$ leaktrend watch",
		at(0).Local().Format(time.TimeOnly)+"  info      one line",
		at(0).Local().Format(time.TimeOnly)+"  warning   another",
		title(3*time.Minute),
		"too short  open_fds  ▁█  10 → 10    for a reason",
		"ok         threads   ▁   4 → 4      for a reason",
	)
	fmt.Fprintln(tty.File, "the end")
	if lines := tty.Lines(); lines[len(lines)-1] != "the end" {
		t.Errorf("what follows the view is not below it: %q", lines)
	}
	if !strings.Contains(tty.Raw(), "\x1b[31;1mLEAK\x1b[0m") {
		t.Error("no colour")
	}
}

// A log line before the first table, and tables on a terminal that was not empty.
func TestLogBeforeTable(t *testing.T) {
	tty := ttytest.New(t, 80, 5)
	v := New(tty.File, "pid 7 x")
	for i := range 8 {
		fmt.Fprintf(v, "line %d\n", i)
	}
	for i := range 3 {
		v.Finish(at(time.Duration(i)*time.Second), nil)
	}
	fmt.Fprint(v, "line 8\n")
	check(t, tty, "line 0", "line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", title(2*time.Second))
}

// Whatever the size of the terminal, drawing often is like drawing once: no line wraps, no row is drawn in vain.
func TestFitsTerminal(t *testing.T) {
	var many []detector.Status
	for i := range 40 {
		name := fmt.Sprintf(`queue_length{broker="broker-%d.example.org",topic="a rather long name"}`, i)
		many = append(many, status(name, detector.Suspected, float64(i)))
	}
	many[30].State, many[30].Trend = detector.Firing, true
	few := []detector.Status{status("open_fds", detector.Firing, 5), status("threads", detector.Healthy, 4)}
	for _, size := range [][2]int{{80, 24}, {200, 50}, {40, 10}, {21, 4}, {12, 3}, {300, 5}} {
		width, height := size[0], size[1]
		for _, statuses := range [][]detector.Status{few, many} {
			t.Run(fmt.Sprintf("%d by %d, %d", width, height, len(statuses)), func(t *testing.T) {
				tty := ttytest.New(t, width, height)
				v := New(tty.File, "pid 7 of a process with a name that is too long for most terminals")
				for i := range 3 {
					v.Show(at(time.Duration(i)*time.Second), statuses)
				}
				lines := tty.Lines()
				if want := 1 + min(len(statuses), height-2); len(lines) != want {
					t.Errorf("%d lines, want %d:\n%s", len(lines), want, strings.Join(lines, "\n"))
				}
				for _, line := range lines {
					if n := utf8.RuneCountInString(line); n >= width {
						t.Errorf("%d columns of %d: %q", n, width, line)
					}
				}
				if all := strings.Join(lines, "\n"); height > 3 && !strings.Contains(all, "LEAK") {
					t.Errorf("the leak is not shown:\n%s", all)
				}
				if last := lines[len(lines)-1]; width >= 80 && len(statuses) > height-2 {
					if want := fmt.Sprintf("%d more: no room", len(statuses)-(height-3)); !strings.Contains(last, want) {
						t.Errorf("the last line is %q, want %q", last, want)
					}
				}
			})
		}
	}
}

// A terminal that becomes narrower wraps what is there; it is gone with the next table all the same.
func TestResize(t *testing.T) {
	tty := ttytest.New(t, 100, 24)
	fmt.Fprintln(tty.File, "above")
	v := New(tty.File, "pid 7 x")
	statuses := []detector.Status{status("open_fds", detector.Suspected, 10), status("threads", detector.Healthy, 4)}
	for i, width := range []int{100, 30, 25, 90, 33} {
		tty.Resize(width, 24)
		if i%2 == 1 {
			fmt.Fprintf(v, "line %d\n", i)
		}
		v.Show(at(time.Duration(i)*time.Second), statuses)
	}
	lines := tty.Lines()
	if len(lines) != 6 {
		t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	if diff := cmp.Diff([]string{"above", "line 1", "line 3", title(4 * time.Second)}, lines[:4]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The names of a process and of its metrics cannot write to the terminal.
func TestNamesAreHarmless(t *testing.T) {
	tty := ttytest.New(t, 100, 24)
	v := New(tty.File, "pid 7 x\x1b[2J\n")
	v.Show(at(0), []detector.Status{status("a\x1b]0;owned\a\rb", detector.Healthy, 1)})
	v.Logger().WithError(errors.New("two\nlines")).WithTime(at(0)).Error("bad\x1b[5A")
	check(
		t, tty,
		at(0).Local().Format(time.TimeOnly)+"  error     bad�[5A: two; lines",
		"pid 7 x�[2J�  "+at(0).Local().Format("15:04:05 MST"),
		"ok  a�]0;owned��b    0 → 1    for a reason",
	)
}

func TestAlertLines(t *testing.T) {
	tty := ttytest.New(t, 100, 24)
	v := New(tty.File, "pid 7 x")
	sink := alerting.NewLogSink(v.Logger())
	for _, a := range []alerting.Alert{
		{Event: alerting.Event{Status: alerting.Firing, Severity: alerting.Critical, Summary: "open_fds leak"}},
		{Event: alerting.Event{Status: alerting.Resolved, Severity: alerting.Critical, Summary: "open_fds no more"}},
	} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, line := range tty.Lines() {
		got = append(got, line[len("15:04:05"):])
	}
	if diff := cmp.Diff([]string{"  critical  open_fds leak", "  resolved  open_fds no more"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, want := range []string{"\x1b[31;1mcritical\x1b[0m", "\x1b[32mresolved\x1b[0m"} {
		if raw := tty.Raw(); !strings.Contains(raw, want) {
			t.Errorf("no %q in %q", want, raw)
		}
	}
}

// On a dumb terminal and elsewhere there are no escape sequences: a line a minute, and at the end a table.
func TestPlain(t *testing.T) {
	statuses := []detector.Status{
		status("open_fds", detector.Suspected, 12), status("threads", detector.Healthy, 4), {Resource: sampler.Resource{Name: "cpu_seconds"}, Value: 3},
	}
	line := func(d time.Duration) string {
		return at(d).Local().Format(time.RFC3339) + "  open_fds 12 suspect  threads 4 ok\n"
	}
	want := line(0) + line(time.Minute) + line(3*time.Minute) + title(3*time.Minute+time.Second) + "\n" +
		"suspect  open_fds  ▁▁▁▁▁▁  12 → 12  +60/h  since 10:00:00 (3m 1s), for a reason\n" +
		"ok       threads           0 → 4           for a reason\n"
	watch := func(w io.Writer) {
		v := New(w, "pid 7 x")
		for _, d := range []time.Duration{0, time.Second, time.Minute - 1, time.Minute, 90 * time.Second, 3 * time.Minute} {
			take(v, d, sampler.Reading{Resource: "open_fds", Value: 12})
			v.Show(at(d), statuses)
		}
		v.Finish(at(3*time.Minute+time.Second), statuses)
	}
	t.Run("no terminal", func(t *testing.T) {
		var b bytes.Buffer
		watch(&b)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("dumb terminal", func(t *testing.T) {
		tty := ttytest.New(t, 100, 24)
		t.Setenv("TERM", "dumb")
		watch(tty.File)
		if diff := cmp.Diff(want, strings.ReplaceAll(tty.Raw(), "\r\n", "\n")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// Log lines of the plain form have all fields, and no table comes with them.
func TestPlainLog(t *testing.T) {
	var b bytes.Buffer
	v := New(&b, "pid 7 x")
	v.Finish(at(0), nil)
	b.Reset()
	v.Logger().WithTime(at(0)).WithField("resource", "open_fds").Warn("leak")
	if want := `time="2026-11-23T10:00:00Z" level=warning msg=leak resource=open_fds` + "\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestManyMetrics(t *testing.T) {
	var statuses []detector.Status
	for i := range 300 {
		statuses = append(statuses, status(fmt.Sprintf("metric_%d", i), detector.Healthy, 1))
	}
	statuses[7].State, statuses[7].Trend = detector.Firing, true
	statuses[8].Judged = false
	statuses = append(statuses, status("goroutines", detector.Healthy, 9))
	var b bytes.Buffer
	New(&b, "pid 7 x").Finish(at(0), statuses)
	want := title(0) + "\n" +
		"LEAK  metric_7             0 → 1  +60/h  since 10:00:00 (0s)\n" +
		"ok    goroutines           0 → 9         for a reason\n" +
		"ok    298 other metrics\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Samples, tables and log lines come from goroutines of their own.
func TestConcurrentUse(t *testing.T) {
	tty := ttytest.New(t, 80, 10)
	v := New(tty.File, "pid 7 x")
	log := v.Logger()
	statuses := []detector.Status{status("open_fds", detector.Healthy, 1)}
	const n = 50
	var wg sync.WaitGroup
	for _, do := range []func(i int){
		func(i int) {
			take(v, time.Duration(i)*time.Second, sampler.Reading{Resource: "open_fds", Value: float64(i)})
		},
		func(i int) { v.Show(at(time.Duration(i)*time.Second), statuses) },
		func(int) { log.Log(logrus.InfoLevel, "line") },
	} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range n {
				do(i)
			}
		}()
	}
	wg.Wait()
	lines := tty.Lines()
	if len(lines) != n+2 || lines[n] != title((n-1)*time.Second) {
		t.Errorf("%d lines, want %d and a table at the end:\n%s", len(lines), n+2, strings.Join(lines, "\n"))
	}
}
