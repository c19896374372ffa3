//go:build go1.25

package detector

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Reading takes 2 s each time; the fourth check fails whole and the fifth in part.
func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := watching(t, DefaultConfig(), func(n int, s *sampler.Sample) error {
			time.Sleep(2 * time.Second)
			switch n {
			case 3:
				return errors.New("nothing can be read")
			case 4:
				s.Add(sampler.Goroutines, 50)
				return errors.New("no descriptors")
			}
			return fillSteady(n, s)
		})
		start := time.Now()
		want := CheckStats{Interval: 30 * time.Second}
		if diff := cmp.Diff(want, m.Checks()); diff != "" {
			t.Errorf("before the first (-want +got):\n%s", diff)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*30*time.Second + 10*time.Second)
		want = CheckStats{Checks: 6, Incomplete: 2, Reading: 12 * time.Second, Interval: 30 * time.Second,
			Last: start.Add(150 * time.Second)}
		if diff := cmp.Diff(want, m.Checks()); diff != "" {
			t.Errorf("after six (-want +got):\n%s", diff)
		}
		off := DefaultConfig()
		off.Enabled = false
		if err := m.Reload(off); err != nil {
			t.Fatal(err)
		}
		if got := m.Checks().Interval; got != 0 {
			t.Errorf("turned off, with an interval of %v", got)
		}
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStatusMemory(t *testing.T) {
	d := newDetector(t, DefaultConfig())
	observeAll(d, series(time.Minute, time.Minute, column{sampler.Goroutines, rising(1, 0)},
		column{sampler.CPUSeconds, rising(1, 0)}))
	status := d.Status()
	seriesBytes := int(unsafe.Sizeof(engine.Series{}))
	// A counter has no minimums.
	if got := status[1].Memory; got != seriesBytes {
		t.Errorf("a counter takes %d bytes, want %d", got, seriesBytes)
	}
	if got := status[0].Memory; got <= seriesBytes || got > 8<<10 {
		t.Errorf("a resource takes %d bytes, want more than %d and up to 8 KB", got, seriesBytes)
	}
}
