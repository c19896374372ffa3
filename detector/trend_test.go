package detector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// eventHours writes the events as "hour status resource severity".
func eventHours(events []alerting.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%.1f %s %s %s", e.Time.Sub(dawn).Hours(), e.Status, e.Resource, e.Severity))
	}
	return lines
}

// A leak that starts after two days of health is called once, with figures that fit.
func TestLeakInEachResource(t *testing.T) {
	const healthy = 2 * day
	for _, test := range []struct {
		resource              string
		level, perHour, noise float64
	}{
		{sampler.Goroutines, 100, 20, 3},
		{sampler.HeapLiveBytes, 100 << 20, 20 << 20, 3 << 20},
		{sampler.HeapInuseBytes, 100 << 20, 20 << 20, 3 << 20},
		{sampler.RSSBytes, 200 << 20, 20 << 20, 3 << 20},
		{sampler.OpenFDs, 20, 1, 1},
		{sampler.Threads, 30, 2, 1},
		{"queue_depth", 1000, 100, 50},
	} {
		t.Run(test.resource, func(t *testing.T) {
			leak := func(age time.Duration) float64 { return test.level + test.perHour*max(0, (age-healthy).Hours()) }
			events := observeAll(newDetector(t, DefaultConfig()),
				series(5*day, time.Minute, column{test.resource, noisy(leak, test.noise, 7)}))
			if len(events) != 1 {
				t.Fatalf("events %q, want one", eventHours(events))
			}
			e := events[0]
			if e.Status != alerting.Firing || e.Kind != alerting.Trend || e.Resource != test.resource ||
				e.Threshold != 0 || e.Exhaustion != nil {
				t.Errorf("event %+v, want a trend firing without threshold and exhaustion", e)
			}
			if off := e.Since.Sub(dawn.Add(healthy)).Abs(); off > e.Time.Sub(e.Since)/10 {
				t.Errorf("since %v, %v off", e.Since, off)
			}
			if math.Abs(e.SlopePerHour-test.perHour) > .2*test.perHour {
				t.Errorf("slope %v an hour, want %v", e.SlopePerHour, test.perHour)
			}
			if math.Abs(e.Baseline-test.level) > .15*test.level {
				t.Errorf("baseline %v, want %v", e.Baseline, test.level)
			}
			window, err := time.ParseDuration(e.Evidence.Window)
			if err != nil || window > e.Time.Sub(dawn) {
				t.Errorf("window %q at %v", e.Evidence.Window, e.Time.Sub(dawn))
			}
			rise := test.perHour * e.Time.Sub(dawn.Add(healthy)).Hours()
			if e.Evidence.Rise < .6*rise || e.Evidence.Rise > 1.1*rise {
				t.Errorf("rise %v of %v", e.Evidence.Rise, rise)
			}
			if v := e.Evidence; v.T < 4 || v.R2 < .8 || v.R2 > 1 || v.Growth < .2 ||
				v.EffectivePoints > float64(v.Points) || v.Points < 5 || v.Points > 32 {
				t.Errorf("evidence %+v", *v)
			}
		})
	}
}

