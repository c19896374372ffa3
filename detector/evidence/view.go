package evidence

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/sites"
)

// View is what the evidence needs to know of a monitor at its latest sample.
type View struct {
	Config     config.Config
	Scale      float64   // of all time constants; 1 outside soak mode
	Time       time.Time // of the sample; zero before the first
	Judged     time.Time // when it was, by the clock of this process; zero before the first
	Restarts   int       // of the process until then, as the engine counts them
	Goroutines float64   // 0 where unknown
	CPU        float64   // processor time of the process in seconds; NaN where unknown
	Suspected  bool      // goroutines are suspected to leak, or do
	Crowded    bool      // memory is close to a limit of the process
	Unwell     bool      // something is suspected to leak, does, or is beyond its limit
}

// Resource is what the evidence needs to know of one resource at the latest sample.
type Resource struct {
	Settled bool // its starting level has
	Unwell  bool // it is suspected to leak, does, or is beyond its limit
}

// Monitor is what the evidence sees of a monitor, and where what it finds goes. Its methods are safe for concurrent
// use.
type Monitor interface {
	View() View
	// Resource is not ok where the resource was never read.
	Resource(name string) (r Resource, ok bool)
	// OnLines reports whether an alert is on lines of code, not on the total of its resource.
	OnLines(a *alerting.Alert) bool
	// Deliver receives the lines of code that leak by themselves, if any, the total of all lines of their kind, and how
	// the finding on a line that ended last did.
	Deliver(resource string, found []sites.Finding, total float64, ended engine.Cause)
	// Again has an alert that fires be delivered again with the evidence that there is now, unless its finding is over
	// or was alerted again.
	Again(a *alerting.Alert)
}

// share returns the part of one core that the profiles may take.
func (now *View) share() float64 {
	if now.Config.Adaptive.Soak > 0 {
		return soakShare
	}
	return budgetShare
}

// ago returns when an instant of the samples' clock was, by the clock of this process.
func (now *View) ago(at time.Time) time.Time { return now.Judged.Add(-now.Time.Sub(at)) }

// at returns the time of the sample in unix seconds.
func (now *View) at() float64 { return float64(now.Time.UnixNano()) / 1e9 }

// captures reports whether files are to be written or posted.
func (now *View) captures() bool { return now.Config.Captures() }
