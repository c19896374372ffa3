package tune

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var limitsBegin = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// recordedFor makes a recording of one resource, sampled every 10 min.
func recordedFor(length time.Duration, resource string, value func(h float64) float64) *dataset.Recording {
	r := &dataset.Recording{Name: "a.csv", Program: "a"}
	s := dataset.Series{Resource: resource}
	for at := time.Duration(0); at <= length; at += 10 * time.Minute {
		r.Times = append(r.Times, limitsBegin.Add(at).UnixNano())
		s.Values = append(s.Values, value(at.Hours()))
	}
	r.Series = []dataset.Series{s}
	return r
}

func proposed(t *testing.T, c detector.Config, recs ...*dataset.Recording) []Limit {
	t.Helper()
	limits, err := proposeLimits(context.Background(), c, slices.Values(recs))
	if err != nil {
		t.Fatal(err)
	}
	return limits
}

// peak is 50, and 130 for an hour every day from 12 h on.
func peak(h float64) float64 {
	if math.Mod(h, 24) >= 12 && math.Mod(h, 24) < 13 {
		return 130
	}
	return 50
}

func TestLimits(t *testing.T) {
	const day, mb = 24 * time.Hour, 1 << 20
	with := func(change func(c *detector.Config)) detector.Config {
		c := detector.DefaultConfig()
		change(&c)
		return c
	}
	standard := detector.DefaultConfig()
	noon := limitsBegin.Add(12 * time.Hour)
	marked := func(r *dataset.Recording, change func(r *dataset.Recording)) *dataset.Recording {
		change(r)
		return r
	}
	for _, test := range []struct {
		name   string
		config detector.Config
		r      *dataset.Recording
		want   []Limit
	}{
		{"ten days", standard, recordedFor(10*day, sampler.Goroutines, peak), []Limit{{
			Key: "goroutine_threshold", Resource: sampler.Goroutines, Proposed: 120, Reached: 80, Recording: "a.csv",
			At: noon, Headroom: 1.5, Days: 10,
		}}},
		{"two days", standard, recordedFor(2*day, sampler.OpenFDs, peak), []Limit{{
			Key: "fd_threshold", Resource: sampler.OpenFDs, Proposed: 160, Reached: 80, Recording: "a.csv", At: noon,
			Headroom: 2, Days: 2,
		}}},
		{"an hour, and steady", standard, recordedFor(time.Hour, sampler.OpenFDs, func(float64) float64 { return 12 }),
			[]Limit{{
				Key: "fd_threshold", Resource: sampler.OpenFDs, Proposed: minCount, Recording: "a.csv",
				At:       limitsBegin,
				Headroom: 3, Days: 1. / 24,
			}}},
		{"memory is a level, of whole MB", standard, recordedFor(10*day, sampler.HeapInuseBytes,
			func(h float64) float64 { return peak(h) * mb }), []Limit{{
			Key: "memory_threshold_mb", Resource: sampler.HeapInuseBytes, Proposed: 200 * mb, Reached: 130 * mb,
			Recording: "a.csv", At: noon, Headroom: 1.5, Days: 10,
		}}},
		{"one in force that holds", with(func(c *detector.Config) {
			c.GoroutineThreshold = 81
		}), recordedFor(10*day, sampler.Goroutines, peak), []Limit{{
			Key: "goroutine_threshold", Resource: sampler.Goroutines, InForce: 81, Proposed: 81, Reached: 80,
			Recording: "a.csv", At: noon, Headroom: 1.5, Days: 10,
		}}},
		{"one in force that healthy time passes", with(func(c *detector.Config) { c.GoroutineThreshold = 50 }),
			recordedFor(10*day, sampler.Goroutines, peak), []Limit{{
				Key: "goroutine_threshold", Resource: sampler.Goroutines, InForce: 50, Proposed: 120, Reached: 80,
				Recording: "a.csv", At: noon, Headroom: 1.5, Days: 10,
			}}},
		{"a lower ceiling", standard, marked(recordedFor(10*day, sampler.OpenFDs, peak), func(r *dataset.Recording) {
			r.Ceilings = []dataset.Mark[[]sampler.Ceiling]{
				{Value: []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 200}}}}
		}), []Limit{{
			Key: "fd_threshold", Resource: sampler.OpenFDs, Reached: 80, Recording: "a.csv", At: noon, Headroom: 1.5,
			Days: 10, Ceiling: 200,
		}}},
		{"what leaks is no healthy level", standard,
			marked(recordedFor(10*day, sampler.Goroutines, func(h float64) float64 {
				return peak(h) + 100*max(0, h-48)
			}),
				func(r *dataset.Recording) {
					r.Series[0].Truth = dataset.Truth{Leaks: true, From: limitsBegin.Add(2 * day).UnixNano()}
				}), []Limit{{
				Key: "goroutine_threshold", Resource: sampler.Goroutines, Proposed: 160, Reached: 80,
				Recording: "a.csv",
				At:        noon, Headroom: 2, Days: 2 - 1./144,
			}}},
		{"each life has its own start", standard,
			marked(recordedFor(10*day, sampler.Goroutines, func(h float64) float64 {
				if h >= 120 {
					return peak(h) + 400
				}
				return peak(h)
			}), func(r *dataset.Recording) {
				r.Starts = []dataset.Mark[time.Time]{{Value: limitsBegin},
					{From: 5 * 144, Value: limitsBegin.Add(5 * day)}}
			}), []Limit{{
				Key: "goroutine_threshold", Resource: sampler.Goroutines, Proposed: 120, Reached: 80,
				Recording: "a.csv",
				At:        noon, Headroom: 1.5, Days: 10,
			}}},
		{"no such resource", standard, recordedFor(day, sampler.Threads, peak), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := proposed(t, test.config, test.r)
			for i := range got {
				got[i].Days = math.Round(got[i].Days*1e6) / 1e6
			}
			for i := range test.want {
				test.want[i].Days = math.Round(test.want[i].Days*1e6) / 1e6
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if test.want == nil {
				return
			}
			// With the limits that are proposed the healthy recording has no alarm.
			limits, err := evaluate.Detector("limits", evaluate.LimitsOnly(applyLimits(got, test.config)), false)
			if err != nil {
				t.Fatal(err)
			}
			reports, err := evaluate.Score(context.Background(), Of([]*dataset.Recording{test.r}).All,
				[]evaluate.Method{limits}, evaluate.ScoreOptions{Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			if n := reports[0].Tally("", nil).FalseAlarms; n != 0 {
				t.Errorf("%d false alarms by the limits that are proposed", n)
			}
		})
	}
}

