package screen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var plain = tcell.StyleDefault

// styleOf takes the colours of the terminal's own palette.
func (s *scene) styleOf(t terminal.Tint) tcell.Style {
	switch t {
	case terminal.Dim:
		return plain.Dim(true)
	case terminal.Bold:
		return plain.Bold(true)
	}
	if !s.color {
		return plain
	}
	switch t {
	case terminal.Red:
		return plain.Foreground(tcell.ColorMaroon).Bold(true)
	case terminal.Yellow:
		return plain.Foreground(tcell.ColorOlive)
	case terminal.Green:
		return plain.Foreground(tcell.ColorGreen)
	}
	return plain
}

func (s *scene) inkStyle(i ink) tcell.Style {
	if i == axis {
		return plain.Dim(true)
	}
	if !s.color {
		return plain
	}
	switch i {
	case course:
		return plain.Foreground(tcell.ColorTeal)
	case norm:
		return plain.Foreground(tcell.ColorOlive)
	case ceiling:
		return plain.Foreground(tcell.ColorMaroon)
	}
	return plain
}

// put writes text in a row from a column on, and returns the column after it. What is beyond the edge is cut.
func (s *scene) put(x, y int, text string, style tcell.Style) int {
	width, _ := s.tc.Size()
	for _, r := range text {
		if x >= width {
			break
		}
		s.tc.SetContent(x, y, r, nil, style)
		x++
	}
	return x
}

const (
	minList      = 3 // rows of the list that a plot and the journal leave it
	journalShare = 4 // the part of the screen that the journal may take
	clockLayout  = "15:04:05 MST"
	clockWidth   = len(clockLayout)
)

// draw makes a new picture. From top to bottom: title, list, plot, what is to say of the picked resource, journal,
// keys.
func (s *scene) draw(now time.Time) {
	width, height := s.tc.Size()
	s.tc.Clear()
	processes := s.processes()
	entries := s.entries(processes)
	s.keepPick(entries)
	s.forgetSparks(processes, len(entries))

	s.view.mu.Lock()
	note, lines := s.view.note, slices.Clone(s.view.journal)
	s.view.mu.Unlock()

	y := s.drawTitle(now, note, processes)
	bottom := height - 1
	if bottom > y {
		s.drawKeys(bottom, width, len(processes) > 1)
	}
	switch s.over {
	case help:
		s.drawHelp(y, bottom)
	case journal:
		s.drawJournal(y, bottom, lines)
	default:
		s.drawList(y, bottom, now, entries, processes, lines)
	}
	s.tc.Show()
}

// forgetSparks forgets those of processes that are not shown any more, which hold all that is known of these, and those
// of resources where there are more than are listed.
func (s *scene) forgetSparks(processes []seen, listed int) {
	maps.DeleteFunc(s.sparks, func(of picked, _ drawn) bool {
		return !slices.ContainsFunc(processes, func(p seen) bool { return p.Process == of.process })
	})
	if len(s.sparks) > 2*listed {
		clear(s.sparks)
	}
}

// keepPick picks what gets worst, until a key has chosen, and another resource where the one that was picked is gone.
func (s *scene) keepPick(entries []entry) {
	var first, worst, now *entry
	for i := range entries {
		e := &entries[i]
		if e.status == nil {
			continue
		}
		if first == nil {
			first, worst = e, e
		}
		if e.status.State > worst.status.State {
			worst = e
		}
		if e.process == s.pick.process && e.status.Resource.Name == s.pick.resource {
			now = e
		}
	}
	chosen := s.chosen && s.pick.process != nil
	switch {
	case first == nil:
		s.pick = picked{}
	case !chosen && (now == nil || worst.status.State >= detector.Suspected && worst.status.State > now.status.State):
		s.pick = picked{worst.process, worst.status.Resource.Name}
	case now == nil:
		s.pick = picked{first.process, first.status.Resource.Name}
	}
}

