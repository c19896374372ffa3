package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// The elements and attributes are those that the schemas of Jenkins, Ant and GitLab have in common.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitCounts struct {
		Name     string  `xml:"name,attr"`
		Tests    int     `xml:"tests,attr"`
		Failures int     `xml:"failures,attr"`
		Errors   int     `xml:"errors,attr"`
		Time     seconds `xml:"time,attr"`
	}
	junitSuite struct {
		junitCounts
		Skipped    int              `xml:"skipped,attr"`
		Timestamp  string           `xml:"timestamp,attr,omitempty"`
		Properties *junitProperties `xml:"properties"`
		Cases      []junitCase      `xml:"testcase"`
	}
	junitProperties struct {
		Properties []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      seconds       `xml:"time,attr"`
		Skipped   *junitSkipped `xml:"skipped"`
		Error     *junitFault   `xml:"error"`
		Failure   *junitFault   `xml:"failure"`
		Out       string        `xml:"system-out,omitempty"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitFault struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// seconds is a length of time as JUnit writes it.
type seconds time.Duration

// MarshalText writes whole milliseconds.
func (s seconds) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// WriteJUnit writes results in the XML of JUnit, which systems for continuous integration read: a suite for each
// recording, a test for each of its resources, of the length of the recording. A test fails where a leak was found or a
// limit passed at any time, and is skipped where nothing is decided: what is early, suspect or not judged. Lines of a
// file that could not be read are an error of the test "reading", and so is failed, of files that could not be judged
// at all, in a suite of its own.
func WriteJUnit(w io.Writer, results []*replay.Result, failed error) error {
	all := junitSuites{junitCounts: junitCounts{Name: "leaktrend"}}
	for _, r := range results {
		all.add(suiteOf(r))
	}
	if failed != nil {
		s := junitSuite{junitCounts: junitCounts{Name: "leaktrend replay"}}
		for _, line := range strings.Split(plain.Error(failed), "\n") {
			line = terminal.Printable(line)
			s.add(junitCase{Name: "reading", Classname: s.Name, Error: &junitFault{"unreadable", line, line}})
		}
		all.add(s)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (a *junitSuites) add(s junitSuite) {
	a.Tests += s.Tests
	a.Failures += s.Failures
	a.Errors += s.Errors
	a.Time += s.Time
	a.Suites = append(a.Suites, s)
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func suiteOf(r *replay.Result) junitSuite {
	length := seconds(r.Last.Sub(r.First))
	s := junitSuite{junitCounts: junitCounts{Name: terminal.Printable(r.File), Time: length}}
	if at := sampler.FormatInstant(r.First.UTC(), "2006-01-02T15:04:05"); !r.First.IsZero() &&
		!strings.HasPrefix(at, "+") {
		s.Timestamp = at // which is no time that has passed since the recording began
	}
	var known junitProperties
	if r.Header.Source != "" {
		known.Properties = append(known.Properties, junitProperty{"source", terminal.Printable(r.Header.Source)})
	}
	if r.Soak > 0 {
		known.Properties = append(known.Properties, junitProperty{"soak", sampler.ShortDuration(r.Soak)})
	}
	if len(known.Properties) > 0 {
		s.Properties = &known
	}
	for i := range r.Resources {
		c := caseOf(&r.Resources[i])
		c.Classname, c.Time = s.Name, length
		s.add(c)
	}
	if r.FaultCount > 0 {
		texts := make([]string, 0, len(r.Faults))
		for _, fault := range r.Faults {
			texts = append(texts, terminal.Printable(plain.Error(fault)))
		}
		what := "skipped: " + plain.Count(r.FaultCount, "line")
		s.add(junitCase{Name: "reading", Classname: s.Name,
			Error: &junitFault{"unreadable", what, strings.Join(texts, "\n")}})
	}
	return s
}

func caseOf(c *replay.Resource) junitCase {
	t := junitCase{Name: terminal.Printable(c.Resource.Name)}
	switch {
	case c.Leaked():
		f := &junitFault{Type: "limit", Message: c.Why}
		if c.Leaks > 0 {
			f.Type = "leak"
		}
		if !c.Trend && !c.Limit {
			f.Message = "it is over: " + c.Why
		}
		var events []string
		for i := range c.Events {
			e := &c.Events[i]
			events = append(events, fmt.Sprintf("%s %s: %s", sampler.FormatInstant(e.Time.UTC(), time.RFC3339),
				stateOf(e), e.Summary))
		}
		if last := len(c.Events) - 1; last >= 0 {
			f.Message = c.Events[last].Summary
		}
		f.Message, f.Text = terminal.Printable(f.Message), strings.Join(events, "\n")
		t.Failure = f
	case c.Verdict == detector.OK:
		t.Out = c.Why
	case c.Verdict == detector.Unjudged:
		t.Skipped = &junitSkipped{c.Why}
	default:
		word, _ := table.Verdict(&c.Status)
		t.Skipped = &junitSkipped{word + ": " + c.Why}
	}
	return t
}

// stateOf is the severity of an event that fires.
func stateOf(e *alerting.Event) string {
	if e.Status == alerting.Resolved {
		return string(e.Status)
	}
	return e.Severity.String()
}