// An unlabelled recording that leaks by the detector's own evidence does not raise a limit, and is told.
func TestLimitsOfWhatLooksLikeALeak(t *testing.T) {
	r := recordedFor(10*24*time.Hour, sampler.Goroutines, func(h float64) float64 {
		return peak(h) + math.Floor(20*max(0, h-120))
	})
	r.Unknown = true
	got := proposed(t, detector.DefaultConfig(), r)
	if len(got) != 1 || got[0].Reached < 80 || got[0].Reached > 200 || got[0].Days < 4.5 || got[0].Days > 5.5 {
		t.Fatalf("limits: %+v", got)
	}
	if diff := cmp.Diff([]string{"a.csv"}, got[0].Leaking); diff != "" {
		t.Error(diff)
	}
	advice := strings.Join(got[0].Advice(), "\n")
	if !strings.Contains(advice, "a.csv looks like a leak") || !strings.Contains(advice, "Not very sure: in ") {
		t.Errorf("advice:\n%s", advice)
	}
}

func TestLimitAdvice(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		l    Limit
		want []string
	}{
		{"new", Limit{Key: "memory_threshold_mb", Resource: sampler.HeapInuseBytes, Proposed: 200 << 20,
			Reached: 130 << 20, Recording: "a.csv", At: at, Headroom: 1.5, Days: 10}, []string{
			"memory_threshold_mb: 200 MB, with a headroom of 1.5: the highest level of heap_inuse_bytes is 130 MB, " +
				"in a.csv at 2026-11-23 12:00 UTC.",
			"Fairly sure: in 10 healthy process-days, so if days are alike the next one goes beyond what was seen " +
				"with a chance of 1 in 11, and seldom by the headroom.",
		}},
		{"raised", Limit{Key: "fd_threshold", Resource: sampler.OpenFDs, InForce: 50, Proposed: 240, Reached: 80,
			Recording: "a.csv", At: at, Headroom: 3, Days: .25}, []string{
			"fd_threshold: 240, instead of 50, which healthy time passes, with a headroom of 3: the highest growth " +
				"over the start of open_fds is 80, in a.csv at 2026-11-23 12:00 UTC.",
			"Not sure: 6h were seen, less than the day that shows its peak.",
		}},
		{"kept", Limit{Key: "fd_threshold", Resource: sampler.OpenFDs, InForce: 90, Proposed: 90, Reached: 80,
			Recording: "a.csv", At: at, Headroom: 1.5, Days: 40}, []string{
			"fd_threshold: keep 90; the highest growth over the start of open_fds is 80, in a.csv at 2026-11-23 " +
				"12:00 UTC.",
			"Sure: in 40 healthy process-days, so if days are alike the next one goes beyond what was seen with a " +
				"chance of 1 in 41, and seldom by the headroom.",
		}},
		{"ceiling", Limit{Key: "fd_threshold", Resource: sampler.OpenFDs, Reached: 80, Recording: "a.csv", At: at,
			Headroom: 2, Days: 1, Ceiling: 200}, []string{
			"fd_threshold: stays off. The limit that holds by itself, at 80 % of 200, is lower than one with " +
				"headroom would be; " +
				"the highest growth over the start of open_fds is 80, in a.csv at 2026-11-23 12:00 UTC.",
			"Not very sure: in 1 healthy process-day, so if days are alike the next one goes beyond what was seen " +
				"with a chance of 1 in 2, and seldom by the headroom.",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.l.Advice()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The file has the limits with their reasons, and nothing that is as by default but the sensitivity.
func TestLimitsInTheFile(t *testing.T) {
	r := stored(t)
	r.Choice.Setting = r.InForce
	r.Limits = proposed(t, detector.DefaultConfig(), recordedFor(10*24*time.Hour, sampler.Goroutines, peak))
	text, err := r.ConfigYAML(detector.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			settings = append(settings, line)
		}
	}
	if diff := cmp.Diff([]string{"resource_monitoring:", "goroutine_threshold: 120", "adaptive:", "sensitivity: 1"},
		settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(text), "# goroutine_threshold: 120, with a headroom of 1.5:") ||
		!strings.Contains(string(text), "# Fairly sure: ") {
		t.Errorf("no reasons in\n%s", text)
	}
}
