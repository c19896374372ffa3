package detector

import (
	"context"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// lastWordsShare is the share of a limit of memory at which captures are written: what comes next may be the end.
	lastWordsShare = .9
	// rearmShare is the share below which they are due again, and rearmAfter the time that must have passed.
	rearmShare = .8
	rearmAfter = time.Hour
)

// lastWords is what was done about a limit of memory that is close.
type lastWords struct {
	written bool
	at      time.Time // of the sample
}

// nearestLimit returns which limit of memory is closest, and how much of it is used: what the process may have at most,
// what the runtime may, and the configured threshold. It needs m.mu.
func nearestLimit(m *state) (resource string, limit sampler.Ceiling, used float64) {
	threshold := float64(m.detector.Config().MemoryThreshold)
	for i := -1; i < len(m.latest.Ceilings); i++ {
		c := sampler.Ceiling{Resource: sampler.HeapInuseBytes, Level: threshold, Source: "memory_threshold_mb"}
		if i >= 0 {
			c = m.latest.Ceilings[i]
		}
		switch c.Resource {
		case sampler.RSSBytes, sampler.HeapLiveBytes, sampler.HeapInuseBytes:
		default:
			continue
		}
		if value, read := m.latest.Value(c.Resource); read && c.Level > 0 && value/c.Level > used {
			resource, limit, used = c.Resource, c, value/c.Level
		}
	}
	return resource, limit, used
}

// check has captures written while there is time, where a limit of the memory of a process is close. It needs m.mu.
func (w *lastWords) check(m *state) {
	resource, limit, used := nearestLimit(m)
	switch now := m.latest.Time; {
	case used < rearmShare && now.Sub(w.at) >= rearmAfter:
		w.written = false
		return
	case used < lastWordsShare || w.written || !m.detector.Config().Captures():
		return
	default:
		*w = lastWords{true, now}
	}
	lines := m.lines.Load()
	if lines == nil {
		return
	}
	process := m.process
	process.Start = m.latest.Start
	a := alerting.Alert{Process: process, Event: alerting.Event{Time: m.latest.Time, Kind: alerting.Limit,
		Resource: resource}}
	memory := []string{resource, sampler.RSSBytes, sampler.HeapLiveBytes, sampler.HeapInuseBytes}
	if _, id, holds := m.ledger.latestOn(memory...); holds {
		a.ID = id
	} else {
		a.ID = alerting.ID(process, resource, alerting.Limit, a.Time)
	}
	summary := wording.LastWords(resource, used*limit.Level, &limit)
	m.queue.Urgently(func(ctx context.Context) {
		written, err := lines.LastWords(ctx, &a)
		a.Profiles = written
		entry := m.logger.WithFields(logrus.Fields{"captures": strings.Join(a.CapturePaths(), ", "),
			"resource": resource})
		if err != nil {
			entry = entry.WithError(err)
		}
		entry.Warn("Resource monitor: " + summary)
		reportLastWords(m, summary, memory)
	})
}

// reportLastWords alerts the finding on memory that holds once more, if there is one: with the captures.
func reportLastWords(m *state, summary string, memory []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, _, holds := m.ledger.latestOn(memory...)
	if !holds {
		return
	}
	e.Time, e.Summary = m.latest.Time, summary+"; "+e.Summary
	if value, read := m.latest.Value(e.Resource); read {
		e.Value = value
	}
	m.recordEvent(e)
}