func (s *scene) drawTitle(now time.Time, note string, processes []seen) (y int) {
	width, _ := s.tc.Size()
	right := now.Local().Format(clockLayout)
	title := terminal.Printable(s.view.title)
	if len(processes) > 1 {
		alive := 0
		for _, p := range processes {
			if p.ended.IsZero() {
				alive++
			}
		}
		title += fmt.Sprintf("  %d processes", alive)
		if ended := len(processes) - alive; ended > 0 {
			title += fmt.Sprintf(", %d ended", ended)
		}
	}
	s.put(0, 0, terminal.Cut(title, width-len(right)-2), s.styleOf(terminal.Bold))
	s.put(max(width-len(right), 0), 0, right, plain)
	if note == "" {
		return 1
	}
	s.put(0, 1, terminal.Cut(terminal.Printable(note), width), s.styleOf(terminal.Dim))
	return 2
}

func (s *scene) drawKeys(y, width int, several bool) {
	keys := []string{"↑↓ choose", "enter plot", "w window", "a alerts", "? help", "q quit"}
	if several {
		keys = slices.Insert(keys, 1, "tab process")
	}
	if s.over != nothing {
		keys = []string{"esc back", "q quit"}
		if s.over == journal {
			keys = slices.Insert(keys, 0, "↑↓ scroll")
		}
	}
	text := " " + strings.Join(keys, "   ")
	s.put(0, y, text+strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0)), plain.Reverse(true))
}

// columns of the list.
type columns struct{ name, spark, value, base, rate, left, note int }

const (
	markWidth    = 2
	verdictWidth = 8 // "unjudged"
	minSparks    = 8
	minNote      = 20
)

// fit chooses the widths of the columns: names are cut where there is no room, and what is left over goes to the sparks
// and the note.
func fit(entries []entry, width int, now time.Time) (c columns) {
	c = columns{name: len("RESOURCE"), value: len("NOW"), base: len("BASELINE"), rate: len("RATE"),
		left: len("TO LIMIT")}
	for _, e := range entries {
		if e.status == nil {
			continue
		}
		t := textOf(e.status, now)
		c.name = max(c.name, utf8.RuneCountInString(t.name))
		c.value, c.base = max(c.value, utf8.RuneCountInString(t.value)), max(c.base, utf8.RuneCountInString(t.base))
		c.rate, c.left = max(c.rate, utf8.RuneCountInString(t.rate)), max(c.left, utf8.RuneCountInString(t.left))
	}
	const gaps = 5 * 2
	rest := width - (markWidth + verdictWidth + 1 + c.name + c.value + c.base + c.rate + c.left + gaps)
	if short := minSparks - rest; short > 0 {
		less := min(short, max(c.name-12, 0))
		c.name, rest = c.name-less, rest+less
	}
	c.spark = max(rest, 0)
	if maxWidth := max(width/5, 24); c.spark > maxWidth {
		c.note = c.spark - maxWidth - 2
		c.spark = maxWidth
		if c.note < minNote {
			c.note = 0
		}
	}
	return c
}

// text is what the list says of a resource.
type text struct {
	verdict, name, value, base, rate, left string
	tint, rateTint                         terminal.Tint
}

func textOf(s *detector.Status, now time.Time) (t text) {
	t.name, t.value = terminal.Printable(s.Resource.Name), s.Resource.Format(s.Value)
	if !s.Judged && s.State != detector.Firing {
		t.verdict, t.tint, t.rateTint = "-", terminal.Dim, terminal.Dim
		return t
	}
	t.verdict, t.tint = table.Verdict(s)
	t.base = s.Resource.Format(s.Baseline)
	t.rate, t.rateTint = table.Rate(s), terminal.Dim
	if s.State == detector.Firing || s.State == detector.Suspected {
		t.rateTint = t.tint
	}
	if e := s.Exhaustion; e != nil {
		t.left = sampler.FormatDuration(max(e.At.Sub(now), 0))
	}
	return t
}

