// Package watch runs the monitors of live processes, with a view of them, and follows processes that begin and end.
// What is shown is for screen, what is judged for detector.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier"
	"github.com/mdzesseis/leaktrend/sampler"
)

// NewMonitor returns the monitor of a target.
func NewMonitor(target source.Source, config detector.Config, logger *logrus.Logger) (*detector.ResourceMonitor,
	error) {
	monitor, err := detector.NewSourceMonitor(target, processOf(target), config, logger)
	if err == nil {
		monitor.ReadEarlierLives(earlier.Read)
	}
	return monitor, err
}

// FollowRuntime has a monitor follow the lines of a process while it runs a program of Go, from outside. note takes
// what is not read of it, and why, now and whenever that changes, until it lacks nothing.
func FollowRuntime(monitor *detector.ResourceMonitor, process *source.Process, note func(text string, missing bool)) {
	monitor.FollowSites(process.Profiles())
	process.OnNote(note)
}

// LogNote logs a note of FollowRuntime.
func LogNote(logger *logrus.Logger, text string, missing bool) {
	if missing {
		logger.Warn(text)
	} else {
		logger.Info(text)
	}
}

// processOf describes a target in alerts.
func processOf(target source.Source) alerting.Process {
	p := alerting.Process{Executable: target.String()}
	if process, ok := target.(*source.Process); ok {
		p = alerting.Process{PID: process.PID(), Executable: process.Name(), Host: alerting.ThisProcess().Host}
	}
	return p
}

// Result is what came of watching one process, or several.
type Result struct {
	Leak       bool   // a leak or a limit was found at any time, or is held over from the life before
	Incomplete string // what was not read or not judged, as a clause; "" if nothing
}

// incompleteShare of the checks may be incomplete before that counts: a single scrape may time out.
const incompleteShare = .05

// ResultOf returns what came of the monitor of a target.
func ResultOf(m *detector.ResourceMonitor, target source.Source) (r Result) {
	var missing, unjudged []string
	if process, ok := target.(interface{ Denied() bool }); ok && process.Denied() {
		missing = append(missing, "goroutines and live heap, for want of rights")
	}
	for _, s := range m.Status() {
		r.Leak = r.Leak || s.Leaks > 0 || s.LimitsPassed > 0 || s.State == detector.Firing
		if s.Judged && s.State == detector.Learning {
			unjudged = append(unjudged, terminal.Printable(s.Resource.Name))
		}
	}
	if len(unjudged) > 0 {
		missing = append(missing, strings.Join(unjudged, ", ")+" (too short, or too few samples)")
	}
	c := m.Checks()
	if c.LeftOut > 0 {
		missing = append(missing, fmt.Sprintf("readings of more resources than are kept: %d", c.LeftOut))
	}
	if float64(c.Incomplete) > incompleteShare*float64(c.Checks) {
		missing = append(missing, fmt.Sprintf("a part of %d of %d samples", c.Incomplete, c.Checks))
	}
	r.Incomplete = strings.Join(missing, "; ")
	return r
}

// Unsampled returns the error of a target of which no sample was taken, with record.ErrUnsampled: what has ended as it
// should is no success then.
func Unsampled(target string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%w from %s", record.ErrUnsampled, target)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w from %s: %v", record.ErrUnsampled, target, err)
	}
	return err
}

// Observe runs a monitor, shows what it sees, and records it if there is a recording, until ctx or its source ends. An
// account, if there is one, has its alerts, and the verdicts at the end. What is wrong with the recording is logged,
// and keeps nobody from watching.
func Observe(ctx context.Context, monitor *detector.ResourceMonitor, shown *screen.Process, rec *record.File,
	to *Account) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown.Watch(monitor)
	if rec != nil {
		defer record.OnHangup(rec, stop)()
	}
	monitor.OnSample(func(s *sampler.Sample) {
		shown.Sampled(s.Time)
		to.sampled(s)
		if rec != nil {
			_ = rec.Write(s) // which has logged it
		}
	})
	if to != nil {
		monitor.OnAlert(to.alert)
	}
	err := monitor.Run(ctx)
	to.end(monitor)
	if errors.Is(err, io.EOF) {
		shown.End(time.Now())
	}
	return err
}

// Display does some work with a view of it, until it is done, the context or the duration (0 = none) ends, or the user
// asks to end. Then it prints the last verdicts.
func Display(ctx context.Context, view *screen.View, duration time.Duration, work func(context.Context) error) error {
	ctx, stop := contextFor(ctx, duration)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		defer stop()
		view.Run(ctx)
	}()
	defer view.Finish()
	defer func() { // on a panic too: the terminal is restored before the panic is printed
		stop()
		<-shown
	}()
	return work(ctx)
}

// contextFor returns a context that also ends after a duration, unless that is 0.
func contextFor(ctx context.Context, duration time.Duration) (context.Context, context.CancelFunc) {
	if duration > 0 {
		return context.WithTimeout(ctx, duration)
	}
	return context.WithCancel(ctx)
}
