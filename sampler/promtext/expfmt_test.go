package promtext

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// byExpfmt returns the samples of a text as prometheus/common reads it, as "name{labels} value stamp" in canonical
// form.
func byExpfmt(text []byte) ([]string, error) {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var all []string
	for name, family := range families {
		for _, m := range family.Metric {
			add := func(name string, value float64, more ...Label) {
				labels := more
				for _, l := range m.Label {
					labels = append(labels, Label{Name: []byte(l.GetName()), Value: []byte(l.GetValue())})
				}
				stamp := ""
				if m.TimestampMs != nil {
					stamp = fmt.Sprint(m.GetTimestampMs())
				}
				all = append(all, fmt.Sprintf("%s%s %v %s", name, AppendLabels(nil, labels), value, stamp))
			}
			label := func(name string, value float64) Label {
				return Label{Name: []byte(name), Value: fmt.Append(nil, value)}
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				add(name, m.Counter.GetValue())
			case dto.MetricType_GAUGE:
				add(name, m.Gauge.GetValue())
			case dto.MetricType_UNTYPED:
				add(name, m.Untyped.GetValue())
			case dto.MetricType_SUMMARY:
				for _, q := range m.Summary.Quantile {
					add(name, q.GetValue(), label("quantile", q.GetQuantile()))
				}
				add(name+"_sum", m.Summary.GetSampleSum())
				add(name+"_count", float64(m.Summary.GetSampleCount()))
			case dto.MetricType_HISTOGRAM:
				for _, b := range m.Histogram.Bucket {
					add(name+"_bucket", float64(b.GetCumulativeCount()), label("le", b.GetUpperBound()))
				}
				add(name+"_sum", m.Histogram.GetSampleSum())
				add(name+"_count", float64(m.Histogram.GetSampleCount()))
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// byLines returns the same, as it is read here.
func byLines(text []byte) (all []string, err error) {
	var m Line
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := m.Parse(line); err != nil {
			return nil, err
		}
		for i, l := range m.Labels {
			if name := string(l.Name); name == "le" || name == "quantile" {
				var bound float64
				if _, err := fmt.Sscan(string(l.Value), &bound); err == nil {
					m.Labels[i].Value = fmt.Append(nil, bound)
				}
			}
		}
		all = append(all, fmt.Sprintf("%s%s %v %s", m.Name, AppendLabels(nil, m.Labels), m.Value, m.Stamp))
	}
	slices.Sort(all)
	return all, nil
}

// A real scrape is read here as prometheus/common reads it.
func TestSameAsExpfmt(t *testing.T) {
	want, err := byExpfmt(scrape(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := byLines(scrape(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 300 {
		t.Errorf("%d samples (-expfmt +here):\n%s", len(got), diff)
	}
}

// What has to be read, and the parser of prometheus/common refuses with all that follows it.
func TestExpfmtRefuses(t *testing.T) {
	texts := map[string]string{
		"a loop of scrapes": "# TYPE a gauge\na 1 1700000000000\n# TYPE a gauge\n" +
			"a 2 1700000060000\n",
		"OpenMetrics: seconds":                    "a 1 1700000000.5\n",
		"OpenMetrics: an exemplar":                "a_total 1 # {trace=\"x\"} 2\n",
		"a name in quotes":                        "{\"my.metric\"} 1\n",
		"promtool tsdb dump":                      "{__name__=\"a\", job=\"b\"} 1 1700000000000\n",
		"a bad line, before one that can be used": "a 1 x\nb 2\n",
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if got, err := byExpfmt([]byte(texts[name])); err == nil {
			t.Errorf("%s: prometheus/common reads %v: then it can be used here", name, got)
		}
		var m Line
		usable := 0
		for line := range strings.Lines(texts[name]) {
			if m.Parse([]byte(strings.TrimSpace(line))) == nil {
				usable++
			}
		}
		if usable == 0 {
			t.Errorf("%s: no line can be read", name)
		}
	}
}

// What prometheus/common reads as one sample is read here as the same.
func FuzzSameAsExpfmt(f *testing.F) {
	for _, seed := range []string{"a 1", "a{} NaN", `a{b="c",d="e\"\\\n"} 1e3 1700000000123`, "a\t{b=\"c\" , }\t+Inf",
		"a{b=\"{}\"} -1 -5", "a 0x1p-2", "a 1_0", "a{b=\"\"} 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "#\n\r") {
			return
		}
		want, err := byExpfmt([]byte(text + "\n"))
		if err != nil || len(want) != 1 {
			return
		}
		var m Line
		if err := m.Parse([]byte(strings.TrimSpace(text))); err != nil {
			t.Fatalf("%q: %v, want %s", text, err, want[0])
		}
		got := fmt.Sprintf("%s%s %v ", m.Name, AppendLabels(nil, m.Labels), m.Value)
		if !strings.HasPrefix(want[0], got) && !math.IsNaN(m.Value) {
			t.Fatalf("%q: got %s, want %s", text, got, want[0])
		}
	})
}
