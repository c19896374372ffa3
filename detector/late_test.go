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
			message{"early",
				"its minimum grew by 933 (9.2 %) in 21h 20m, not yet for long enough; called in 2d at the " +
					"earliest"}},
		{"one that has stopped", func(age time.Duration) float64 { return 10_000 + 50*min(age.Hours(), 15) },
			message{"ok", "its minimum grew by 350 (3.4 %) in 21h 20m; a leak that doubles it in 15h 21m would have " +
				"been called"}},
		{"next to nothing", rising(10_000, 5),
			message{"ok", "its minimum grew by 93 (0.9 %) in 21h 20m; a leak that doubles it in 1d 5h would have " +
				"been called"}},
		{"none", rising(10_000, 0),
			message{"ok", "does not grow; a leak that doubles it in 1d 4h would have been called"}},
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
			message{"early", "collected only once since the watch began: too few to tell whether it grows"}},
		{"collected four times", time.Minute, rising(100<<20, 0), func(age time.Duration) float64 {
			return 7 + math.Floor(age.Seconds()/14)
		},
			message{"ok", "does not grow; a leak that doubles it in 1m would have been called"}},
		{"grew once, collected twice", 30 * time.Second, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(min(1, doubling(age)))
		},
			func(age time.Duration) float64 { return min(2, doubling(age)) },
			message{"early", "grew, and was collected only 2 times since the watch began: too few to tell whether it " +
				"goes on"}},
		{"grows", 44 * time.Second, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(doubling(age))
		}, doubling,
			message{"early", "its minimum grew by 600 MB (537 %) in 40s in steps" + plateau + ", and may go on"}},
		{"grew, and stands", time.Minute, func(age time.Duration) float64 {
			return 100 << 20 * math.Exp2(min(2, doubling(age)))
		},
			func(age time.Duration) float64 { return math.Floor(age.Seconds() / 9) },
			message{"ok", "its minimum grew by 200 MB (129 %) in 53s in a step" + plateau +
				"; a leak that doubles it " +
				"in 1m would have been " +
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

// TestHowSoon holds the table in docs/detection.md: of a process that is watched from its start and grows in a straight
// line, after how many hours it is called, by the hours in which it doubles.
func TestHowSoon(t *testing.T) {
	want := map[float64]float64{.5: 2.1, 1: 2.8, 3: 5.7, 8: 11, 24: 22.7, 72: 33.3, 168: 54.7, 720: 198}
	got := make(map[float64]float64)
	for doubling := range want {
		d := newDetector(t, DefaultConfig())
		line := rising(1000, 1000/doubling)
		samples := series(10*24*time.Hour, time.Minute, column{sampler.Goroutines, line})
		for i := range samples {
			if events := d.Observe(&samples[i]); len(events) > 0 {
				got[doubling] = math.Round(10*samples[i].Time.Sub(samples[0].Time).Hours()) / 10
				break
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hours (-want +got):\n%s", diff)
	}
}
