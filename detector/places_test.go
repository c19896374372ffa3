package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// maxResources is how many resources that leaktrend does not know have a place.
const maxResources = 4096

// Of an endpoint whose labels change with every scrape no more is kept than there are places: what was read first, and
// is read still, keeps its own, and what comes to stay gets one as soon as others are not read any more.
func TestResourcesThatComeAndGo(t *testing.T) {
	d, h := newTestDetector(t), NewHistory(0)
	const samples, passing = 60, 1000
	for n := range samples {
		s := sampler.Sample{Time: dawn.Add(time.Duration(n) * time.Minute)}
		for i := range passing / 2 {
			s.Add(fmt.Sprintf(`queue{id="%d_%d"}`, n, i), 1)
		}
		s.Add("sessions", float64(n))
		if n > 30 {
			s.Add("late", float64(n))
		}
		for i := range passing / 2 {
			s.Add(fmt.Sprintf(`queue{id="%d_%d"}`, n, passing+i), 1)
		}
		s.Add(sampler.OpenFDs, float64(n))
		h.Observe(d, &s, d.Observe(&s))
	}
	if kept := len(d.engine.All()); kept != maxResources+1 {
		t.Errorf("%d resources are kept, want %d", kept, maxResources+1)
	}
	if d.engine.LeftOut() == 0 {
		t.Error("it is not told that readings were left out")
	}
	end := dawn.Add((samples - 1) * time.Minute)
	for _, name := range []string{"sessions", "late", sampler.OpenFDs} {
		series := d.engine.Of(name)
		if series == nil {
			t.Fatalf("%s has no place", name)
		}
		type latest struct {
			Value float64
			At    time.Time
		}
		value, at := series.Latest()
		if diff := cmp.Diff(latest{samples - 1, end}, latest{value, time.Unix(0, at).UTC()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if level, _ := d.engine.Of("sessions").Start(); level > 10 {
		t.Errorf("sessions starts at %g: it lost its place meanwhile", level)
	}
}

// What a number stands for may change, and what was kept of the former resource is gone then.
func TestPlacesArePassedOn(t *testing.T) {
	d, h := newTestDetector(t), NewHistory(0)
	m := &state{detector: d, plots: h, ledger: newLedger(1)}
	m.memory.of = m
	observe := func(n int, names func(i int) string) {
		s := sampler.Sample{Time: dawn.Add(time.Duration(n) * time.Minute)}
		for i := range maxResources {
			s.Add(names(i), float64(n))
		}
		if err := m.judge(&s); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		observe(n, func(i int) string { return fmt.Sprint("old", i) })
	}
	for n := range 20 {
		observe(5+n, func(i int) string { return fmt.Sprint("new", i) })
	}
	for _, i := range []int{0, 100, maxResources - 1} {
		if d.engine.Of(fmt.Sprint("old", i)) != nil || d.engine.Of(fmt.Sprint("new", i)) == nil {
			t.Errorf("resource %d: the old one holds its place", i)
		}
	}
	first := m.past(d.engine.All()[0].Resource().Name, time.Time{})
	if len(first) != 10 || !first[0].From.Equal(dawn.Add(15*time.Minute)) {
		t.Errorf("%d points of the past, from %v", len(first), first[0].From)
	}
}

// A finding on what is not read any more ends after a day of other samples, and says that nobody knows how it went on.
// What leaked once keeps its place.
func TestUnreadFindingEnds(t *testing.T) {
	d := newTestDetector(t)
	var events []alerting.Event
	for minute := range 60 * 60 {
		s := sampler.Sample{Time: dawn.Add(time.Duration(minute) * time.Minute),
			Readings: []sampler.Reading{{Resource: sampler.Threads, Value: 5}}}
		if minute < 30*60 {
			s.Add("conns", steadyLeak(minute))
		}
		events = append(events, d.Observe(&s)...)
	}
	if len(events) < 2 {
		t.Fatalf("%d events", len(events))
	}
	last := events[len(events)-1]
	got := fmt.Sprint(last.Status, " ", last.Resource, " ", last.Time.Sub(dawn) >= 54*time.Hour, " ",
		last.Time.Sub(dawn) < 56*time.Hour)
	if want := "resolved conns true true"; got != want {
		t.Errorf("last event %s after %s, want %s", got, last.Time.Sub(dawn), want)
	}
	var conns Status
	for _, s := range d.Status() {
		if s.Resource.Name == "conns" {
			conns = s
		}
	}
	type shown struct {
		Verdict Verdict
		State   State
		Why     string
		Leaks   int
	}
	want := shown{Unjudged, Learning, "not read any more since " +
		dawn.Add(30*time.Hour-time.Minute).Format("2006-01-02 15:04 MST"), 1}
	if diff := cmp.Diff(want, shown{conns.Verdict, conns.State, conns.Why, conns.Leaks}); diff != "" {
		t.Errorf("conns (-want +got):\n%s", diff)
	}
	// It is read again, and judged from then on.
	for minute := range 60 {
		s := one(60*time.Hour+time.Duration(minute)*time.Minute, "conns", 300)
		d.Observe(&s)
	}
	for _, s := range d.Status() {
		if s.Resource.Name == "conns" && s.Verdict == Unjudged {
			t.Errorf("read again, conns is %v: %s", s.Verdict, s.Why)
		}
	}
}

func one(after time.Duration, resource string, value float64) sampler.Sample {
	return sampler.Sample{Time: dawn.Add(after), Readings: []sampler.Reading{{Resource: resource, Value: value}}}
}

// That there are too many resources is said once, and can be asked for.
func TestMonitorSaysThatItLeavesOut(t *testing.T) {
	log, logger := newJournal()
	n := 0
	script := &scripted{make: func(_ int, s *sampler.Sample) error {
		for range 2000 {
			n++
			s.Add(fmt.Sprint("passing", n), 1)
		}
		return nil
	}}
	m, err := NewSourceMonitor(script, alerting.Process{}, DefaultConfig(), logger)
	if err != nil {
		t.Fatal(err)
	}
	var source sampler.Source = script
	var scratch sampler.Sample
	for range 5 {
		if err := m.loop.check(t.Context(), &source, &scratch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // two samples of one instant are one
	}
	if got, want := m.Checks().LeftOut, uint64(5*2000-maxResources); got != want {
		t.Errorf("%d readings left out, want %d", got, want)
	}
	want := []string{"warning Resource monitor: more than 4096 resources are read; those that came first are judged " +
		"while they are read, the rest is not"}
	if diff := cmp.Diff(want, log.read()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
