// Package evaluate measures how good a way of finding leaks is, on recordings of which the truth is known: false
// alarms per process-day, recall, delay. Any Method can be measured, the detector is one; how figures are reported,
// and settings searched, is for tune.
package evaluate

import "github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"

// Firing is one alarm.
type Firing struct {
	Resource string
	At       int64 // unix nanoseconds
}

// Method is a way of finding leaks. Run must give the same alarms for the same recording, and be safe for concurrent
// use.
type Method interface {
	Name() string
	Run(r *dataset.Recording) []Firing // in order of time
}
