// Package live shows the verdicts on a running process: a table that redraws on a terminal, plain lines elsewhere.
package live

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/spark"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/table"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	redraw     = 250 * time.Millisecond
	plainEvery = time.Minute
	sparkWidth = 24
	narrow     = 120 // columns below which sparks take half of that: the note says more
)

// View is the display of one process. It is safe for concurrent use. As an io.Writer it takes whole log lines, which stay above the table.
type View struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	title    string
	shown    []int // widths of the lines of the table that are on the screen
	table    string
	drawn    time.Time
	lines    map[string]*spark.Line
	first    map[string]float64
}

// New returns a view that writes to w.
func New(w io.Writer, title string) *View {
	return &View{
		w: w, title: title, terminal: table.Redraws(w),
		lines: make(map[string]*spark.Line), first: make(map[string]float64),
	}
}

// Take adds a sample to the course of each resource.
func (v *View) Take(s *sampler.Sample) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range s.Readings {
		line := v.lines[r.Resource]
		if line == nil {
			line = new(spark.Line)
			v.lines[r.Resource], v.first[r.Resource] = line, r.Value
		}
		line.Add(r.Value)
	}
}

// Show displays the verdicts at an instant, if it is time to. On a terminal it redraws the table, elsewhere it writes a line a minute.
func (v *View) Show(now time.Time, statuses []detector.Status) { v.show(now, statuses, false) }

// Finish displays the last verdicts, on any writer.
func (v *View) Finish(now time.Time, statuses []detector.Status) { v.show(now, statuses, true) }

func (v *View) show(now time.Time, statuses []detector.Status, last bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	every := redraw
	if !v.terminal {
		every = plainEvery
	}
	if !last && now.Sub(v.drawn) < every {
		return
	}
	v.drawn = now
	if !v.terminal && !last {
		fmt.Fprintln(v.w, plainLine(now, statuses))
		return
	}
	style, room := table.StyleOf(v.w), len(statuses)
	if v.terminal {
		style.Fit = true
		style.Width-- // a line of the terminal's full width would wrap on some
		if _, height, ok := table.Size(v.w); ok {
			room = max(height-2, 1) // below the title, above the cursor
		}
	}
	width := sparkWidth
	if style.Width < narrow {
		width /= 2
	}
	var b strings.Builder
	title := []rune(table.Printable(fmt.Sprintf("%s  %s", v.title, now.Local().Format("15:04:05 MST"))))
	fmt.Fprintln(&b, style.Paint(string(title[:min(len(title), style.Width)]), table.Bold))
	if err := style.Write(&b, "", v.rows(now, statuses, width, room)); err != nil {
		return
	}
	v.table = b.String()
	v.put("")
}

// Write prints log lines above the table.
func (v *View) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(string(p))
	return len(p), nil
}

// Logger returns a logger whose lines appear above the table: for people on a terminal, with all fields elsewhere.
func (v *View) Logger() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(v)
	if v.terminal {
		logger.SetFormatter(brief{table.StyleOf(v.w)})
	}
	return logger
}

// brief is a log format of time, severity and message.
type brief struct{ style table.Style }

// Format writes one line.
func (f brief) Format(e *logrus.Entry) ([]byte, error) {
	word, tint := e.Level.String(), table.Plain
	if severity, ok := e.Data["severity"].(string); ok {
		word, tint = severity, table.Red
		if e.Data["status"] == string(alerting.Resolved) {
			word, tint = "resolved", table.Green
		}
	}
	line := e.Time.Local().Format(time.TimeOnly) + "  " + f.style.Paint(fmt.Sprintf("%-8s", word), tint) + "  " + oneLine(e.Message)
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += ": " + oneLine(fmt.Sprint(err))
	}
	return append([]byte(line), '\n'), nil
}

func oneLine(text string) string { return table.Printable(strings.ReplaceAll(text, "\n", "; ")) }

// put replaces the table on the screen by text that stays, and the table below it.
func (v *View) put(text string) {
	var b bytes.Buffer
	if height := v.height(); height > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", height)
	}
	b.WriteString(text)
	if v.terminal {
		b.WriteString(v.table)
		v.shown = v.shown[:0]
		for line := range strings.Lines(colors.ReplaceAllString(v.table, "")) {
			v.shown = append(v.shown, utf8.RuneCountInString(line)-1)
		}
	} else if text == "" {
		b.WriteString(v.table)
	}
	v.w.Write(b.Bytes())
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// height returns how many rows of the screen the table takes. Where the terminal has become narrower since, its lines wrap.
func (v *View) height() int {
	width, _, ok := table.Size(v.w)
	if !ok {
		return len(v.shown)
	}
	rows := 0
	for _, n := range v.shown {
		rows += 1 + max(n-1, 0)/width
	}
	return rows
}

// rows returns the rows of what is judged, at most room of them: where there is no room for all, findings go before the rest.
func (v *View) rows(now time.Time, statuses []detector.Status, width, room int) []table.Row {
	var shown []*detector.Status
	hidden := 0
	for i := range statuses {
		switch s := &statuses[i]; {
		case !s.Judged && s.State != detector.Firing:
		case table.WorthARow(s, len(statuses)):
			shown = append(shown, s)
		default:
			hidden++
		}
	}
	lowTerminal := len(shown)+min(hidden, 1) > room
	if lowTerminal {
		slices.SortStableFunc(shown, func(a, b *detector.Status) int { return cmp.Compare(b.State, a.State) })
		hidden += len(shown) - (room - 1)
		shown = shown[:room-1]
	}
	var rows []table.Row
	for _, s := range shown {
		row := table.Row{
			Resource: s.Resource.Name,
			Levels:   table.Levels(s.Resource, v.first[s.Resource.Name], s.Value),
			Note:     s.Why,
		}
		if line := v.lines[s.Resource.Name]; line != nil {
			row.Spark = line.Draw(width)
		}
		row.Verdict, row.Tint = table.Verdict(s)
		if s.State == detector.Firing || s.State == detector.Suspected {
			row.Pace, row.Note = s.Resource.FormatPerHour(s.SlopePerHour), table.Finding(s, now)
		}
		rows = append(rows, row)
	}
	switch {
	case lowTerminal:
		rows = append(rows, table.Row{Resource: fmt.Sprintf("%d more: no room", hidden)})
	case hidden > 0:
		rows = append(rows, table.Others(hidden))
	}
	return rows
}

func plainLine(now time.Time, statuses []detector.Status) string {
	parts := []string{now.Local().Format(time.RFC3339)}
	for i := range statuses {
		if s := &statuses[i]; (s.Judged || s.State == detector.Firing) && table.WorthARow(s, len(statuses)) {
			word, _ := table.Verdict(s)
			parts = append(parts, fmt.Sprintf("%s %s %s", table.Printable(s.Resource.Name), s.Resource.Format(s.Value), word))
		}
	}
	return strings.Join(parts, "  ")
}
