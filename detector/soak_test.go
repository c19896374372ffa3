package detector

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/sampler"
)

func TestSoakNeedsSamplesOftenEnough(t *testing.T) {
	for interval, want := range map[time.Duration]bool{30 * time.Second: true, 50 * time.Millisecond: false} {
		var log bytes.Buffer
		logger := logrus.New()
		logger.SetOutput(&log)
		config := DefaultConfig()
		config.CheckInterval, config.Adaptive.Soak = interval, time.Minute
		if _, err := NewMonitor(config, logger); err != nil {
			t.Fatal(err)
		}
		// 5 minutes scaled by 1 m / 48 h.
		if got := strings.Contains(log.String(), "check_interval should be 104ms or less"); got != want {
			t.Errorf("interval %s: warned %v, want %v: %s", interval, got, want, log.String())
		}
	}
}

// The memory of a process that has just started grows until its runtime has sized its heap: in a test run of seconds
// that is no leak, and what goes on growing is one.
func TestSoakOfAColdProcess(t *testing.T) {
	config := with(func(c *Config) { c.Adaptive.Soak = 20 * time.Second })
	warmUp := func(age time.Duration) float64 { return 40e6 + 4e6*min(age.Seconds(), 11) }
	leak := func(age time.Duration) float64 { return 40e6 + 4e6*age.Seconds() }
	for _, test := range []struct {
		name     string
		resource string
		age      time.Duration // at the first sample; below 0 where no start is known
		value    func(time.Duration) float64
		fires    bool
		earliest time.Duration
	}{
		{"warm-up", sampler.RSSBytes, 0, warmUp, false, 0},
		{"leak from the start", sampler.RSSBytes, 0, leak, true, 30 * time.Second},
		{"leak of a process that is warm", sampler.RSSBytes, time.Minute, leak, true, 0},
		{"no start known", sampler.RSSBytes, -1, leak, true, 0},
		{"descriptors", sampler.OpenFDs, 0, func(age time.Duration) float64 { return 40 + 4*age.Seconds() }, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			samples := series(time.Minute, 20*time.Millisecond, column{test.resource, test.value})
			for i := range samples {
				if test.age >= 0 {
					samples[i].Start = dawn.Add(-test.age)
				}
			}
			events := observeAll(newDetector(t, config), samples)
			if fired := len(events) > 0; fired != test.fires {
				t.Fatalf("fired %v: %v", fired, events)
			}
			if test.fires {
				if at := events[0].Time.Sub(dawn); at < test.earliest || test.earliest == 0 && at > 25*time.Second {
					t.Errorf("fired at %s, want from %s on", at, test.earliest)
				}
			}
		})
	}
}
