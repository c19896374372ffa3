package publish

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// line is one line of the JSON form: that of replay, and what there is of a group.
type line struct {
	Time         time.Time            `json:"time"`
	File         string               `json:"file"`
	Resource     string               `json:"resource"`
	Kind         alerting.Kind        `json:"kind"`
	State        string               `json:"state"`
	Severity     alerting.Severity    `json:"severity"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since"`
	Summary      string               `json:"summary"`
	Group        map[string]string    `json:"group"`
	Growing      int                  `json:"growing"`
	Replicas     int                  `json:"replicas"`
	Labels       map[string]string    `json:"labels"`
	Versions     []version            `json:"versions,omitempty"`
	FirstVersion string               `json:"first_version,omitempty"`
	EValue       float64              `json:"e_value,omitempty"`
	Q            float64              `json:"q,omitempty"`
	Chance       float64              `json:"chance,omitempty"` // that it is a leak, and what bounds it at 90 %
	ChanceLow    float64              `json:"chance_low,omitempty"`
	ChanceHigh   float64              `json:"chance_high,omitempty"`
	WithLoad     bool                 `json:"with_load,omitempty"`
	FDR          float64              `json:"fdr"`
	Hypotheses   int                  `json:"hypotheses"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence   `json:"evidence,omitempty"`
	Lives        *alerting.Lives      `json:"lives,omitempty"`
	Annotations  map[string]string    `json:"annotations,omitempty"`
}

type version struct {
	Version  string    `json:"version"`
	Growing  int       `json:"growing"`
	Replicas int       `json:"replicas"`
	First    time.Time `json:"first"`
}

// missingLine is a part of the fleet that could not be read.
type missingLine struct {
	Time    time.Time         `json:"time"`
	File    string            `json:"file"`
	State   string            `json:"state"` // missing
	What    string            `json:"what"`
	Why     string            `json:"why"`
	Targets int               `json:"targets,omitempty"`
	Group   map[string]string `json:"group,omitempty"`
}

func (p *Publisher) lineOf(r *fleet.Report, x *fleet.Finding, state string) line {
	l := line{
		Time: r.End, File: p.Server, Resource: x.Resource.Name, Kind: x.Kind, State: state, Severity: x.Worst.Severity,
		Value: x.Worst.Value, Baseline: x.Worst.Baseline, SlopePerHour: x.Worst.SlopePerHour, Since: x.Worst.Since,
		Summary: summary(x), Group: x.GroupLabels(), Growing: x.Growing, Replicas: x.Replicas, Labels: x.Worst.Labels,
		FirstVersion: x.FirstVersion, EValue: x.EValue, WithLoad: x.WithLoad, FDR: r.FDR, Hypotheses: r.Hypotheses,
		Exhaustion: x.Worst.Exhaustion, Evidence: x.Worst.Evidence, Lives: x.Lives,
		Annotations: p.Links.annotationsOf(x, r.Start, r.End),
	}
	if x.Kind == alerting.Trend && !x.WithLoad {
		l.Q, l.Chance, l.ChanceLow, l.ChanceHigh = x.Q, x.Chance.Mean, x.Chance.Low, x.Chance.High
	}
	for _, v := range x.Versions {
		l.Versions = append(l.Versions, version{v.Version, v.Growing, v.Replicas, v.First})
	}
	return l
}

// writeLines prints the findings of a report, those that ended since the one before, and what could not be read.
func (p *Publisher) writeLines(r *fleet.Report, ended []fleet.Finding) error {
	encoder := json.NewEncoder(figure.JSONWriter(p.Stdout))
	encoder.SetEscapeHTML(false)
	write := func(x *fleet.Finding, state string) error { return encoder.Encode(p.lineOf(r, x, state)) }
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		state := "firing"
		if x.Ended {
			state = "resolved"
		}
		if err := write(&x, state); err != nil {
			return err
		}
	}
	for _, x := range ended {
		if x.Ended {
			continue // the report said so
		}
		if err := write(&x, "resolved"); err != nil {
			return err
		}
	}
	if p.All {
		for i := range r.Suspects {
			if err := write(&r.Suspects[i], "suspected"); err != nil {
				return err
			}
		}
	}
	for _, m := range r.Missing {
		l := missingLine{Time: r.End, File: p.Server, State: "missing", What: m.What, Why: m.Why, Targets: m.Count}
		if m.Of.Name != "" {
			l.Group = map[string]string{m.Of.Name: m.Of.Value}
		}
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
