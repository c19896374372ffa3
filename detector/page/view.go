package page

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// spans are the lengths of time that the page offers; 0 is all that is kept.
var spans = []struct {
	name   string
	length time.Duration
}{{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour}, {"all", 0}}

// spanOf returns which of the spans a request asks for; all where it asks for none of them.
func spanOf(r *http.Request) int {
	requested := r.URL.Query().Get("last")
	for i, s := range spans {
		if s.name == requested {
			return i
		}
	}
	return len(spans) - 1
}

// maxPlots bounds the page of an endpoint with many metrics: findings come first.
const maxPlots = 40

// scene is what a page shows, as it was taken from the monitor.
type scene struct {
	status Status
	now    time.Time
	span   int
	shown  []*Resource   // findings first
	charts []*plot.Chart // of each of these; nil where nothing is kept
}

// newScene reads from a monitor what a page shows.
func newScene(m Monitor, span int, now time.Time) *scene {
	s := &scene{status: m.Status(), now: now, span: span}
	for i := range s.status.Resources {
		if r := &s.status.Resources[i]; r.Judged || r.State == firing {
			s.shown = append(s.shown, r)
		}
	}
	slices.SortStableFunc(s.shown, func(a, b *Resource) int {
		return cmp.Or(cmp.Compare(rank(stateOf(b)), rank(stateOf(a))), cmp.Compare(severity(b), severity(a)))
	})
	var from time.Time
	if length := spans[span].length; length > 0 {
		from = s.status.Time.Add(-length)
	}
	for _, r := range s.shown {
		s.charts = append(s.charts, m.Plot(r.Resource, from))
	}
	return s
}

// The states of a resource.
const (
	learning  = "learning"
	healthy   = "healthy"
	suspected = "suspected"
	firing    = "firing"
)

// early is the verdict on growth that may still become a leak: a state of its own between healthy and suspected.
const early = "early"

func stateOf(r *Resource) string {
	if r.State == healthy && r.Verdict == early {
		return early
	}
	return r.State
}

// rank orders the states.
func rank(state string) int {
	return slices.Index([]string{learning, healthy, early, suspected, firing}, state)
}

func severity(r *Resource) int {
	if r.Severity == nil {
		return -1
	}
	return int(*r.Severity)
}

// view is what the script of the page shows.
type view struct {
	Status
	Title    string             `json:"title"`
	Headline string             `json:"headline"`
	Now      time.Time          `json:"now"`
	Every    int64              `json:"every_ms"` // how often to ask for what is new
	Spans    []span             `json:"spans"`
	Shown    []string           `json:"shown"` // names of resources, in the order to show them
	Plots    map[string]drawing `json:"plots"` // of these
	Firing   string             `json:"firing_sign"`
	Resolved string             `json:"resolved_sign"`
}

// offered reports whether a span is one to choose: those that are no longer than what was sampled, and that shown.
func (s *scene) offered(i int) bool {
	length, sampled := spans[i].length, s.status.Time.Sub(s.status.Started)
	return i == s.span || length == 0 || s.status.Started.IsZero() || length < sampled
}

// span is a length of time that can be chosen.
type span struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
}

// drawing is what belongs to one resource. Pictures are elements of SVG.
type drawing struct {
	About string  `json:"about,omitempty"` // what it counts, as a sentence
	Spark string  `json:"spark,omitempty"`
	Plot  string  `json:"plot,omitempty"`
	Key   []entry `json:"key,omitempty"`
}

type entry struct {
	Sign string `json:"sign"`
	Text string `json:"text"`
}

// draw makes the pictures and the words.
func (s *scene) draw() *view {
	v := &view{
		Status: s.status, Headline: s.headline(), Now: s.now, Every: s.every().Milliseconds(), Shown: []string{},
		Plots:  make(map[string]drawing),
		Firing: plot.KeyEntry{Ink: plot.AlertMark}.Swatch(), Resolved: plot.KeyEntry{Ink: plot.ResolvedMark}.Swatch(),
	}
	name := s.status.Process.Executable
	v.Title = v.Headline + " · " + name[strings.LastIndexAny(name, `/\`)+1:]
	for i, one := range spans {
		if s.offered(i) {
			v.Spans = append(v.Spans, span{Name: one.name, Current: i == s.span})
		}
	}
	for i, r := range s.shown {
		v.Shown = append(v.Shown, r.Resource)
		var d drawing
		if known, ok := sampler.Lookup(r.Resource); ok {
			d.About = sentence(known.Sentence)
		}
		if c := s.charts[i]; c != nil {
			d.Spark = plot.Spark(c.Bins)
			if i < maxPlots {
				c.Title, c.Desc, c.Zone = r.Resource, sentence(r.Why), time.Local
				if rank(r.State) < rank(suspected) {
					c.Columns = plot.Width / 2 // two stand side by side
				}
				d.Plot = c.Inline("chart-" + r.Resource)
				for _, k := range c.Key() {
					d.Key = append(d.Key, entry{k.Swatch(), k.Text})
				}
			}
		}
		v.Plots[r.Resource] = d
	}
	return v
}

// every is how often the page asks for what is new.
func (s *scene) every() time.Duration {
	return min(max(time.Duration(s.status.Interval*float64(time.Second)), 2*time.Second), 30*time.Second)
}

// headline says in a few words how it stands.
func (s *scene) headline() string {
	named := make(map[string][]string)
	for _, r := range s.shown {
		named[stateOf(r)] = append(named[stateOf(r)], r.Resource)
	}
	switch leaks := named[firing]; {
	case s.status.Stalled:
		return "Blind: " + s.blind(named[firing])
	case len(s.shown) == 0:
		return "Nothing was sampled yet"
	case len(leaks) == 1:
		return "Leak: " + leaks[0]
	case len(leaks) > 1:
		return fmt.Sprintf("%d leaks: %s", len(leaks), strings.Join(leaks, ", "))
	case len(named[suspected]) > 0:
		return "No leak; suspected: " + strings.Join(named[suspected], ", ")
	case len(named[learning])+len(named[early]) == len(s.shown):
		return "Too early to tell"
	case len(named[early]) > 0:
		return "Too early to tell: " + strings.Join(named[early], ", ")
	case len(named[learning]) > 0:
		return "No leak; too early to tell: " + strings.Join(named[learning], ", ")
	}
	return "No leak"
}

// blind says since when nothing is judged, and what leaked then.
func (s *scene) blind(leaks []string) string {
	text := "no sample was judged yet"
	if !s.status.Time.IsZero() {
		text = "no sample was judged since " + s.status.Time.UTC().Format(time.TimeOnly) + " UTC"
	}
	if len(leaks) > 0 {
		text += ", when " + strings.Join(leaks, ", ") + " leaked"
	}
	return text
}

// sentence makes one of a clause.
func sentence(clause string) string {
	if clause == "" {
		return ""
	}
	return strings.ToUpper(clause[:1]) + clause[1:] + "."
}
