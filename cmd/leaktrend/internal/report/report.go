// Package report writes what became of recordings: as text, as JSON lines, as pictures, and as one page that needs
// nothing but itself. It decides nothing: replay has.
package report

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	usualPlots = 200 // at most in a page, the worst; a browser shows no more with ease
	maxEvents  = 12  // listed below a plot, the latest
)

// Report gathers results and writes them as a page. Its methods may be called at once.
type Report struct {
	Zone *time.Location // of the times written where no script runs

	maxPlots int // 0 is the usual

	mu      sync.Mutex
	entries []*entry
	hidden  int // resources without an entry
}

// entry is one resource of one recording.
type entry struct {
	File, Short  string // Short is without the directory that all recordings share
	About        string
	Resource     string
	ID           string
	Word, Class  string // the verdict and its look
	Spark        template.HTML
	Levels, Rate string
	Growth       string
	Since        time.Time
	Lasted       string
	Left, Limit  string
	Sentence     string // the reason, which begins small: something stands before it
	Evidence     string
	Events       []event
	Earlier      int // events that are not listed
	Plot         template.HTML
	Key          []plot.KeyEntry
	Several      bool // recordings are in the page
	From, To     time.Time

	rank   int
	urgent alerting.Severity
	left   float64 // seconds
	growth float64
}

type event struct {
	At     time.Time
	Swatch template.HTML
	Text   string
}

// Ranks of verdicts, the worst first.
const (
	leaks = iota
	beyondLimit
	suspected
	leaked
	mayLeak
	healthy
	unknown
)

// Finding reports whether something is or was wrong.
func (e *entry) Finding() bool { return e.rank < mayLeak }

// worse orders entries, the worst first.
func worse(a, b *entry) int {
	return cmp.Or(
		cmp.Compare(a.rank, b.rank), cmp.Compare(b.urgent, a.urgent), cmp.Compare(a.left, b.left),
		cmp.Compare(b.growth, a.growth),
		strings.Compare(a.File, b.File), strings.Compare(a.Resource, b.Resource),
	)
}

// Add takes a result while it has its charts.
func (r *Report) Add(result *replay.Result) {
	about := describe(result)
	for i := range result.Resources {
		c := &result.Resources[i]
		if !shown(result, c) {
			if c.Judged {
				r.mu.Lock()
				r.hidden++
				r.mu.Unlock()
			}
			continue
		}
		e := entryOf(result, c)
		e.About = about
		if c.Chart != nil {
			e.Spark = template.HTML(plot.Spark(c.Chart.Bins))
			if r.place(e) < r.limit() {
				chart := e.chart(c.Chart, r.Zone)
				if !e.Finding() {
					chart.Columns = plot.Width / 2 // these stand in pairs
				}
				e.Plot = template.HTML(chart.Inline(e.ID))
				e.Key = chart.Key()
			}
		}
		r.insert(e)
	}
}

func (r *Report) limit() int { return cmp.Or(r.maxPlots, usualPlots) }

// shown reports whether a resource has an entry.
func shown(result *replay.Result, c *replay.Resource) bool {
	return c.Leaked() || c.Judged && table.WorthARow(&c.Status, len(result.Resources))
}

// chart returns a chart with the words of the entry.
func (e *entry) chart(of *plot.Chart, zone *time.Location) plot.Chart {
	chart := *of
	chart.Zone, chart.Title, chart.Desc = zone, e.Resource+" of "+filepath.Base(e.File),
		e.Word+": "+e.plainSentence(zone)
	return chart
}

// place returns how many entries are worse than one.
func (r *Report) place(e *entry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, _ := slices.BinarySearchFunc(r.entries, e, worse)
	return at
}

// insert keeps the entries in order. Those that are pushed back too far lose their plots.
func (r *Report) insert(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, _ := slices.BinarySearchFunc(r.entries, e, worse)
	r.entries = slices.Insert(r.entries, at, e)
	if limit := r.limit(); len(r.entries) > limit {
		r.entries[limit].Plot = ""
		if at > limit { // others came in between
			e.Plot = ""
		}
	}
}