// An exact line, so that all figures can be worked out by hand: 100 goroutines, 20 more an hour, sampled each minute.
// 16 minimums of 20 min earn .871^1.3 x 5 h 20 min = 4.5 h of the required duration of 6 h, 24 minimums earn 1.369^1.3
// x 8 h = 12 h. These are there at 8 h, and it fires when they are confirmed at 8 h 20 min, by the minimums since 20
// min.
func TestLeakEvent(t *testing.T) {
	events := observeAll(newDetector(t, DefaultConfig()),
		series(12*time.Hour, time.Minute, column{sampler.Goroutines, rising(100, 20)}))
	// The level is that at the end of the bucket before the window: the moving baseline is the plain mean at first, of
	// the values from 0 to 19 min.
	level := 100 + 20./60*19/2
	// Minimums are the first values of their buckets: 106 2/3 at 20 min; the lower of the latest two is 253 1/3 at 7 h
	// 40 min.
	rise := 146 + 2./3
	want := []alerting.Event{{
		Time: dawn.Add(8*time.Hour + 20*time.Minute), Status: alerting.Firing, Kind: alerting.Trend,
		Resource: sampler.Goroutines, Severity: alerting.Warning,
		Summary: "goroutines leak: +20/h for 8h 20m without ever coming back, 267 now, baseline 103, growing since " +
			"at least 2026-11-23 00:00:00 UTC, where the readings begin",
		Value: 266 + 2./3, Baseline: level, SlopePerHour: 20, Since: dawn, SinceError: 2376, SinceFirst: true,
		Evidence: &alerting.Evidence{
			Window: "8h0m0s", Points: 24, EffectivePoints: 24, Floor: 1200, Rise: rise, Growth: rise / (level + 4),
			R2: 1, T: 1e6,
		},
	}}
	if diff := cmp.Diff(want, events, approximately); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// What is known of the time left makes a leak more urgent: 10 descriptors an hour of 1024 leave a day at 784 and an
// hour at 1014. When they are given back no time is running out any more.
func TestLeakBecomesMoreUrgent(t *testing.T) {
	leak := func(age time.Duration) float64 {
		if age >= 92*time.Hour {
			return 100
		}
		return 100 + 10*age.Hours()
	}
	samples := withCeiling(started(series(5*day, 5*time.Minute, column{sampler.OpenFDs, leak})), sampler.OpenFDs, 1024)
	var got []string
	for _, e := range observeAll(newDetector(t, DefaultConfig()), samples) {
		left := "nothing runs out"
		if e.Exhaustion != nil {
			left = e.Exhaustion.At.Sub(e.Time).Round(time.Hour).String()
		}
		if e.Kind == alerting.Trend {
			got = append(got, fmt.Sprintf("%s %s %s", e.Status, e.Severity, left))
		}
	}
	want := []string{"firing warning 81h0m0s", "firing high 24h0m0s", "firing critical 1h0m0s",
		"resolved critical nothing runs out"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// All valid settings can be worked with, and none of them turns round: the longest required duration never fires.
func TestExtremeSettings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *AdaptiveConfig)
		want   int
	}{
		{"shortest", func(c *AdaptiveConfig) { c.HalfLife, c.Soak = 1, 10*time.Second }, 0},
		{"longest half-life", func(c *AdaptiveConfig) { c.HalfLife, c.Soak = math.MaxInt64, math.MaxInt64 }, 0},
		{"longest patience", func(c *AdaptiveConfig) { c.Patience, c.Sensitivity = math.MaxInt64, .1 }, 0},
		{"shortest patience", func(c *AdaptiveConfig) { c.Patience, c.Sensitivity = 1, 10 }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, with(func(c *Config) { test.change(&c.Adaptive) }))
			events := observeAll(d, series(day, time.Minute, column{sampler.Goroutines, rising(100, 20)}))
			if len(events) != test.want {
				t.Errorf("events %q, want %d", eventHours(events), test.want)
			}
		})
	}
}

// Growth of 1.5 times and of twice the limit makes the trend finding more severe too, whatever the absolute count.
func TestLeakSeverityByShareOfLimit(t *testing.T) {
	const limit = 4000
	config := with(func(c *Config) { c.GoroutineThreshold, c.AlertOnThreshold = limit, false })
	var got []string
	for _, e := range observeAll(newDetector(t, config),
		series(50*time.Hour, time.Minute, column{sampler.Goroutines, rising(5000, 200)})) {
		got = append(got, fmt.Sprintf("%s %.1f", e.Severity, (e.Value-e.Baseline)/limit))
	}
	if diff := cmp.Diff([]string{"warning 1.1", "high 1.5", "critical 2.0"}, got); diff != "" {
		t.Errorf("severity and share (-want +got):\n%s", diff)
	}
}

