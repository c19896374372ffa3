package detector

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
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
