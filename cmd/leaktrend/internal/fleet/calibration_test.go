package fleet

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
)

func TestCalibrationIsReadAsWritten(t *testing.T) {
	want := Default()
	var text bytes.Buffer
	if err := want.Write(&text, "a note"); err != nil {
		t.Fatal(err)
	}
	got, err := ReadCalibration(&text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadCalibration(t *testing.T) {
	header := "sample,hours,series,score>=250,score>=1000,score>=2000,score>=3500,score>=5000,score>=7000\n"
	for _, test := range []struct{ name, text, says string }{
		{"empty", "", "has not the marks"},
		{"thresholds", strings.Replace(header, "score>=1000", "score>=1001", 1), "calibration:1: column"},
		{"fields", header + "healthy,6\n", "calibration:2: 2 fields"},
		{"sample", header + "sick,6,9,0,0,0,0,0,0\n", "calibration:2: unknown sample"},
		{"hours", header + "healthy,x,9,0,0,0,0,0,0\n", "calibration:2: hours"},
		{"order", header + "healthy,6,9,0,0,0,0,0,0\nhealthy,6,9,0,0,0,0,0,0\n", "calibration:3: hours"},
		{"count", header + "healthy,6,9,0,0,-1,0,0,0\n", "calibration:2: count"},
		{"more than before", header + "healthy,6,9,1,2,0,0,0,0\n", "calibration:2: count"},
		{"marks", header + "healthy,6,9,0,0,0,0,0,0\n", "has not the marks"},
	} {
		if _, err := ReadCalibration(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.says)
		}
	}
}

func FuzzReadCalibration(f *testing.F) {
	f.Add(calibrationText)
	f.Add("sample,hours,series,score>=250,score>=1000,score>=2000,score>=3500,score>=5000,score>=7000\nhealthy,6,9,0,0,0,0,0,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadCalibration(strings.NewReader(text))
		if err != nil {
			return
		}
		if e := c.EValue(1e6, 1000*time.Hour); math.IsNaN(e) || math.IsInf(e, 0) || e < 0 {
			t.Errorf("e-value %v", e)
		}
	})
}

// On the healthy series that calibrate, the mean e-value is at most 1 at every mark, which the formula alone ensures. On others, of which
// nothing was known, it is so over all marks; at a single mark one series of a high score may make more of it.
func TestMeanEValueOfHealthySeries(t *testing.T) {
	c := Default()
	mean := func(counts Counts) float64 {
		sum, before := 0., 0
		for k := len(Thresholds) - 1; k >= 0; k-- {
			sum += float64(counts.Reached[k]-before) * c.EValue(Thresholds[k], counts.Length)
			before = counts.Reached[k]
		}
		return sum / float64(counts.N)
	}
	total := 0.
	for i, counts := range c.Healthy {
		if got := mean(counts); got > 1 {
			t.Errorf("after %v the mean is %.3f, want at most 1", counts.Length, got)
		}
		other := mean(c.CheckHealthy[i])
		t.Logf("after %5v: %.2f on the series that calibrate, %.2f on others", counts.Length, mean(counts), other)
		total += other
	}
	if got := total / float64(len(c.Healthy)); got > 1 {
		t.Errorf("on other series the mean over all marks is %.2f, want at most 1", got)
	}
}

func TestWeightsSumToOne(t *testing.T) {
	sum := 0.
	for _, w := range weights {
		sum += w
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("%v sum to %v", weights, sum)
	}
}

