package fleet

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// draws returns the e-values that the scores of a sample have, each as often as it occurs: those between two thresholds
// as the lower one.
func draws(c *calibration.Table, of *calibration.Counts) []float64 {
	all := make([]float64, of.N) // beyond the first threshold: 0
	for k, n := range of.Reached {
		e := c.EValue(calibration.Thresholds[k], of.Length)
		for i := range n {
			all[i] = e
		}
	}
	return all
}

func at(s calibration.Sample, length time.Duration) *calibration.Counts {
	for i := range s {
		if s[i].Length == length {
			return &s[i]
		}
	}
	panic("no such mark")
}

// A fleet of 100,000 series of which some leak, 200 times over. The scores are those of generated series that the
// calibration has not seen. Series of a group depend on each other: in half of the groups all healthy ones have one
// score. The share found must not fall to what a weaker score gave.
func TestSimulationOfFalseDiscoveries(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 3,200 fleets")
	}
	t.Parallel()
	const (
		series = 100_000
		runs   = 200
		fdr    = .05
		day    = 24 * time.Hour
		aWeek  = 168 * time.Hour
	)
	c := calibration.Default()
	for _, test := range []struct {
		name     string
		watched  time.Duration
		replicas int     // in a group
		sick     int     // of the replicas of a group that leaks
		leaking  float64 // share of the series
		found    float64 // share of the groups that leak, at least
	}{
		{"3 days, each series by itself", 3 * day, 1, 1, .001, 0},
		{"5 days, each series by itself", 5 * day, 1, 1, .001, 0},
		{"6.5 days, each series by itself", 156 * time.Hour, 1, 1, .001, 0},
		{"a week, each series by itself", aWeek, 1, 1, .001, .4},
		{"10 days, each series by itself", 10 * day, 1, 1, .001, 0},
		{"2 weeks, each series by itself", 332 * time.Hour, 1, 1, .001, .5},
		{"a week, groups of 10, one replica leaks", aWeek, 10, 1, .001, .4},
		{"a week, groups of 50, 40 replicas leak", aWeek, 50, 40, .001, .1},
		{"a week, groups of 1000, all leak", aWeek, 1000, 1000, .001, 1},
		{"3 days, each series by itself", 3 * day, 1, 1, .01, .1},
		{"5 days, each series by itself", 5 * day, 1, 1, .01, .2},
		{"6.5 days, each series by itself", 156 * time.Hour, 1, 1, .01, 0},
		{"a week, each series by itself", aWeek, 1, 1, .01, .5},
		{"10 days, each series by itself", 10 * day, 1, 1, .01, .4},
		{"2 weeks, each series by itself", 332 * time.Hour, 1, 1, .01, .6},
		{"3 days, groups of 50, all leak", 3 * day, 50, 50, .01, .8},
	} {
		healthy, leaks := draws(c, at(c.CheckHealthy, test.watched)), draws(c, at(c.CheckLeaking, test.watched))
		r := rand.New(rand.NewPCG(7, 7))
		draw := func(from []float64) float64 { return from[r.IntN(len(from))] }
		groups := series / test.replicas
		sickGroups := max(int(test.leaking*series)/test.sick, 1)
		var shares []float64
		found := 0
		for range runs {
			var candidates []Finding
			for g := range groups {
				sum, one := 0., draw(healthy)
				alike := r.IntN(2) == 0
				for i := range test.replicas {
					switch {
					case g < sickGroups && i < test.sick:
						sum += draw(leaks)
					case alike:
						sum += one
					default:
						sum += draw(healthy)
					}
				}
				if sum > 0 {
					candidates = append(candidates, Finding{EValue: sum / float64(test.replicas), Growing: g}) // Growing tells which group
				}
			}
			accepted := eBH(candidates, groups, fdr)
			wrong := 0
			for _, f := range candidates[:accepted] {
				if f.Growing >= sickGroups {
					wrong++
				} else {
					found++
				}
			}
			shares = append(shares, float64(wrong)/float64(max(accepted, 1)))
		}
		mean, variance := 0., 0.
		for _, s := range shares {
			mean += s / runs
		}
		for _, s := range shares {
			variance += (s - mean) * (s - mean) / (runs - 1)
		}
		error95 := 1.96 * math.Sqrt(variance/runs)
		share := float64(found) / float64(runs*sickGroups)
		t.Logf("%-40s %g %% leak: false discoveries %.2f %% (%.2f to %.2f), promised at most %g %%; %.0f %% of %d found",
			test.name+",", 100*test.leaking, 100*mean, 100*max(mean-error95, 0), 100*(mean+error95), 100*fdr, 100*share, sickGroups)
		if mean+error95 > fdr {
			t.Errorf("%s: the share of false discoveries is %.3f, give or take %.3f: not shown to be at most %.3f", test.name, mean, error95, fdr)
		}
		if share < test.found {
			t.Errorf("%s: %.3f of the leaks are found, want %.3f or more", test.name, share, test.found)
		}
	}
}

func TestEBH(t *testing.T) {
	for _, test := range []struct {
		name string
		e    []float64
		n    int
		fdr  float64
		want int
		q    []float64
	}{
		{"none", nil, 10, .05, 0, nil},
		{"one strong enough", []float64{200}, 10, .05, 1, []float64{.05}},
		{"one too weak", []float64{199}, 10, .05, 0, []float64{10. / 199}},
		{"the second carries the first", []float64{110, 100}, 10, .05, 2, []float64{.05, .05}},
		{"without order", []float64{1, 1000, 0, 300}, 10, .05, 2, []float64{.01, 1. / 60, 10. / 3, math.Inf(1)}},
	} {
		var candidates []Finding
		for _, e := range test.e {
			candidates = append(candidates, Finding{EValue: e})
		}
		got := eBH(candidates, test.n, test.fdr)
		var q []float64
		for _, f := range candidates {
			q = append(q, f.Q)
		}
		if got != test.want || !cmp.Equal(q, test.q, cmp.Comparer(func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-9 })) {
			t.Errorf("%s: %d accepted with q %v, want %d with %v", test.name, got, q, test.want, test.q)
		}
	}
}
