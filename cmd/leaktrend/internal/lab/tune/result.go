package tune

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/config"
)

// Result is what was measured.
type Result struct {
	From       string  `json:"from"`
	Config     string  `json:"config"`
	InForce    Setting `json:"in_force"`
	TrendOff   bool    `json:"trend_off,omitempty"` // the configuration in force has no trend; the search turns it on
	Seed       uint64  `json:"seed"`
	Unlabelled bool    `json:"unlabelled"`
	// Interrupted says that the run was ended early: the figures are of the recordings done by then, and there is no
	// choice.
	Interrupted bool    `json:"interrupted"`
	Recordings  int     `json:"recordings"`
	Of          int     `json:"of"` // recordings that there are
	Programs    int     `json:"programs"`
	HeldOut     bool    `json:"held_out"` // the figures are of recordings that the search did not see
	Groups      []Group `json:"groups"`
	// Searched says that the trials are of the recordings searched, though others are reported on: the run was ended
	// between the two.
	Searched  bool     `json:"searched,omitempty"`
	Months    []Month  `json:"months,omitempty"`
	Extension string   `json:"extension,omitempty"` // what the months rest on
	Choice    *Choice  `json:"choice,omitempty"`
	Limits    []Limit  `json:"limits,omitempty"`  // of the resources that were recorded
	Skipped   []string `json:"skipped,omitempty"` // recordings that could not be extended
	// Suspects are what looks like a leak in recordings of which nothing is known: no false alarm is counted there.
	Suspects []Suspect `json:"suspects,omitempty"`
}

// Suspect is a resource of a recording that is not labelled, and leaks by the detector's own evidence.
type Suspect struct {
	Recording string    `json:"recording"`
	Resource  string    `json:"resource"`
	Since     time.Time `json:"since"`
}

// Group are the recordings that are judged in one soak setting. They are reported apart: a soak run has no
// process-days.
type Group struct {
	SoakSeconds float64  `json:"soak_seconds"` // 0 = the physical time constants
	Unit        string   `json:"unit"`         // of the exposure
	Methods     []Method `json:"methods"`      // the configuration in force first
	Trials      []Trial  `json:"trials"`       // settings, in order of sensitivity
}

func (g *Group) soak() time.Duration { return time.Duration(math.Round(g.SoakSeconds * 1e9)) }

// Method is one way of finding leaks, and what it did.
type Method struct {
	Name      string  `json:"name"`
	Source    string  `json:"source,omitempty"` // of a published rule
	All       Figures `json:"all"`
	Resources []Named `json:"resources"`
	Kinds     []Named `json:"kinds,omitempty"`
	Families  []Named `json:"families,omitempty"`
	// Plain are the figures without the ambiguous families; nil where there are none.
	Plain *Figures `json:"without_ambiguous,omitempty"`
}

// Trial is a setting that was tried.
type Trial struct {
	Setting
	InForce bool `json:"in_force"`
	Chosen  bool `json:"chosen"`
	Pareto  bool `json:"pareto"` // no other is as good in false alarms, leaks found and delay, and better in one
	Figures
}

// ConfigYAML returns the recommended section resource_monitoring: what differs from the defaults, and the sensitivity,
// with what was measured as comments. It was read back.
func (r *Result) ConfigYAML(inForce detector.Config) ([]byte, error) {
	settings := applyLimits(r.Limits, r.Choice.Setting.apply(inForce))
	var b bytes.Buffer
	if err := config.WriteChanged(&b, settings, notesOf(r)); err != nil {
		return nil, err
	}
	got, _, err := detector.ParseConfig(bytes.NewReader(b.Bytes()), "the recommended configuration")
	if err == nil && got != settings {
		err = errors.New("the recommended configuration does not read back as it was written")
	}
	return b.Bytes(), err
}

// WriteHTML writes one page that needs neither network nor script: the trade-off as curves, with the rules of the field
// as points on the same picture, and the figures as tables.
func (r *Result) WriteHTML(w io.Writer) error { return writePage(w, r) }
