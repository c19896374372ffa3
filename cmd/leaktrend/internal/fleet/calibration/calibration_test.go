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
	f.Add("sample,hours,series,score>=250,score>=1000,score>=2000,score>=3500,score>=5000,score>=7000\n" +
		"healthy,6,9,0,0,0,0,0,0\n")
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

// On the healthy series that calibrate, and on others of which nothing was known, the mean e-value is at most 1 over
// the marks: at a single mark those that were made with longer series may make more of it.
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
	for name, sample := range map[string]Sample{"that calibrate": c.Healthy, "others": c.CheckHealthy} {
		total := 0.
		for _, counts := range sample {
			total += mean(counts)
			t.Logf("series %s after %5v: %.2f", name, counts.Length, mean(counts))
		}
		if got := total / float64(len(sample)); got > 1 {
			t.Errorf("on series %s the mean over all marks is %.2f, want at most 1", name, got)
		}
	}
}

func TestEValue(t *testing.T) {
	c := &Table{Healthy: NewSample()}
	for i := range c.Healthy {
		c.Healthy[i].N = 999
		c.Healthy[i].Reached = [len(Thresholds)]int{99, 9, 9, 3}
	}
	of := func(chance float64) float64 { return .1 * math.Pow(chance, -.9) }
	for _, test := range []struct {
		name   string
		score  float64
		length time.Duration
		want   float64
	}{
		{"no finding", 0, 100 * time.Hour, 0},
		{"too short", 5000, 6*time.Hour - 1, 0},
		{"half of the first threshold", 125, 6 * time.Hour, of(.2)},
		{"next to nothing", 1e-9, 6 * time.Hour, of(1)},
		{"the first threshold", 250, 9 * time.Hour, of(.1)},
		{"between two thresholds", 500, 9 * time.Hour, of(math.Sqrt(.1 * .01))},
		{"the second threshold", 1000, 9 * time.Hour, of(.01)},
		{"between two of the same chance", 1500, 100 * time.Hour, of(.01)},
		{"the last threshold", 7000, 100 * time.Hour, of(.001)},
		{"beyond the last threshold", 14000, 9999 * time.Hour, of(.0005)},
	} {
		if got := c.EValue(test.score, test.length); math.Abs(got/test.want-1) > 1e-9 && got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// The chance before history has told anything is that of both sorts of families.
func TestPriorChance(t *testing.T) {
	c := &Table{Healthy: NewSample(), Joined: NewSample()}
	for i := range c.Healthy {
		c.Healthy[i].N, c.Joined[i].N = 999, 999
		c.Healthy[i].Reached = [len(Thresholds)]int{99, 9, 9, 3}
		c.Joined[i].Reached = [len(Thresholds)]int{199, 99, 99, 99, 99, 49}
	}
	for _, test := range []struct{ score, want float64 }{{125, .3}, {250, .15}, {1000, .055}, {7000, .0255},
		{14000, .01275}} {
		got := c.PriorChance(c.EValue(test.score, 100*time.Hour), 100*time.Hour)
		if math.Abs(got-test.want) > 1e-9 {
			t.Errorf("score %v: %v, want %v", test.score, got, test.want)
		}
	}
}

// What a score is worth does not jump from one length of history to the next.
func TestNoJumps(t *testing.T) {
	c := Default()
	const step = time.Hour
	for length := 12 * time.Hour; length < 400*time.Hour; length += step {
		for _, score := range []float64{100, 1000, 5000, 10000} {
			before, after := c.EValue(score, length), c.EValue(score, length+step)
			if ratio := after / before; ratio < .7 || ratio > 1.4 {
				t.Errorf("a score of %v is worth %.3g after %v and %.3g after %v", score, before, length, after,
					length+step)
			}
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
