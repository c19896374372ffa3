// Package screen shows the verdicts on running processes: a screen with keys on a terminal, plain lines elsewhere.
// It reads monitors and changes nothing in them; who runs them is for watch and demo.
package screen

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/outbox"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
)

const (
	plainEvery = time.Minute
	sparkWidth = 24  // of the table at the end
	maxLines   = 500 // of the journal
	maxEnded   = 20  // processes that are shown after they ended
)

// Monitor is what a view asks of the monitor of a process.
type Monitor interface {
	Status() []detector.Status
	Past(resource string, since time.Time) []detector.Point
}

// View is the display of one process, or of several. It is safe for concurrent use.
type View struct {
	w        io.Writer // of the view
	out      io.Writer // writes to w: of alerts and lines; those of a pipe do not wait for its reader
	rest     io.Writer // of other log lines where there is no screen
	terminal bool
	title    string

	mu        sync.Mutex
	note      string
	hint      string // printed before the first plain line
	processes []*Process
	journal   []line // log lines, oldest first
	later     []line // those that are printed when the screen is gone
	logFormat string // of log lines where there is no screen; "" is LogText
	version   int    // counts what has changed
	screen    bool   // whether log lines go to the screen
	plain     bool   // whether there are plain lines instead of it
	restore   func()
	quit      bool
}

// line is one log entry.
type line struct {
	at    time.Time
	word  string // severity or level
	tint  terminal.Tint
	text  string
	quiet bool // only for who asks for all
}

// Process is one of the processes of a view.
type Process struct {
	view    *View
	name    string
	monitor Monitor // nil until Watch

	// Guarded by the view's mutex.
	sampled time.Time // the latest sample
	printed time.Time // the latest plain line
	version int
	ended   time.Time // zero while it lives
}

// New returns a view that writes to w: a screen on a terminal, unless NO_COLOR is set, and plain lines elsewhere. There
// the log lines that are no alerts go to rest. title says what is watched, for the head of the screen.
func New(w, rest io.Writer, title string) *View {
	terminal := terminal.Redraws(w) && os.Getenv("NO_COLOR") == ""
	v := &View{w: w, out: w, rest: rest, title: title, terminal: terminal, plain: !terminal}
	if !terminal {
		v.out = boxed(w)
		if v.rest = v.out; !same(w, rest) {
			v.rest = boxed(rest)
		}
	}
	return v
}

// boxed returns a writer that does not wait for its reader.
func boxed(w io.Writer) io.Writer {
	if box, ok := w.(*outbox.Writer); ok {
		return box
	}
	return outbox.New(w)
}

// same reports whether two writers are one.
func same(a, b io.Writer) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// Flush waits until what was written is read, if anybody reads it.
func (v *View) Flush() {
	for _, w := range []io.Writer{v.out, v.rest} {
		if box, ok := w.(*outbox.Writer); ok {
			box.Flush()
		}
	}
}

// Note sets a line that stands below the title.
func (v *View) Note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.note = text
	v.version++
}

// LogAs sets the form of log lines where there is no screen: one of LogFormats.
func (v *View) LogAs(format string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.logFormat = format
}

// Hint sets a line that is printed to rest before the first plain line: what is known only once something was sampled.
// On a terminal it is printed at once.
func (v *View) Hint(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.terminal {
		fmt.Fprintln(v.rest, text)
		return
	}
	v.hint = text
}

// Add appends a process. Its monitor follows with Watch: it needs the process's Logger.
func (v *View) Add(name string) *Process {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &Process{view: v, name: name}
	v.processes = append(v.processes, p)
	v.version++
	return p
}

// Watch sets the monitor. It must be called before the process is sampled.
func (p *Process) Watch(m Monitor) {
	p.view.mu.Lock()
	defer p.view.mu.Unlock()
	p.monitor = m
}

// Sampled tells that the monitor has judged a sample. Where there is no screen, it prints a line a minute.
func (p *Process) Sampled(at time.Time) {
	v := p.view
	name, due := p.noteSample(at)
	if !due {
		return
	}
	text := plainLine(p.monitor.Status())
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hint != "" {
		_ = WriteLine(v.rest, v.logFormat, at, v.hint, nil)
		v.hint = ""
	}
	if name = terminal.Printable(name); name != "" {
		text = name + "  " + text
	}
	if formatterOf(v.logFormat) == nil {
		text = at.Local().Format(time.RFC3339) + "  " + text
	}
	_ = WriteLine(v.out, v.logFormat, at, text, nil)
}

// noteSample notes a sample, and reports whether a plain line is due and with which name. The monitor must not be asked
// under the mutex: it may be logging.
func (p *Process) noteSample(at time.Time) (name string, due bool) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	p.sampled = at
	p.version++
	v.version++
	if !v.plain || at.Sub(p.printed) < plainEvery {
		return "", false
	}
	p.printed = at
	if len(v.processes) > 1 {
		name = p.name
	}
	return name, true
}

// End tells that the process is over. The findings on it stay to be seen.
func (p *Process) End(at time.Time) {
	v := p.view
	v.mu.Lock()
	defer v.mu.Unlock()
	p.ended = at
	v.version++
	ended := 0
	for _, other := range v.processes {
		if !other.ended.IsZero() {
			ended++
		}
	}
	if ended <= maxEnded {
		return
	}
	for i, other := range v.processes {
		if !other.ended.IsZero() {
			v.processes = append(v.processes[:i:i], v.processes[i+1:]...)
			return
		}
	}
}

