package metric

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Every unit in the table of resources has metrics.
func TestUnits(t *testing.T) {
	for _, r := range sampler.Resources() {
		if value[r.Unit] == nil || baseline[r.Unit] == nil || slope[r.Unit] == nil {
			t.Fatalf("%s: no metrics for the unit %q", r.Name, r.Unit)
		}
		for name, of := range map[string]struct {
			levels levels
			want   bool
		}{"value": {value, leveled(r)}, "baseline": {baseline, judged(r)}, "slope": {slope, judged(r)}} {
			if got := strings.Contains(of.levels[r.Unit].Help, r.Name+" ("+r.Sentence+")"); got != of.want {
				t.Errorf("the help text of %s tells of %s: %v, want %v", name, r.Name, got, of.want)
			}
		}
	}
}

// Names are the ones that the two worlds agree upon: Prometheus has the unit and _total in the name, OpenTelemetry has
// neither there.
func TestNames(t *testing.T) {
	prometheus := regexp.MustCompile(`^leaktrend(_[a-z]+)+$`)
	instrument := regexp.MustCompile(`^leaktrend(\.[a-z]+(_[a-z]+)?)+$`)
	unit := regexp.MustCompile(`^(1|s|By|\{[a-z]+\})(/s)?$`)
	inName := regexp.MustCompile(`bytes|seconds|_total|total$`)
	seen := map[string]bool{}
	for _, m := range All() {
		if !prometheus.MatchString(m.Name) || !instrument.MatchString(m.Instrument) || !unit.MatchString(m.Unit) ||
			inName.MatchString(m.Instrument) {
			t.Errorf("not by the rules: %s, %s in %s", m.Name, m.Instrument, m.Unit)
		}
		if counts := strings.HasSuffix(m.Name, "_total"); counts != (m.Kind == Counter) {
			t.Errorf("%s: kind %d", m.Name, m.Kind)
		}
		if strings.Contains(m.Name, "_bytes") != strings.HasPrefix(m.Unit, "By") {
			t.Errorf("%s is in %s", m.Name, m.Unit)
		}
		if !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: the help text is no sentence: %s", m.Name, m.Help)
		}
		if seen[m.Name] || seen[m.Instrument] {
			t.Errorf("twice: %s, %s", m.Name, m.Instrument)
		}
		seen[m.Name], seen[m.Instrument] = true, true
	}
	for name := range seen {
		for other := range seen {
			if strings.HasPrefix(other, name+".") {
				t.Errorf("%s is a metric, and the namespace of %s", name, other)
			}
		}
	}
}

// Each metric is read from a monitor that knows everything, with its labels, and what is whole is whole.
func TestEach(t *testing.T) {
	began := detector.CheckStats{}.Last.AddDate(2025, 0, 0)
	var s Snapshot
	for _, name := range []string{sampler.Goroutines, sampler.RSSBytes, "lag_seconds"} {
		r, _ := sampler.Lookup(name)
		s.Status = append(s.Status, detector.Status{
			Resource: r, State: detector.Firing, Trend: true, Value: 1.5, Baseline: 1.5, SlopePerHour: 1.5,
			Since:      began,
			Exhaustion: &alerting.Exhaustion{Limit: 1, At: began}, Memory: 1,
		})
	}
	s.Delivery = []alerting.SinkStats{{Name: "log"}}
	read := map[*Metric]bool{}
	s.Each(func(m *Metric, v float64, labels ...string) {
		read[m] = true
		if len(labels) != len(m.Labels) {
			t.Errorf("%s: %q for %v", m.Name, labels, m.Labels)
		}
		if m.Integer() && v != math.Trunc(v) {
			t.Errorf("%s: %v is not whole", m.Name, v)
		}
	})
	for _, m := range All() {
		if !read[m] {
			t.Errorf("nothing reads %s", m.Name)
		}
	}
}

// Names that differ in bytes alone that are none of a character stay apart: one series twice makes a scrape fail.
func TestUniqueNames(t *testing.T) {
	var names uniqueNames
	for _, test := range []struct{ name, want string }{
		{"a", "a"}, {"x\xff", "x\uFFFD"}, {"x\xfe", "x\uFFFD (2)"}, {"x\uFFFD", "x\uFFFD (3)"},
		{"x\xfe (2)", "x\uFFFD (2) (2)"}, {"é\xff", "é\uFFFD"},
	} {
		if got := names.of(test.name); got != test.want {
			t.Errorf("%q: %q, want %q", test.name, got, test.want)
		}
	}
	var s Snapshot
	for _, name := range []string{"x\xff", "x\xfe"} {
		s.Status = append(s.Status, detector.Status{Resource: sampler.Resource{Name: name}})
	}
	seen := map[string]bool{}
	s.Each(func(m *Metric, _ float64, labels ...string) {
		key := m.Name + " " + strings.Join(labels, " ")
		if seen[key] {
			t.Errorf("twice: %s", key)
		}
		seen[key] = true
	})
}
