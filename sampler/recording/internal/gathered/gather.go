// Package gathered holds what was read of a file: series of values by process, and their descriptions. Readers of all
// formats fill it; what each column is is described once all of it is there.
package gathered

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/merge"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/doubt"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// kind is what is declared of a column.
type kind uint8

const (
	undeclared kind = iota
	gauge
	counter
)

type point = merge.Point

// Column is one series of a process.
type Column struct {
	header   string // as the file names it
	Resource sampler.Resource
	declared kind
	series   string // what distinguishes it from others of its metric, as in {state="idle"}; "" where nothing has to
	Rank     int    // of two columns that are readings of one resource the lower one counts
	Points   []point
	Sorted   bool
	Gaps     int // readings of 0 or less of what every process has
	Absent   int // placeholders of readings that failed
	wrong    int // values that were dropped because their time cannot be right
	twice    int // values that were dropped because the one before them has their time
	next     int // index of the first point that was not taken, of start times and limits
}

// limit is a level that ends the process, as it is read.
type limit struct {
	Column
	limits []string // resources
	source string
	level  []int // indexes into process.levels
}

// moves reports whether the whole of cells like "190/210" is another in most rows: two readings, as the mean and the
// maximum, and no limit.
func (l *limit) moves() bool {
	const few = 10
	moved := 0
	for i := 1; i < len(l.Points); i++ {
		if l.Points[i].Value != l.Points[i-1].Value {
			moved++
		}
	}
	return len(l.Points) > few && moved*2 > len(l.Points)
}

// Process is what a file holds of one process.
type Process struct {
	Name    string // what distinguishes it from the others, as in "pid 4242"; "" if it is the only one
	Columns []*Column
	byName  map[string]*Column
	Starts  Column        // its start times, in unix seconds
	Age     time.Duration // as read last
	limits  []*limit
	limitOn map[string]*limit // those that cells have beside their values, by resource

	queue    merge.Queue[*Column]
	start    time.Time
	levels   []sampler.Ceiling
	ceilings []sampler.Ceiling
}

// File is all that a file holds.
type File struct {
	name      string // of the file
	Bounds    *input.Bounds
	Format    string // as in "a table with tabs"
	By        string // what distinguishes the processes, as in "pid"
	Processes []*Process
	ByName    map[string]*Process
	Values    bool // whether values are counted, not rows
	Rows      int  // rows or values of the file
	Used      int  // of these that gave a reading
	Header    comments.Header
	Aside     []Aside
	isAside   map[Aside]bool
	isUnread  map[string]bool
	Notes     []string
	columns   int // of all processes
	Left      int // columns that were not read, because there are too many
	points    int
	input.FaultLog
}

// Aside is what a file holds and is not judged.
type Aside struct{ What, Why string }

// New returns a file of a format that holds nothing yet.
func New(t *input.Text, format string) *File {
	return &File{name: t.Name, Bounds: &t.Bounds, Format: format, ByName: map[string]*Process{},
		isAside: map[Aside]bool{}, isUnread: map[string]bool{}, FaultLog: input.FaultLog{Name: t.Name}}
}

// Process returns the process of a name, and makes it where it is new.
func (g *File) Process(name string) *Process {
	p := g.ByName[name]
	if p == nil {
		p = &Process{Name: name, byName: map[string]*Column{}}
		g.ByName[name] = p
		g.Processes = append(g.Processes, p)
	}
	return p
}

// SetAside notes what is not judged, once.
func (g *File) SetAside(what, why string) {
	if a := (Aside{what, why}); !g.isAside[a] {
		g.isAside[a] = true
		g.Aside = append(g.Aside, a)
	}
}

// Column returns the column of a process that a header and a set of labels name, and makes it where it is new. It is
// nil where there are too many.
func (g *File) Column(p *Process, header, series string) *Column {
	key := header + "\x00" + series
	c, known := p.byName[key]
	if known {
		return c
	}
	if len(p.Columns) >= g.Bounds.Columns || g.columns >= g.Bounds.Series {
		g.Left++
		// beyond that they are counted each time that they come
		if len(p.byName) < 2*g.Bounds.Columns && g.Left < g.Bounds.Series {
			p.byName[key] = nil
		}
		return nil
	}
	c = &Column{header: header, series: series, Sorted: true}
	p.byName[key] = c
	p.Columns = append(p.Columns, c)
	g.columns++
	return c
}

// Add appends a value to a column. It returns false where there are too many.
func (g *File) Add(t *input.Text, c *Column, at int64, v float64) bool {
	if g.points >= g.Bounds.Values {
		t.Stop("%d values", t.Bounds.Values)
		return false
	}
	c.Add(at, v)
	g.points++
	return true
}

