//go:build go1.25

package detector

import (
	"math"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// watching returns a monitor of a script, and its log.
func watching(t *testing.T, config Config, fill func(n int, s *sampler.Sample) error) (*ResourceMonitor, *scripted,
	*journal) {
	t.Helper()
	j, logger := newJournal()
	source := &scripted{make: fill}
	m, err := NewSourceMonitor(source, alerting.Process{PID: 1}, config, logger)
	if err != nil {
		t.Fatal(err)
	}
	return m, source, j
}

func fillSteady(_ int, s *sampler.Sample) error {
	s.Add(sampler.Goroutines, 50)
	return nil
}

// A month at an interval of 30 s.
const (
	checkEvery = 30 * time.Second
	monthTicks = 30 * 24 * 120
)

// jitterAt returns a number of -1 to 1 that depends on its arguments alone.
func jitterAt(n, series int) float64 {
	x := uint64(n)*0x9e3779b97f4a7c15 + uint64(series)*0xbf58476d1ce4e5b9
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64(int64(x^x>>31)) / (1 << 63)
}

// fillMonth makes the nth sample of a service with days, a collector's sawtooth and noise.
func fillMonth(start time.Time, n int, s *sampler.Sample) {
	day := math.Sin(2 * math.Pi * float64(n) / 2880)
	s.Start = start
	s.Add(sampler.Goroutines, math.Round(300+30*day+20*jitterAt(n, 0)))
	s.Add(sampler.HeapLiveBytes, 80e6+8e6*day+4e6*jitterAt(n/3, 1))
	s.Add(sampler.HeapInuseBytes, 90e6+8e6*day+float64(n%7)*4e6)
	s.Add(sampler.RSSBytes, 200e6+10e6*day+2e6*jitterAt(n, 2))
	s.Add(sampler.OpenFDs, math.Round(60+6*day+4*jitterAt(n, 3)))
	s.Add(sampler.Threads, 12)
	s.Add(sampler.CPUSeconds, float64(n)*3+math.Floor(200*day))
}

// fillLeaking adds bursts beyond the limit every half hour, and a leak of two goroutines an hour from day 3 to day 20,
// when the process is started anew.
func fillLeaking(start time.Time, n int, s *sampler.Sample) {
	fillMonth(start, n, s)
	if n%60 < 4 && n > 60 {
		s.Readings[0].Value += 500
	}
	if n > 3*2880 && n < 20*2880 {
		s.Readings[0].Value += math.Floor(float64(n-3*2880) / 60)
	}
	if n >= 20*2880 {
		s.Start = start.Add(20 * 24 * time.Hour)
		s.Readings[len(s.Readings)-1].Value -= 20 * 2880 * 3
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the descriptors of a process cannot be counted here")
	}
	return len(entries)
}

func heapNow() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one only marked as free in pools
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The bubble fails the test if a goroutine of the monitor is left.
func TestMonitorForAMonth(t *testing.T) {
	before := descriptors(t)
	for _, test := range []struct {
		name string
		fill func(start time.Time, n int, s *sampler.Sample)
		min  map[string]int // events there must be, by kind and status
	}{
		{"healthy", fillMonth, map[string]int{}},
		{"leaking", fillLeaking, map[string]int{"trend firing": 1, "limit firing": 500, "limit resolved": 500}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := with(func(c *Config) { c.GoroutineThreshold = 200 })
				start := time.Now()
				var early, late int64
				closed := 0
				source := &scripted{}
				source.make = func(n int, s *sampler.Sample) error {
					if want := start.Add(time.Duration(n) * checkEvery); !s.Time.Equal(want) {
						t.Errorf("sample %d at %s, want %s", n, s.Time, want)
					}
					test.fill(start, n, s)
					switch n {
					case 3 * 2880:
						early = heapNow()
					case monthTicks - 1:
						late = heapNow()
					}
					return nil
				}
				_, logger := newJournal()
				logger.SetLevel(logrus.PanicLevel)
				m, err := newMonitor(config, logger, alerting.Process{PID: 1}, func() (sampler.Source, error) {
					return closing{source, &closed}, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				var got []alerting.Event
				m.OnAlert(func(a alerting.Alert) { got = append(got, a.Event) })
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(monthTicks*checkEvery - checkEvery/2)
				if err := m.Stop(); err != nil {
					t.Fatal(err)
				}
				if n := source.count(); n != monthTicks {
					t.Errorf("%d samples, want %d", n, monthTicks)
				}
				if closed != 1 {
					t.Errorf("the source was closed %d times", closed)
				}

				d, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				var want []alerting.Event
				var s sampler.Sample
				for n := range monthTicks {
					s.Reset(start.Add(time.Duration(n) * checkEvery).UTC())
					test.fill(start, n, &s)
					want = append(want, d.Observe(&s)...)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("events of the detector alone and of the monitor (-want +got):\n%.3000s", diff)
				}
				if diff := cmp.Diff(d.Status(), m.Status()); diff != "" {
					t.Errorf("status (-want +got):\n%s", diff)
				}
				counts := map[string]int{}
				for _, e := range got {
					counts[string(e.Kind)+" "+string(e.Status)]++
				}
				for what, minimum := range test.min {
					if counts[what] < minimum {
						t.Errorf("%d times %s, want %d or more", counts[what], what, minimum)
					}
				}
				if len(test.min) == 0 && len(got) > 0 {
					t.Errorf("events on a healthy service: %v", got)
				}
				// The events that the test itself keeps are no part of it.
				grown := late - early - int64(len(got))*1024
				if grown > 64<<10 {
					t.Errorf("the heap grew by %d bytes from day 3 to day 30", grown)
				}
			})
		})
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// closing counts how often it is closed.
type closing struct {
	sampler.Source
	times *int
}

func (c closing) Close() error { *c.times++; return nil }

// This process itself, for what it takes for a month.
func TestMonitorOfThisProcessForAMonth(t *testing.T) {
	const (
		interval = 5 * time.Minute // one of 30 s takes ten times as long to test
		length   = 30*24*time.Hour - 1
	)
	before := descriptors(t)
	synctest.Test(t, func(t *testing.T) {
		j, logger := newJournal()
		m, err := NewMonitor(with(func(c *Config) { c.CheckInterval = interval }), logger)
		if err != nil {
			t.Fatal(err)
		}
		samples, first := 0, 0.
		m.OnSample(func(s *sampler.Sample) {
			v, _ := s.Value(sampler.OpenFDs)
			if samples++; samples == 1 {
				first = v
			}
			if v != first {
				t.Errorf("sample %d: %v descriptors, at first %v", samples, v, first)
			}
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(length)
		if stats := m.GetStats(); stats.MonitoringUptime != int64(length/time.Second) {
			t.Errorf("uptime = %d s", stats.MonitoringUptime)
		}
		_ = m.Stop()
		if want := int(length/interval) + 1; samples != want {
			t.Errorf("%d samples, want %d", samples, want)
		}
		want := []string{"info Resource monitor started", "info Resource monitor stopped"}
		if diff := cmp.Diff(want, j.read()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
