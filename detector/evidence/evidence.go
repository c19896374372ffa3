// Package evidence gathers what an alert names beside its figures: the lines of code that grew, what descriptors and
// threads are, and the files that were captured. It does so off the sampling goroutine, within a budget and a deadline,
// and sees the monitor through an interface. Package sites decides what a line's growth means, and wording puts it into
// sentences.
package evidence

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// Capture is a file that was written as evidence of a finding.
type Capture struct {
	alerting.Profile
	Time     time.Time `json:"time"` // of the profile
	Resource string    `json:"resource"`
	AlertID  string    `json:"alert_id"`
}

// Cost is what the profiles cost the process that is watched.
type Cost struct {
	Profiles     int           `json:"profiles"`         // taken, those for alerts included
	Proofs       int           `json:"proofs"`           // of leaked goroutines among them
	CPU          time.Duration `json:"cpu_ns"`           // processor time that they took together
	Share        float64       `json:"share"`            // of one core, since the monitor was started
	LongestPause time.Duration `json:"longest_pause_ns"` // of the world, by the runtime's own account
	// from one profile of a kind to the next, as the budget has it now
	Spacing time.Duration `json:"spacing_ns"`
	Note    string        `json:"note,omitempty"` // what is not done, and why
}
