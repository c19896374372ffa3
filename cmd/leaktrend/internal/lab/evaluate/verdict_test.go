package evaluate_test

import (
	"context"
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
	if share := float64(leaksOK) / float64(leaks); share > .07+slack {
		t.Errorf("ok is said of %.1f %% of the leaks that are not called yet", 100*share)
	}
	if share := float64(healthyOK) / float64(healthy); share < .88-slack {
		t.Errorf("ok is said of %.1f %% of the healthy processes", 100*share)
	}
	if share := float64(laterOK) / float64(later); share < .65-slack {
		t.Errorf("ok is said of %.1f %% of the healthy processes of the later families", 100*share)
	}
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
		for _, status := range d.Status() {
			if status.Resource.Name == name && !visit(at, &status) {
				return
			}
		}
	}
}
