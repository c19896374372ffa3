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
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// stamp is an instant as RFC 3339, or what has passed since a recording began, as in +3h20m.
type stamp struct{ time.Time }

// MarshalJSON writes the instant.
func (s stamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(sampler.FormatInstant(s.Time, time.RFC3339Nano))
}

// exhaustion is what stands in an alert, with its instant as a stamp.
type exhaustion struct {
	Limit    float64 `json:"limit"`
	Source   string  `json:"source"`
	At       stamp   `json:"at"`
	Earliest stamp   `json:"earliest,omitzero"`
	Latest   stamp   `json:"latest,omitzero"`
}

func exhaustionOf(e *alerting.Exhaustion) *exhaustion {
	if e == nil {
		return nil
	}
	return &exhaustion{e.Limit, e.Source, stamp{e.At}, stamp{e.Earliest}, stamp{e.Latest}}
}

// eventLine is one line of the JSON form.
type eventLine struct {
	at           time.Time
	Time         stamp              `json:"time"`
	File         string             `json:"file"`
	Resource     string             `json:"resource"`
	Kind         alerting.Kind      `json:"kind"`
	State        alerting.Status    `json:"state"`
	Severity     alerting.Severity  `json:"severity"`
	Value        float64            `json:"value"`
	Baseline     float64            `json:"baseline"`
	Threshold    float64            `json:"threshold,omitempty"`
	SlopePerHour float64            `json:"slope_per_hour"`
	Since        stamp              `json:"since"`
	SinceError   float64            `json:"since_error_seconds,omitempty"`
	SinceFirst   bool               `json:"since_first_reading,omitempty"`
	Summary      string             `json:"summary"`
	Exhaustion   *exhaustion        `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence `json:"evidence,omitempty"`
	Lives        *alerting.Lives    `json:"lives,omitempty"`
}

// verdictLine is the last line of each resource of a recording in the JSON form.
type verdictLine struct {
	Time         stamp             `json:"time"`
	File         string            `json:"file"`
	Resource     string            `json:"resource"`
	Kind         string            `json:"kind"` // verdict
	State        detector.Verdict  `json:"state"`
	Severity     alerting.Severity `json:"severity"`
	Value        float64           `json:"value"`
	Baseline     float64           `json:"baseline"`
	SlopePerHour float64           `json:"slope_per_hour"`
	Since        stamp             `json:"since,omitzero"`
	SinceError   float64           `json:"since_error_seconds,omitempty"`
	Summary      string            `json:"summary"`
	Reason       string            `json:"reason"`
	Rows         int               `json:"rows"`      // of the file, for this recording
	RowsUsed     int               `json:"rows_used"` // of these, in which the resource was read
	Callable     stamp             `json:"callable,omitzero"`
	Soak         string            `json:"soak,omitempty"`       // length of the recording, where it is early
	SoakState    string            `json:"soak_state,omitempty"` // what a soak run of that length says
	Exhaustion   *exhaustion       `json:"exhaustion,omitempty"`
}

func verdictOf(r *replay.Result, c *replay.Resource) verdictLine {
	word, _ := table.Verdict(&c.Status)
	line := verdictLine{
		Time: stamp{r.Last}, File: r.File, Resource: c.Resource.Name, Kind: "verdict", State: c.Verdict,
		Severity: c.Severity,
		Value:    c.Value, Baseline: c.Baseline, SlopePerHour: c.SlopePerHour, Since: stamp{c.Since},
		SinceError: c.SinceError.Seconds(), Summary: c.Resource.Name + " " + word + ": " + c.Why, Reason: c.Why,
		Rows: r.Samples + r.FaultCount, RowsUsed: c.Read, Callable: stamp{c.Callable},
		Exhaustion: exhaustionOf(c.Exhaustion),
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
		for i := range r.Events {
			lines = append(lines, eventOf(r.File, &r.Events[i]))
		}
	}
	slices.SortStableFunc(lines, func(a, b eventLine) int { return a.at.Compare(b.at) })
	encoder := newEncoder(w)
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

func newEncoder(w io.Writer) *json.Encoder {
	encoder := json.NewEncoder(figure.JSONWriter(w))
	encoder.SetEscapeHTML(false)
	return encoder
}

func eventOf(file string, e *alerting.Event) eventLine {
	return eventLine{
		at: e.Time, Time: stamp{e.Time}, File: file, Resource: e.Resource, Kind: e.Kind, State: e.Status,
		Severity: e.Severity,
		Value:    e.Value, Baseline: e.Baseline, Threshold: e.Threshold, SlopePerHour: e.SlopePerHour,
		Since: stamp{e.Since}, SinceError: e.SinceError, SinceFirst: e.SinceFirst,
		Summary: e.Summary, Exhaustion: exhaustionOf(e.Exhaustion), Evidence: e.Evidence, Lives: e.Lives,
	}
}
