package watch

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Account tells programs what becomes of one process: in the JSON of replay, in which the process stands for the file.
// A nil Account tells nothing.
type Account struct {
	lines *report.Lines
	name  string

	// Of the goroutine that samples, until it has ended.
	last    time.Time
	samples int
	read    map[string]int // samples in which a resource was read
}

// NewAccount returns the account of a process that has no samples yet, which goes to lines; nil without lines.
func NewAccount(lines *report.Lines, name string) *Account {
	if lines == nil {
		return nil
	}
	return &Account{lines: lines, name: name, read: make(map[string]int)}
}

func (a *Account) sampled(s *sampler.Sample) {
	if a == nil {
		return
	}
	a.last = s.Time
	a.samples++
	for i := range s.Readings {
		a.read[s.Readings[i].Resource]++
	}
}

func (a *Account) alert(of alerting.Alert) { a.lines.Alert(a.name, &of) }

// end writes the verdicts of a monitor that runs no more.
func (a *Account) end(monitor *detector.ResourceMonitor) {
	if a == nil {
		return
	}
	result := &replay.Result{File: a.name, Last: a.last, Samples: a.samples}
	for _, status := range monitor.Status() {
		result.Resources = append(result.Resources, replay.Resource{Status: status, Read: a.read[status.Resource.Name]})
	}
	a.lines.Verdicts(result)
}
