package trend_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/trend"
)

// epoch is when the series of these tests begin, unix nanoseconds.
const epoch = int64(1_795_000_000e9)

// grow fills a ladder with a value a minute: value is given the hours since the epoch.
func grow(hours float64, value func(h float64, r *rand.Rand) float64) *trend.Ladder {
	l := trend.NewLadder(epoch, 1)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range int(hours * 60) {
		v := value(float64(i)/60, r)
		l.Add(epoch+int64(i)*int64(time.Minute), v, v)
	}
	return l
}

func TestOnset(t *testing.T) {
	const hour = float64(time.Hour)
	since := func(h, onset float64) float64 { return max(0, h-onset) }
	noise := func(r *rand.Rand) float64 { return 2 * r.NormFloat64() }
	tests := []struct {
		name         string
		hours, onset float64 // of the series and of the true onset
		from         float64 // of the window that was judged, in hours
		within       time.Duration
		value        func(h float64, r *rand.Rand) float64
	}{
		{"a line from the first value on", 8, 0, 0, 10 * time.Minute,
			func(h float64, r *rand.Rand) float64 { return 100 + 20*h }},
		{"a line after eight hours of health", 20, 8, 6.7, 15 * time.Minute,
			func(h float64, r *rand.Rand) float64 { return 100 + 20*since(h, 8) + noise(r) }},
		{"fine buckets are kept of it", 6, 4, 3.4, 5 * time.Minute,
			func(h float64, r *rand.Rand) float64 { return 100 + 60*since(h, 4) + noise(r) }},
		{"a higher level went before", 30, 15, 13, 40 * time.Minute,
			func(h float64, r *rand.Rand) float64 {
				if h < 14 {
					return 300 + noise(r)
				}
				return 100 + 20*since(h, 15) + noise(r)
			}},
		{"bursts", 24, 12, 10, 40 * time.Minute,
			func(h float64, r *rand.Rand) float64 {
				v := 100 + 20*since(h, 12)
				if r.IntN(20) == 0 {
					v += 500 * r.Float64()
				}
				return v
			}},
		{"a sawtooth", 24, 12, 10, 40 * time.Minute,
			func(h float64, r *rand.Rand) float64 { return 100 + 20*since(h, 12) + 80*(h/.7-float64(int(h/.7))) }},
		{"ever faster", 24, 8, 12, 80 * time.Minute,
			func(h float64, r *rand.Rand) float64 { return 100 + since(h, 8)*since(h, 8) + noise(r)/2 }},
		{"days", 200, 60, 50, 6 * time.Hour,
			func(h float64, r *rand.Rand) float64 { return 100 + since(h, 60) + noise(r) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := grow(test.hours, test.value)
			at := func(h float64) int64 { return epoch + int64(h*hour) }
			o, ok := trend.EstimateOnset(l, at(test.from), at(test.hours))
			if off := time.Duration(o.At - at(test.onset)).Abs(); !ok || off > test.within || o.Error <= 0 ||
				off > 2*o.Error {
				t.Errorf("got %v, %v ± %v, want %v ± %v", ok, time.Duration(o.At-epoch), o.Error,
					time.Duration(test.onset*hour), test.within)
			}
		})
	}
}

func TestOnsetOfNothing(t *testing.T) {
	tests := []struct {
		name  string
		hours float64
		value func(h float64, r *rand.Rand) float64
	}{
		{"flat", 8, func(float64, *rand.Rand) float64 { return 100 }},
		{"falling", 8, func(h float64, _ *rand.Rand) float64 { return 100 - h }},
		{"too short", .3, func(h float64, _ *rand.Rand) float64 { return 100 + h }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := grow(test.hours, test.value)
			if o, ok := trend.EstimateOnset(l, epoch, epoch+int64(test.hours*float64(time.Hour))); ok {
				t.Errorf("got %v ± %v", time.Duration(o.At-epoch), o.Error)
			}
		})
	}
}

// The onset follows a shift in time by whole buckets, and does not depend on the unit.
func TestOnsetInvariance(t *testing.T) {
	value := func(h float64, r *rand.Rand) float64 { return 100 + 20*max(0, h-8) + r.Float64() }
	l := grow(16, value)
	want, _ := trend.EstimateOnset(l, epoch+int64(7*time.Hour), epoch+int64(16*time.Hour))
	scaled := grow(16, func(h float64, r *rand.Rand) float64 { return 1024 * value(h, r) })
	if got, ok := trend.EstimateOnset(scaled, epoch+int64(7*time.Hour), epoch+int64(16*time.Hour)); !ok || got != want {
		t.Errorf("in another unit: got %v, want %v", got, want)
	}
}
