package screen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/ttytest"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var begin = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return begin.Add(d) }

// title is the first line of a table that was drawn at an instant.
func title(d time.Duration) string { return "pid 7 x  " + at(d).Local().Format("15:04:05 MST") }

func status(name string, state detector.State, value float64) detector.Status {
	r, _ := sampler.Lookup(name)
	verdicts := map[detector.State]detector.Verdict{
		detector.Learning: detector.Early, detector.Healthy: detector.OK, detector.Suspected: detector.Suspect,
		detector.Firing: detector.Leak,
	}
	return detector.Status{
		Resource: r, State: state, Verdict: verdicts[state], Trend: state == detector.Firing, Judged: true,
		Value: value, Baseline: value / 2,
		SlopePerHour: 60, Since: begin, Why: "for a reason",
	}
}

// fake is a monitor that says what it is told to.
type fake struct {
	statuses []detector.Status
	past     map[string][]detector.Point
}

func (f *fake) Status() []detector.Status { return f.statuses }

func (f *fake) Past(resource string, since time.Time) []detector.Point {
	points := f.past[resource]
	for len(points) > 0 && points[0].To.Before(since) {
		points = points[1:]
	}
	return points
}

// pastOf returns the past of a resource with a value each second, and its level half of it.
func pastOf(n int, value func(i int) float64) (points []detector.Point) {
	for i := range n {
		t := at(time.Duration(i) * time.Second)
		points = append(points, detector.Point{From: t, To: t, Min: value(i), Max: value(i), Baseline: value(i) / 2})
	}
	return points
}

func watch(v *View, name string, f *fake) *Process {
	p := v.Add(name)
	for i := range f.statuses {
		if past := f.past[f.statuses[i].Resource.Name]; len(past) > 0 {
			f.statuses[i].First = past[0].Max // which need not be the lowest of the samples that are drawn as one
		}
	}
	p.Watch(f)
	return p
}