// Waits reports whether somebody can look at the view and end it.
func (v *View) Waits() bool { return v.terminal }

// Quit reports whether the user asked to end.
func (v *View) Quit() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.quit
}

// Finish prints the last verdicts, on any writer. It does not wait for a reader that takes nothing.
func (v *View) Finish() {
	v.mu.Lock()
	processes := make([]Process, len(v.processes))
	for i, p := range v.processes {
		processes[i] = *p
	}
	v.mu.Unlock()
	style := terminal.StyleOf(v.w)
	if v.terminal {
		style.Fit = true
		style.Width-- // a line of the terminal's full width would wrap on some
	}
	var b strings.Builder
	for i := range processes {
		p := &processes[i]
		title, sampled := v.title, "never sampled"
		if len(processes) > 1 {
			title = p.name
		}
		if !p.sampled.IsZero() {
			sampled = p.sampled.Local().Format(clockLayout)
		}
		title += "  " + sampled
		if !p.ended.IsZero() && len(processes) > 1 {
			title += "  ended " + p.ended.Local().Format("15:04:05")
		}
		if formatterOf(v.logFormat) != nil && !v.terminal {
			v.writeVerdicts(&b, p)
			continue
		}
		runes := []rune(terminal.Printable(title))
		fmt.Fprintln(&b, style.Paint(string(runes[:min(len(runes), style.Width)]), terminal.Bold))
		if p.monitor != nil {
			if err := table.Write(&b, style, "", p.rows(p.sampled)); err != nil {
				return
			}
		}
	}
	v.mu.Lock()
	_, _ = io.WriteString(v.out, b.String())
	v.mu.Unlock()
	v.Flush()
}

// writeVerdicts writes an entry for each row of the table at the end, for programs.
func (v *View) writeVerdicts(b *strings.Builder, p *Process) {
	if p.monitor == nil {
		return
	}
	for _, row := range p.rows(p.sampled) {
		fields := map[string]any{"process": terminal.Printable(p.name), "resource": terminal.Printable(row.Resource),
			"verdict": row.Verdict}
		for name, text := range map[string]string{"levels": row.Levels, "rate": row.Rate, "reason": row.Note} {
			if text != "" {
				fields[name] = terminal.Printable(text)
			}
		}
		_ = WriteLine(b, v.logFormat, p.sampled, "verdict", fields)
	}
}

// rows returns the rows of the table at the end.
func (p *Process) rows(now time.Time) []table.Row {
	statuses := p.monitor.Status()
	var rows []table.Row
	var hidden []*detector.Status
	for i := range statuses {
		s := &statuses[i]
		switch {
		case !s.Judged && s.State != detector.Firing:
			continue
		case !table.WorthARow(s, len(statuses)):
			hidden = append(hidden, s)
			continue
		}
		past := p.monitor.Past(s.Resource.Name, time.Time{})
		row := table.Row{Resource: s.Resource.Name, Note: s.Why, Spark: sparkOf(past, time.Time{}, sparkWidth)}
		if len(past) > 0 {
			row.Levels = table.Levels(s.Resource, s.First, s.Value)
		}
		row.Verdict, row.Tint = table.Verdict(s)
		row.Rate = table.Rate(s)
		if s.State == detector.Firing || s.State == detector.Suspected {
			row.Note = table.Finding(s, now)
		} else if s.Verdict == detector.Early {
			row.Note = table.Early(s)
		}
		rows = append(rows, row)
	}
	return append(rows, table.Others(hidden)...)
}

func plainLine(statuses []detector.Status) string {
	var parts []string
	for i := range statuses {
		if s := &statuses[i]; (s.Judged || s.State == detector.Firing) && table.WorthARow(s, len(statuses)) {
			word, _ := table.Verdict(s)
			parts = append(parts, fmt.Sprintf("%s %s %s", terminal.Printable(s.Resource.Name),
				s.Resource.Format(s.Value), word))
		}
	}
	return strings.Join(parts, "  ")
}

// Logger returns a logger whose lines are shown by the view: in the journal of the screen, and with all fields
// elsewhere.
func (v *View) Logger() *logrus.Logger { return v.logger(nil) }

// Logger returns a logger whose lines name the process where there are others.
func (p *Process) Logger() *logrus.Logger { return p.view.logger(p) }

func (v *View) logger(p *Process) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.AddHook(logHook{v, p})
	return logger
}

// sentence says in words what the verdict on a resource is and why.
func sentence(s *detector.Status, now time.Time) string {
	verdict, _ := table.Verdict(s)
	text := fmt.Sprintf("%s (%s): ", s.Resource.Name, s.Resource.Sentence)
	if s.Resource.Name == s.Resource.Sentence {
		text = s.Resource.Name + ": "
	}
	if !s.Judged && s.State != detector.Firing {
		return terminal.Printable(text + s.Why)
	}
	text += verdict
	if finding := table.Finding(s, now); s.State >= detector.Suspected && finding != "" {
		text += " " + finding
	}
	switch {
	case s.Verdict == detector.Early:
		text += ", " + table.Early(s)
	case s.State != detector.Suspected:
		text += ", " + s.Why
	}
	return terminal.Printable(text)
}
