package detector

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

const tick = 30 * time.Second

// limitsOnly returns the defaults without the trend, after a change.
func limitsOnly(change func(c *Config)) Config {
	return with(func(c *Config) {
		c.Adaptive.Enabled = false
		change(c)
	})
}

// hold is a value for a number of ticks. NaN is not read.
type hold struct {
	n     int
	value float64
}

// ticks samples one resource, one sample a tick.
func ticks(resource string, holds ...hold) []sampler.Sample {
	var values []float64
	for _, h := range holds {
		for range h.n {
			values = append(values, h.value)
		}
	}
	return series(time.Duration(len(values))*tick, tick, column{resource, func(age time.Duration) float64 {
		return values[age/tick]
	}})
}

// eventTicks writes the events as "tick status severity".
func eventTicks(events []alerting.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%d %s %s", e.Time.Sub(dawn)/tick, e.Status, e.Severity))
	}
	return lines
}

func TestHardLimits(t *testing.T) {
	goroutines := func(c *Config) { c.GoroutineThreshold = 50 }
	// settles the starting baseline at 100: the limit is 150, and lets go below 150 - 10 % of 50 = 145
	start := hold{10, 100}
	none := math.NaN()
	for _, test := range []struct {
		name     string
		config   Config
		resource string
		holds    []hold
		want     []string
	}{
		{"no limits", limitsOnly(func(*Config) {}), sampler.Goroutines, []hold{start, {5, 1e6}}, nil},
		{"at the limit", limitsOnly(goroutines), sampler.Goroutines, []hold{start, {5, 150}}, nil},
		{"beyond: at once, and told once", limitsOnly(goroutines), sampler.Goroutines, []hold{start, {100, 151}},
			[]string{"10 firing warning"}},
		{"in warm-up", limitsOnly(goroutines), sampler.Goroutines, []hold{{2, 100}, {1, 151}},
			[]string{"2 firing warning"}},
		// 74/50 = 1.48, 75/50 = 1.5, 100/50 = 2
		{"severity by share of growth", limitsOnly(goroutines), sampler.Goroutines,
			[]hold{start, {1, 174}, {3, 175}, {3, 160}, {3, 199}, {3, 200}, {3, 151}, {3, 1e9}},
			[]string{"10 firing warning", "11 firing high", "20 firing critical"}},
		{"critical at once", limitsOnly(goroutines), sampler.Goroutines, []hold{start, {5, 200}, {5, 160}},
			[]string{"10 firing critical"}},
		{"lets go after two samples below 90 %", limitsOnly(goroutines), sampler.Goroutines,
			[]hold{start, {1, 151}, {5, 146}, {1, 145}, {1, 146}, {1, 100}, {1, none}, {1, 145}, {5, 100}},
			[]string{"10 firing warning", "20 resolved warning"}},
		// The cooldown is 10 ticks.
		{"told at the end of the cooldown", limitsOnly(goroutines), sampler.Goroutines,
			[]hold{start, {1, 151}, {2, 100}, {20, 151}}, []string{"10 firing warning", "12 resolved warning",
				"20 firing warning"}},
		{"gone by the end of the cooldown", limitsOnly(goroutines), sampler.Goroutines,
			[]hold{start, {1, 151}, {2, 100}, {3, 151}, {20, 100}},
			[]string{"10 firing warning", "12 resolved warning"}},
		{"a higher severity ends the cooldown", limitsOnly(goroutines), sampler.Goroutines,
			[]hold{start, {1, 151}, {2, 100}, {2, 151}, {5, 175}, {2, 100}},
			[]string{"10 firing warning", "12 resolved warning", "15 firing high", "21 resolved high"}},
		{"no cooldown", limitsOnly(func(c *Config) {
			c.GoroutineThreshold, c.AlertCooldown = 50, 0
		}), sampler.Goroutines,
			[]hold{start, {1, 151}, {2, 100}, {1, 151}}, []string{"10 firing warning", "12 resolved warning",
				"13 firing warning"}},
		{"not alerted", limitsOnly(func(c *Config) { c.GoroutineThreshold, c.AlertOnThreshold = 50, false }),
			sampler.Goroutines,
			[]hold{start, {5, 151}, {5, 300}, {5, 100}}, nil},
		{"descriptors", limitsOnly(func(c *Config) {
			c.FDThreshold = 20
		}), sampler.OpenFDs, []hold{{10, 12}, {1, 32}, {1, 33}}, []string{"11 firing warning"}},
		{"threads have no threshold", limitsOnly(func(c *Config) {
			c.FDThreshold, c.GoroutineThreshold, c.MemoryThreshold = 1, 1, 1
		}), sampler.Threads,
			[]hold{start, {5, 1e6}}, nil},
		// Absolute: 500 is at the limit though it grew by 400; 450 = 90 % lets go. (850-100)/500 = 1.5
		{"heap in use is absolute", limitsOnly(func(c *Config) { c.MemoryThreshold = 500 }), sampler.HeapInuseBytes,
			[]hold{start, {3, 500}, {1, 501}, {3, 451}, {2, 850}, {2, 450}},
			[]string{"13 firing warning", "17 firing high", "20 resolved high"}},
		{"heap in use above the limit from the start", limitsOnly(func(c *Config) { c.MemoryThreshold = 500 }),
			sampler.HeapInuseBytes,
			[]hold{{3, 2000}}, []string{"0 firing warning"}},

		{"growth rate", limitsOnly(func(c *Config) { c.GrowthRateThreshold = 50 }), sampler.RSSBytes,
			[]hold{{1, 100}, {1, 150}, {4, 226}, {4, 100}}, []string{"2 firing warning", "4 resolved warning"}},
		// 74 %, 75 % = 1.5 times the limit, 100 % = twice
		{"growth rate: severity", limitsOnly(func(c *Config) { c.GrowthRateThreshold = 50 }), sampler.RSSBytes,
			[]hold{{1, 1000}, {1, 1740}, {1, 3045}, {1, 6090}},
			[]string{"1 firing warning", "2 firing high", "3 firing critical"}},
		{"growth rate: not across a reading that is missing", limitsOnly(func(c *Config) {
			c.GrowthRateThreshold = 50
		}), sampler.RSSBytes,
			[]hold{{5, 100}, {1, none}, {5, 200}}, nil},
		{"growth rate: nothing has no percentage", limitsOnly(func(c *Config) { c.GrowthRateThreshold = 50 }),
			sampler.RSSBytes,
			[]hold{{5, 0}, {5, 200}, {1, -7}, {3, 5}}, nil},
		{"growth rate beside a threshold", limitsOnly(func(c *Config) {
			c.GrowthRateThreshold, c.GoroutineThreshold = 10, 50
		}), sampler.Goroutines,
			[]hold{start, {1, 115}, {2, 115}, {10, 120}, {1, 151}, {1, 145}, {1, 145}},
			[]string{"10 firing high", "12 resolved high", "23 firing warning", "25 resolved warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := eventTicks(observeAll(newDetector(t, test.config), ticks(test.resource, test.holds...)))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// The whole of each kind of limit event, to the figures of the summary.
func TestLimitEvents(t *testing.T) {
	at := func(n int) time.Time { return dawn.Add(time.Duration(n) * tick) }
	for _, test := range []struct {
		name     string
		change   func(c *Config)
		resource string
		ceiling  float64
		holds    []hold
		want     []alerting.Event
	}{
		{"threshold", func(c *Config) {
			c.GoroutineThreshold = 50
		}, sampler.Goroutines, 0, []hold{{10, 100}, {4, 180}, {2, 90}}, []alerting.Event{
			{
				Time: at(10), Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.Goroutines,
				Severity: alerting.High,
				Summary: "goroutines grew by 80 above the start, more than the limit of 50 (goroutine_threshold): " +
					"180 now, 100 at the start",
				Value: 180, Baseline: 100, Threshold: 150, Since: at(10),
			},
			{
				Time: at(15), Status: alerting.Resolved, Kind: alerting.Limit, Resource: sampler.Goroutines,
				Severity: alerting.High,
				Summary:  "goroutines limit resolved after 2m 30s: below the limit again (90 now)",
				Value:    90, Baseline: 100, Threshold: 150, Since: at(10),
			},
		}},
		{"absolute", func(c *Config) {
			c.MemoryThreshold = 500 << 20
		}, sampler.HeapInuseBytes, 0, []hold{{10, 200 << 20}, {1, 600 << 20}}, []alerting.Event{{
			Time: at(10), Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.HeapInuseBytes,
			Severity: alerting.Warning,
			Summary: "heap_inuse_bytes above the limit: 600 MB now, limit 500 MB (memory_threshold_mb), 200 MB at " +
				"the start",
			Value: 600 << 20, Baseline: 200 << 20, Threshold: 500 << 20, Since: at(10),
		}}},
		{"ceiling", func(*Config) {}, sampler.OpenFDs, 1024, []hold{{10, 20}, {1, 820}}, []alerting.Event{{
			Time: at(10), Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.OpenFDs,
			Severity: alerting.Warning,
			Summary:  "open_fds at 80 % of what the process can have: 820 of 1,024",
			Value:    820, Baseline: 20, Threshold: .8 * 1024, Since: at(10),
		}}},
		{"growth rate", func(c *Config) {
			c.GrowthRateThreshold = 50
		}, sampler.Threads, 0, []hold{{10, 20}, {1, 32}}, []alerting.Event{{
			Time: at(10), Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.Threads,
			Severity: alerting.Warning,
			Summary:  "threads grew by 60 % within one interval: 32 now, 20 before (growth_rate_threshold)",
			Value:    32, Baseline: 20, Threshold: 30, Since: at(10),
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := observeAll(newDetector(t, limitsOnly(test.change)), withCeiling(ticks(test.resource, test.holds...),
				test.resource, test.ceiling))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// withCeiling gives the samples the ceiling of a resource.
func withCeiling(samples []sampler.Sample, resource string, level float64) []sampler.Sample {
	ceilings := []sampler.Ceiling{{Resource: resource, Level: level, Source: "test"}}
	for i := range samples {
		samples[i].Ceilings = ceilings
	}
	return samples
}

func TestCeilings(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		part   func(s []sampler.Sample) // changes the ceilings, which are 1000 from the start
		holds  []hold
		want   []string
	}{
		{"at 80 %", limitsOnly(func(*Config) {}), nil, []hold{{10, 100}, {5, 800}}, nil},
		// 720 = 90 % of 800
		{"beyond 80 %, all, and below 72 %", limitsOnly(func(*Config) {}), nil,
			[]hold{{10, 100}, {5, 801}, {2, 999}, {1, 1000}, {5, 721}, {5, 720}},
			[]string{"10 firing warning", "17 firing critical", "24 resolved critical"}},
		{"a threshold takes its place", limitsOnly(func(c *Config) { c.FDThreshold = 900 }), nil,
			[]hold{{10, 100}, {5, 1000}, {1, 1001}}, []string{"15 firing warning"}},
		{"raised in mid-stream", limitsOnly(func(*Config) {}), func(s []sampler.Sample) {
			withCeiling(s[15:], sampler.OpenFDs, 2000)
		},
			[]hold{{10, 100}, {10, 900}, {5, 1601}}, []string{"10 firing warning", "16 resolved warning",
				"20 firing warning"}},
		{"gone in mid-stream", limitsOnly(func(*Config) {}), func(s []sampler.Sample) {
			withCeiling(s[15:], sampler.OpenFDs, 0)
		},
			[]hold{{10, 100}, {10, 900}}, []string{"10 firing warning", "16 resolved warning"}},
		{"found in mid-stream", limitsOnly(func(*Config) {}), func(s []sampler.Sample) {
			for i := range s[:15] {
				s[i].Ceilings = nil
			}
		}, []hold{{20, 900}}, []string{"15 firing warning"}},
		{"of another resource", limitsOnly(func(*Config) {}), func(s []sampler.Sample) {
			withCeiling(s, sampler.Threads, 10)
		}, []hold{{20, 900}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			samples := withCeiling(ticks(sampler.OpenFDs, test.holds...), sampler.OpenFDs, 1000)
			if test.part != nil {
				test.part(samples)
			}
			got := eventTicks(observeAll(newDetector(t, test.config), samples))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// One descriptor a tick, 120 an hour. At 801 of 1000 there is 1 h 40 min left: high. Under an hour is left beyond 880,
// which is seen when the next bucket closes; all of them are used at 1000, but it is critical already.
func TestLimitSeverityByTimeLeft(t *testing.T) {
	samples := withCeiling(series(1000*tick, tick, column{sampler.OpenFDs, rising(100, 120)}), sampler.OpenFDs, 1000)
	got := observeAll(newDetector(t, limitsOnly(func(*Config) {})), samples)
	since := dawn.Add(701 * tick)
	event := func(tick int, severity alerting.Severity, left time.Duration, between string) alerting.Event {
		at := dawn.Add(time.Duration(tick) * 30 * time.Second)
		return alerting.Event{
			Time: at, Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.OpenFDs, Severity: severity,
			Value: float64(100 + tick), Baseline: 100, Threshold: 800, SlopePerHour: 120, Since: since,
			Summary: fmt.Sprintf("open_fds at %.0f %% of what the process can have: %d of 1,000; reaches its limit "+
				"of 1,000 in %s",
				float64(100+tick)/10, 100+tick, between),
			Exhaustion: &alerting.Exhaustion{
				Limit: 1000, Source: "test", At: at.Add(left),
				Earliest: at.Add(time.Duration(float64(left) * math.Exp(-.31))).Truncate(time.Millisecond),
				Latest:   at.Add(time.Duration(float64(left) * math.Exp(.042))).Truncate(time.Millisecond),
			},
		}
	}
	want := []alerting.Event{
		event(701, alerting.High, 199*tick, "72 to 104 minutes"),
		event(790, alerting.Critical, 110*tick, "40 to 58 minutes"),
	}
	if diff := cmp.Diff(want, got, approximately); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A slow leak must not carry its own limit up: the moving baseline here follows within minutes, the limit stays at 100
// + 50. The start is settled on 100 to 100.9, of which the lower quartile is 100.2; 150.2 is passed at the first value
// beyond it, tick 503. A suspicion would hold the moving baseline still, so that the required duration is long here.
func TestLimitCountsFromTheSettledStart(t *testing.T) {
	d := newDetector(t, with(func(c *Config) {
		c.GoroutineThreshold, c.Adaptive.HalfLife, c.Adaptive.Patience = 50, time.Minute, 1000*time.Hour
	}))
	tenth := func(age time.Duration) float64 { return 100 + float64(age/tick)/10 }
	got := eventTicks(observeAll(d, series(600*tick, tick, column{sampler.Goroutines, tenth})))
	if diff := cmp.Diff([]string{"503 firing warning"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if s := d.Status()[0]; s.Start != 100.2 || s.Baseline < 155 {
		t.Errorf("start %v, moving baseline %v: want 100.2 and above 155", s.Start, s.Baseline)
	}
}

func TestLimitNotAlertedIsShown(t *testing.T) {
	d := newDetector(t, limitsOnly(func(c *Config) { c.GoroutineThreshold, c.AlertOnThreshold = 50, false }))
	samples := ticks(sampler.Goroutines, hold{10, 100}, hold{1, 200}, hold{2, 100}, hold{5, 175})
	observeAll(d, samples)
	resource, _ := sampler.Lookup(sampler.Goroutines)
	series := d.engine.All()[0]
	mean, deviation := series.Level()
	want := []Status{{
		Resource: resource, State: Firing, Limit: true, Severity: alerting.High, Value: 175, Baseline: mean,
		Deviation: deviation, First: 100, Start: 100,
		Since: dawn.Add(13 * tick), At: samples[len(samples)-1].Time, Judged: true, Verdict: engine.Limit,
		Reason: engine.AboveLimit, Nearest: series.Growth().Nearest(), Soonest: 45 * time.Minute,
		Why: "above the hard limit", LimitsPassed: 2,
		Memory: int(unsafe.Sizeof(*series) + unsafe.Sizeof(trend.Ladder{})),
	}}
	if diff := cmp.Diff(want, d.Status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// Every burst grows by more than the limit within one interval: where the trend is judged too, what counts is not given
// back for ten minutes.
func TestGrowthRateAndBursts(t *testing.T) {
	burst := []hold{{4, 100}, {3, 400}}
	for _, test := range []struct {
		name  string
		holds []hold
		want  []string
	}{
		{"bursts", slices.Repeat(burst, 12), nil},
		{"a start-up", []hold{{2, 10}, {60, 60}}, nil},
		{"a few over next to nothing", []hold{{20, 2}, {60, 5}}, nil},
		{"more over next to nothing", []hold{{20, 2}, {60, 6}}, []string{"40 firing critical", "42 resolved critical"}},
		{"a long burst", []hold{{10, 100}, {19, 400}, {20, 100}}, nil},
		{"growth that stays, told once", []hold{{10, 100}, {60, 160}},
			[]string{"30 firing warning", "32 resolved warning"}},
		{"bursts on the way", append(slices.Repeat(burst, 3), hold{4, 100}, hold{30, 210}),
			[]string{"45 firing critical", "47 resolved critical"}},
		{"growth that goes on", []hold{{10, 100}, {1, 160}, {1, 250}, {40, 400}},
			[]string{"30 firing warning", "32 resolved warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			events := observeAll(newDetector(t, with(func(c *Config) { c.GrowthRateThreshold = 50 })),
				ticks(sampler.Goroutines, test.holds...))
			if diff := cmp.Diff(test.want, eventTicks(events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if len(events) > 0 && !events[0].Since.Equal(events[0].Time.Add(-10*time.Minute)) {
				t.Errorf("since %s, at %s: want ten minutes", events[0].Since, events[0].Time)
			}
		})
	}
}

func TestGrowthRateOverGaps(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // from the last sample at 100 to the first at 200
		want  int
	}{
		{"one interval", tick, 1},
		{"late", 2 * tick, 1},
		{"samples are missing", 2*tick + 2, 0},
		{"a night", 8 * time.Hour, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			samples := ticks(sampler.Threads, hold{5, 100}, hold{5, 200})
			for i := range samples[5:] {
				samples[5+i].Time = samples[5+i].Time.Add(test.after - tick)
			}
			d := newDetector(t, limitsOnly(func(c *Config) { c.GrowthRateThreshold = 50 }))
			observeAll(d, samples)
			if got := d.Status()[0].LimitsPassed; got != test.want {
				t.Errorf("%d limits passed, want %d", got, test.want)
			}
		})
	}
}

func TestLimitIsResolvedAtARestart(t *testing.T) {
	samples := ticks(sampler.Goroutines, hold{10, 100}, hold{10, 160}, hold{20, 300})
	for i := range samples {
		samples[i].Start = dawn
		if i >= 20 {
			samples[i].Start = dawn.Add(20 * tick) // settles at 300: no growth
		}
	}
	d := newDetector(t, limitsOnly(func(c *Config) { c.GoroutineThreshold = 50 }))
	at := dawn.Add(20 * tick)
	got := observeAll(d, samples)
	want := alerting.Event{
		Time: at, Status: alerting.Resolved, Kind: alerting.Limit, Resource: sampler.Goroutines,
		Severity: alerting.Warning,
		Summary:  "goroutines limit resolved after 5m: the process restarted (160 now)",
		Value:    160, Baseline: 100, Threshold: 150, Since: dawn.Add(10 * tick),
	}
	if len(got) != 2 {
		t.Fatalf("events %v, want 2", eventTicks(got))
	}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
}

// A leak that is there from the first sample on does not raise the level from which its limit counts.
func TestLimitOfALeakFromTheStart(t *testing.T) {
	for _, test := range []struct {
		name  string
		value func(time.Duration) float64
		want  []string
	}{
		// 5 and 16.7 a second more: above 55 after 3 s.
		{"fast", func(age time.Duration) float64 {
			return math.Floor(5 + age.Seconds()/.06)
		}, []string{"4s firing warning", "5m0s firing critical"}},
		{"a start-up that comes to rest is told once", func(age time.Duration) float64 {
			return 5 + 20*min(age.Seconds(), 10)
		},
			[]string{"3s firing warning", "18s resolved warning"}},
		{"a step, and then steady", func(age time.Duration) float64 {
			return map[bool]float64{true: 5, false: 200}[age == 0]
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, limitsOnly(func(c *Config) { c.GoroutineThreshold = 50 }))
			var got []string
			for _, e := range observeAll(d,
				series(10*time.Minute, time.Second, column{sampler.Goroutines, test.value})) {
				got = append(got, fmt.Sprintf("%v %s %s", e.Time.Sub(dawn), e.Status, e.Severity))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMemoryLimitOfWhatIsRead: the heap in use of another process is not read. Its memory is limited all the same.
func TestMemoryLimitOfWhatIsRead(t *testing.T) {
	const limit = 10 << 20
	level := func(v float64) func(time.Duration) float64 { return func(time.Duration) float64 { return v } }
	late := func(age time.Duration) float64 {
		if age < 2*tick {
			return math.NaN()
		}
		return limit / 2
	}
	for _, test := range []struct {
		name    string
		columns []column
		want    []string
	}{
		{"a service itself", []column{{sampler.RSSBytes, level(2 * limit)}, {sampler.HeapLiveBytes, level(2 * limit)},
			{sampler.HeapInuseBytes, level(limit / 2)}}, nil},
		{"a Go program", []column{{sampler.RSSBytes, level(2 * limit)}, {sampler.HeapLiveBytes, level(1.5 * limit)}},
			[]string{"0 firing heap_live_bytes 15728640 above 10485760"}},
		{"another program", []column{{sampler.RSSBytes, level(2 * limit)}},
			[]string{"0 firing rss_bytes 20971520 above 10485760"}},
		{"the heap in use is read later", []column{{sampler.RSSBytes, level(2 * limit)},
			{sampler.HeapInuseBytes, late}},
			[]string{"0 firing rss_bytes 20971520 above 10485760", "2 resolved rss_bytes 20971520 above 10485760"}},
	} {
		d := newDetector(t, limitsOnly(func(c *Config) { c.MemoryThreshold = limit }))
		var lines []string
		for _, e := range observeAll(d, series(5*tick, tick, test.columns...)) {
			lines = append(lines, fmt.Sprintf("%d %s %s %.0f above %.0f", e.Time.Sub(dawn)/tick, e.Status, e.Resource,
				e.Value, e.Threshold))
		}
		if diff := cmp.Diff(test.want, lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
