// Package live shows the verdicts on a running process: a table that redraws on a terminal, plain lines elsewhere.
package live

import (
	"bytes"
	"fmt"
	"io"
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

// View is the display of one process. It is safe for concurrent use. As an io.Writer it takes log lines, which stay above the table.
type View struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	title    string
	height   int // lines of the table that are on the screen
	table    string
	drawn    time.Time
	lines    map[string]*spark.Line
	first    map[string]float64
}

// New returns a view that writes to w.
func New(w io.Writer, title string) *View {
	return &View{
		w: w, title: title, terminal: table.IsTerminal(w),
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
	style := table.StyleOf(v.w)
	var b strings.Builder
	title := fmt.Sprintf("%s  %s", v.title, now.Local().Format("15:04:05 MST"))
	if extra := utf8.RuneCountInString(title) - style.Width; extra > 0 {
		title = string([]rune(title)[:style.Width])
	}
	fmt.Fprintln(&b, style.Paint(title, table.Bold))
	// A line of the terminal's full width would wrap on some.
	style.Width--
	width := sparkWidth
	if style.Width < narrow {
		width /= 2
	}
	if err := style.Write(&b, "", v.rows(now, statuses, width)); err != nil {
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
	line := e.Time.Local().Format(time.TimeOnly) + "  " + f.style.Paint(fmt.Sprintf("%-8s", word), tint) + "  " + e.Message
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += fmt.Sprintf(": %v", err)
	}
	return append([]byte(line), '\n'), nil
}

// put replaces the table on the screen by text that stays, and the table below it.
func (v *View) put(text string) {
	var b bytes.Buffer
	if v.terminal && v.height > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", v.height)
	}
	b.WriteString(text)
	if v.terminal {
		b.WriteString(v.table)
		v.height = strings.Count(v.table, "\n")
	} else if text == "" {
		b.WriteString(v.table)
	}
	v.w.Write(b.Bytes())
}

func (v *View) rows(now time.Time, statuses []detector.Status, width int) []table.Row {
	var rows []table.Row
	hidden := 0
	for i := range statuses {
		s := &statuses[i]
		if !s.Judged && s.State != detector.Firing {
			continue
		}
		if !table.WorthARow(s, len(statuses)) {
			hidden++
			continue
		}
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
	if hidden > 0 {
		rows = append(rows, table.Others(hidden))
	}
	return rows
}

func plainLine(now time.Time, statuses []detector.Status) string {
	parts := []string{now.Local().Format(time.RFC3339)}
	for i := range statuses {
		if s := &statuses[i]; (s.Judged || s.State == detector.Firing) && table.WorthARow(s, len(statuses)) {
			word, _ := table.Verdict(s)
			parts = append(parts, fmt.Sprintf("%s %s %s", s.Resource.Name, s.Resource.Format(s.Value), word))
		}
	}
	return strings.Join(parts, "  ")
}
