package recording

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

// column is one series of a process.
type column struct {
	header   string // as the file names it
	resource sampler.Resource
	declared kind
	series   string // what tells it from others of its metric, as in {state="idle"}; "" where nothing has to
	rank     int    // of two columns that are readings of one resource the lower one counts
	points   []point
	sorted   bool
	gaps     int // readings of 0 or less of what every process has
	absent   int // placeholders of readings that failed
	wrong    int // values that were dropped because their time cannot be right
	twice    int // values that were dropped because the one before them has their time
	next     int // index of the first point that was not taken, of start times and limits
}

// limit is a level that ends the process, as it is read.
type limit struct {
	column
	limits []string // resources
	source string
	level  []int // indexes into process.levels
}

// moves reports whether the whole of cells like "190/210" is another in most rows: two readings, as the mean and the
// maximum, and no limit.
func (l *limit) moves() bool {
	const few = 10
	moved := 0
	for i := 1; i < len(l.points); i++ {
		if l.points[i].Value != l.points[i-1].Value {
			moved++
		}
	}
	return len(l.points) > few && moved*2 > len(l.points)
}

// process is what a file holds of one process.
type process struct {
	name    string // what tells it from the others, as in "pid 4242"; "" if it is the only one
	columns []*column
	byName  map[string]*column
	starts  column        // its start times, in unix seconds
	age     time.Duration // as read last
	limits  []*limit
	limitOn map[string]*limit // those that cells have beside their values, by resource

	queue    merge.Queue[*column]
	start    time.Time
	levels   []sampler.Ceiling
	ceilings []sampler.Ceiling
}

// gathered is all that a file holds.
type gathered struct {
	name      string // of the file
	bounds    *input.Bounds
	format    string // as in "a table with tabs"
	by        string // what tells the processes apart, as in "pid"
	processes []*process
	byName    map[string]*process
	values    bool // whether values are counted, not rows
	rows      int  // rows or values of the file
	used      int  // of these that gave a reading
	header    comments.Header
	aside     []aside
	isAside   map[aside]bool
	isUnread  map[string]bool
	notes     []string
	columns   int // of all processes
	left      int // columns that were not read, because there are too many
	points    int
	input.FaultLog
}

// aside is what a file holds and nobody judges.
type aside struct{ what, why string }

func newGathered(t *input.Text, format string) *gathered {
	return &gathered{name: t.Name, bounds: &t.Bounds, format: format, byName: map[string]*process{},
		isAside: map[aside]bool{}, isUnread: map[string]bool{}, FaultLog: input.FaultLog{Name: t.Name}}
}

// process returns the process of a name, and makes it where it is new.
func (g *gathered) process(name string) *process {
	p := g.byName[name]
	if p == nil {
		p = &process{name: name, byName: map[string]*column{}}
		g.byName[name] = p
		g.processes = append(g.processes, p)
	}
	return p
}

// setAside notes what is not judged, once.
func (g *gathered) setAside(what, why string) {
	if a := (aside{what, why}); !g.isAside[a] {
		g.isAside[a] = true
		g.aside = append(g.aside, a)
	}
}

// column returns the column of a process that a header and a set of labels name, and makes it where it is new. It is
// nil where there are too many.
func (g *gathered) column(p *process, header, series string) *column {
	key := header + "\x00" + series
	c, known := p.byName[key]
	if known {
		return c
	}
	if len(p.columns) >= g.bounds.Columns || g.columns >= g.bounds.Series {
		g.left++
		// beyond that they are counted each time that they come
		if len(p.byName) < 2*g.bounds.Columns && g.left < g.bounds.Series {
			p.byName[key] = nil
		}
		return nil
	}
	c = &column{header: header, series: series, sorted: true}
	p.byName[key] = c
	p.columns = append(p.columns, c)
	g.columns++
	return c
}

// add appends a value to a column. It returns false where there are too many.
func (g *gathered) add(t *input.Text, c *column, at int64, v float64) bool {
	if g.points >= g.bounds.Values {
		t.Stop("%d values", t.Bounds.Values)
		return false
	}
	c.add(at, v)
	g.points++
	return true
}

// add appends a value. They may come in any order.
func (c *column) add(t int64, v float64) {
	if n := len(c.points); n > 0 && t <= c.points[n-1].At {
		if t == c.points[n-1].At {
			c.twice++
			return
		}
		c.sorted = false
	}
	c.points = append(c.points, point{At: t, Value: v})
}

// arrange sorts the points. It returns how many were dropped because another one has their time.
func (c *column) arrange() (dropped int) {
	if !c.sorted {
		c.dropWrongStamps()
		slices.SortStableFunc(c.points, func(a, b point) int { return cmp.Compare(a.At, b.At) })
		before := len(c.points)
		c.points = slices.CompactFunc(c.points, func(a, b point) bool { return a.At == b.At })
		c.twice += before - len(c.points)
		c.sorted = true
	}
	if n := len(c.points); n > 1 && c.points[n-1].At-c.points[0].At > doubt.LongAgo {
		c.dropWrongStamps()
	}
	return c.twice
}

// dropWrongStamps drops the points whose time cannot be right.
func (c *column) dropWrongStamps() {
	times := make([]int64, len(c.points))
	for i, p := range c.points {
		times[i] = p.At
	}
	wrong, _ := doubt.WrongStamps(times)
	drop := make(map[int]bool, len(wrong))
	for _, i := range wrong {
		drop[i] = true
	}
	kept := c.points[:0]
	for i, p := range c.points {
		if !drop[i] {
			kept = append(kept, p)
		}
	}
	c.points, c.wrong = kept, c.wrong+len(wrong)
}

