package table

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/doubt"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// Interpret makes recordings of a sheet: it finds the time, separates processes and gives each column its unit.
func (s *Sheet) Interpret(in *input.Text, o input.Options) (*gathered.File, error) {
	g := gathered.New(in, s.Format)
	g.Rows, g.Left = len(s.Rows), s.Left
	if len(s.Rows) == 0 {
		return nil, g.Empty()
	}
	for i, name := range s.Header {
		s.Header[i] = scan.Printable(name)
	}
	spreadDays(s)
	shapes := make([]shape, s.Width())
	s.points = make([]bool, s.Width())
	for col := range shapes {
		if err := in.Ctx.Err(); err != nil {
			return nil, err
		}
		s.points[col] = s.partsThousands(col)
		shapes[col] = s.shapeOf(col)
	}
	shapes = unfold(in, s, shapes)
	g.Left = s.Left
	knowNode(s, shapes)
	knowRuntimes(s)
	knowCloudWatch(s, shapes)
	knowMonitors(s)
	line, err := findTime(s, g, shapes, o)
	if err != nil {
		return nil, err
	}
	times := make([]int64, len(s.Rows))
	const few = 16
	timed, above, totals := false, 0, 0
	for i := range s.Rows {
		t, ok := line.at(i)
		timed = timed || ok
		// what an export says of its columns
		if !ok && !timed && i < few && line.column >= 0 && !strings.ContainsAny(s.Cell(i, line.column), "0123456789") {
			times[i] = -1
			above++
			continue
		}
		if !ok && line.column >= 0 && naming.IsTotal(s.Cell(i, line.column)) {
			times[i] = -1
			totals++
			continue
		}
		if !ok {
			times[i] = -1
			g.Fault(s.Lines[i], "%s: %s: no time that can be read: skipped", line.what,
				scan.Shown([]byte(s.Cell(i, line.column))))
			continue
		}
		times[i] = t
	}
	if g.Rows -= above; above > 0 {
		g.Notes = append(g.Notes, scan.Count(above, "row")+" above the first time left out")
	}
	if g.Rows -= totals; totals > 0 {
		g.Notes = append(g.Notes, scan.Count(totals, "row")+" of totals left out")
	}
	roles, err := s.assign(in, g, shapes, line, times, o)
	if err != nil {
		return nil, err
	}
	if err := s.order(g, line, roles, times); err != nil {
		return nil, err
	}
	s.fill(in, g, shapes, roles, times)
	s.Notes.apply(g, times)
	return g, g.Finish()
}

// InterpretAfter interprets a sheet whose lines had faults, which come before those of its rows.
func (s *Sheet) InterpretAfter(faults *input.FaultLog, in *input.Text, o input.Options) (*gathered.File, error) {
	g, err := s.Interpret(in, o)
	if g != nil {
		g.Rows += faults.Faults
		g.Faults += faults.Faults
		g.Errs = append(faults.Errs, g.Errs...)
	}
	return g, err
}

// rounded is a number as spreadsheets show those that are too long for a column: 1.77E+09.
var rounded = regexp.MustCompile(`^\d(?:[.,]\d+)?[eE]\+?\d+$`)

