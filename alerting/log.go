package alerting

import (
	"context"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting/internal/text"
)

// LogSink writes alerts to a logrus logger.
type LogSink struct{ logger *logrus.Logger }

// NewLogSink returns a sink that logs firing alerts of severity warning as warnings, those of high and critical as
// errors, and resolved ones as information.
func NewLogSink(logger *logrus.Logger) *LogSink { return &LogSink{logger} }

// number is a figure that a line of text shows rounded, and JSON as it is.
type number float64

func (n number) String() string { return text.Number(float64(n)) }

// Send writes one entry: the summary, and the figures as fields. It never fails.
func (s *LogSink) Send(_ context.Context, a Alert) error {
	level := logrus.ErrorLevel
	switch {
	case a.Status == Resolved:
		level = logrus.InfoLevel
	case a.Severity == Warning:
		level = logrus.WarnLevel
	}
	fields := logrus.Fields{
		"resource": a.Resource, "kind": string(a.Kind), "severity": a.Severity.String(), "status": string(a.Status),
		"value": number(a.Value), "baseline": number(a.Baseline), "slope_per_hour": number(a.SlopePerHour),
		"alert_id": a.ID,
	}
	if !a.Since.IsZero() {
		fields["since"] = text.Instant(a.Since)
	}
	if a.Threshold != 0 {
		fields["threshold"] = number(a.Threshold)
	}
	if a.Exhaustion != nil && !a.Exhaustion.At.IsZero() {
		fields["exhaustion_at"] = text.Instant(a.Exhaustion.At)
	}
	if a.Exhaustion != nil && !a.Exhaustion.Earliest.IsZero() {
		fields["exhaustion_earliest"], fields["exhaustion_latest"] = text.Instant(a.Exhaustion.Earliest),
			text.Instant(a.Exhaustion.Latest)
	}
	if len(a.Sites) > 0 {
		fields["site"] = a.Sites[0].String()
	}
	if len(a.Parts) > 0 {
		fields["part"] = a.Parts[0].String()
	}
	if a.Finding != "" {
		fields["finding"] = a.Finding
	}
	if a.Incident != "" {
		fields["incident"], fields["fingerprint"] = a.Incident, a.Fingerprint
	}
	if a.New {
		fields["new"] = true
	}
	if len(a.Resources) > 1 {
		fields["resources"] = strings.Join(a.ResourceNames(), ", ")
	}
	if len(a.Profiles) > 0 {
		fields["captures"] = strings.Join(a.CapturePaths(), ", ")
	}
	s.logger.WithFields(fields).Log(level, a.Summary)
	return nil
}
