// Package slogger sends the monitor's lines and alerts to log/slog: the monitor writes to a logrus logger, and New
// returns one whose entries go to a slog.Handler. Nothing is decided here.
package slogger

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/sirupsen/logrus"
)

// New returns a logger for detector.NewMonitor and the like, whose entries become records of h: time, level and message
// as they are, and the fields as attributes in the order of their names. Which levels are written is up to h. logrus
// has three levels that slog has not: trace is 4 below slog.LevelDebug, fatal and panic are 4 above slog.LevelError.
//
// It writes nothing by itself. An error of h goes to the standard error output, as those of all hooks of logrus.
func New(h slog.Handler) *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetFormatter(silent{})
	l.SetLevel(logrus.TraceLevel)
	l.AddHook(hook{h})
	return l
}

// silent formats nothing: what it would be is discarded.
type silent struct{}

// Format returns nothing.
func (silent) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

type hook struct{ handler slog.Handler }

// Levels returns all.
func (hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire passes an entry on.
func (h hook) Fire(e *logrus.Entry) error {
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	level := levelOf(e.Level)
	if !h.handler.Enabled(ctx, level) {
		return nil
	}
	r := slog.NewRecord(e.Time, level, e.Message, 0)
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		r.AddAttrs(slog.Any(key, e.Data[key]))
	}
	return h.handler.Handle(ctx, r)
}

func levelOf(l logrus.Level) slog.Level {
	switch l {
	case logrus.TraceLevel:
		return slog.LevelDebug - 4
	case logrus.DebugLevel:
		return slog.LevelDebug
	case logrus.InfoLevel:
		return slog.LevelInfo
	case logrus.WarnLevel:
		return slog.LevelWarn
	case logrus.ErrorLevel:
		return slog.LevelError
	}
	return slog.LevelError + 4
}