// order skips the few rows that are not after the one before them. Where they are many the rows are in another order,
// as newest first, and are sorted. Where most times stand twice, with other values, the file holds several series, and
// is refused.
func (s *Sheet) order(g *gathered.File, line *timeline, roles []role, times []int64) error {
	var key []int
	for col, r := range roles {
		if r == isProcess {
			key = append(key, col)
		}
	}
	s.dropWrongStamps(g, line, roles, key, times)
	latest, last := map[string]int64{}, map[string]int{} // the newest time of a process, and its row before
	var late []int                                       // not after the row before them
	back, twice := 0, 0                                  // of these, how many are before it, and how many at its time
	for i, t := range times {
		if t < 0 {
			continue
		}
		k := keyOf(s, roles, key, i)
		if before, known := latest[k]; known && t <= before {
			late = append(late, i)
			switch before := times[last[k]]; {
			case t < before:
				back++
			case t == before && !slices.Equal(s.Rows[i], s.Rows[last[k]]):
				twice++
			}
			last[k] = i
			continue
		}
		latest[k], last[k] = t, i
	}
	switch {
	case twice > 1+len(times)/10 && line.column >= 0 && rounded.MatchString(s.firstCell(line.column)):
		return g.Refuse(fmt.Sprintf("its times, as in %q, are rounded, so that many are the same",
			s.firstCell(line.column)), "export them with all their digits, or as text")
	case twice > 1+len(times)/10:
		return g.Refuse("times appear in it several times: it holds several processes or series",
			"name the column that tells them apart with --by COLUMN")
	case back > 0 && back*10 >= (len(times)-len(latest))*9:
		g.Notes = append(g.Notes, "newest first: sorted")
		return nil
	case back > 1+len(times)/10:
		g.Notes = append(g.Notes, "not in order of time: sorted")
		return nil
	}
	if len(late) > 1+len(times)/10 {
		return g.Refuse("its times start over within it: it holds several processes or series, one after the other",
			"name the column that tells them apart with --by COLUMN, or give each a file of its own")
	}
	for len(late) > 0 {
		n := 1
		for n < len(late) && late[n] == late[n-1]+1 {
			n++
		}
		format := "%s: %s: not after the row before it: skipped"
		if s.isSetBack(line, times, late[0], late[n-1]) {
			format = "%s: %s: not after the row before it, as where clocks are set back by an hour: skipped, as " +
				"these " +
				"times have no zone"
		}
		for _, i := range late[:n] {
			g.Fault(s.Lines[i], format, line.what, scan.Shown([]byte(s.Cell(i, max(line.column, 0)))))
			times[i] = -1
		}
		late = late[n:]
	}
	return nil
}

// withoutZone is how a time of day ends that has no zone.
var withoutZone = regexp.MustCompile(`(?:^|[^+-])\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?\s*(?:[aApP]\.?[mM]\.?)?$`)

// isSetBack reports whether rows are of an hour that occurs twice, as in local time each autumn: they go back by an
// hour from where the row before them left off, and the row after them goes on from there.
func (s *Sheet) isSetBack(line *timeline, times []int64, first, last int) bool {
	column := line.column
	if line.second >= 0 {
		column = line.second
	}
	before, after := first-1, last+1
	if column < 0 || before < 1 || after >= len(times) || times[before-1] < 0 || times[before] < 0 {
		return false
	}
	next := 2*times[before] - times[before-1]
	return next-times[first] == int64(time.Hour) && times[after] == next &&
		withoutZone.MatchString(strings.TrimSpace(s.Cell(first, column)))
}

// dropWrongStamps skips rows whose time cannot be right by the other rows of their process.
func (s *Sheet) dropWrongStamps(g *gathered.File, line *timeline, roles []role, key []int, times []int64) {
	type rows struct {
		times []int64
		at    []int
	}
	of := map[string]*rows{}
	var order []*rows
	for i, t := range times {
		if t < 0 {
			continue
		}
		k := keyOf(s, roles, key, i)
		r := of[k]
		if r == nil {
			r = &rows{}
			of[k] = r
			order = append(order, r)
		}
		r.times, r.at = append(r.times, t), append(r.at, i)
	}
	for _, r := range order {
		wrong, why := doubt.WrongStamps(r.times)
		for k, i := range wrong {
			row := r.at[i]
			g.Fault(s.Lines[row], "%s: %s: %w", line.what, scan.Shown([]byte(s.Cell(row, max(line.column, 0)))), why[k])
			times[row] = -1
		}
	}
}

// role is what a column is.
type role uint8

const (
	isReading role = iota
	isTime
	isProcess // distinguishes the processes
	isMetric  // names what the value of its row is
	isStarted // when the process began
	isAge     // how long ago it began, in seconds
	isCounted // how often it began
	isLeft    // no reading
)