func (s *scene) drawList(y, bottom int, now time.Time, entries []entry, processes []seen, lines []line) {
	width, height := s.tc.Size()
	var pickedStatus *detector.Status
	at := 0
	for i, e := range entries {
		if e.status != nil && e.process == s.pick.process && e.status.Resource.Name == s.pick.resource {
			pickedStatus, at = e.status, i
		}
	}
	room := bottom - y - 1 // below the heads of the columns

	// From the bottom up: journal, sentence, plot. The list gets what it needs, and they what is left.
	news := newest(lines, width, min(max(height/journalShare, 2), max(room-minList, 0)))
	journalRows := len(news)
	room -= journalRows
	about := []string(nil)
	if pickedStatus != nil {
		about = terminal.Fold(sentence(pickedStatus, now), width, 2)
		if room-len(about) < minList {
			about = nil
		}
	}
	room -= len(about)
	plotRows := 0
	if s.plot && pickedStatus != nil {
		plotRows = max(room-max(len(entries), minList), room*3/5)
		if room-plotRows < minList || plotRows < minPlotHeight+1 {
			plotRows = max(min(room-minList, minPlotHeight+1), 0)
		}
	}
	list := max(min(room-plotRows, len(entries)), 0)
	s.drawEntries(y, list, at, now, entries, processes)
	if len(entries) == 0 && room > 0 {
		s.put(markWidth, y+1, "waiting for the first sample", s.styleOf(terminal.Dim))
	}
	y += 1 + list
	if plotRows > 0 {
		s.drawPlot(y, plotRows, pickedStatus, processes)
		y += plotRows
	}
	for _, l := range about {
		_, tint := table.Verdict(pickedStatus)
		s.put(0, y, l, s.styleOf(tint))
		y++
	}
	from := bottom - journalRows
	for i, l := range news {
		s.putLine(from+i, l)
	}
}

func (s *scene) drawEntries(y, rows, at int, now time.Time, entries []entry, processes []seen) {
	width, _ := s.tc.Size()
	c := fit(entries, width, now)
	x := markWidth
	dim := s.styleOf(terminal.Dim)
	x = s.put(x, y, pad("STATE", verdictWidth)+" "+pad("RESOURCE", c.name), dim)
	x = s.put(x, y, "  "+pad(terminal.Cut(strings.ToUpper(windowName(windows[s.window])), c.spark), c.spark), dim)
	x = s.put(x, y, "  "+lead("NOW", c.value)+"  "+lead("BASELINE", c.base)+"  "+lead("RATE", c.rate)+"  "+
		lead("TO LIMIT", c.left), dim)
	if c.note > 0 {
		s.put(x, y, "  WHY", dim)
	}
	// What is picked is in sight, with the head of its process if possible.
	switch {
	case at < s.top:
		s.top = at
		if at > 0 && entries[at-1].status == nil {
			s.top--
		}
	case at >= s.top+rows:
		s.top = at - rows + 1
	}
	s.top = max(min(s.top, len(entries)-rows), 0)
	for i := range rows {
		e := entries[s.top+i]
		p := find(processes, e.process)
		if e.status == nil {
			s.drawHead(y+1+i, width, p)
			continue
		}
		s.drawEntry(y+1+i, c, now, e, p)
	}
	if below := len(entries) - s.top - rows; rows > 0 && below > 0 {
		more := fmt.Sprintf("  ↓ %d more  ", below)
		s.put(max(width-utf8.RuneCountInString(more)-clockWidth, 0), 0, more, dim)
	}
}

func find(processes []seen, p *Process) *seen {
	for i := range processes {
		if processes[i].Process == p {
			return &processes[i]
		}
	}
	return &seen{Process: p}
}

func (s *scene) drawHead(y, width int, p *seen) {
	name := terminal.Printable(p.name)
	style := s.styleOf(terminal.Bold)
	switch {
	case !p.ended.IsZero():
		name += "  ended " + p.ended.Local().Format("15:04:05")
		style = s.styleOf(terminal.Dim)
	case p.sampled.IsZero():
		name += "  waiting for the first sample"
	}
	s.put(0, y, terminal.Cut(name, width), style)
}

