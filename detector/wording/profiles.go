package wording

import (
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Lack is why there is less evidence from profiles than there could be.
type Lack uint8

const (
	NoProfile     Lack = iota // more goroutines than a limit: none is taken
	FewerProfiles             // more goroutines than a limit: they are taken less often
	SlowProfiles              // each stops the world for longer than it may: they are taken less often
	BeyondSites               // more lines of code than are followed
	HeapBehind                // the heap profile has less than half of the growth: it is of the latest collection
)

// Clause words it: of a number of goroutines, of lines beyond those that are followed, or of percent of
// the growth; limit is a number of these, how long the world may be stopped, or the growth.
func (l Lack) Clause(n float64, limit any) string {
	format := "%.0f goroutines are too many for a profile of them: none is taken above %v"
	switch l {
	case FewerProfiles:
		format = "profiles of %.0f goroutines are taken less often: they are more than %v"
	case SlowProfiles:
		format = "profiles of %.0f goroutines stop the world for more than %v: they are taken less often"
	case BeyondSites:
		format = "%.0f lines of code beyond the %v that are followed are counted together only"
	case HeapBehind:
		format = "the heap profile is of the latest collection and shows %.0f %% of the growth of %v: the rest is " +
			"newer, garbage or not live heap"
	}
	return fmt.Sprintf(format, n, limit)
}

// LastWords says of memory that a limit is close, and that captures were written.
func LastWords(resource string, value float64, limit *sampler.Ceiling) string {
	r, _ := sampler.Lookup(resource)
	return fmt.Sprintf("%s is at %.0f %% of its limit: %s of %s (%s); captures were written while there is time",
		resource, 100*value/limit.Level, r.Format(value), r.Format(limit.Level), limit.Source)
}
