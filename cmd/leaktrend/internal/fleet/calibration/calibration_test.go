package calibration

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
)

func TestCalibrationIsReadAsWritten(t *testing.T) {
	want := Default()
	var text bytes.Buffer
	if err := want.Write(&text, "a note"); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&text)
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
		if _, err := Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.says)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(calibrationText)
	f.Add("sample,hours,series,score>=250,score>=1000,score>=2000,score>=3500,score>=5000,score>=7000\nhealthy,6,9,0,0,0,0,0,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if e := c.EValue(1e6, 1000*time.Hour); math.IsNaN(e) || math.IsInf(e, 0) || e < 0 {
			t.Errorf("e-value %v", e)
		}
	})
}

// On the healthy series that calibrate, the mean e-value is at most 1 at every mark, which the formula alone ensures.
// On others, of which nothing was known, it is so over all marks; at a single mark one series of a high score may make
// more of it.
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
	c := &Table{Healthy: NewSample()}
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

// A detector that knows a ceiling finds a leak that reaches it also within hours; the scan gives it what it knows.
func TestJudgment(t *testing.T) {
	c := Judgment()
	if c.AlertOnThreshold || c.Adaptive != detector.DefaultConfig().Adaptive {
		t.Errorf("%+v", c)
	}
}
