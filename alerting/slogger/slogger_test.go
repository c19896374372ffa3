package slogger_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/slogger"
)

// plain drops the time, which differs from run to run.
func plain(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestLevelsAndFields(t *testing.T) {
	var out bytes.Buffer
	l := slogger.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: plain}))
	l.Trace("below what the handler writes")
	l.Debug("debug")
	l.WithFields(logrus.Fields{"b": 2, "a": time.Second}).Info("in order")
	l.WithError(errors.New("broken")).Warn("an error")
	l.Error("error")
	func() {
		defer func() { _ = recover() }()
		l.Panic("panic")
	}()
	want := `level=DEBUG msg=debug
level=INFO msg="in order" a=1s b=2
level=WARN msg="an error" error=broken
level=ERROR msg=error
level=ERROR+4 msg=panic
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failing is a handler that cannot write, or keeps the latest record.
type failing struct {
	err    error
	record slog.Record
	ctx    context.Context
}

func (*failing) Enabled(context.Context, slog.Level) bool { return true }

func (f *failing) Handle(ctx context.Context, r slog.Record) error {
	f.ctx, f.record = ctx, r
	return f.err
}

func (f *failing) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f *failing) WithGroup(string) slog.Handler { return f }

func TestTimeAndContextAreKept(t *testing.T) {
	var h failing
	at := time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)
	slogger.New(&h).WithContext(t.Context()).WithTime(at).Info("text")
	if !h.record.Time.Equal(at) || h.ctx != t.Context() {
		t.Errorf("%v, %v", h.record.Time, h.ctx)
	}
}

// A handler that fails does no harm to who logs.
func TestHandlerFails(t *testing.T) {
	h := failing{err: errors.New("disk full")}
	slogger.New(&h).Info("text")
	if h.record.Message != "text" {
		t.Errorf("record %v", h.record)
	}
}

// An alert is one record, with what a log needs of it.
func TestAlert(t *testing.T) {
	var out bytes.Buffer
	sink := alerting.NewLogSink(slogger.New(slog.NewJSONHandler(&out, nil)))
	if err := sink.Send(t.Context(), alerting.Alert{Event: alerting.Event{
		Status: alerting.Firing, Kind: alerting.Trend, Resource: "goroutines", Summary: "goroutines leak",
	}}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"level":"WARN"`) ||
		!strings.Contains(got, `goroutines leak`) {
		t.Errorf("%s", got)
	}
}

// The monitor writes where the service does.
func ExampleNew() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: plain}))
	l := slogger.New(logger.With("component", "leaktrend").Handler()) // for detector.NewMonitor
	l.WithField("check_interval", 30*time.Second).Info("Resource monitor started")
	// Output: level=INFO msg="Resource monitor started" component=leaktrend check_interval=30s
}
