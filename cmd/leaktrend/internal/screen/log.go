package screen

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	words "github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
)

// The forms of log lines where there is no screen: what people read on a terminal too, or with all fields for programs.
const (
	LogText   = "text"
	LogFields = "logfmt"
	LogJSON   = "json"
)

// LogFormats are all of them, the default first.
var LogFormats = []string{LogText, LogFields, LogJSON}

// logHook takes the log lines of a process, or of nobody's.
type logHook struct {
	view    *View
	process *Process
}

// Levels are all.
func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire shows an entry.
func (j logHook) Fire(e *logrus.Entry) error {
	v := j.view
	v.mu.Lock()
	defer v.mu.Unlock()
	message := e.Message
	if j.process != nil && len(v.processes) > 1 {
		message = j.process.name + ": " + message
	}
	if !v.terminal {
		return j.plain(e, message)
	}
	l := lineOf(e, message)
	switch {
	case l.quiet:
	case v.screen:
		v.later = appended(v.later, l)
	default:
		fmt.Fprintln(v.out, l.format(terminal.StyleOf(v.w)))
	}
	v.journal = appended(v.journal, l)
	v.version++
	return nil
}

// textFields are the fields that the text form of a line shows too, as nothing else does, beside the line of code.
var textFields = []struct{ name, as string }{
	{"captures", "; captures: "}, {"limits", "; limits: "},
	{"time_scale", "; times: "}, {"off", "; off: "},
}

// configKey is what stands behind a feature that is off: by which key it is turned on matters to whoever reads the
// fields.
var configKey = regexp.MustCompile(` \([a-z_.]+\)`)

// A site of an alert in text: function, file and line, then what is known of it, such as who created its goroutines.
var (
	siteLine    = regexp.MustCompile(`^.*?([^/ ]+:\d+)(?:: |$)`)
	siteCreator = regexp.MustCompile(`, created by .*?:\d+`)
)

// lineClause says where the first line of an alert is: function, file and creator where the summary has its figures and
// names it by the end of its path, else all that is known of it. What grew otherwise stands in the summary.
func lineClause(fields logrus.Fields, summary string) string {
	site, ok := fields["site"].(string)
	if !ok {
		return ""
	}
	if m := siteLine.FindStringSubmatch(site); m != nil && strings.Contains(summary, m[1]) {
		site = strings.TrimSuffix(m[0], ": ") + siteCreator.FindString(site)
	}
	return "; line: " + site
}

// plain writes an entry where there is no screen: alerts to where the results go, all else to the rest.
func (j logHook) plain(e *logrus.Entry, message string) error {
	v := j.view
	to := v.rest
	if _, alert := e.Data["severity"]; alert {
		to = v.out
	}
	formatter := formatterOf(v.logFormat)
	if formatter == nil {
		l := lineOf(e, message)
		l.text += oneLine(lineClause(e.Data, l.text))
		for _, field := range textFields {
			if text, ok := e.Data[field.name].(string); ok {
				if field.name == "off" {
					text = configKey.ReplaceAllString(text, "")
				}
				l.text += field.as + oneLine(text)
			}
		}
		_, err := fmt.Fprintf(to, "%s  %-8s  %s\n", l.at.Local().Format(time.RFC3339), l.word, l.text)
		return err
	}
	with := *e
	with.Message, with.Buffer = words.Text(message), nil
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		with.Data = maps.Clone(e.Data)
		with.Data[logrus.ErrorKey] = plainError(err)
	}
	text, err := formatter.Format(&with)
	if err != nil {
		return err
	}
	_, err = to.Write(text)
	return err
}

// formatterOf returns what writes entries with all their fields; nil for the form for people.
func formatterOf(logFormat string) logrus.Formatter {
	switch logFormat {
	case LogFields:
		return &logrus.TextFormatter{DisableColors: true}
	case LogJSON:
		return &logrus.JSONFormatter{}
	}
	return nil
}

// WriteLine writes a line for people in a form of log lines: as it is, or as the message of an entry of an instant,
// with fields.
func WriteLine(w io.Writer, logFormat string, at time.Time, text string, fields map[string]any) error {
	formatter := formatterOf(logFormat)
	if formatter == nil {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	entry := &logrus.Entry{Time: at, Level: logrus.InfoLevel, Message: text, Data: fields}
	line, err := formatter.Format(entry)
	if err != nil {
		return err
	}
	_, err = w.Write(line)
	return err
}

// appended appends a line and drops the oldest beyond the most.
func appended(lines []line, l line) []line {
	if lines = append(lines, l); len(lines) > maxLines {
		lines = append([]line(nil), lines[len(lines)-maxLines:]...)
	}
	return lines
}

// lineOf makes of an entry what people read: time, severity and message.
func lineOf(e *logrus.Entry, message string) line {
	l := line{at: e.Time, word: e.Level.String(), text: oneLine(words.Text(message)), quiet: e.Level > logrus.WarnLevel}
	if severity, ok := e.Data["severity"].(string); ok {
		l.word, l.tint = severity, terminal.Red
		l.quiet = false
		if e.Data["status"] == string(alerting.Resolved) {
			l.word, l.tint = "resolved", terminal.Green
		}
	}
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		l.text += ": " + oneLine(plainError(err))
	}
	return l
}

// plainError writes what a log line has as its error, which may be a text.
func plainError(value any) string {
	if err, ok := value.(error); ok {
		return words.Error(err)
	}
	return words.Text(fmt.Sprint(value))
}

func (l line) format(style terminal.Style) string {
	return l.at.Local().Format(time.TimeOnly) + "  " + style.Paint(fmt.Sprintf("%-8s", l.word), l.tint) + "  " + l.text
}

func oneLine(text string) string { return terminal.Printable(strings.ReplaceAll(text, "\n", "; ")) }
