package evaluate_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// TestOKIsRarelyWrong counts what is said of generated processes between the alerts: of leaks that have added three
// fifths of their level and are not called, at each further fifth; of healthy ones at their end, past their first six
// hours. They are of the half that was not looked at while the rule was chosen. Families that joined later are held
// apart: with a growth of days, a saw of restarts, or two readings a day there is less of which more can be said.
func TestOKIsRarelyWrong(t *testing.T) {
	each, slack := 20, 0.
	if testing.Short() {
		each, slack = 4, .03
	}
	var leaks, leaksOK, healthy, healthyOK, later, laterOK int
	for _, f := range generate.Families() {
		for i := range each {
			r := generate.One(generate.Options{Seed: 47, PerFamily: each, Ranges: generate.Report}, f.Name, i)
			truth := r.Series[0].Truth
			if f.Leaks && truth.Doubled == 0 {
				continue
			}
			step := (truth.Doubled - truth.From) / 5
			next, last := truth.From+3*step, r.Times[len(r.Times)-1]
			if !f.Leaks {
				next = max(last, r.Times[0]+int64(6*time.Hour))
			}
			verdictsOn(t, r, func(at int64, s *detector.Status) (goOn bool) {
				if at < next {
					return true
				}
				next = at + max(step, int64(10*time.Minute))
				if s.Verdict == detector.Leak {
					return false
				}
				n, ok := &leaks, &leaksOK
				switch {
				case f.Leaks:
				case f.Later:
					n, ok = &later, &laterOK
				default:
					n, ok = &healthy, &healthyOK
				}
				*n++
				if s.Verdict == detector.OK {
					*ok++
				}
				return true
			})
		}
	}
	t.Logf("leaks that are not called yet: ok is said of %d of %d; healthy processes: of %d of %d, of the later "+
		"families %d of %d",
		leaksOK, leaks, healthyOK, healthy, laterOK, later)
	if share := float64(leaksOK) / float64(leaks); share > .05+slack {
		t.Errorf("ok is said of %.1f %% of the leaks that are not called yet", 100*share)
	}
	if share := float64(healthyOK) / float64(healthy); share < .88-slack {
		t.Errorf("ok is said of %.1f %% of the healthy processes", 100*share)
	}
	if share := float64(laterOK) / float64(later); share < .65-slack {
		t.Errorf("ok is said of %.1f %% of the healthy processes of the later families", 100*share)
	}
}

// TestFirstHours counts what is said in the first half day of a watch: of leaks that are not called and have added a
// fifth or more of the level that they had when the watch began, which is when the leak does or when it has doubled the
// level; and of healthy processes.
func TestFirstHours(t *testing.T) {
	each, slack := 12, 0.
	if testing.Short() {
		each, slack = 4, .05
	}
	spans := []time.Duration{50 * time.Minute, 80 * time.Minute, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour,
		6 * time.Hour, 12 * time.Hour}
	var leaks, leaksOK, healthy, healthyOK int
	for _, f := range generate.Families() {
		if f.Later {
			continue
		}
		for i := range each {
			r := generate.One(generate.Options{Seed: 91, PerFamily: each, Ranges: generate.Report}, f.Name, i)
			truth := r.Series[0].Truth
			if !f.Leaks {
				verdictsAfter(t, r, spans, func(_ time.Duration, s *detector.Status) {
					healthy++
					if s.Verdict == detector.OK {
						healthyOK++
					}
				})
				continue
			}
			if truth.Doubled == 0 {
				continue
			}
			for levels, from := range []int64{truth.From, truth.Doubled} {
				doubling := time.Duration(truth.Doubled-truth.From) * time.Duration(levels+1)
				verdictsAfter(t, since(r, from), spans, func(watched time.Duration, s *detector.Status) {
					if s.Leaks > 0 || watched < doubling/5 {
						return
					}
					leaks++
					if s.Verdict == detector.OK {
						leaksOK++
					}
				})
			}
		}
	}
	t.Logf("leaks that have added a fifth and are not called: ok is said of %d of %d; healthy processes: of %d of %d",
		leaksOK, leaks, healthyOK, healthy)
	if share := float64(leaksOK) / float64(leaks); share > .12+slack {
		t.Errorf("ok is said of %.1f %% of the leaks that are not called yet", 100*share)
	}
	if share := float64(healthyOK) / float64(healthy); share < .77-slack {
		t.Errorf("ok is said of %.1f %% of the healthy processes", 100*share)
	}
}

// since returns the part of a recording that a watch from an instant on sees.
func since(r *dataset.Recording, from int64) *dataset.Recording {
	first, _ := slices.BinarySearch(r.Times, from)
	part := *r
	part.Times, part.Series, part.Starts, part.Ceilings = r.Times[first:], slices.Clone(r.Series), nil, nil
	for i := range part.Series {
		part.Series[i].Values = part.Series[i].Values[first:]
	}
	return &part
}

// verdictsAfter gives what is made of the first series after each of some times, in order.
func verdictsAfter(t *testing.T, r *dataset.Recording, spans []time.Duration,
	visit func(watched time.Duration, s *detector.Status)) {
	t.Helper()
	verdictsOn(t, r, func(at int64, s *detector.Status) bool {
		if len(spans) > 0 && at-r.Times[0] >= int64(spans[0]) {
			visit(spans[0], s)
			spans = spans[1:]
		}
		return len(spans) > 0
	})
}

// TestSawsAreSuspects: a process that is killed at its limit again and again is never said to be ok, though a finding
// ends with each kill.
func TestSawsAreSuspects(t *testing.T) {
	verdicts := make(map[detector.Verdict]int)
	const each = 20
	for i := range each {
		r := generate.One(generate.Options{Seed: 47, PerFamily: each, Ranges: generate.Report}, "oom_saw", i)
		last := r.Times[len(r.Times)-1]
		verdictsOn(t, r, func(at int64, s *detector.Status) bool {
			if at == last {
				verdicts[s.Verdict]++
			}
			return true
		})
	}
	if n := verdicts[detector.Suspect] + verdicts[detector.Leak]; n < each*9/10 || verdicts[detector.OK] > 0 {
		t.Errorf("verdicts at the end of %d saws: %v", each, verdicts)
	}
}

// verdictsOn gives what is made of the first series after each minute, until visit returns false.
func verdictsOn(t *testing.T, r *dataset.Recording, visit func(at int64, s *detector.Status) bool) {
	t.Helper()
	d, err := detector.New(detector.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var s sampler.Sample
	source := r.Source()
	name, looked := r.Series[0].Resource, int64(0)
	for source.Sample(context.Background(), &s) == nil {
		d.Observe(&s)
		at := s.Time.UnixNano()
		if at-looked < int64(5*time.Minute) && at != r.Times[len(r.Times)-1] {
			continue
		}
		looked = at
		for _, status := range d.Verdicts() {
			if status.Resource.Name == name && !visit(at, &status) {
				return
			}
		}
	}
}
