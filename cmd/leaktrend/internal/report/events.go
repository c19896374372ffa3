package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
)

// eventLine is one line of the JSON form.
type eventLine struct {
	Time         time.Time            `json:"time"`
	File         string               `json:"file"`
	Resource     string               `json:"resource"`
	Kind         alerting.Kind        `json:"kind"`
	State        alerting.Status      `json:"state"`
	Severity     alerting.Severity    `json:"severity"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	Threshold    float64              `json:"threshold,omitempty"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since"`
	Summary      string               `json:"summary"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence   `json:"evidence,omitempty"`
}

// WriteEvents prints the events of all recordings in order of time.
func WriteEvents(w io.Writer, results []*replay.Result) error {
	var lines []eventLine
	for _, r := range results {
		for _, e := range r.Events {
			lines = append(lines, eventLine{
				Time: e.Time, File: r.File, Resource: e.Resource, Kind: e.Kind, State: e.Status, Severity: e.Severity,
				Value: e.Value, Baseline: e.Baseline, Threshold: e.Threshold, SlopePerHour: e.SlopePerHour, Since: e.Since,
				Summary: e.Summary, Exhaustion: e.Exhaustion, Evidence: e.Evidence,
			})
		}
	}
	slices.SortStableFunc(lines, func(a, b eventLine) int { return a.Time.Compare(b.Time) })
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