func TestEValue(t *testing.T) {
	c := &Calibration{Healthy: NewSample()}
	for i := range c.Healthy {
		c.Healthy[i].N = 99
	}
	c.Healthy[0].Reached = [len(Thresholds)]int{9, 4}
	c.Healthy[1].Reached = [len(Thresholds)]int{4, 1}
	w := weights
	for _, test := range []struct {
		name   string
		score  float64
		length time.Duration
		want   float64
	}{
		{"no finding", 0, 100 * time.Hour, 0},
		{"too short", 5000, 6*time.Hour - 1, 0},
		{"the first threshold", 250, 9 * time.Hour, 20 * w[0]},
		{"just below the second", 999, 9 * time.Hour, 20 * w[0]},
		{"the second", 1000, 9 * time.Hour, 20*w[0] + 50*w[1]},
		{"the third", 2000, 9 * time.Hour, 20*w[0] + 50*w[1] + 100*w[2]},
		{"all", 1e6, 9 * time.Hour, 20*w[0] + 50*w[1] + 100*(1-w[0]-w[1])},
		{"the first mark", 1000, 6 * time.Hour, 10*w[0] + 20*w[1]},
		{"the worse of two marks", 1000, 7 * time.Hour, 10*w[0] + 20*w[1]},
		{"the second mark", 1000, 8 * time.Hour, 10*w[0] + 20*w[1]},
		{"after the second mark", 1000, 8*time.Hour + 1, 20*w[0] + 50*w[1]},
		{"beyond the last mark", 250, 9999 * time.Hour, 100 * w[0]},
	} {
		if got := c.EValue(test.score, test.length); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestScore(t *testing.T) {
	for _, test := range []struct {
		status detector.Status
		want   float64
	}{
		{detector.Status{}, 0},
		{detector.Status{State: detector.Firing, Limit: true}, 0},
		{detector.Status{State: detector.Firing, Trend: true, Grew: 30 * time.Hour}, 0},
		{detector.Status{State: detector.Firing, Trend: true, Grew: 90 * time.Minute, Nats: 12}, 18},
	} {
		if got := Score(&test.status); got != test.want {
			t.Errorf("%+v scores %v, want %v", test.status, got, test.want)
		}
	}
}

// The shipped table was made with the present detector: other series of the same families are in line with it.
func TestCalibrationIsOfThisDetector(t *testing.T) {
	if testing.Short() {
		t.Skip("measures a thousand series")
	}
	c := Default()
	for _, part := range []struct {
		name    string
		leaking bool
		shipped Sample
	}{
		{"healthy", false, c.CheckHealthy},
		{"leaking", true, c.CheckLeaking},
	} {
		got := NewSample() // of both halves, as in the table
		for _, ranges := range []generate.Split{generate.Tune, generate.Report} {
			half, err := Measure(t.Context(), MeasureOptions{Seed: 4321, Ranges: ranges, PerFamily: 20, Leaking: part.leaking})
			if err != nil {
				t.Fatal(err)
			}
			got = got.And(half)
		}
		for i, counts := range got {
			if counts.N == 0 {
				continue
			}
			// Both are draws of one chance, if the detector is the same: Poisson of the pooled rate, in both directions.
			shipped := part.shipped[i]
			for k, threshold := range Thresholds {
				rate := float64(counts.Reached[k]+shipped.Reached[k]+1) / float64(counts.N+shipped.N)
				expected := distuv.Poisson{Lambda: rate * float64(counts.N)}
				n := float64(counts.Reached[k])
				if expected.CDF(n) < 1e-5 || 1-expected.CDF(n-1) < 1e-5 {
					t.Errorf("%s after %v: %d of %d series score %g or more, but %d of %d in the table; go generate %s makes it anew",
						part.name, counts.Length, counts.Reached[k], counts.N, threshold, shipped.Reached[k], shipped.N, "./cmd/leaktrend/internal/fleet")
				}
			}
		}
	}
}

// draws returns the e-values that the scores of a sample have, each as often as it occurs: those between two thresholds as the lower one.
func (c *Calibration) draws(of *Counts) []float64 {
	all := make([]float64, of.N) // beyond the first threshold: 0
	for k, n := range of.Reached {
		e := c.EValue(Thresholds[k], of.Length)
		for i := range n {
			all[i] = e
		}
	}
	return all
}

func (s Sample) at(length time.Duration) *Counts {
	for i := range s {
		if s[i].Length == length {
			return &s[i]
		}
	}
	panic("no such mark")
}

// A fleet of 100,000 series of which some leak, 200 times over. The scores are those of generated series that the calibration has not seen.
// Series of a group depend on each other: in half of the groups all healthy ones have one score. The share found must not fall to what a
// weaker score gave.
func TestSimulationOfFalseDiscoveries(t *testing.T) {
	const (
		series = 100_000
		runs   = 200
		fdr    = .05
		day    = 24 * time.Hour
		aWeek  = 168 * time.Hour
	)
	c := Default()
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
		healthy, leaks := c.draws(c.CheckHealthy.at(test.watched)), c.draws(c.CheckLeaking.at(test.watched))
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
