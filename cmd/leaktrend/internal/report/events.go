package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
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
	SinceError   float64              `json:"since_error_seconds,omitempty"`
	Summary      string               `json:"summary"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence   `json:"evidence,omitempty"`
}

// verdictLine is the last line of each resource of a recording in the JSON form.
type verdictLine struct {
	Time         time.Time            `json:"time"`
	File         string               `json:"file"`
	Resource     string               `json:"resource"`
	Kind         string               `json:"kind"` // verdict
	State        detector.Verdict     `json:"state"`
	Severity     alerting.Severity    `json:"severity"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since,omitzero"`
	SinceError   float64              `json:"since_error_seconds,omitempty"`
	Summary      string               `json:"summary"`
	Reason       string               `json:"reason"`
	Rows         int                  `json:"rows"`      // of the file, for this recording
	RowsUsed     int                  `json:"rows_used"` // of these, in which the resource was read
	Callable     time.Time            `json:"callable,omitzero"`
	Soak         string               `json:"soak,omitempty"`       // length of the recording, where it is early
	SoakState    string               `json:"soak_state,omitempty"` // what a soak run of that length says
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
}

func verdictOf(r *replay.Result, c *replay.Resource) verdictLine {
	word, _ := table.Verdict(&c.Status)
	line := verdictLine{
		Time: r.Last, File: r.File, Resource: c.Resource.Name, Kind: "verdict", State: c.Verdict, Severity: c.Severity,
		Value: c.Value, Baseline: c.Baseline, SlopePerHour: c.SlopePerHour, Since: c.Since,
		SinceError: c.SinceError.Seconds(), Summary: c.Resource.Name + " " + word + ": " + c.Why, Reason: c.Why,
		Rows: r.Samples + r.FaultCount, RowsUsed: c.Read, Callable: c.Callable, Exhaustion: c.Exhaustion,
	}
	if c.Soaked.Length > 0 {
		line.Soak, line.SoakState = sampler.ShortDuration(c.Soaked.Length), c.Soaked.Verdict.String()
	}
	return line
}

// WriteEvents prints the events of all recordings in order of time, and then a verdict for each of their resources.
func WriteEvents(w io.Writer, results []*replay.Result) error {
	var lines []eventLine
	for _, r := range results {
		for _, e := range r.Events {
			lines = append(lines, eventLine{
				Time: e.Time, File: r.File, Resource: e.Resource, Kind: e.Kind, State: e.Status, Severity: e.Severity,
				Value: e.Value, Baseline: e.Baseline, Threshold: e.Threshold, SlopePerHour: e.SlopePerHour,
				Since: e.Since, SinceError: e.SinceError,
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
	for _, r := range results {
		for i := range r.Resources {
			if err := encoder.Encode(verdictOf(r, &r.Resources[i])); err != nil {
				return err
			}
		}
	}
	return nil
}
