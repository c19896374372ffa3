package detector

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// activity is one run of the loop.
type activity struct {
	ctx    context.Context // ended once the loop is to end, or has
	cancel context.CancelFunc
	ended  chan struct{} // closed once all is over
	left   error         // what did not return and was left behind; set by then
}

func newActivity(ctx context.Context) *activity {
	ctx, cancel := context.WithCancel(ctx)
	return &activity{ctx: ctx, cancel: cancel, ended: make(chan struct{})}
}

// awaitLoop waits for the loop to end, but not for a source or a hook that does not return after ctx has ended.
func awaitLoop(ctx context.Context, sampled <-chan error) (err error, returned bool) {
	select {
	case err = <-sampled:
		return err, true
	case <-ctx.Done():
	}
	late := time.NewTimer(stopGrace + time.Millisecond) // the loop itself waits as long for the hook
	defer late.Stop()
	select {
	case err = <-sampled:
		return err, true
	case <-late.C:
		return nil, false
	}
}

// warnOfSoak says so when samples come too seldom for the minimums of a soak run.
func warnOfSoak(logger *logrus.Logger, config Config) {
	width := finding.Stretch(trend.FinestWidth, config.Adaptive.Scale())
	if config.Adaptive.Soak > 0 && config.CheckInterval > width {
		logger.WithFields(logrus.Fields{"soak": config.Adaptive.Soak, "check_interval": config.CheckInterval}).
			Warnf("Resource monitor: for this soak, check_interval should be %s or less",
				sampler.ShortDuration(width.Round(time.Millisecond)))
	}
}
