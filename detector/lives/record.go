// Package lives holds what is known of a process over its lives: the processes that followed each other in its
// place, between deploys, crashes and restarts. A Record survives them, in memory within a replay and in a file
// between the runs of a service, with the same content. The data, their bounds, and what they tell about growth
// belong here. How a life is watched is for the engine; where a Record is kept is for the packages that have files.
//
// Judge adds up the evidence of lives. With y_ki the floor number i of life k over the level at its start, and x_ki the
// age, the model is y_ki = a_k + b x_ki + c (x_ki - m)^2 + e_ki: an intercept for each life, one slope and one bend,
// fit by trend.Panel (the within estimator, with the standard errors of Liang and Zeger 1986), beside the tests of
// shape that trend makes of one window, of what never came back (Judge.Over has them all). It assumes that the lives of
// one service do the same at the same age but for what leaks, so that a shape which healthy lives share can be divided
// out, and that a life that is longer shows what the others would have done. Lives at the same hours of the day are no
// independent observations: the constants are calibrated on generated services, and nothing here is a probability.
package lives

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
)

// Version is that of the form of a Record. A Record of another one is not used.
const Version = 1

// The bounds of a Record: its JSON stays below 64 KB.
const (
	maxEntries = 40  // lives, and lines that stand for many short ones
	maxLives   = 30  // that have curves
	maxCurves  = 240 // of all lives
	maxText    = 64  // bytes of a version or a revision
	// maxWeight bounds what all of it weighs: names may be long. The rest of 64 KB is for the alerts beside it.
	maxWeight = 58 << 10
	// longestKept is for how long the longest life stays though there are more than enough later ones: it shows what
	// comes after the age at which the others end.
	longestKept = 35 * 24 * time.Hour
)

// MaxResources is how many resources of a life have a curve at most.
const MaxResources = 40

// End says how a life ended.
type End string

// The ends of lives.
const (
	Running   End = "running"   // it has not, as far as is known
	Stopped   End = "stopped"   // whoever watched it was told to stop
	Replaced  End = "replaced"  // another process was seen in its place
	Exhausted End = "exhausted" // at its latest reading a resource was close to what the process can have
)

// Record is what is known of a process over its lives, the latest of which may still run.
type Record struct {
	Version int     `json:"version"` // of its form
	Scale   float64 `json:"scale"`   // of the time constants: 1 outside of soak mode
	// Lives are in order of time.
	Lives     []Life              `json:"lives"`
	Resources map[string]Resource `json:"resources,omitempty"`
	// Open are the findings that hold, each as the event that ends it if the process is another one at the next sample:
	// resolved, without time and summary. They are in the order in which they are said.
	Open []alerting.Event `json:"open,omitempty"`
}

// Life is one process, or a number of short-lived ones in a row.
type Life struct {
	Start    time.Time `json:"start,omitzero"` // of the process; zero where that is not known
	PID      int       `json:"pid,omitempty"`  // of the process; 0 where that is not known
	First    time.Time `json:"first"`          // sample
	End      time.Time `json:"end"`            // latest sample
	Version  string    `json:"build_version,omitempty"`
	Revision string    `json:"revision,omitempty"` // of the source that it was built from
	Ended    End       `json:"ended"`
	// Near is the resource that was close to what the process can have when it was last read; "" where none was.
	Near string `json:"near,omitempty"`
	// Count is how many lives this is, where it stands for more than one: too short to tell anything, as in a crash
	// loop. They have no curves.
	Count  int              `json:"count,omitempty"`
	Curves map[string]Curve `json:"curves,omitempty"` // by resource
}

// Resource is what is known of one resource beyond the curves.
type Resource struct {
	Retracted int `json:"took_back,omitempty"` // findings of growth that was given back, or came to rest, within a life
	// Refuted is when the latest of them was taken back: what lives before it showed is no evidence.
	Refuted time.Time `json:"refuted,omitzero"`
	Profile Profile   `json:"profile,omitzero"`
	Notices [2]Notice `json:"notices,omitzero"` // the latest alert of each kind, trend and limit
	// Held is the finding of growth that holds and was alerted, and Severity the highest that was; nil where none does.
	Held     *finding.Held     `json:"held,omitempty"`
	Severity alerting.Severity `json:"severity,omitempty"`
	Lives    *alerting.Lives   `json:"lives,omitempty"` // that were told of it
}

// Notice is an alert that was given. The zero value is none.
type Notice struct {
	At       int64             `json:"at,omitempty"` // unix nanoseconds
	Severity alerting.Severity `json:"severity,omitempty"`
}

// New returns the record of a process of which nothing is known, at a scale of the time constants.
func New(scale float64) Record { return Record{Version: Version, Scale: scale} }

// Clone returns a copy that shares no memory.
func (r *Record) Clone() Record {
	c := *r
	c.Lives = slices.Clone(r.Lives)
	for i := range c.Lives {
		life := &c.Lives[i]
		life.Curves = maps.Clone(life.Curves)
		for name, curve := range life.Curves {
			curve.Floors = slices.Clone(curve.Floors)
			life.Curves[name] = curve
		}
	}
	c.Resources = maps.Clone(r.Resources)
	for name, resource := range c.Resources {
		resource.Profile = resource.Profile.clone()
		if resource.Held != nil {
			held := *resource.Held
			resource.Held = &held
		}
		c.Resources[name] = resource
	}
	c.Open = slices.Clone(r.Open)
	return c
}

// Latest returns the latest life, or nil where there is none.
func (r *Record) Latest() *Life {
	if len(r.Lives) == 0 {
		return nil
	}
	return &r.Lives[len(r.Lives)-1]
}

