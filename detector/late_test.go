package detector

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// TestWatchThatBeginsLate: of a leak that had long been going on when the watch began there is little against the level
// that it has reached. It is not said to be ok while the growth goes on.
func TestWatchThatBeginsLate(t *testing.T) {
	type message struct {
		Verdict string
		Why     string
	}
	for _, test := range []struct {
		name  string
		level func(age time.Duration) float64
		want  message
	}{
		{"a leak", rising(10_000, 50),
			message{"early", "grew by 933 (9 %) in 21h 20m, not yet for long enough; called in 1d 5h at the earliest"}},
		{"one that has stopped", func(age time.Duration) float64 { return 10_000 + 50*min(age.Hours(), 15) },
			message{"ok",
				"grew by no more than 3.4 % in the last 21h 20m; a leak that doubles it in 3d 11h would have " +
					"been called"}},
		{"next to nothing", rising(10_000, 5),
			message{"ok",
				"grew by no more than 0.9 % in the last 21h 20m; a leak that doubles it in 3d 11h would have " +
					"been called"}},
		{"none", rising(10_000, 0),
			message{"ok", "does not grow; a leak that doubles it in 3d 11h would have been called"}},
	} {
		d := newDetector(t, DefaultConfig())
		observeAll(d, series(30*time.Hour, time.Minute, column{sampler.Goroutines, test.level}))
		s := d.Status()[0]
		if diff := cmp.Diff(test.want, message{s.Verdict.String(), s.Why}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestHeapBetweenCollections: a heap is read after each collection, and grows in steps that double, as do the times
// between them. In a soak of a minute there are few: it is not said to be ok before there were enough.
func TestHeapBetweenCollections(t *testing.T) {
	type message struct {
		Verdict string
		Why     string
	}
	const plateau = ", or is reaching a plateau"
	doubling := func(age time.Duration) float64 { return math.Floor(math.Log2(1 + age.Seconds()/3)) }
	for _, test := range []struct {
		name        string
		watched     time.Duration
		level       func(age time.Duration) float64
		collections func(age time.Duration) float64
		want        message
	}{
		{"never collected", time.Minute, rising(100<<20, 0), rising(7, 0),
			message{"early", "no collection since the watch began: live heap is known only after one"}},
		{"collected once", time.Minute, rising(100<<20, 0), func(age time.Duration) float64 {
			return 7 + math.Floor(age.Seconds()/40)
		},
			message{"ok", "does not grow; a leak that doubles it in 3m would have been called"}},
		{"grew once, collected twice", 30 * time.Second, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(min(1, doubling(age)))
		},
			func(age time.Duration) float64 { return min(2, doubling(age)) },
			message{"early", "grew, and was collected only 2 times since the watch began: too few to tell whether it " +
				"goes on"}},
		{"grows", 44 * time.Second, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(doubling(age))
		}, doubling,
			message{"early", "grew by 600 MB in 40s in steps" + plateau + ", and may go on"}},
		{"grew, and stands", time.Minute, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(min(2, doubling(age)))
		},
			func(age time.Duration) float64 { return math.Floor(age.Seconds() / 9) },
			message{"ok", "grew by 200 MB in 53s in a step" + plateau +
				"; a leak that doubles it in 3m would have been " +
				"called"}},
	} {
		d := newDetector(t, with(func(c *Config) { c.Adaptive.Soak = time.Minute }))
		observeAll(d, series(test.watched, 100*time.Millisecond, column{sampler.HeapLiveBytes, test.level},
			column{sampler.GCCycles, test.collections}))
		for _, s := range d.Status() {
			if s.Resource.Name != sampler.HeapLiveBytes {
				continue
			}
			if diff := cmp.Diff(test.want, message{s.Verdict.String(), s.Why}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	}
}
