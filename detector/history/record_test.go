package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// However many samples there were, the points cover every one of them once, in order, with its extremes; the latest are
// as they were read.
func TestRecordKeepsEveryExtreme(t *testing.T) {
	var r Record
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var times []time.Time
	var values []float64 // NaN = not read
	check := func() {
		t.Helper()
		points := r.Points(1, math.MinInt64)
		if limit := oldStretches + recentSamples; len(points) > limit {
			t.Fatalf("%d points after %d samples, want at most %d", len(points), len(times), limit)
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
				t.Fatalf("after %d samples, point %d of %d is %v to %v, want %v to %v", len(times), k, len(points),
					p.Min, p.Max, low, high)
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
		r.Begin(at.UnixNano())
		r.Put(0, "threads", 3, 3, 0)
		if random.IntN(10) > 0 {
			value = float64(100 + random.IntN(1000))
			r.Put(1, "open_fds", value, 500, 9)
		}
		times, values = append(times, at), append(values, value)
		if n < 3 || n%2999 == 0 || n == recentSamples || n == recentSamples+oldStretches {
			check()
		}
	}
	check()

	points := r.Points(0, math.MinInt64)
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
	if got := len(r.Points(0, since.UnixNano())); got != 10 {
		t.Errorf("%d points since the tenth sample from the end", got)
	}
}

// An endpoint with many metrics does not fill the memory, and what leaktrend knows is kept all the same.
func TestRecordIsBounded(t *testing.T) {
	var r Record
	r.Begin(1e18)
	before := r.Bytes()
	const metrics = maxColumns + 10
	for i := range metrics {
		r.Put(i, fmt.Sprintf("metric_%d", i), 1, 1, 0)
	}
	bounded := r.Bytes()
	r.Put(metrics, "goroutines", 1, 1, 0)
	kept := 0
	for i := range metrics + 1 {
		kept += len(r.Points(i, math.MinInt64))
	}
	if kept != maxColumns+1 || len(r.Points(metrics, math.MinInt64)) != 1 {
		t.Errorf("%d are kept, goroutines %v", kept, r.Points(metrics, math.MinInt64))
	}
	if each := r.Bytes() - bounded; bounded-before != maxColumns*each || each > 21<<10 {
		t.Errorf("%d bytes for each of %d resources, %d in all", each, maxColumns, bounded-before)
	}
	if got := r.Points(metrics+1, math.MinInt64); got != nil {
		t.Errorf("of what has no number: %v", got)
	}
}

// recordTick returns a function that keeps one more sample of ten resources, once the record has aged.
func recordTick() func() {
	var r Record
	at, resources := int64(1e18), sampler.Resources()
	add := func() {
		at += int64(30 * time.Second)
		r.Begin(at)
		for i, known := range resources {
			r.Put(i, known.Name, 1e6, 1e6, 0)
		}
	}
	for range 100_000 {
		add()
	}
	return add
}

func TestRecordAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(50_000, recordTick()); n != 0 {
		t.Errorf("a sample makes %v allocations", n)
	}
}

// What the record adds to a tick.
func BenchmarkRecord(b *testing.B) {
	add := recordTick()
	b.ReportAllocs()
	for b.Loop() {
		add()
	}
}