// Add appends a value. They may come in any order.
func (c *Column) Add(t int64, v float64) {
	if n := len(c.Points); n > 0 && t <= c.Points[n-1].At {
		if t == c.Points[n-1].At {
			c.twice++
			return
		}
		c.Sorted = false
	}
	c.Points = append(c.Points, point{At: t, Value: v})
}

// arrange sorts the points. It returns how many were dropped because another one has their time.
func (c *Column) arrange() (dropped int) {
	if !c.Sorted {
		c.dropWrongStamps()
		slices.SortStableFunc(c.Points, func(a, b point) int { return cmp.Compare(a.At, b.At) })
		before := len(c.Points)
		c.Points = slices.CompactFunc(c.Points, func(a, b point) bool { return a.At == b.At })
		c.twice += before - len(c.Points)
		c.Sorted = true
	}
	if n := len(c.Points); n > 1 && c.Points[n-1].At-c.Points[0].At > doubt.LongAgo {
		c.dropWrongStamps()
	}
	return c.twice
}

// dropWrongStamps drops the points whose time cannot be right.
func (c *Column) dropWrongStamps() {
	times := make([]int64, len(c.Points))
	for i, p := range c.Points {
		times[i] = p.At
	}
	wrong, _ := doubt.WrongStamps(times)
	drop := make(map[int]bool, len(wrong))
	for _, i := range wrong {
		drop[i] = true
	}
	kept := c.Points[:0]
	for i, p := range c.Points {
		if !drop[i] {
			kept = append(kept, p)
		}
	}
	c.Points, c.wrong = kept, c.wrong+len(wrong)
}

// Finish names and describes what was gathered, and leaves each process ready to be yielded. Its error says that
// nothing can be.
func (g *File) Finish() error {
	dropped, kept, wrong := 0, 0, 0
	for _, p := range g.Processes {
		for _, c := range p.Columns {
			dropped += c.arrange()
			kept += len(c.Points)
			wrong += c.wrong
		}
		p.Starts.arrange()
		for _, l := range p.limits {
			l.arrange()
		}
	}
	if dropped > 10 && dropped > kept/10 {
		return g.Refuse("most times appear there several times: it holds several processes or series, and nothing "+
			"that was understood tells them apart",
			"name the column that does with --by COLUMN")
	}
	if dropped > 0 {
		g.Faults += dropped
		g.Errs = append(g.Errs, fmt.Errorf("%s: %s at a time that the series has already: skipped", g.name,
			scan.Count(dropped, "value")))
	}
	if wrong > 0 {
		g.Faults += wrong
		g.Errs = append(g.Errs, fmt.Errorf("%s: %s at a time that is far from those before and after it: skipped",
			g.name, scan.Count(wrong, "value")))
	}
	for _, p := range g.Processes {
		p.describe(g)
	}
	g.Processes = slices.DeleteFunc(g.Processes, func(p *Process) bool { return !p.ready() })
	if len(g.Processes) == 1 {
		g.Processes[0].Name = ""
	}
	if len(g.Processes) == 0 {
		return g.Empty()
	}
	return nil
}

// Bounded records where not all of a file was read, and why, and the faults of lines that could not be read.
func (g *File) Bounded(t *input.Text) {
	var limits []error
	if t.Stopped != "" {
		limits = append(limits, fmt.Errorf("%s: more than %s: what follows line %d is not read; split the file", g.name,
			t.Stopped, t.Number))
	}
	if g.Left > 0 {
		limits = append(limits, fmt.Errorf("%s: %d columns or series beyond the first %d of a recording, or %d of a "+
			"file, are not read; split the file", g.name, g.Left, g.Bounds.Columns, g.Bounds.Series))
	}
	g.Faults += len(limits) + t.Faults
	g.Rows += t.Faults
	g.Errs = slices.Concat(limits, t.Errs, g.Errs)
	g.Errs = g.Errs[:min(len(g.Errs), input.MaxFaults)]
}

// Refuse returns the error of a file that was recognized and cannot be read: the format seen, what is missing, and the
// way out.
func (g *File) Refuse(missing, wayOut string) error {
	return fmt.Errorf("%s: %s: %s; %s", g.name, g.Format, scan.Printable(missing), wayOut)
}

