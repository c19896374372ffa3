package page

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/plot"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// scripted is a Monitor that says what it is told to, and keeps account of what it is asked.
type scripted struct {
	status   Status
	requests []string
}

func (s *scripted) Version() string { return s.status.Time.String() }

func (s *scripted) Status() Status {
	s.requests = append(s.requests, "status")
	return s.status
}

func (s *scripted) Plot(resource string, from time.Time) *plot.Chart {
	s.requests = append(s.requests, resource+" since "+from.Format("15:04"))
	if resource == "unseen" {
		return nil
	}
	var c plot.Chart
	for i := range 5 {
		at, value := noon.Add(time.Duration(i)*time.Minute).UnixNano(), float64(10+i)
		c.Bins = append(c.Bins, plot.Bin{First: at, Last: at, MinAt: at, MaxAt: at, Min: value, Max: value,
			Value: value})
	}
	return &c
}

func of(name, state string, severity ...alerting.Severity) Resource {
	r := Resource{Resource: name, State: state, Judged: true, Why: "does not grow"}
	if len(severity) > 0 {
		r.Severity = &severity[0]
	}
	return r
}

// Findings come first, the gravest before the others; what is not judged is not shown, unless it fires. The monitor is
// asked once for each, before anything is drawn.
func TestLook(t *testing.T) {
	counter := of("gc_cycles", healthy)
	counter.Judged = false
	limit := of("alloc_bytes", firing, alerting.High)
	limit.Judged = false
	growing := of("stack_bytes", healthy)
	growing.Verdict = early
	m := &scripted{status: Status{Time: noon, Interval: 30, Resources: []Resource{
		of("threads", learning), counter, of("unseen", healthy), of("open_fds", firing, alerting.Warning),
		of("rss_bytes", suspected), limit, growing,
		of("goroutines", firing, alerting.Critical),
	}}}
	s := newScene(m, 1, noon)
	want := []string{
		"status", "goroutines since 11:00", "alloc_bytes since 11:00", "open_fds since 11:00", "rss_bytes since 11:00",
		"stack_bytes since 11:00", "unseen since 11:00",
		"threads since 11:00",
	}
	if diff := cmp.Diff(want, m.requests); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	v := s.draw()
	if diff := cmp.Diff(want, m.requests); diff != "" {
		t.Errorf("asked while it was drawn (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"goroutines", "alloc_bytes", "open_fds", "rss_bytes", "stack_bytes", "unseen",
		"threads"}, v.Shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if v.Headline != "3 leaks: goroutines, alloc_bytes, open_fds" {
		t.Errorf("headline %q", v.Headline)
	}
	if d := v.Plots["open_fds"]; d.About != "Open file descriptors." || d.Plot == "" || d.Spark == "" ||
		len(d.Key) == 0 {
		t.Errorf("open_fds is drawn as %+v", d)
	}
	if diff := cmp.Diff(drawing{}, v.Plots["unseen"]); diff != "" {
		t.Errorf("what was never read is drawn (-want +got):\n%s", diff)
	}
}

func TestHeadline(t *testing.T) {
	growing := of("b", healthy)
	growing.Verdict = early
	for _, test := range []struct {
		resources []Resource
		want      string
	}{
		{nil, "Nothing was sampled yet"},
		{[]Resource{of("a", learning), of("b", learning)}, "Too early to tell"},
		{[]Resource{of("a", learning), of("b", healthy)}, "No leak; too early to tell: a"},
		{[]Resource{of("a", healthy), of("b", healthy)}, "No leak"},
		{[]Resource{of("a", healthy), growing, of("c", learning)}, "Too early to tell: b"},
		{[]Resource{growing, of("c", learning)}, "Too early to tell"},
		{[]Resource{of("a", suspected), of("b", healthy), of("c", suspected)}, "No leak; suspected: a, c"},
		{[]Resource{of("a", suspected), of("b", firing)}, "Leak: b"},
	} {
		status := Status{Process: alerting.Process{Executable: `C:\\srv\\api`}, Resources: test.resources}
		v := newScene(&scripted{status: status}, 0, noon).draw()
		if v.Headline != test.want || v.Title != test.want+" · api" {
			t.Errorf("%v: headline %q, title %q, want %q", test.resources, v.Headline, v.Title, test.want)
		}
	}
}

// A monitor that judges nothing any more does not look well.
func TestHeadlineOfABlindMonitor(t *testing.T) {
	for _, test := range []struct {
		at        time.Time
		resources []Resource
		want      string
	}{
		{time.Time{}, nil, "Blind: no sample was judged yet"},
		{noon, []Resource{of("a", healthy)}, "Blind: no sample was judged since 12:00:00 UTC"},
		{noon, []Resource{of("a", healthy), of("b", firing)}, "Blind: no sample was judged since 12:00:00 UTC, when " +
			"b leaked"},
	} {
		status := Status{Time: test.at, Stalled: true, Resources: test.resources}
		if v := newScene(&scripted{status: status}, 0, noon).draw(); v.Headline != test.want {
			t.Errorf("headline %q, want %q", v.Headline, test.want)
		}
	}
}

// A page of many metrics draws the first of them in full, and the course of each.
func TestManyMetrics(t *testing.T) {
	var m scripted
	for i := range maxPlots + 3 {
		m.status.Resources = append(m.status.Resources, of(fmt.Sprint("m", i), healthy))
	}
	full, sparks := 0, 0
	for _, d := range newScene(&m, 0, noon).draw().Plots {
		if d.Plot != "" {
			full++
		}
		if d.Spark != "" {
			sparks++
		}
	}
	if full != maxPlots || sparks != maxPlots+3 {
		t.Errorf("%d plots and %d spark lines", full, sparks)
	}
}

// No span is offered that is longer than what was sampled, but for the one that is asked for.
func TestSpansOffered(t *testing.T) {
	for _, test := range []struct {
		sampled  time.Duration
		requests int
		want     []string
	}{
		{time.Minute, len(spans) - 1, []string{"all"}},
		{time.Minute, 1, []string{"1h", "all"}},
		{2 * time.Hour, len(spans) - 1, []string{"15m", "1h", "all"}},
		{30 * 24 * time.Hour, 0, []string{"15m", "1h", "6h", "24h", "7d", "all"}},
	} {
		var got []string
		for _, s := range newScene(&scripted{status: Status{Started: noon, Time: noon.Add(test.sampled)}},
			test.requests,
			noon).draw().Spans {
			got = append(got, s.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", test.sampled, diff)
		}
	}
}
