package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// element is one of any XML.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// junit is what the schema of Jenkins (junit-10.xsd), which is the narrowest, admits of what is used here: for each
// element its children, and its attributes, of which those that it must have end in !.
var junit = map[string]struct{ children, attrs []string }{
	"testsuites": {[]string{"testsuite"}, []string{"name", "tests", "failures", "errors", "time"}},
	"testsuite": {[]string{"properties", "testcase", "system-out", "system-err"},
		[]string{"name!", "tests!", "failures!", "errors!", "skipped", "time", "timestamp"}},
	"properties": {[]string{"property"}, nil},
	"property":   {nil, []string{"name!", "value!"}},
	"testcase": {[]string{"skipped", "error", "failure", "system-out", "system-err"},
		[]string{"name!", "time", "classname"}},
	"skipped":    {nil, []string{"message", "type"}},
	"error":      {nil, []string{"message", "type"}},
	"failure":    {nil, []string{"message", "type"}},
	"system-out": {},
}

// checkJUnit checks an element by the schema, and its counts by what it holds. It returns these.
func checkJUnit(t *testing.T, e *element) (tests int, with map[string]int) {
	t.Helper()
	valid, known := junit[e.XMLName.Local]
	if !known || e.XMLName.Space != "" {
		t.Errorf("an element %v", e.XMLName)
	}
	for _, a := range e.Attrs {
		if name := a.Name.Local; !slices.Contains(valid.attrs, name) && !slices.Contains(valid.attrs, name+"!") ||
			a.Name.Space != "" {
			t.Errorf("%s has an attribute %v", e.XMLName.Local, a.Name)
		}
	}
	for _, name := range valid.attrs {
		if name, must := strings.CutSuffix(name, "!"); must && e.attr(name) == "" {
			t.Errorf("%s lacks %s", e.XMLName.Local, name)
		}
	}
	if time := e.attr("time"); time != "" {
		if _, err := strconv.ParseFloat(time, 64); err != nil || strings.ContainsAny(time, "e-") {
			t.Errorf("time %q", time)
		}
	}
	with = map[string]int{e.XMLName.Local: 1}
	for i := range e.Children {
		c := &e.Children[i]
		if !slices.Contains(valid.children, c.XMLName.Local) {
			t.Errorf("%s holds a %s", e.XMLName.Local, c.XMLName.Local)
		}
		_, of := checkJUnit(t, c)
		for name, n := range of {
			with[name] += n
		}
	}
	for attr, name := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error",
		"skipped": "skipped"} {
		if text := e.attr(attr); text != "" && text != strconv.Itoa(with[name]) {
			t.Errorf("%s says %s %s, and has %d", e.XMLName.Local, text, attr, with[name])
		}
	}
	return with["testcase"], with
}

// A leak fails, what is healthy passes, what is not decided is skipped, and what could not be read is an error.
func TestReplayAsJUnit(t *testing.T) {
	t.Parallel()
	leaky, healthy, short := recordingOf(t, "goroutines", 24, leaking), recordingOf(t, "goroutines", 48, oscillating),
		recordingOf(t, "goroutines", .2, steady)
	text, err := os.ReadFile(healthy)
	if err != nil {
		t.Fatal(err)
	}
	faulty := filepath.Join(t.TempDir(), "a <&\"'\x1b.csv")
	if err := os.WriteFile(faulty, append(text, "2026-11-03T10:00:00Z,many\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	unreadable := filepath.Join(t.TempDir(), "none.csv")
	if err := os.WriteFile(unreadable, []byte("PK\x03\x04"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := leaktrend(t, "", "replay", "--format", "junit", "--exit-code", leaky, healthy, short, faulty, unreadable)
	var root element
	if err := xml.Unmarshal([]byte(got.stdout), &root); err != nil || got.code != exitUsage ||
		!strings.HasPrefix(got.stdout, "<?xml ") {
		t.Fatalf("exit code %d, %v\n%s%s", got.code, err, got.stdout, got.stderr)
	}
	checkJUnit(t, &root)
	type outcome struct{ Suite, Class, Name, Ends, Type string }
	var cases []outcome
	for _, s := range root.Children {
		for _, c := range s.Children {
			if c.XMLName.Local == "testcase" {
				cases = append(cases, outcome{s.attr("name"), c.attr("classname"), c.attr("name"),
					c.Children[0].XMLName.Local, c.Children[0].attr("type")})
			}
		}
	}
	shown := strings.ReplaceAll(faulty, "\x1b", "�")
	want := []outcome{
		{leaky, leaky, "goroutines", "failure", "leak"},
		{healthy, healthy, "goroutines", "system-out", ""},
		{short, short, "goroutines", "skipped", ""},
		{shown, shown, "goroutines", "system-out", ""},
		{shown, shown, "reading", "error", "unreadable"},
		{"leaktrend replay", "leaktrend replay", "reading", "error", "unreadable"},
	}
	if diff := cmp.Diff(want, cases); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, got.stdout)
	}
	if one := leaktrend(t, "", "replay", "--format", "junit", "--exit-code", leaky); one.code != exitLeak {
		t.Errorf("exit code %d of a leak", one.code)
	}
	first := root.Children[0]
	if at, length := first.attr("timestamp"), first.attr("time"); at != "2026-11-01T00:00:00" || length != "86340.000" {
		t.Errorf("a recording from %s over %s s", at, length)
	}
}

func TestReplayOfShippedRecordingsAsJUnit(t *testing.T) {
	t.Parallel()
	got := leaktrend(t, "", "replay", "--format", "junit", filepath.FromSlash("../../testdata/recordings"))
	var root element
	if err := xml.Unmarshal([]byte(got.stdout), &root); err != nil {
		t.Fatal(err)
	}
	if tests, with := checkJUnit(t, &root); tests < 100 || with["testsuite"] != 24 || with["failure"] < 12 ||
		with["error"] > 0 {
		t.Errorf("%v", with)
	}
}