// On a dumb terminal and elsewhere there are no escape sequences: a line a minute, and at the end a table.
func TestPlain(t *testing.T) {
	monitor := &fake{
		statuses: []detector.Status{
			status("open_fds", detector.Suspected, 12), status("threads", detector.Healthy, 4),
			{Resource: sampler.Resource{Name: "cpu_seconds"}, Value: 3},
		},
		past: map[string][]detector.Point{"open_fds": pastOf(180, func(i int) float64 { return 12 + float64(i) }),
			"threads": pastOf(1, func(int) float64 { return 4 })},
	}
	line := func(d time.Duration) string {
		return at(d).Local().Format(time.RFC3339) + "  open_fds 12 suspect  threads 4 ok\n"
	}
	want := line(0) + line(time.Minute) + line(3*time.Minute) + title(3*time.Minute+time.Second) + "\n" +
		"suspect  open_fds  ▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇███  12 → 12  +60/h  since " + begin.Format(time.TimeOnly) +
		" (3m 1s), for a reason\n" +
		"ok       threads                          ▁  4 → 4           for a reason\n"
	show := func(w io.Writer) {
		v := New(w, w, "pid 7 x")
		p := watch(v, "pid 7 x", monitor)
		for _, d := range []time.Duration{0, time.Second, time.Minute - 1, time.Minute, 90 * time.Second,
			3 * time.Minute, 3*time.Minute + time.Second} {
			p.Sampled(at(d))
		}
		v.Finish()
	}
	t.Run("no terminal", func(t *testing.T) {
		var b bytes.Buffer
		show(&b)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	for name, set := range map[string][2]string{"dumb terminal": {"TERM", "dumb"}, "no colour": {"NO_COLOR", "1"}} {
		t.Run(name, func(t *testing.T) {
			tty := ttytest.New(t, 100, 24)
			t.Setenv(set[0], set[1])
			show(tty.File)
			if diff := cmp.Diff(want, strings.ReplaceAll(tty.Raw(), "\r\n", "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A hint waits for the first line: where nothing is sampled, the reason is said alone.
func TestHint(t *testing.T) {
	var out, rest bytes.Buffer
	v := New(&out, &rest, "pid 7 x")
	v.Hint("be patient")
	p := watch(v, "pid 7 x", &fake{statuses: []detector.Status{status("threads", detector.Healthy, 4)}})
	v.Flush()
	if rest.Len() > 0 {
		t.Errorf("before the first sample: %q", rest.String())
	}
	p.Sampled(at(0))
	p.Sampled(at(time.Minute))
	v.Flush()
	if got := rest.String(); got != "be patient\n" {
		t.Errorf("after two lines: %q", got)
	}
}

// Where there are several processes, each line and each table says which one it is of.
func TestPlainOfSeveral(t *testing.T) {
	var b bytes.Buffer
	v := New(&b, &b, "--name x")
	one := watch(v, "pid 7 x\x1b[2J", &fake{statuses: []detector.Status{status("threads", detector.Healthy, 4)}})
	two := watch(v, "pid 8 x", &fake{statuses: []detector.Status{status("threads", detector.Firing, 9)}})
	waiting := v.Add("pid 9 x")
	one.Sampled(at(0))
	two.Sampled(at(0))
	two.Logger().WithTime(at(0)).Warn("leak")
	one.End(at(time.Minute))
	v.Finish()
	clock := at(0).Local().Format("15:04:05 MST")
	want := at(0).Local().Format(time.RFC3339) + "  pid 7 x�[2J  threads 4 ok\n" +
		at(0).Local().Format(time.RFC3339) + "  pid 8 x  threads 9 LEAK\n" +
		at(0).Local().Format(time.RFC3339) + "  warning   pid 8 x: leak\n" +
		"pid 7 x�[2J  " + clock + "  ended " + at(time.Minute).Local().Format(time.TimeOnly) + "\n" +
		"ok  threads        for a reason\n" +
		"pid 8 x  " + clock + "\n" +
		"LEAK  threads      +60/h  since " + begin.Local().Format(time.TimeOnly) + " (0s)\n" +
		"pid 9 x  never sampled\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	waiting.End(at(time.Minute))
}

// Log lines of the plain form are what a terminal shows, or have all fields, and no table comes with them. Alerts are
// results, other lines are not.
func TestPlainLog(t *testing.T) {
	now := at(0).Local().Format(time.RFC3339)
	utc := `"2026-11-23T10:00:00Z"`
	for _, test := range []struct{ format, results, rest string }{
		{"", now + "  high      leak; line: main.leak; captures: /tmp/a, /tmp/b\n",
			now + "  info      started; limits: 80 %; off: webhook, captures\n" + now + "  warning   check: no such " +
				"file\n"},
		{LogText, now + "  high      leak; line: main.leak; captures: /tmp/a, /tmp/b\n",
			now + "  info      started; limits: 80 %; off: webhook, captures\n" + now + "  warning   check: no such " +
				"file\n"},
		{LogFields, "time=" + utc + ` level=warning msg=leak captures="/tmp/a, /tmp/b" severity=high site=main.leak` +
			"\n",
			"time=" + utc + " level=info msg=started enabled=true limits=\"80 %\" off=\"webhook (alert_webhook_url), " +
				"captures (stack_trace_on_leak)\"\ntime=" + utc + ` level=warning msg=check error="no such file"` +
				"\n"},
		{LogJSON, `{"captures":"/tmp/a, /tmp/b","level":"warning","msg":"leak","severity":"high","site":"main.leak",` +
			`"time":` + utc + "}\n",
			`{"enabled":true,"level":"info","limits":"80 %","msg":"started","off":"webhook (alert_webhook_url), ` +
				`captures (stack_trace_on_leak)","time":` + utc + "}\n" + `{"error":"no such file","level":"warning",` +
				`"msg":"check","time":` + utc + "}\n"},
	} {
		var results, rest bytes.Buffer
		v := New(&results, &rest, "pid 7 x")
		v.LogAs(test.format)
		logger := v.Add("pid 7 x").Logger()
		logger.WithTime(at(0)).WithFields(logrus.Fields{"severity": "high", "captures": "/tmp/a, /tmp/b",
			"site": "main.leak"}).Warn("leak")
		logger.WithTime(at(0)).WithFields(logrus.Fields{"enabled": true, "limits": "80 %",
			"off": "webhook (alert_webhook_url), captures (stack_trace_on_leak)"}).Info("started")
		logger.WithTime(at(0)).WithError(errors.New("no such file")).Warn("check")
		v.Flush()
		if diff := cmp.Diff([2]string{test.results, test.rest},
			[2]string{results.String(), rest.String()}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.format, diff)
		}
	}
}

// Programs that asked for JSON read nothing else: the lines of each minute, a hint, and the verdicts at the end are
// entries too.
func TestLinesForPrograms(t *testing.T) {
	var results, rest bytes.Buffer
	v := New(&results, &rest, "pid 7 x")
	v.LogAs(LogJSON)
	v.Hint("it takes hours")
	p := watch(v, "pid 7 x", &fake{statuses: []detector.Status{status("open_fds", detector.Suspected, 12)}})
	p.Sampled(at(0))
	v.Finish()
	utc := `"2026-11-23T10:00:00Z"`
	want := [2]string{
		`{"level":"info","msg":"open_fds 12 suspect","time":` + utc + "}\n" +
			`{"level":"info","msg":"verdict","process":"pid 7 x","rate":"+60/h","reason":"since ` +
			begin.Format(time.TimeOnly) + ` (0s), for a reason",` +
			`"resource":"open_fds","time":` + utc + `,"verdict":"suspect"}` + "\n",
		`{"level":"info","msg":"it takes hours","time":` + utc + "}\n",
	}
	if diff := cmp.Diff(want, [2]string{results.String(), rest.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nobody may read what is written: the view goes on, and its end does not wait for ever.
func TestPlainOutputThatNobodyReads(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close() // which ends the write that hangs
	v := New(write, write, "pid 7 x")
	p := watch(v, "pid 7 x", &fake{statuses: []detector.Status{status("goroutines", detector.Healthy, 9)}})
	logger := p.Logger()
	for i := range 3000 { // more than a pipe holds
		logger.WithField("n", i).Warn("a line")
		p.Sampled(at(time.Duration(i) * time.Hour))
	}
	if over := p.sampled; !over.Equal(at(2999 * time.Hour)) {
		t.Errorf("the latest sample is of %s", over)
	}
	v.Finish()
}

// Without a screen, alerts stand on the terminal at once; messages that are no news do not.
func TestLogOnTerminal(t *testing.T) {
	tty := ttytest.New(t, 100, 24)
	v := New(tty.File, tty.File, "pid 7 x")
	logger := v.Add("pid 7 x").Logger()
	logger.Info("started")
	sink := alerting.NewLogSink(logger)
	for _, a := range []alerting.Alert{
		{Event: alerting.Event{Status: alerting.Firing, Severity: alerting.Critical, Summary: "open_fds leak"}},
		{Event: alerting.Event{Status: alerting.Resolved, Severity: alerting.Critical, Summary: "open_fds no more"}},
	} {
		if err := sink.Send(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	logger.WithError(errors.New("two\nlines")).WithTime(at(0)).Error("bad\x1b[5A")
	var got []string
	for _, line := range tty.Lines() {
		got = append(got, line[len("15:04:05"):])
	}
	if diff := cmp.Diff([]string{"  critical  open_fds leak", "  resolved  open_fds no more",
		"  error     bad�[5A: two; lines"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, want := range []string{"\x1b[31;1mcritical\x1b[0m", "\x1b[32mresolved\x1b[0m"} {
		if raw := tty.Raw(); !strings.Contains(raw, want) {
			t.Errorf("no %q in %q", want, raw)
		}
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
	v := New(&b, &b, "pid 7 x")
	watch(v, "pid 7 x", &fake{statuses: statuses}).Sampled(at(0))
	v.Flush()
	b.Reset()
	v.Finish()
	want := title(0) + "\n" +
		"LEAK  metric_7               +60/h  since " + begin.Local().Format(time.TimeOnly) + " (0s)\n" +
		"ok    goroutines                    for a reason\n" +
		"ok    298 other metrics\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Processes that ended do not pile up; those that live stay.
func TestEndedArePruned(t *testing.T) {
	v := New(io.Discard, io.Discard, "--name x")
	alive := v.Add("alive")
	for i := range 3 * maxEnded {
		v.Add(fmt.Sprintf("pid %d", i)).End(at(0))
	}
	var names []string
	for _, p := range v.processes {
		names = append(names, p.name)
	}
	if len(names) != maxEnded+1 || names[0] != alive.name || names[1] != fmt.Sprintf("pid %d", 2*maxEnded) {
		t.Errorf("%q", names)
	}
}

// What ended long ago is not held on to by the pictures of it, nor are resources that are gone.
func TestScreenForgets(t *testing.T) {
	s, processes := sceneOf(t, simulated(t, 140, 40), 1)
	v := s.view
	for i := range 3 * maxEnded {
		p := v.Add(fmt.Sprint("short-lived ", i))
		p.Watch(service())
		p.Sampled(at(time.Minute))
		s.draw(at(time.Hour))
		p.End(at(time.Duration(i) * time.Minute))
	}
	s.draw(at(2 * time.Hour))
	held := make(map[*Process]bool)
	for key := range s.sparks {
		held[key.process] = true
	}
	if len(held) == 0 || len(held) > 1+maxEnded {
		t.Errorf("%d processes are held on to", len(held))
	}
	one := service()
	processes[0].monitor = one
	for i := range 1000 {
		one.statuses = []detector.Status{status(fmt.Sprint("metric", i), detector.Healthy, 1)}
		s.draw(at(3 * time.Hour))
	}
	if n := len(s.sparks); n > 1000 {
		t.Errorf("%d pictures of resources are held on to", n)
	}
}

// An alert in text has each figure once: what its summary says of a line and of parts is not said again.
func TestPlainAlert(t *testing.T) {
	const (
		where   = "main.(*Store).Get /src/shop/main.go:27"
		creator = ", created by main.main.func1 /src/shop/main.go:12"
		summary = "rss_bytes leak: 36.9 MB now; main.go:27 keeps at least 13.5 MB; 12.5 MB of the +25.4 MB are live " +
			"Go heap"
	)
	for _, test := range []struct{ summary, site, part, want string }{
		{summary, where + ": 14.0 MB as of the last collection, at least 63 % of the growth, kept by main.store",
			"Go heap live: 14.4 MB, up 12.5 MB, 49 % of the growth", summary + "; line: " + where},
		{summary, where + ": 54 there, 100 % of the growth, chan send" + creator, "", summary + "; line: " + where +
			creator},
		{"rss_bytes leak", where + ": 14.0 MB, 63 % of the growth", "", "rss_bytes leak; line: " + where +
			": 14.0 MB, 63 % " +
			"of the growth"},
		{"open_fds leak; all 40 new descriptors are pipes", "", "pipe: 48, up 40, 100 % of the growth",
			"open_fds leak; all 40 new descriptors are pipes"},
	} {
		var results, rest bytes.Buffer
		v := New(&results, &rest, "pid 7 x")
		fields := logrus.Fields{"severity": "high", "part": test.part}
		if test.site != "" {
			fields["site"] = test.site
		}
		v.Add("pid 7 x").Logger().WithTime(at(0)).WithFields(fields).Warn(test.summary)
		v.Flush()
		want := at(0).Local().Format(time.RFC3339) + "  high      " + test.want + "\n"
		if diff := cmp.Diff(want, results.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