// finish names and describes what was gathered, and leaves each process ready to be yielded. Its error says that
// nothing can be.
func (g *gathered) finish() error {
	dropped, kept, wrong := 0, 0, 0
	for _, p := range g.processes {
		for _, c := range p.columns {
			dropped += c.arrange()
			kept += len(c.points)
			wrong += c.wrong
		}
		p.starts.arrange()
		for _, l := range p.limits {
			l.arrange()
		}
	}
	if dropped > 10 && dropped > kept/10 {
		return g.refuse("most times stand there several times: it holds several processes or series, and nothing "+
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
	for _, p := range g.processes {
		p.describe(g)
	}
	g.processes = slices.DeleteFunc(g.processes, func(p *process) bool { return !p.ready() })
	if len(g.processes) == 1 {
		g.processes[0].name = ""
	}
	if len(g.processes) == 0 {
		return g.empty()
	}
	return nil
}

// bounded says where not all of a file was read, and why; and what the lines were that nobody could read.
func (g *gathered) bounded(t *input.Text) {
	var told []error
	if t.Stopped != "" {
		told = append(told, fmt.Errorf("%s: more than %s: what follows line %d is not read; split the file", g.name,
			t.Stopped, t.Number))
	}
	if g.left > 0 {
		told = append(told, fmt.Errorf("%s: %d columns or series beyond the first %d of a recording, or %d of a "+
			"file, are not read; split the file", g.name, g.left, g.bounds.Columns, g.bounds.Series))
	}
	g.Faults += len(told) + t.Faults
	g.rows += t.Faults
	g.Errs = slices.Concat(told, t.Errs, g.Errs)
	g.Errs = g.Errs[:min(len(g.Errs), input.MaxFaults)]
}

// refuse returns the error of a file that was recognized and cannot be read: the format seen, what is missing, and the
// way out.
func (g *gathered) refuse(missing, wayOut string) error {
	return fmt.Errorf("%s: %s: %s; %s", g.name, g.format, scan.Printable(missing), wayOut)
}

func (g *gathered) empty() error {
	switch {
	case g.Faults > 0:
		return fmt.Errorf("%s: %s: no samples; %s, the first: %w", g.name, g.format, scan.Count(g.Faults, "fault"),
			g.Errs[0])
	case len(g.aside) > 0:
		return fmt.Errorf("%s: %s: no samples: %s", g.name, g.format, listAside(g.aside))
	}
	return fmt.Errorf("%s: %s: no samples", g.name, g.format)
}

// limitOf takes the whole that a value is a part of for its ceiling.
func (p *process) limitOf(resource string, t int64, level float64) {
	l := p.limitOn[resource]
	if l == nil {
		l = &limit{limits: []string{resource}, source: "recorded ceiling"}
		l.sorted = true
		if p.limitOn == nil {
			p.limitOn = map[string]*limit{}
		}
		p.limitOn[resource] = l
		p.limits = append(p.limits, l)
	}
	l.add(t, level)
}

// baseNames returns the names of the columns in a recording of our own, where those are others. They do not collide.
func (p *process) baseNames() map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, c := range p.columns {
		taken[c.resource.Name] = true
	}
	for _, c := range p.columns {
		name := c.resource.Name
		if base := naming.BaseName(name, c.resource.Unit); base != name && !taken[base] {
			names[name], taken[base] = base, true
		}
	}
	return names
}

// ready prepares the process to be yielded. It returns false if there is nothing to yield.
func (p *process) ready() bool {
	read := false
	names := make(map[string]bool, len(p.columns))
	for _, c := range p.columns {
		p.queue.Add(c, c.points)
		read = read || len(c.points) > 0
		names[c.resource.Name] = true
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
func (p *process) Sample(s *sampler.Sample) bool {
	t, ok := p.queue.Next()
	if !ok {
		return false
	}
	s.Reset(time.Unix(0, t).UTC())
	for {
		c, v, ok := p.queue.Take(t)
		if !ok {
			break
		}
		s.Add(c.resource.Name, v)
	}
	for ; p.starts.next < len(p.starts.points) && p.starts.points[p.starts.next].At <= t; p.starts.next++ {
		p.start = promtext.SteadyStart(p.start, p.starts.points[p.starts.next].Value)
	}
	p.takeLimits(t)
	s.Start, s.Ceilings = p.start, p.ceilings
	return true
}

// takeLimits brings the ceilings up to a time. The slice that was given out stays as it is.
func (p *process) takeLimits(t int64) {
	changed := false
	for _, l := range p.limits {
		for ; l.next < len(l.points) && l.points[l.next].At <= t; l.next++ {
			level := l.points[l.next].Value
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

// unread tells, once, of something in the file that was not read or judged though a leak may show there alone.
func (g *gathered) unread(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if g.isUnread[what] {
		return
	}
	g.isUnread[what] = true
	if g.Faults++; len(g.Errs) < input.MaxFaults {
		g.Errs = append(g.Errs, fmt.Errorf("%s: %s", g.name, what))
	}
}

// nanos returns an instant in unix nanoseconds; ok is false for one that a recording cannot hold.
func nanos(t time.Time) (ns int64, ok bool) {
	if sec := t.Unix(); sec < 0 || sec >= scan.EndOfTime {
		return 0, false
	}
	return t.UnixNano(), true
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// listAside names columns by the reason for which they are not judged, as in "max_rss_kb: a maximum".
func listAside(list []aside) string {
	const shown = 12
	var parts []string
	for _, a := range list[:min(len(list), shown)] {
		parts = append(parts, a.what+": "+a.why)
	}
	if more := len(list) - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}
