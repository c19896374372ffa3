package detector

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// observed runs a detector and its history over samples of descriptors a minute apart, and returns the events.
func observed(t *testing.T, d *Detector, h *History, begin time.Time, minutes int, start time.Time,
	value func(minute int) float64) (all []alerting.Event) {
	t.Helper()
	for i := range minutes {
		s := &sampler.Sample{
			Time: begin.Add(time.Duration(i) * time.Minute), Start: start,
			Readings: []sampler.Reading{
				{Resource: sampler.OpenFDs, Value: value(i)},
				{Resource: sampler.CPUSeconds, Value: float64(i)},
			},
			Ceilings: []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"}},
		}
		events := d.Observe(s)
		h.Observe(d, s, events)
		h.Observe(d, s, nil) // the same once more changes nothing
		all = append(all, events...)
	}
	return all
}

func newTestDetector(t *testing.T) *Detector {
	t.Helper()
	d, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func steadyLeak(minute int) float64 { return 20 + float64(minute/6) + float64(minute%5) }

func TestHistory(t *testing.T) {
	const minutes = 36 * 60
	d, alone, h := newTestDetector(t), newTestDetector(t), NewHistory(512)
	events := observed(t, d, h, dawn, minutes, dawn, steadyLeak)
	if diff := cmp.Diff(observed(t, alone, NewHistory(2), dawn, minutes, dawn, steadyLeak), events); diff != "" {
		t.Errorf("the history changes the events (-want +got):\n%s", diff)
	}
	c, ok := h.Chart(d, sampler.OpenFDs)
	if !ok {
		t.Fatal("no chart")
	}
	status := d.Status()[0]
	if status.State != Firing {
		t.Fatalf("state %v: %s", status.State, status.Why)
	}

	first, last := c.Bins[0], c.Bins[len(c.Bins)-1]
	if len(c.Bins) > 512 || len(c.Bins) < 200 {
		t.Errorf("%d bins", len(c.Bins))
	}
	if first.First != dawn.UnixNano() || last.Value != steadyLeak(minutes-1) || math.IsNaN(last.Mean) ||
		last.Deviation <= 0 {
		t.Errorf("first %+v\nlast %+v", first, last)
	}
	if want := (plot.Level{Value: 1024, Name: "limit"}); c.Ceiling != want {
		t.Errorf("ceiling %+v", c.Ceiling)
	}
	if want := (plot.Level{Value: .8 * 1024, Name: "alert at"}); c.Limit != want {
		t.Errorf("limit %+v", c.Limit)
	}
	if !c.Exhaustion.Equal(status.Exhaustion.At) {
		t.Errorf("exhaustion %v, want %v", c.Exhaustion, status.Exhaustion.At)
	}
	// The line holds over its window: the minimums in it lie around it, and it has the rate of the verdict.
	if len(c.Fits) != 1 {
		t.Fatalf("fits %+v", c.Fits)
	}
	fit := c.Fits[0]
	if fit.SlopePerSecond*3600 != status.SlopePerHour {
		t.Errorf("slope %g, want %g", fit.SlopePerSecond*3600, status.SlopePerHour)
	}
	inside := 0
	for _, f := range c.Minimums {
		if f.From.Before(fit.From) || f.To.After(fit.To) {
			continue
		}
		inside++
		if on := fit.Value + fit.SlopePerSecond*f.From.Sub(fit.From).Seconds(); math.Abs(on-f.Value) > 3 {
			t.Errorf("the line is at %g where the floor is %g at %s", on, f.Value, f.From)
		}
	}
	if inside < 8 {
		t.Errorf("%d floors in the window of %s", inside, fit.To.Sub(fit.From))
	}
	// Every minimum is the lowest value of its bucket.
	for _, f := range c.Minimums {
		lowest := math.Inf(1)
		for at := f.From; at.Before(f.To); at = at.Add(time.Minute) {
			lowest = min(lowest, steadyLeak(int(at.Sub(dawn).Minutes())))
		}
		if f.Value != lowest {
			t.Errorf("floor %g at %s, want %g", f.Value, f.From, lowest)
		}
	}
	var marks []plot.Mark
	for _, e := range events {
		marks = append(marks, plot.Mark{At: e.Time, Kind: plot.Firing, Label: e.Severity.String(), Text: e.Summary})
	}
	if diff := cmp.Diff(marks, c.Marks); diff != "" || len(marks) == 0 {
		t.Errorf("marks (-want +got):\n%s", diff)
	}

	// The processor time is a counter: it has a course and nothing else.
	cpu, ok := h.Chart(d, sampler.CPUSeconds)
	if !ok || len(cpu.Minimums)+len(cpu.Fits) > 0 || !math.IsNaN(cpu.Bins[0].Mean) {
		t.Errorf("cpu: %v %d minimums, %d fits, mean %g", ok, len(cpu.Minimums), len(cpu.Fits), cpu.Bins[0].Mean)
	}
	if _, ok := h.Chart(d, sampler.Threads); ok {
		t.Error("a chart of what was never read")
	}
	if h.Bins(d, sampler.Threads) != nil || len(h.Bins(d, sampler.OpenFDs)) != len(c.Bins) {
		t.Error("bins")
	}
}

// After a restart, what was found before is still in the picture.
func TestHistoryOfARestart(t *testing.T) {
	const minutes = 36 * 60
	d, h := newTestDetector(t), NewHistory(512)
	observed(t, d, h, dawn, minutes, dawn, steadyLeak)
	again := dawn.Add(minutes * time.Minute)
	observed(t, d, h, again, 60, again, func(int) float64 { return 20 })
	c, _ := h.Chart(d, sampler.OpenFDs)
	var kinds []string
	for _, m := range c.Marks {
		if m.Kind != plot.Firing {
			kinds = append(kinds, m.Kind.String()+" "+m.At.Format(time.DateTime)+" "+m.Text)
		}
	}
	if want := []string{"restart 2026-11-24 12:00:00 the process restarted"}; !slices.Equal(kinds, want) {
		t.Errorf("marks %q, want %q", kinds, want)
	}
	if len(c.Fits) != 1 || c.Fits[0].To.After(again) {
		t.Errorf("fits %+v", c.Fits)
	}
	if !c.Exhaustion.IsZero() {
		t.Errorf("exhaustion %v", c.Exhaustion)
	}
}

// Other time constants make minimums of another width; they do not mix.
func TestHistoryOfAnotherScale(t *testing.T) {
	d, h := newTestDetector(t), NewHistory(64)
	observed(t, d, h, dawn, 600, dawn, steadyLeak)
	found, _ := h.Chart(d, sampler.OpenFDs)
	config := DefaultConfig()
	config.Adaptive.Soak = 24 * time.Hour
	events, err := d.Reconfigure(config)
	if err != nil {
		t.Fatal(err)
	}
	h.Note(d, events)
	observed(t, d, h, dawn.Add(600*time.Minute), 600, dawn, steadyLeak)
	c, _ := h.Chart(d, sampler.OpenFDs)
	for i, f := range c.Minimums {
		if width := f.To.Sub(f.From); width != c.Minimums[0].To.Sub(c.Minimums[0].From) || i > 0 &&
			f.From.Before(c.Minimums[i-1].To) {
			t.Errorf("floor %d from %s to %s", i, f.From, f.To)
		}
	}
	if len(c.Minimums) == 0 {
		t.Error("no floors")
	}
	// What the new configuration ended is marked too.
	if n := len(found.Marks); n != 1 || len(c.Marks) < 2 || c.Marks[1].Kind != plot.Resolved {
		t.Errorf("%d marks before, then %+v", n, c.Marks)
	}
}

// The memory of a history does not grow with the samples.
func TestHistoryIsBounded(t *testing.T) {
	d, h := newTestDetector(t), NewHistory(64)
	observed(t, d, h, dawn, 50_000, dawn, func(i int) float64 { return 50 + 40*math.Sin(float64(i)/300) })
	c, _ := h.Chart(d, sampler.OpenFDs)
	if n := len(c.Bins); n > 64 {
		t.Errorf("%d bins", n)
	}
	if len(c.Minimums) > 256 || len(c.Fits) > 17 || len(c.Marks) > 64 {
		t.Errorf("%d minimums, %d fits, %d marks", len(c.Minimums), len(c.Fits), len(c.Marks))
	}
	at, i := dawn.Add(50_000*time.Minute), 0
	s := &sampler.Sample{Readings: []sampler.Reading{{Resource: sampler.OpenFDs}, {Resource: sampler.CPUSeconds}}}
	n := testing.AllocsPerRun(5000, func() {
		i++
		s.Time = at.Add(time.Duration(i) * time.Minute)
		s.Readings[0].Value, s.Readings[1].Value = 50, 50_000+float64(i)
		h.Observe(d, s, d.Observe(s))
	})
	if n > 0 {
		t.Errorf("%g allocations a sample", n)
	}
}
