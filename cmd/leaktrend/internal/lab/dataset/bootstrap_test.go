package dataset

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// daily is a recording of three days in steps of five minutes: a day cycle, a slow noise, and a counter that grows with
// the cycle. at returns the instant so many hours after the begin of the recordings of these tests.
func at(hours float64) int64 { return int64((1_000_000 + hours) * float64(time.Hour)) }

func daily() *Recording {
	r := &Recording{Name: "daily", Series: []Series{{Resource: sampler.Goroutines}, {Resource: sampler.CPUSeconds},
		{Resource: "gap"}}}
	noise, cpu := 0.0, 0.0
	for i := range 3 * 288 {
		now := at(0) + int64(i)*300e9
		noise = 0.95*noise + float64((i*7919)%101)/50 - 1
		cycle := math.Sin(2 * math.Pi * float64(now) / float64(day))
		cpu += 10 + 5*cycle
		r.Times = append(r.Times, now)
		r.Series[0].Values = append(r.Series[0].Values, 100+50*cycle+noise)
		r.Series[1].Values = append(r.Series[1].Values, cpu)
		gap := 1.0
		if i%10 == 0 {
			gap = math.NaN()
		}
		r.Series[2].Values = append(r.Series[2].Values, gap)
	}
	r.Series[1].Values[7] = math.NaN()
	r.Starts = []Mark[time.Time]{{0, time.Unix(0, at(-1)).UTC()}}
	ceiling := []sampler.Ceiling{{Resource: sampler.Goroutines, Level: 1000, Source: "test"}}
	r.Ceilings = []Mark[[]sampler.Ceiling]{{0, nil}, {50, ceiling}}
	return r
}

func TestExtend(t *testing.T) {
	r := daily()
	got, err := Extend(r, 30*day, 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Days(); d > 30 || d < 29.9 {
		t.Errorf("spans %v days, want 30", d)
	}
	n := len(r.Times)
	if !slices.IsSorted(got.Times) || !slices.Equal(got.Times[:n], r.Times) {
		t.Error("the times do not carry on those of the recording")
	}
	if diff := cmp.Diff([]Mark[[]sampler.Ceiling]{{0, r.Ceilings[1].Value}}, got.Ceilings); diff != "" {
		t.Errorf("ceilings: (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(r.Starts, got.Starts); diff != "" {
		t.Errorf("starts: (-want +got)\n%s", diff)
	}
	level, cpu := got.Series[0].Values, got.Series[1].Values
	if slices.Min(level) != slices.Min(r.Series[0].Values) || slices.Max(level) != slices.Max(r.Series[0].Values) {
		t.Error("the levels leave the range of the recording")
	}
	// The largest step within r is about 1.6; where blocks meet it may be a little more, but no jump.
	worst, cycle := 0.0, 0.0
	for i := n; i < len(level); i++ {
		worst = max(worst, math.Abs(level[i]-level[i-1]))
		cycle = max(cycle, math.Abs(level[i]-100-50*math.Sin(2*math.Pi*float64(got.Times[i])/float64(day))))
		if cpu[i] < cpu[i-1] {
			t.Fatalf("the counter falls at %d: %v, %v", i, cpu[i-1], cpu[i])
		}
	}
	if worst > 10 {
		t.Errorf("blocks meet with a jump of %v", worst)
	}
	// An hour of phase is worth 13 at the steepest, and the noise 6 or so.
	if cycle > 25 {
		t.Errorf("the day cycle is missed by %v", cycle)
	}
	if rate := (cpu[len(cpu)-1] - cpu[n]) / float64(len(cpu)-1-n); math.Abs(rate-10) > 0.5 {
		t.Errorf("the counter grows by %v a sample, want 10", rate)
	}

	again, err := Extend(r, 30*day, 1)
	if diff := cmp.Diff(got, again, equalNaN); err != nil || diff != "" {
		t.Errorf("the same seed: %v (-want +got)\n%s", err, diff)
	}
	if other, _ := Extend(r, 30*day, 2); cmp.Equal(got.Series[0].Values, other.Series[0].Values) {
		t.Error("another seed gives the same recording")
	}
	if diff := cmp.Diff(daily(), r, equalNaN); diff != "" {
		t.Errorf("the recording was changed: (-want +got)\n%s", diff)
	}
}

var equalNaN = cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })

// TestExtendKeepsAutocorrelation compares the lag-1 and lag-50 autocorrelation of an AR(1) series and of its extension.
func TestExtendKeepsAutocorrelation(t *testing.T) {
	r := &Recording{Name: "ar", Series: []Series{{Resource: sampler.Goroutines}}}
	x := 0.0
	for i := range 4000 {
		x = 0.98*x + float64((i*i*7919+i*104729)%1009)/504 - 1
		r.Times = append(r.Times, at(0)+int64(i)*30e9)
		r.Series[0].Values = append(r.Series[0].Values, x)
	}
	got, err := Extend(r, 30*day, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, lag := range []int{1, 50} {
		want, have := autocorrelation(r.Series[0].Values, lag), autocorrelation(got.Series[0].Values, lag)
		if math.Abs(want-have) > 0.1 {
			t.Errorf("lag %d: %v became %v", lag, want, have)
		}
	}
}

func autocorrelation(v []float64, lag int) float64 {
	mean, top, below := 0.0, 0.0, 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for i, x := range v {
		below += (x - mean) * (x - mean)
		if i >= lag {
			top += (x - mean) * (v[i-lag] - mean)
		}
	}
	return top / below
}

func TestExtendRestarts(t *testing.T) {
	r := daily()
	start := time.Unix(0, r.Times[400]).UTC()
	r.Starts = append(r.Starts, Mark[time.Time]{400, start})
	for i := 400; i < len(r.Times); i++ {
		r.Series[1].Values[i] -= r.Series[1].Values[399]
	}
	got, err := Extend(r, 30*day, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Starts) < 4 {
		t.Errorf("%d starts in a month, of 2 in three days", len(got.Starts))
	}
	known := make(map[int]bool)
	for i, m := range got.Starts {
		known[m.From] = true
		if i > 1 && m.Value.UnixNano() != got.Times[m.From] {
			t.Errorf("start %v is not at its sample", m)
		}
	}
	cpu := got.Series[1].Values
	for i := 400; i < len(cpu); i++ {
		if cpu[i] < cpu[i-1] && !known[i] {
			t.Fatalf("the counter falls at %d without a restart", i)
		}
	}
}

func TestExtendTooShort(t *testing.T) {
	short := Recording{Name: "short", Series: []Series{{Resource: "goroutines"}}}
	for i := range 50 {
		short.Times = append(short.Times, at(float64(i)))
		short.Series[0].Values = append(short.Series[0].Values, 10)
	}
	_, err := Extend(&short, 30*day, 1)
	if err == nil || !strings.Contains(err.Error(), "short: 50 samples are too few") {
		t.Errorf("error %v", err)
	}
}

func TestDeviation(t *testing.T) {
	if got := deviation([]float64{1, math.NaN(), 3}); got != 1 {
		t.Errorf("deviation of 1 and 3 is %v, want 1", got)
	}
}