// Empty returns the error of a file without samples, with what kept it from having some.
func (g *File) Empty() error {
	switch {
	case g.Faults > 0:
		return fmt.Errorf("%s: %s: no samples; %s, the first: %w", g.name, g.Format, scan.Count(g.Faults, "fault"),
			g.Errs[0])
	case len(g.Aside) > 0:
		return fmt.Errorf("%s: %s: no samples: %s", g.name, g.Format, ListAside(g.Aside))
	}
	return fmt.Errorf("%s: %s: no samples", g.name, g.Format)
}

// LimitOf takes the whole that a value is a part of for its ceiling.
func (p *Process) LimitOf(resource string, t int64, level float64) {
	l := p.limitOn[resource]
	if l == nil {
		l = &limit{limits: []string{resource}, source: "recorded ceiling"}
		l.Sorted = true
		if p.limitOn == nil {
			p.limitOn = map[string]*limit{}
		}
		p.limitOn[resource] = l
		p.limits = append(p.limits, l)
	}
	l.Add(t, level)
}

// BaseNames returns the names of the columns in a recording of our own, where those are others. They do not collide.
func (p *Process) BaseNames() map[string]string {
	names, used := map[string]string{}, map[string]bool{}
	for _, c := range p.Columns {
		used[c.Resource.Name] = true
	}
	for _, c := range p.Columns {
		name := c.Resource.Name
		if base := naming.BaseName(name, c.Resource.Unit); base != name && !used[base] {
			names[name], used[base] = base, true
		}
	}
	return names
}

// ready prepares the process to be yielded. It returns false if there is nothing to yield.
func (p *Process) ready() bool {
	read := false
	names := make(map[string]bool, len(p.Columns))
	for _, c := range p.Columns {
		p.queue.Add(c, c.Points)
		read = read || len(c.Points) > 0
		names[c.Resource.Name] = true
	}
	p.limits = slices.DeleteFunc(p.limits, func(l *limit) bool { return p.limitOn[l.limits[0]] == l && l.moves() })
	for _, l := range p.limits {
		for _, resource := range l.limits {
			if l.series != "" && names[resource+l.series] {
				resource += l.series
			}
			l.level = append(l.level, len(p.levels))
			p.levels = append(p.levels, sampler.Ceiling{Resource: resource, Source: l.source})
		}
	}
	return read
}

// Sample yields the next sample, and false when there is none left.
func (p *Process) Sample(s *sampler.Sample) bool {
	t, ok := p.queue.Next()
	if !ok {
		return false
	}
	s.Reset(time.Unix(0, t).UTC())
	for {
		c, v, ok := p.queue.Pop(t)
		if !ok {
			break
		}
		s.Add(c.Resource.Name, v)
	}
	for ; p.Starts.next < len(p.Starts.Points) && p.Starts.Points[p.Starts.next].At <= t; p.Starts.next++ {
		p.start = promtext.SteadyStart(p.start, p.Starts.Points[p.Starts.next].Value)
	}
	p.updateCeilings(t)
	s.Start, s.Ceilings = p.start, p.ceilings
	return true
}

// updateCeilings brings the ceilings up to a time. The slice that was given out stays as it is.
func (p *Process) updateCeilings(t int64) {
	changed := false
	for _, l := range p.limits {
		for ; l.next < len(l.Points) && l.Points[l.next].At <= t; l.next++ {
			level := l.Points[l.next].Value
			if promtext.Unlimited(level) {
				level = 0
			}
			for _, i := range l.level {
				changed = changed || p.levels[i].Level != level
				p.levels[i].Level = level
			}
		}
	}
	if !changed {
		return
	}
	p.ceilings = nil
	for _, c := range p.levels {
		if c.Level > 0 {
			p.ceilings = append(p.ceilings, c)
		}
	}
}

// Unread records, once, something in the file that was not read or judged though a leak may show only there.
func (g *File) Unread(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if g.isUnread[what] {
		return
	}
	g.isUnread[what] = true
	if g.Faults++; len(g.Errs) < input.MaxFaults {
		g.Errs = append(g.Errs, fmt.Errorf("%s: %s", g.name, what))
	}
}

// Nanos returns an instant in unix nanoseconds; ok is false for one that a recording cannot hold.
func Nanos(t time.Time) (ns int64, ok bool) {
	if sec := t.Unix(); sec < 0 || sec >= scan.EndOfTime {
		return 0, false
	}
	return t.UnixNano(), true
}

// Finite reports whether a value is a number and not infinite.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// ListAside names columns by the reason for which they are not judged, as in "max_rss_kb: a maximum".
func ListAside(list []Aside) string {
	const shown = 12
	var parts []string
	for _, a := range list[:min(len(list), shown)] {
		parts = append(parts, a.What+": "+a.Why)
	}
	if more := len(list) - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}