// assign decides what each column is.
func (s *Sheet) assign(in *input.Text, g *gathered.File, shapes []shape, line *timeline, times []int64,
	o input.Options) ([]role,
	error) {
	roles := make([]role, len(shapes))
	readings := 0
	var texts, ids []int
	for col := range shapes {
		sh, name := &shapes[col], s.name(col)
		why, left := s.Ignore[name]
		switch {
		case col == line.column || col == line.second:
			roles[col] = isTime
		case left:
			roles[col] = isLeft
			if why != "" {
				g.SetAside(name, why)
			}
		case s.Header != nil && !naming.IsIdentifier(name) &&
			(s.Header[col] == "" || name == "#" || naming.HasWord(name, naming.RowWords...)) && sh.whole &&
			sh.filled > 2 &&
			sh.rising == sh.filled-1:
			roles[col] = isLeft
			g.SetAside(s.name(col), "row numbers")
		// of a database
		case s.Header == nil && col < line.column && sh.whole && sh.filled > 2 && sh.steps == sh.filled-1:
			roles[col] = isLeft
			g.SetAside(s.name(col), "row numbers")
		case line.column >= 0 && col != line.column && sameTime(s, col, times):
			roles[col] = isLeft
			g.SetAside(s.name(col), "a time")
		case name == "ns" && slices.Contains(s.Header, "clock"): // of Zabbix
			roles[col] = isLeft
			g.SetAside(name, "part of the time")
		// of docker: received and sent since the start
		case naming.HasWord(name, "io") && strings.Contains(s.firstCell(col), "/"):
			roles[col] = isLeft
			g.SetAside(name, "a counter")
		case s.Header != nil && s.Header[col] == "" && !sh.numeric(), sh.filled == 0:
			roles[col] = isLeft
			if s.Header != nil && s.Header[col] != "" && sh.filled == 0 {
				g.SetAside(name, "empty")
			}
		case s.Header != nil && naming.HasWord(name, "uptime", "etime", "etimes") && sh.numeric() &&
			sh.max < scan.EndOfTime:
			roles[col] = isAge
			g.SetAside(name, "an age")
		case s.Header != nil && naming.HasWord(name, "restarts", "restart") && sh.numeric() && sh.whole &&
			sh.falling == 0:
			roles[col] = isCounted
			g.SetAside(name, "a counter of restarts")
		// with each process anew
		case s.Header != nil && naming.HasWord(name, "created") && sh.written() && sh.distinct*5 <= sh.filled:
			roles[col] = isStarted
		// of the row, not of a process
		case s.Header != nil && naming.IsStart(name) && sh.timed() && sh.filled > 3 &&
			(sh.rising == sh.filled-1 || sh.distinct > sh.filled*9/10):
			roles[col] = isLeft
			g.SetAside(name, "a time")
		case s.Header != nil && naming.IsStart(name) && (sh.timed() || sh.numeric() && sh.max < scan.EndOfTime):
			roles[col] = isStarted
		case sh.numeric() && sh.instants < sh.filled || sh.numeric() && !sh.written() &&
			!naming.HasWord(name, naming.TimeWords...):
			if s.Header != nil && naming.IsIdentifier(name) {
				ids = append(ids, col)
			} else {
				readings++
			}
		case sh.timed():
			roles[col] = isLeft
			g.SetAside(name, "a time")
		case sh.numbers*2 > sh.filled: // numbers, and much that is none: told cell by cell
			readings++
		default:
			texts = append(texts, col)
		}
	}
	if o.By != "" {
		return roles, splitBy(s, g, roles, o.By)
	}
	varying := 0
	for col := range roles {
		if roles[col] == isReading && shapes[col].numeric() && !shapes[col].constant {
			varying++
		}
	}
	if readings > 1 && varying == 1 {
		readings = 1
	}
	if col, ok := metricColumn(s, texts, readings); ok {
		roles[col] = isMetric
		for col := range roles { // as how far apart the points are
			if roles[col] == isReading && varying == 1 && shapes[col].numeric() && shapes[col].constant &&
				!naming.IsIdentifier(s.name(col)) {
				roles[col] = isLeft
				g.SetAside(s.name(col), "constant")
			}
		}
		texts = slices.DeleteFunc(texts, func(c int) bool { return c == col })
	}
	if err := in.Ctx.Err(); err != nil {
		return nil, err
	}
	return roles, splitProcesses(s, g, shapes, roles, texts, ids, times)
}