func TestLeakEnds(t *testing.T) {
	// 20 an hour for 20 h, and then what the case says. The width that fires is 20 min. Nine tenths of the 400 are
	// there after 18 h; by the time that they have been there for as long only buckets of 80 min tell of then, and the
	// first that holds nothing lower starts at 18 h 40 min. A third that is given back leaves nine tenths of the rest
	// as they were: what the finding knows of the time before, from 17 h 40 min on.
	after := func(f func(hours, top float64) float64) func(time.Duration) float64 {
		return func(age time.Duration) float64 {
			if h := age.Hours(); h >= 20 {
				return f(h-20, 500)
			}
			return 100 + 20*age.Hours()
		}
	}
	const atRest = "nine tenths of the growth have been there for longer than they took to come"
	for _, test := range []struct {
		name  string
		value func(time.Duration) float64
		want  []string
		why   string
	}{
		{"goes on", rising(100, 20), []string{"8.3 firing goroutines warning"}, ""},
		{"a third is given back", after(func(_, top float64) float64 { return top - 130 }),
			[]string{"8.3 firing goroutines warning", "35.7 resolved goroutines warning"}, atRest},
		{"more than half is given back", after(func(_, top float64) float64 { return top - 220 }),
			[]string{"8.3 firing goroutines warning", "20.3 resolved goroutines warning"},
			"more than half of the growth was given back"},
		{"levels off", after(func(_, top float64) float64 { return top }),
			[]string{"8.3 firing goroutines warning", "37.7 resolved goroutines warning"}, atRest},
		{"pauses, and goes on", after(func(h, top float64) float64 { return top + 20*max(0, h-10) }),
			[]string{"8.3 firing goroutines warning"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := observeAll(newDetector(t, DefaultConfig()),
				series(44*time.Hour, time.Minute, column{sampler.Goroutines, test.value}))
			if diff := cmp.Diff(test.want, eventHours(events)); diff != "" {
				t.Fatalf("events (-want +got):\n%s", diff)
			}
			if test.why == "" {
				return
			}
			e := events[1]
			resource, _ := sampler.Lookup(e.Resource)
			want := alerting.Event{
				Time: e.Time, Status: alerting.Resolved, Kind: alerting.Trend, Resource: sampler.Goroutines,
				Severity: alerting.Warning,
				Summary: fmt.Sprintf("goroutines trend resolved after %s: %s (%s now)",
					sampler.FormatDuration(e.Time.Sub(e.Since)), test.why,
					resource.Format(test.value(e.Time.Sub(dawn)))),
				Value: test.value(e.Time.Sub(dawn)), Baseline: events[0].Baseline, SlopePerHour: e.SlopePerHour,
				Since: e.Since, SinceError: events[0].SinceError,
			}
			if diff := cmp.Diff(want, e); diff != "" || e.Since.After(events[0].Since) {
				t.Errorf("resolved (-want +got):\n%s\nfired since %v", diff, events[0].Since)
			}
		})
	}
}

