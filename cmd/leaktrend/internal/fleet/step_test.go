package fleet

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// atStep reads a recording as a scan does: on a grid, each value the lowest since the instant before.
func atStep(r *dataset.Recording, step time.Duration) (*process, prom.Grid) {
	first := time.Unix(0, r.Times[0]).UTC()
	g := prom.Grid{Start: first.Add(step), Step: step, N: int(time.Duration(r.Times[len(r.Times)-1]-r.Times[0]) / step)}
	lowest := make([]float64, g.N)
	for i := range lowest {
		lowest[i] = nan
	}
	for k, at := range r.Times {
		if i := int(time.Duration(at-r.Times[0]) / step); i < g.N && !(lowest[i] <= r.Series[0].Values[k]) {
			lowest[i] = r.Series[0].Values[k]
		}
	}
	return &process{readings: []reading{{resource: r.Series[0].Resource, values: lowest}}}, g
}

// Scores are calibrated at five minutes. At other steps the same series get the same verdicts, and leaks scores of the
// same size.
func TestSteps(t *testing.T) {
	const each = 5
	series := map[bool][]*dataset.Recording{} // by whether they leak
	for family, leaks := range map[string]bool{
		"white_noise": false, "day_cycle": false, "week_cycle": false, "gc_sawtooth": false, "staircase": false,
		"connections":   false,
		"constant_leak": true, "load_leak": true, "leak_under_sawtooth": true, "leak_under_day_cycle": true,
		"leak_under_gc": true,
	} {
		for i := range each {
			series[leaks] = append(series[leaks], generate.One(generate.Options{
				Seed: 3, PerFamily: each, Interval: time.Minute, Span: generate.Range{Min: 168 * time.Hour,
					Max: 168 * time.Hour},
			}, family, i))
		}
	}
	verdicts := func(all []*dataset.Recording, step time.Duration) (found int, size float64) {
		for _, r := range all {
			p, g := atStep(r, step)
			lives := p.judge(g, calibration.Judgment())
			if score := calibration.Score(&lives[len(lives)-1].statuses[0]); score > 0 {
				found++
				size += math.Log(score)
			}
		}
		return found, size / float64(found)
	}
	usual, size := verdicts(series[true], calibration.Step)
	if usual < len(series[true])*3/4 {
		t.Errorf("%d of %d leaks are found", usual, len(series[true]))
	}
	for _, step := range []time.Duration{time.Minute, 2 * time.Minute, calibration.Step, 10 * time.Minute,
		20 * time.Minute} {
		if n, _ := verdicts(series[false], step); n > 0 {
			t.Errorf("%v: %d healthy series have a finding", step, n)
		}
		found, got := verdicts(series[true], step)
		if found < usual-1 || found > usual+1 || math.Abs(got-size) > math.Log(1.25) {
			t.Errorf("%v: %d leaks with scores of %.3g in the mean, at %v %d with %.3g", step, found, math.Exp(got),
				calibration.Step, usual, math.Exp(size))
		}
	}
}