// fill puts the cells where they belong.
func (s *Sheet) fill(in *input.Text, g *gathered.File, shapes []shape, roles []role, times []int64) {
	columns := columnsOf(s, g, shapes, roles)
	restarts := restartColumn(s, shapes, roles)
	last, restarted := map[*gathered.Process]string{}, map[*gathered.Process]string{}
	metric := slices.Index(roles, isMetric)
	for i, t := range times {
		if t < 0 {
			continue
		}
		if i%1024 == 0 && in.Ctx.Err() != nil {
			return
		}
		p := g.Process(s.processName(roles, i))
		if restarts >= 0 {
			if id := s.Cell(i, restarts); id != last[p] {
				if last[p] != "" && !scan.Absent(id) {
					p.Starts.Sorted = true
					p.Starts.Add(t, float64(t)/1e9)
				}
				last[p] = id
			}
		}
		bad, read := false, false
		suffix := ""
		if metric >= 0 {
			suffix = s.Cell(i, metric)
		}
		for col := range roles {
			text := s.Cell(i, col)
			switch {
			case roles[col] == isStarted:
				s.addStart(p, col, t, text)
				continue
			case roles[col] == isAge:
				s.addAge(p, col, t, text)
				continue
			case roles[col] == isCounted:
				if text != restarted[p] && !scan.Absent(text) {
					if restarted[p] != "" {
						p.Starts.Add(t, float64(t)/1e9)
					}
					restarted[p] = text
				}
				continue
			case roles[col] != isReading || scan.Absent(text):
				continue
			}
			c := columns[col]
			a, ok := s.amount(col, text)
			if !ok {
				g.Explain(s.Lines[i], "%s: %s: not a number", c.name, scan.Shown([]byte(text)))
				bad = true
				continue
			}
			name := c.name
			if suffix != "" {
				name = scan.Printable(suffix)
			}
			to := g.Column(p, name, c.series)
			if to == nil {
				continue
			}
			if to.Resource.Name == "" {
				to.Resource.Name, to.Resource.Unit, to.Rank = naming.Recordable(name), c.unit, gathered.Unranked
				if resource, _ := gathered.ResourceOf(name); resource != "" {
					to.Resource.Name = resource
				}
				if suffix != "" {
					factor, unit := naming.Unit(suffix)
					c.factor, to.Resource.Unit = factor, unit
				}
			}
			factor := c.factor
			if suffix != "" {
				factor, _ = naming.Unit(suffix)
			}
			if a.Thousands > 0 && to.Resource.Unit == "bytes" {
				a = a.Bytes()
			}
			if a.Unit != "" {
				factor = 1
			}
			g.Add(in, to, t, a.Value*factor)
			if a.Of > 0 {
				p.LimitOf(to.Resource.Name, t, a.Of*factor)
			}
			read = true
		}
		if bad {
			g.Faults++
		}
		if read {
			g.Used++
		}
	}
}

// processName returns the process of a row.
func (s *Sheet) processName(roles []role, row int) string {
	var parts []string
	for col := range roles {
		if roles[col] == isProcess {
			parts = append(parts, strings.TrimSpace(s.name(col)+" "+s.Cell(row, col)))
		}
	}
	return scan.Printable(strings.Join(parts, ", "))
}

// addAge takes how long ago a process began, where that falls: the age is rounded, and the start reckoned from it
// steps.
func (s *Sheet) addAge(p *gathered.Process, col int, t int64, text string) {
	a, ok := s.amount(col, text)
	if !ok || a.Value < 0 {
		return
	}
	unit, _ := naming.ElapsedUnit(s.name(col))
	if a.Unit == "seconds" || unit == 0 {
		unit = time.Second
	}
	age := time.Duration(a.Value * float64(unit))
	if known := len(p.Starts.Points) > 0; !known || age < p.Age {
		p.Starts.Add(t, float64(t-int64(age))/1e9)
	}
	p.Age = age
}

func (s *Sheet) addStart(p *gathered.Process, col int, t int64, text string) {
	start, form := scan.Instant(text, s.Dates)
	if form == scan.NoTime {
		a, ok := s.amount(col, text)
		if !ok || a.Value <= 0 {
			return
		}
		p.Starts.Sorted = len(p.Starts.Points) == 0 || p.Starts.Sorted
		p.Starts.Add(t, a.Value)
		return
	}
	p.Starts.Sorted = len(p.Starts.Points) == 0 || p.Starts.Sorted
	p.Starts.Add(t, float64(start.UnixNano())/1e9)
}