func TestRestart(t *testing.T) {
	// A process that leaks 20 an hour is started again after 24 h, and leaks on.
	leak := func(age time.Duration) float64 { return 100 + 20*math.Mod(age.Hours(), 24) }
	cpu := column{sampler.CPUSeconds, func(age time.Duration) float64 { return math.Mod(age.Seconds(), 24*3600) }}
	anew := []string{"8.3 firing goroutines warning"} // which holds: it is one leak
	dropped := []string{"8.3 firing goroutines warning", "24.3 resolved goroutines warning"}
	for _, test := range []struct {
		name    string
		columns []column
		start   func(i int, s *sampler.Sample, age time.Duration)
		value   func(time.Duration) float64
		want    []string
	}{
		{"by start time", nil, func(_ int, s *sampler.Sample, age time.Duration) {
			s.Start = dawn.Add(age.Truncate(day))
		}, leak, anew},
		{"by processor time", []column{cpu}, nil, leak, anew},
		{"by its number alone", nil, func(_ int, s *sampler.Sample, age time.Duration) {
			s.Start, s.PID = dawn, 7+int(age/day)
		}, leak, anew},
		{"start time known only to the second process", nil, func(_ int, s *sampler.Sample, age time.Duration) {
			if age >= day {
				s.Start = dawn.Add(day)
			}
		}, leak, anew},
		{"start time known from some time on", nil, func(_ int, s *sampler.Sample, age time.Duration) {
			if age >= day {
				s.Start = dawn
			}
		}, leak, dropped},
		{"start time jitters", nil, func(i int, s *sampler.Sample, _ time.Duration) {
			s.Start = dawn.Add(time.Duration(i%2) * 9 * time.Second)
		},
			rising(100, 20), []string{"8.3 firing goroutines warning"}},
		{"start time steps while processor time goes on", []column{{sampler.CPUSeconds, time.Duration.Seconds}},
			func(_ int, s *sampler.Sample, age time.Duration) {
				s.Start = dawn.Add(-time.Hour + 15*time.Second*(age/(5*time.Hour)))
			},
			rising(100, 20), []string{"8.3 firing goroutines warning"}},
		{"a later process has used more processor time", []column{{sampler.CPUSeconds, time.Duration.Seconds}},
			func(_ int, s *sampler.Sample, age time.Duration) {
				s.Start = dawn.Add(age.Truncate(day))
			}, leak, anew},
		{"processor time falls in one and the same process", []column{cpu},
			func(_ int, s *sampler.Sample, _ time.Duration) { s.Start = dawn },
			rising(100, 20), []string{"8.3 firing goroutines warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			samples := series(36*time.Hour, time.Minute, append([]column{{sampler.Goroutines, test.value}},
				test.columns...)...)
			if test.start != nil {
				for i := range samples {
					test.start(i, &samples[i], samples[i].Time.Sub(dawn))
				}
			}
			// The processor time decides about restarts here, not about load.
			config := with(func(c *Config) { c.Adaptive.Load = "none" })
			if diff := cmp.Diff(test.want, eventHours(observeAll(newDetector(t, config), samples))); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatNeverFires(t *testing.T) {
	for _, test := range []struct {
		name    string
		columns []column
		want    []string
	}{
		{"counters and context", []column{
			{sampler.GCCycles, rising(100, 100)}, {sampler.AllocBytes, rising(1e9, 1e9)},
			{sampler.CPUSeconds, rising(0, 60)},
			{"requests_total", rising(0, 1e4)}, {sampler.StackBytes, rising(1e6, 1e6)},
		}, nil},
		{"heap in use where live heap is read", []column{{sampler.HeapInuseBytes, rising(1e9, 1e9)},
			{sampler.HeapLiveBytes, rising(1e9, 0)}}, nil},
		{"heap in use alone", []column{{sampler.HeapInuseBytes, rising(1e9, 1e9)}},
			[]string{"2.8 firing heap_inuse_bytes warning"}},
		{"heap in use until live heap is read", []column{
			{sampler.HeapInuseBytes, rising(1e9, 1e9)},
			{sampler.HeapLiveBytes, func(age time.Duration) float64 {
				if age < 15*time.Hour {
					return math.NaN()
				}
				return 1e9
			}},
		}, []string{"2.8 firing heap_inuse_bytes warning", "15.1 resolved heap_inuse_bytes warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := eventHours(observeAll(newDetector(t, DefaultConfig()), series(2*day, time.Minute, test.columns...)))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// The same decisions come of a series whatever disturbs the samples.
func TestDisturbedSamples(t *testing.T) {
	leak := []column{{sampler.Goroutines, noisy(rising(100, 20), 3, 1)}, {sampler.OpenFDs, noisy(rising(50, 0), 3, 2)},
		{sampler.Threads, noisy(rising(9, 0), 1, 3)}}
	clean := series(24*time.Hour, 30*time.Second, leak...)
	decide := func(samples []sampler.Sample) []alerting.Event {
		return observeAll(newDetector(t, DefaultConfig()), samples)
	}
	want := decide(clean)
	if len(want) != 1 {
		t.Fatalf("events %q, want one", eventHours(want))
	}
	for _, test := range []struct {
		name    string
		disturb func() []sampler.Sample
	}{
		{"duplicates and late ones", func() (samples []sampler.Sample) {
			for i, s := range clean {
				wild := s.Clone()
				wild.Readings[0].Value = 1e9
				samples = append(samples, s, wild)
				if i > 10 {
					wild.Time = clean[i-10].Time
					samples = append(samples, wild)
				}
			}
			return samples
		}},
		{"readings change their order", func() (samples []sampler.Sample) {
			random := rand.New(rand.NewPCG(1, 1))
			for _, s := range clean {
				s = s.Clone()
				random.Shuffle(len(s.Readings), func(i, j int) {
					s.Readings[i], s.Readings[j] = s.Readings[j], s.Readings[i]
				})
				samples = append(samples, s)
			}
			return samples
		}},
		{"other readings come and go", func() (samples []sampler.Sample) {
			for i, s := range clean {
				s = s.Clone()
				switch i % 3 {
				case 0:
					s.Readings = s.Readings[:1]
				case 1:
					s.Readings = append([]sampler.Reading{{Resource: "extra", Value: 1}}, s.Readings...)
				}
				samples = append(samples, s)
			}
			return samples
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(want, decide(test.disturb())); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Gaps of a few hours, dropped samples and NaN delay a verdict at most: a leak is called, health is not.
func TestGaps(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	leak, flat := noisy(rising(100, 20), 3, 1), noisy(rising(100, 0), 3, 2)
	samples := series(2*day, 30*time.Second, column{sampler.Goroutines, leak},
		column{sampler.Threads, func(age time.Duration) float64 {
			if random.IntN(10) == 0 {
				return math.NaN()
			}
			return flat(age)
		}})
	samples = slices.DeleteFunc(samples, func(s sampler.Sample) bool {
		h := s.Time.Sub(dawn).Hours()
		return h > 5 && h < 6 || h > 20 && h < 23 || random.IntN(20) == 0
	})
	events := observeAll(newDetector(t, DefaultConfig()), samples)
	if len(events) != 1 || events[0].Resource != sampler.Goroutines || events[0].Time.Sub(dawn) > 13*time.Hour {
		t.Errorf("events %q, want one of the goroutines within 13 h", eventHours(events))
	}
}

// pumped is a series with a leak that fires, ends, and comes back.
func pumped(step time.Duration) []sampler.Sample {
	return started(series(4*day, step, column{sampler.Goroutines, noisy(func(age time.Duration) float64 {
		h := age.Hours()
		if h > 40 {
			h -= 40
		}
		return 100 + 20*h
	}, 3, 9)}))
}

// Soak mode scales all constants of the trend: a series compressed by 144 gives the same decisions, 144 times as soon.
func TestSoakIsTheSameFaster(t *testing.T) {
	const factor = 144 // 48 h in 20 min
	plain := with(func(c *Config) { c.AlertCooldown = 0 })
	soak := plain
	soak.Adaptive.Soak = 20 * time.Minute
	samples := pumped(72 * time.Second)
	want := observeAll(newDetector(t, plain), samples)
	compress := func(at time.Time) time.Time { return dawn.Add(at.Sub(dawn) / factor) }
	for i := range samples {
		samples[i].Time = compress(samples[i].Time)
	}
	for i := range want {
		e := &want[i]
		e.Time, e.Since, e.Summary = compress(e.Time), compress(e.Since), ""
		e.SlopePerHour *= factor
		e.SinceError /= factor
		if e.Evidence != nil {
			window, _ := time.ParseDuration(e.Evidence.Window)
			e.Evidence.Window = (window / factor).Round(time.Millisecond).String()
			e.Evidence.Floor /= factor
		}
	}
	got := observeAll(newDetector(t, soak), samples)
	for i := range got {
		got[i].Summary = ""
		if e := got[i].Evidence; e != nil {
			window, _ := time.ParseDuration(e.Window)
			e.Window = window.Round(time.Millisecond).String()
		}
	}
	if len(want) < 3 {
		t.Fatalf("events %q, want at least three", eventHours(want))
	}
	if diff := cmp.Diff(want, got, approximately); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestShiftInTimeChangesNothing(t *testing.T) {
	const shift = 12345*time.Hour + 678*time.Millisecond
	samples := pumped(time.Minute)
	want := observeAll(newDetector(t, DefaultConfig()), samples)
	for i := range samples {
		samples[i].Time, samples[i].Start = samples[i].Time.Add(shift), samples[i].Start.Add(shift)
	}
	got := observeAll(newDetector(t, DefaultConfig()), samples)
	if len(want) < 3 {
		t.Fatalf("events %q, want at least three", eventHours(want))
	}
	for i := range got {
		got[i].Time, got[i].Since = got[i].Time.Add(-shift), got[i].Since.Add(-shift)
		got[i].Summary, want[i].Summary = "", "" // names the instant
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