func (s *scene) drawEntry(y int, c columns, now time.Time, e entry, p *seen) {
	t := textOf(e.status, now)
	key := picked{e.process, e.status.Resource.Name}
	name, mark := plain, "  "
	if key == s.pick {
		name, mark = plain.Bold(true), "▸ "
	}
	tint := s.styleOf(t.tint)
	if !p.ended.IsZero() {
		name, tint, t.rateTint = name.Dim(true), tint.Dim(true), terminal.Dim
	}
	x := s.put(0, y, mark, name)
	x = s.put(x, y, pad(t.verdict, verdictWidth)+" ", tint)
	x = s.put(x, y, pad(terminal.CutMiddle(t.name, c.name), c.name)+"  ", name)
	x = s.put(x, y, pad(s.spark(key, p, c.spark), c.spark)+"  ", s.inkStyle(course))
	x = s.put(x, y, lead(t.value, c.value)+"  ", name)
	x = s.put(x, y, lead(t.base, c.base)+"  ", s.styleOf(terminal.Dim))
	x = s.put(x, y, lead(t.rate, c.rate)+"  ", s.styleOf(t.rateTint))
	x = s.put(x, y, lead(t.left, c.left), tint)
	if c.note > 0 {
		s.put(x, y, "  "+terminal.Cut(terminal.Printable(e.status.Why), c.note), s.styleOf(terminal.Dim))
	}
}

// spark draws the past of a resource, unless it is the same as in the picture before.
func (s *scene) spark(key picked, p *seen, width int) string {
	d, ok := s.sparks[key]
	if ok && d.version == p.version && d.window == s.window && d.width == width {
		return d.text
	}
	from := s.from(p)
	d = drawn{p.version, s.window, width, sparkOf(p.monitor.Past(key.resource, from), from, width)}
	s.sparks[key] = d
	return d.text
}

// from returns the beginning of the window; the zero time is that of all that is kept.
func (s *scene) from(p *seen) time.Time {
	if window := windows[s.window]; window > 0 {
		return p.sampled.Add(-window)
	}
	return time.Time{}
}

func (s *scene) drawPlot(y, rows int, status *detector.Status, processes []seen) {
	width, _ := s.tc.Size()
	p := find(processes, s.pick.process)
	from := s.from(p)
	past := p.monitor.Past(status.Resource.Name, from)
	if from.IsZero() && len(past) > 0 {
		from = past[0].From
	}
	s.put(0, y, terminal.Cut(caption(status, windowName(windows[s.window])), width), s.styleOf(terminal.Bold))
	picture := plotOf(status, past, from, p.sampled, width-1, rows-1)
	if picture == nil {
		s.put(0, y+1, "no room for a plot, or nothing to draw", s.styleOf(terminal.Dim))
		return
	}
	for r, chars := range picture.chars {
		for x, char := range chars {
			s.tc.SetContent(x, y+1+r, char, nil, s.inkStyle(picture.inks[r][x]))
		}
	}
}

var helpText = []string{
	"↑ ↓ j k    choose a resource          tab   next process",
	"enter p    plot of the resource       esc   back",
	"w W        shorter, longer window     c     show what is not judged, too",
	"a          all alerts and messages    q     quit, as ctrl-c does",
	"",
	"LEAK       growth that was never given back, for long enough",
	"LIMIT      a hard limit was passed",
	"suspect    has the shape of a leak, but not yet for long enough",
	"early      growth that may become a leak, or too little time to tell",
	"ok         judged for long enough, and no leak",
	"unjudged   cannot be judged: the reason is beside it",
	"",
	"BASELINE   the moving average, frozen while growth is suspected",
	"RATE       growth an hour; TO LIMIT is the time left at that rate",
}

func (s *scene) drawHelp(y, bottom int) {
	for i, l := range helpText {
		if y+1+i < bottom {
			s.put(1, y+1+i, l, plain)
		}
	}
}

func (s *scene) drawJournal(y, bottom int, lines []line) {
	width, _ := s.tc.Size()
	all := wrap(lines, width)
	rows := max(bottom-y, 0)
	s.scroll = min(s.scroll, max(len(all)-rows, 0))
	if len(all) == 0 {
		s.put(0, y, "no alerts and no messages yet", s.styleOf(terminal.Dim))
	}
	for i, l := range tail(all[:len(all)-s.scroll], rows) {
		s.putLine(y+i, l)
	}
}

// putLine writes a line of the journal, with its severity in colour.
func (s *scene) putLine(y int, l journalLine) {
	x := s.put(0, y, l.head, s.styleOf(terminal.Dim))
	x = s.put(x, y, l.word, s.styleOf(l.tint))
	s.put(x, y, l.text, plain)
}