// Add appends a life that is later than all others, and keeps the bounds. One that is too short to tell anything
// joins the one before it if that is as short.
func (r *Record) Add(life Life) {
	life.Version, life.Revision, life.Near = bounded(life.Version), bounded(life.Revision), bounded(life.Near)
	if life.Ended != Running && r.tooShort(&life) {
		life.Curves = nil
		life.Count = max(1, life.Count)
		if last := r.Latest(); last != nil && last.Count > 0 {
			last.End, last.Ended, last.Count = life.End, life.Ended, last.Count+life.Count
			last.Version, last.Revision = life.Version, life.Revision
			return
		}
	}
	r.Lives = append(r.Lives, life)
	for r.overfull() {
		r.drop()
	}
}

// EndBy has all lives end by an instant, as where the clock was set back since: those that began later are forgotten.
func (r *Record) EndBy(at time.Time) {
	for latest := r.Latest(); latest != nil && latest.End.After(at); latest = r.Latest() {
		if !latest.First.After(at) {
			latest.End = at
			return
		}
		r.Lives = r.Lives[:len(r.Lives)-1]
	}
}

// CloseLatest says how the latest life ended, if it runs. One that was replaced while a resource was close to what the
// process can have is taken for exhausted.
func (r *Record) CloseLatest(how End) {
	last := r.Latest()
	if last == nil || last.Ended != Running {
		return
	}
	life := *last
	life.Ended = how
	if how == Replaced && life.Near != "" {
		life.Ended = Exhausted
	}
	r.Lives = r.Lives[:len(r.Lives)-1]
	r.Add(life)
}

// tooShort reports whether a life is too short to have a curve.
func (r *Record) tooShort(life *Life) bool {
	return life.Count > 0 || float64(life.End.Sub(life.First)) < shortest*float64(finestWidth)*r.Scale
}

func (r *Record) overfull() bool {
	with, curves := 0, 0
	for i := range r.Lives {
		if n := len(r.Lives[i].Curves); n > 0 {
			with++
			curves += n
		}
	}
	return len(r.Lives) > maxEntries || with > maxLives || with > 1 && (curves > maxCurves || r.weight() > maxWeight)
}

// weight estimates how many bytes a record takes as JSON, from what it has most of.
func (r *Record) weight() (bytes int) {
	const life, curve, resource, open = 200, 170, 260, 500
	add := func(name string, about int) { bytes += len(strconv.Quote(name)) + about }
	for i := range r.Lives {
		bytes += life
		for name := range r.Lives[i].Curves {
			add(name, curve)
		}
	}
	for name := range r.Resources {
		add(name, resource)
	}
	for i := range r.Open {
		add(r.Open[i].Resource, open)
	}
	return bytes
}

// drop removes the oldest life, but not the longest one unless that is too long ago.
func (r *Record) drop() {
	longest, end := 0, r.Lives[len(r.Lives)-1].End
	for i := range r.Lives {
		if life := &r.Lives[i]; len(life.Curves) > 0 && life.span() >= r.Lives[longest].span() {
			longest = i
		}
	}
	oldest := 0
	if longest == 0 && end.Sub(r.Lives[0].End) <= longestKept && len(r.Lives) > 2 {
		oldest = 1
	}
	r.Lives = slices.Delete(r.Lives, oldest, oldest+1)
}

// bounded returns text that JSON keeps as it is: what is no UTF-8 is longer there.
func bounded(s string) string {
	s = strings.ToValidUTF8(s, "")
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "")
}

// Validate returns an error for a record that does not hold together, or is of another version, as what was read from a
// file may be.
func (r *Record) Validate() error {
	if r.Version != Version {
		return fmt.Errorf("lives: version %d, where %d is known", r.Version, Version)
	}
	if !(r.Scale > 0) || math.IsInf(r.Scale, 0) {
		return fmt.Errorf("lives: scale %v: must be above 0", r.Scale)
	}
	if len(r.Lives) > maxEntries || len(r.Resources) > MaxResources || len(r.Open) > 2*MaxResources {
		return errors.New("lives: more than a record holds")
	}
	var end time.Time
	for i := range r.Lives {
		life := &r.Lives[i]
		if life.First.Before(end) || life.End.Before(life.First) {
			return fmt.Errorf("lives: life %d: not in order of time", i)
		}
		end = life.End
		if err := life.validate(); err != nil {
			return fmt.Errorf("lives: life %d: %w", i, err)
		}
		if life.Ended == Running && i < len(r.Lives)-1 {
			return fmt.Errorf("lives: life %d: runs on, though there are later ones", i)
		}
	}
	for name, resource := range r.Resources {
		if resource.Retracted < 0 || !resource.Profile.valid() || resource.Held != nil && !resource.Held.Valid() {
			return fmt.Errorf("lives: %s: not what a record holds", name)
		}
	}
	return nil
}

func (l *Life) span() time.Duration { return l.End.Sub(l.First) }

func (l *Life) validate() error {
	if l.Count < 0 || len(l.Curves) > MaxResources || max(len(l.Version), len(l.Revision), len(l.Near)) > maxText {
		return errors.New("more than a life holds")
	}
	if !slices.Contains([]End{Running, Stopped, Replaced, Exhausted}, l.Ended) {
		return fmt.Errorf("ended %q, which is not known", l.Ended)
	}
	for name, curve := range l.Curves {
		if !curve.valid() {
			return fmt.Errorf("%s: no curve", name)
		}
	}
	return nil
}
