package promtext

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

type plainLine struct {
	Name, Labels string
	Value        float64
	Stamp        string
}

func TestMetricLine(t *testing.T) {
	for line, want := range map[string]plainLine{
		`go_goroutines 12`:                  {"go_goroutines", "", 12, ""},
		"a:b_1\t 1e3  ":                     {"a:b_1", "", 1000, ""},
		`a{} NaN 5`:                         {"a", "", math.NaN(), "5"},
		`a {z="1", b="x\n\"\\\y",} -Inf -3`: {"a", `{b="x\n\"\\\\y",z="1"}`, math.Inf(-1), "-3"},
		`a{b="}"}+Inf 1.5`:                  {"a", `{b="}"}`, math.Inf(1), "1.5"},
		`{"my.metric","l.x"="ü"} 1`:         {"my.metric", `{"l.x"="ü"}`, 1, ""},
		`{__name__="a",b="c"} 1 5`:          {"a", `{b="c"}`, 1, "5"},
		`a 1 # {trace="x"} 2 3`:             {"a", "", 1, ""},
		`a_total 1 1.7e9 # {trace="x"} 2`:   {"a_total", "", 1, "1.7e9"},
	} {
		var m Line
		if err := m.Parse([]byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := plainLine{string(m.Name), string(AppendLabels(nil, m.Labels)), m.Value, string(m.Stamp)}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	for _, line := range []string{"", "a", "a b", "1 2", "{} 1", `{a="b"} 1`, `a{b} 1`, `a{b=c} 1`, `a{b="c" 1`,
		`a{b="c`, `a{b="c\`, `a{"b","c"} 1`, `a{b="c"d="e"} 1`, "a 1 x", "a 1 2 3",
		"<html> 5", `"status":"success" 1`, "time,value", "2026-11-23T08:15:48Z,5", "a{,} 1"} {
		var m Line
		if err := m.Parse([]byte(line)); err == nil {
			t.Errorf("%q was read as %s %v", line, m.Name, m.Value)
		}
	}
}

func TestParseType(t *testing.T) {
	for line, want := range map[string][2]string{
		"# TYPE a gauge":               {"a", "gauge"},
		"# TYPE  a \t counter ":        {"a", "counter"},
		`# TYPE "my.metric" histogram`: {"my.metric", "histogram"},
		"# TYPE a":                     {},
		"# TYPE a b":                   {},
		"# TYPE a gauge x":             {},
		"# HELP a gauge":               {},
		"# leaktrend recording v1":     {},
		`# TYPE "a gauge`:              {},
	} {
		name, kind, ok := ParseType([]byte(line))
		if ok != (want[0] != "") || ok && [2]string{name, kind} != want {
			t.Errorf("%q: got %s, %s, %v", line, name, kind, ok)
		}
	}
}

func FuzzExposition(f *testing.F) {
	for _, seed := range []string{"go_goroutines 12", `a{b="c\"d",e="f"} 1.5 1700000000123 # {x="y"} 1`,
		`{"my.metric"} +Inf`, "a{", "# TYPE a gauge"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ParseType([]byte(text))
		var m Line
		if m.Parse([]byte(text)) != nil {
			return
		}
		if len(m.Name) == 0 {
			t.Fatalf("%q has no name", text)
		}
		for _, l := range m.Labels { // which names the metric, where it has no other
			if string(l.Name) == "__name__" {
				return
			}
		}
		// Labels in canonical form read back as the same labels, unless the quoting had to escape bytes that are not
		// text.
		labels := AppendLabels(nil, m.Labels)
		for _, l := range m.Labels {
			if !scan.Recordable("x"+string(l.Value)+"x") || !scan.Recordable("x"+string(l.Name)+"x") {
				return
			}
		}
		var again Line
		if err := again.Parse(append(append([]byte("a"), labels...), " 1"...)); err != nil {
			t.Fatalf("%q: %q: %v", text, labels, err)
		}
		if !scan.Recordable(string(labels)) && len(labels) > 0 {
			t.Fatalf("%q: %q cannot be recorded", text, labels)
		}
	})
}
