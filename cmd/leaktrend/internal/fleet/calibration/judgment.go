package calibration

import (
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// Step is the time between two values of a scan, each the lowest since the one before, for which scores are calibrated.
const Step = 5 * time.Minute

// Judgment returns the configuration by which the series of a fleet are judged. Only what is calibrated may differ from
// the default: no soak mode and no limit that would alert by itself.
func Judgment() detector.Config {
	c := detector.DefaultConfig()
	c.AlertOnThreshold = false
	return c
}
