package engine

import (
	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Cause says why a decision was made.
type Cause uint8

// The causes of findings, and of their ends.
const (
	Grew           Cause = iota // sustained growth
	OverThreshold               // beyond a configured threshold
	NearCeiling                 // close to what the process can have, where no threshold is set
	GrewAtOnce                  // percent of growth within one interval
	GrewInEachLife              // growth in each of the latest lives of the process

	GaveBack      // more than half of the growth was given back
	LevelsOff     // the lives since it was found show that the growth levels off with the age
	CameToRest    // nine tenths of the growth have been there for longer than they took to come
	NotAgain      // not seen again since a restart, for as long as it had grown
	StayedDown    // gone within one reading, as after a restart, and not there again for as long as it had grown
	BelowLimit    // below the limit again
	LimitChanged  // the limit changed
	ConfigChanged // the configuration changed
	Restarted     // the process restarted
	StandInEnds   // the resource that it stands in for is read now
	Unread        // the resource is not read any more: what became of it is not known
)

// Decision is one event, with the figures that a sentence on it needs. The Summary of its Event is empty.
type Decision struct {
	alerting.Event
	Described sampler.Resource
	Cause     Cause
	Limit     Threshold // that was passed, for OverThreshold
	Ceiling   float64   // level at which the process dies; 0 = unknown
	// Before and Beyond are the readings between which it grew, for GrewAtOnce.
	Before, Beyond float64
}