func entryOf(result *replay.Result, c *replay.Resource) *entry {
	e := &entry{
		File: result.File, Resource: c.Resource.Name, ID: idOf(result.File, c.Resource.Name),
		Levels: table.Levels(c.Resource, c.First, c.Value), From: result.First, To: result.Last,
		left: math.Inf(1), growth: c.Value / max(c.First, 1),
	}
	word, _ := table.Verdict(&c.Status)
	e.Word = word
	switch {
	case c.Trend:
		e.rank, e.Class = leaks, "leak"
		e.Sentence = fmt.Sprintf("%s without ever coming back, from a baseline of %s to %s",
			c.Resource.FormatPerHour(c.SlopePerHour),
			c.Resource.Format(c.Baseline), c.Resource.Format(c.Value))
	case c.Limit:
		e.rank, e.Class = beyondLimit, "limit"
		e.Sentence = c.Why
		if last := latest(c.Events, alerting.Limit); last != nil {
			e.Sentence = last.Summary
		}
	case c.State == detector.Suspected:
		e.rank, e.Class, e.Sentence = suspected, "suspect", c.Why
	case c.Leaked():
		e.rank, e.Class = leaked, "was"
		e.Word, e.Sentence = c.Was()
		if n := len(c.Events); n > 0 {
			e.urgent = c.Events[n-1].Severity
		}
	case c.Verdict == detector.Early:
		e.rank, e.Class, e.Sentence = mayLeak, "suspect", table.Early(&c.Status)
		e.Rate = table.Rate(&c.Status)
	case c.Verdict == detector.Unjudged:
		e.rank, e.Class, e.Sentence = unknown, "none", c.Why
	default:
		e.rank, e.Class, e.Sentence = healthy, "ok", c.Why
	}
	if c.State == detector.Firing || c.State == detector.Suspected {
		e.urgent, e.Rate = c.Severity, c.Resource.FormatPerHour(c.SlopePerHour)
		e.Since = c.Since
		if !e.Since.IsZero() {
			e.Lasted = sampler.FormatDuration(result.Last.Sub(e.Since))
		}
		if x := c.Exhaustion; x != nil {
			e.left = x.At.Sub(result.Last).Seconds()
			e.Left, e.Limit = sampler.FormatDuration(x.At.Sub(result.Last)), c.Resource.Format(x.Limit)
			e.Sentence += fmt.Sprintf("; %s (%s)", wording.TimeLeft(x, c.Resource, result.Last), x.Source)
		}
	}
	e.Sentence += "."
	if last := latest(c.Events, alerting.Trend); c.Trend && last != nil && last.Evidence != nil {
		e.Evidence = evidence(last.Evidence)
	}
	for i := range c.Events[max(0, len(c.Events)-maxEvents):] {
		x := &c.Events[max(0, len(c.Events)-maxEvents)+i]
		ink := plot.AlertMark
		if x.Status == alerting.Resolved {
			ink = plot.ResolvedMark
		}
		e.Events = append(e.Events, event{x.Time, template.HTML(plot.KeyEntry{Ink: ink}.Swatch()),
			x.Severity.String() + ": " + x.Summary})
	}
	e.Earlier = len(c.Events) - len(e.Events)
	return e
}

func latest(events []alerting.Event, kind alerting.Kind) *alerting.Event {
	for i := len(events) - 1; i >= 0; i-- {
		if e := &events[i]; e.Kind == kind && e.Status == alerting.Firing {
			return e
		}
	}
	return nil
}

// evidence writes what the regression rests on.
func evidence(e *alerting.Evidence) string {
	window, _ := time.ParseDuration(e.Window)
	text := fmt.Sprintf("%d minimums of %s over %s, R² %.2f, t %.0f", e.Points,
		sampler.FormatDuration(time.Duration(e.Floor*float64(time.Second))),
		sampler.FormatDuration(window), e.R2, e.T)
	if e.LoadShare > 0 {
		text += fmt.Sprintf(", %.0f %% of the rate remains at constant load", 100*e.LoadShare)
	}
	return text
}

// plainSentence is the reason with the time since when written out.
func (e *entry) plainSentence(zone *time.Location) string {
	if e.Since.IsZero() {
		return e.Sentence
	}
	return "since " + sampler.FormatInstant(e.Since.In(zone), "2006-01-02 15:04:05 MST") + " (" + e.Lasted + "): " +
		e.Sentence
}

// Reason is the reason as a sentence of its own.
func (e *entry) Reason() string {
	first, size := utf8.DecodeRuneInString(e.Sentence)
	return string(unicode.ToUpper(first)) + e.Sentence[size:]
}

// idOf returns an id for a page that does not depend on the order of the recordings.
func idOf(file, resource string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, file+"\x00"+resource) // a hash takes everything
	return fmt.Sprintf("p%x", h.Sum64())
}
