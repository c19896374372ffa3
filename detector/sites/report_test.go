package sites

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// leakedAt makes a proof of leaked goroutines, by line.
func leakedAt(counts map[int]float64) *profile.Profile {
	p := &profile.Profile{Kind: profile.GoroutineLeak}
	for line, n := range counts {
		p.Sites = append(p.Sites,
			profile.Site{Frame: profile.Frame{Function: "main.f", File: "/src/main.go", Line: line}, Count: n})
	}
	return p
}

// What shrinks beside it makes nobody's share of the growth greater: those of all lines add up to no more than 1.
func TestSharesAddUp(t *testing.T) {
	s := newService(profile.Goroutine, 1)
	s.at[1] = func(h float64) float64 { return 10 + 10*h }
	s.at[2] = func(h float64) float64 { return 10 + 10*h }
	s.at[3] = func(h float64) float64 { return 200 - 16*h }
	tracker := NewTracker(profile.Goroutine, physical)
	run(tracker, s, 10.01)
	sum := func(all []alerting.Site) (sum float64) {
		for _, s := range all {
			sum += s.Share
		}
		return sum
	}
	var grown, followed []alerting.Site
	for _, g := range tracker.Growing(began, 10, nil) {
		grown = append(grown, g.Site)
	}
	for _, st := range tracker.Statuses("goroutines") {
		followed = append(followed, st.Site)
	}
	for name, all := range map[string][]alerting.Site{"grown": grown, "followed": followed} {
		if got := sum(all); len(all) < 2 || math.Abs(got-1) > .01 {
			t.Errorf("%s: the shares of %d lines add up to %.2f, want 1: %+v", name, len(all), got, all)
		}
	}
}

// Proven lines come first, and where they explain the growth no other is listed beside them.
func TestProvenFirst(t *testing.T) {
	type listed struct {
		Line   int
		Proven bool
	}
	for _, test := range []struct {
		name    string
		busy    float64 // goroutines an hour at a line that is not proven
		leaking float64 // and at the one that is
		want    []listed
	}{
		{"explains most", 10, 20, []listed{{42, true}}},
		{"explains the least", 50, 8, []listed{{42, true}, {10, false}}},
		{"not proven at all", 50, 0, []listed{{10, false}}},
	} {
		s := newService(profile.Goroutine, 2)
		s.at[10] = func(h float64) float64 { return 5 + test.busy*h }
		s.at[42] = func(h float64) float64 { return test.leaking * h }
		tracker := NewTracker(profile.Goroutine, physical)
		run(tracker, s, 1.01)
		tracker.Prove(leakedAt(map[int]float64{42: test.leaking}))
		var got []listed
		for _, g := range tracker.Growing(began, 10, nil) {
			got = append(got, listed{g.Line, g.Proven})
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	// Of lines that leak by themselves, the slow one is proven.
	s := newService(profile.Goroutine, 3)
	s.at[10] = func(h float64) float64 { return 40 * h }
	s.at[42] = func(h float64) float64 { return 10 * h }
	tracker := NewTracker(profile.Goroutine, physical)
	run(tracker, s, 59)
	tracker.Prove(leakedAt(map[int]float64{42: 590}))
	want := []listed{{42, true}, {10, false}}
	var found, leaking []listed
	for _, f := range tracker.Findings() {
		found = append(found, listed{f.Site.Line, f.Site.Proven})
	}
	for _, g := range tracker.Leaking(10) {
		leaking = append(leaking, listed{g.Line, g.Proven})
	}
	if diff := cmp.Diff([][]listed{want, want}, [][]listed{found, leaking}); diff != "" {
		t.Errorf("found and leaking (-want +got):\n%s", diff)
	}
	// The time that is left is that of the fastest all the same.
	var l Leak
	total := Total{Value: 3000, Limits: finding.Limits{}}
	total.Limits.Ceiling.Level = 3100
	e, ok := l.Lines("goroutines", tracker.Findings(), total, began.Add(59*time.Hour), 0)
	if !ok || e.Exhaustion == nil || e.Exhaustion.At.Sub(e.Time).Hours() > 3 {
		t.Errorf("event %+v, want 100 more in 2.5 h at 40 an hour", e)
	}
}

// What is known of a line is no age of the goroutines there, and memory that lives on is no proof of a leak.
func TestLinesHaveNoAge(t *testing.T) {
	s := newService(profile.Goroutine, 4)
	s.at[42] = func(h float64) float64 { return 300 }
	tracker := NewTracker(profile.Goroutine, physical)
	run(tracker, s, 3)
	heap := newService(profile.Heap, 4)
	heap.at[7] = func(h float64) float64 { return 100e6 * h }
	memory := NewTracker(profile.Heap, physical)
	run(memory, heap, 12)
	type facts struct {
		Age          float64
		Proven, Held bool
	}
	var got []facts
	for _, st := range append(tracker.Statuses("goroutines"), memory.Statuses("heap_live_bytes")...) {
		got = append(got, facts{st.OldestSeconds, st.Proven, st.Held})
	}
	if diff := cmp.Diff([]facts{{}, {Held: true}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A finding on a line ends as one on a total does, and it is known how.
func TestHowALineEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		at   func(h float64) float64
		want finding.Change
	}{
		{"goes on", func(h float64) float64 { return 20 * h }, finding.Unchanged},
		{"given back", func(h float64) float64 { return 20 * h * max(0, min(1, 60-h)) }, finding.GaveBack},
		{"at rest", func(h float64) float64 { return 20 * min(h, 40) }, finding.CameToRest},
	} {
		s := newService(profile.Goroutine, 5)
		s.at[10] = func(float64) float64 { return 100 }
		s.at[42] = test.at
		tracker := NewTracker(profile.Goroutine, physical)
		if found := run(tracker, s, 120); len(found) != 1 {
			t.Fatalf("%s: found %v", test.name, found)
		}
		if got := tracker.Ended(); got != test.want ||
			(len(tracker.Findings()) == 0) != (test.want != finding.Unchanged) {
			t.Errorf("%s: ended as %v, want %v; findings %+v", test.name, got, test.want, tracker.Findings())
		}
	}
}

// The application's line comes before that of a library at which as many goroutines wait, and no more than that.
func TestOwnBeside(t *testing.T) {
	line := func(n int, growth float64, own, proven bool) Grown {
		return Grown{Site: alerting.Site{Line: n, Proven: proven}, Growth: growth,
			Profile: profile.Site{Application: own}}
	}
	for _, test := range []struct {
		name string
		all  []Grown
		want []int
	}{
		{"as many", []Grown{line(1, 100, false, false), line(2, 99, false, false), line(3, 98, true, false)},
			[]int{3, 1, 2}},
		{"fewer", []Grown{line(1, 100, false, false), line(3, 80, true, false)}, []int{1, 3}},
		{"its own is first", []Grown{line(1, 100, true, false), line(3, 100, true, false)}, []int{1, 3}},
		{"the library's is proven", []Grown{line(1, 100, false, true), line(3, 100, true, false)}, []int{1, 3}},
		{"both are", []Grown{line(1, 100, false, true), line(3, 100, true, true)}, []int{3, 1}},
		{"none", nil, nil},
	} {
		ownBeside(test.all)
		var got []int
		for _, g := range test.all {
			got = append(got, g.Line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
