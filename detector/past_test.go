package detector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// pastOf returns a monitor to which samples are given directly.
func pastOf(tb testing.TB) *ResourceMonitor {
	tb.Helper()
	logger := logrus.New()
	logger.SetLevel(logrus.PanicLevel)
	m, err := NewSourceMonitor(nil, alerting.Process{}, DefaultConfig(), logger)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func (m *ResourceMonitor) give(tb testing.TB, at time.Time, readings ...sampler.Reading) {
	tb.Helper()
	s := sampler.Sample{Time: at, Readings: readings}
	if err := m.judge(&s); err != nil {
		tb.Fatal(err)
	}
}

// However many samples there were, the points cover every one of them once, in order, with its extremes; the latest are as they were read.
func TestPastKeepsEveryExtreme(t *testing.T) {
	m := pastOf(t)
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var times []time.Time
	var values []float64 // NaN = not read
	check := func() {
		t.Helper()
		points := m.Past("open_fds", time.Time{})
		if most := oldStretches + recentSamples; len(points) > most {
			t.Fatalf("%d points after %d samples, want at most %d", len(points), len(times), most)
		}
		i := 0
		for k, p := range points {
			low, high := math.Inf(1), math.Inf(-1)
			for ; i < len(times) && !times[i].After(p.To); i++ {
				if times[i].Before(p.From) && !math.IsNaN(values[i]) {
					t.Fatalf("the sample of %s lies before point %d, from %s", times[i], k, p.From)
				}
				if !math.IsNaN(values[i]) {
					low, high = min(low, values[i]), max(high, values[i])
				}
			}
			if p.Min != low || p.Max != high {
				t.Fatalf("after %d samples, point %d of %d is %v to %v, want %v to %v", len(times), k, len(points), p.Min, p.Max, low, high)
			}
			if p.Baseline <= 0 {
				t.Fatalf("point %d has the baseline %v", k, p.Baseline)
			}
		}
		for ; i < len(times); i++ {
			if !math.IsNaN(values[i]) {
				t.Fatalf("the sample of %s is in no point", times[i])
			}
		}
	}
	at := begin
	for n := range 40_000 {
		at = at.Add(time.Duration(1+random.IntN(60)) * time.Second)
		value := math.NaN()
		readings := []sampler.Reading{{Resource: "threads", Value: 3}}
		if random.IntN(10) > 0 {
			value = float64(100 + random.IntN(1000))
			readings = append(readings, sampler.Reading{Resource: "open_fds", Value: value})
		}
		m.give(t, at, readings...)
		times, values = append(times, at), append(values, value)
		if n < 3 || n%2999 == 0 || n == recentSamples || n == recentSamples+oldStretches {
			check()
		}
	}
	check()

	points := m.Past("threads", time.Time{})
	for i, p := range points[len(points)-recentSamples:] {
		want := Point{times[len(times)-recentSamples+i], times[len(times)-recentSamples+i], 3, 3, 3, 0}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Fatalf("recent point %d (-want +got)\n%s", i, diff)
		}
	}
	if first := points[0]; !first.From.Equal(times[0]) {
		t.Errorf("the past begins at %s, want %s", first.From, times[0])
	}
	since := times[len(times)-10]
	if got := len(m.Past("threads", since)); got != 10 {
		t.Errorf("%d points since the tenth sample from the end", got)
	}
}

func TestPastOfWhatIsAbsent(t *testing.T) {
	m := pastOf(t)
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	if got := m.Past("open_fds", time.Time{}); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	m.give(t, begin, sampler.Reading{Resource: "threads", Value: 3})
	m.give(t, begin.Add(time.Second), sampler.Reading{Resource: "open_fds", Value: math.MaxFloat64}, sampler.Reading{Resource: "cpu_seconds", Value: 7})
	second := begin.Add(time.Second)
	for name, want := range map[string][]Point{
		"threads": {{begin, begin, 3, 3, 3, 0}},
		// Out of the range of what is kept, and still finite.
		"open_fds":    {{second, second, math.MaxFloat32, math.MaxFloat32, math.MaxFloat32, 0}},
		"cpu_seconds": {{second, second, 7, 7, 0, 0}},
		"goroutines":  nil,
	} {
		if diff := cmp.Diff(want, m.Past(name, time.Time{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// An endpoint with many metrics does not fill the memory, and what leaktrend knows is kept all the same.
func TestPastIsBounded(t *testing.T) {
	m := pastOf(t)
	var readings []sampler.Reading
	for i := range mostColumns + 10 {
		readings = append(readings, sampler.Reading{Resource: fmt.Sprintf("metric_%d", i), Value: 1})
	}
	readings = append(readings, sampler.Reading{Resource: "goroutines", Value: 1})
	m.give(t, time.Unix(1e9, 0), readings...)
	kept := 0
	for _, r := range readings {
		kept += len(m.Past(r.Resource, time.Time{}))
	}
	if kept != mostColumns+1 || len(m.Past("goroutines", time.Time{})) != 1 {
		t.Errorf("%d are kept, goroutines %v", kept, m.Past("goroutines", time.Time{}))
	}
}

// pastTick returns a function that keeps one more sample of ten resources, once the past has aged.
func pastTick(tb testing.TB) func() {
	m := pastOf(tb)
	at := time.Unix(1e9, 0)
	var readings []sampler.Reading
	for _, r := range sampler.Resources() {
		readings = append(readings, sampler.Reading{Resource: r.Name, Value: 1e6})
	}
	m.give(tb, at, readings...)
	sample := sampler.Sample{Time: at, Readings: readings}
	add := func() {
		sample.Time = sample.Time.Add(30 * time.Second)
		m.detector.Observe(&sample)
		m.past.add(m.detector, sample.Time.UnixNano())
	}
	for range 100_000 {
		add()
	}
	return add
}

func TestPastAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(50_000, pastTick(t)); n != 0 {
		t.Errorf("a sample makes %v allocations", n)
	}
}

// What the past adds to a tick.
func BenchmarkPast(b *testing.B) {
	add := pastTick(b)
	b.ReportAllocs()
	for b.Loop() {
		add()
	}
}
