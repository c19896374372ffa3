package rivals

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/rules"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// regular returns a recording with its readings put on a grid of minutes from the epoch on, up to a number of them.
func regular(r *dataset.Recording, limit int) *dataset.Recording {
	out := *r
	out.Starts, out.Times = nil, nil
	s := r.Series[0]
	s.Values = s.Values[:min(len(s.Values), limit)]
	out.Series = []dataset.Series{s}
	for i := range s.Values {
		out.Times = append(out.Times, int64(i)*minute)
	}
	for _, m := range r.Starts {
		if m.From < len(out.Times) {
			out.Starts = append(out.Starts,
				dataset.Mark[time.Time]{From: m.From, Value: time.Unix(0, out.Times[m.From])})
		}
	}
	return &out
}

// metrics are those of the usual exporters, by resource, with that of the limit.
var metrics = map[string]struct{ name, ceiling string }{
	sampler.Goroutines:    {"go_goroutines", ""},
	sampler.HeapLiveBytes: {"go_memstats_heap_alloc_bytes", ""},
	sampler.RSSBytes:      {"process_resident_memory_bytes", ""},
	sampler.OpenFDs:       {"process_open_fds", "process_max_fds"},
	sampler.Threads:       {"go_threads", ""},
}

// What is measured is what the rules do: on generated processes, Prometheus sees growth at the same times as the
// method. How long an alert stays differs: Prometheus 2.42 counts keep_firing_for from the first time that the growth
// is not seen.
func TestApproximationIsWhatPrometheusDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("promtool takes half a minute")
	}
	t.Parallel()
	const (
		length = 2 * 24 * 60 // minutes
		every  = 15
	)
	r, err := rules.Approximate(detector.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	a := newApproximation(r)
	options := generate.Options{Seed: 20, PerFamily: 1, Interval: time.Minute,
		Span: generate.Range{Min: 2 * 24 * time.Hour, Max: 3 * 24 * time.Hour}, Ceilings: true}
	var input strings.Builder
	expected := make(map[int][]string) // by minute
	fired, families := 0, 0
	for i, f := range generate.Families() {
		if i%4 != 2 {
			continue // promtool is slow
		}
		rec := regular(generate.One(options, f.Name, 0), length)
		s := newSeries(rec, &rec.Series[0])
		m := metrics[rec.Series[0].Resource]
		families++
		labels := fmt.Sprintf(`{job="generated",instance=%q}`, rec.Name)
		series := func(name string, value func(i int) float64) {
			fmt.Fprintf(&input, "      - series: '%s%s'\n        values: '", name, labels)
			for i := range rec.Times {
				if v := value(i); math.IsNaN(v) {
					input.WriteString("_ ")
				} else {
					input.WriteString(strconv.FormatFloat(v, 'g', -1, 64) + " ")
				}
			}
			input.WriteString("'\n")
		}
		series(m.name, func(i int) float64 { return rec.Series[0].Values[i] })
		born := bornAt(s, rec.Times)
		series("process_start_time_seconds", func(i int) float64 { return float64(born[i]) / 1e9 })
		if m.ceiling != "" && s.bounded() {
			done := 0
			series(m.ceiling, func(i int) float64 { return s.ceiling(rec.Times[i], &done) })
		}

		at, holds := a.growths(s)
		for k := range at {
			if now := int(at[k] / minute); holds[k] && now%every == 0 {
				expected[now] = append(expected[now], fmt.Sprintf(`{instance=%q}`, rec.Name))
			}
		}
		if len(a.trend(s)) > 0 {
			fired++
		}
	}
	if fired < 3 || fired > families-3 {
		t.Errorf("%d of %d processes have an alert: too few or too many to compare", fired, families)
	}
	var test strings.Builder
	fmt.Fprintf(&test, "rule_files: [rules.yaml]\nevaluation_interval: 5m\ntests:\n  - interval: 1m\n"+
		"    input_series:\n%s    promql_expr_test:\n", &input)
	for now := every; now < length-10; now += every {
		fmt.Fprintf(&test, "      - expr: 'group by (instance) ({__name__=~\"leaktrend:.+:climb_.+\"})'\n"+
			"        eval_time: %dm\n        exp_samples:\n", now)
		for _, labels := range expected[now] {
			fmt.Fprintf(&test, "          - {labels: '%s', value: 1}\n", labels)
		}
	}
	var text strings.Builder
	if err := r.WriteYAML(&text, ""); err != nil {
		t.Fatal(err)
	}
	promtest.Promtool(t, text.String(), test.String())
}

func TestSliding(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	values := []float64{nan, 3, 1, 4, nan, nan, nan, 2}
	for name, test := range map[string]struct {
		got, want []float64
	}{
		"min":  {slidingMin(values, 3), []float64{nan, 3, 1, 1, 1, 4, nan, 2}},
		"max":  {slidingMax(values, 3), []float64{nan, 3, 3, 4, 4, 4, nan, 2}},
		"mean": {slidingMean(values, 3), []float64{nan, 3, 2, 8. / 3, 2.5, 4, nan, 2}},
	} {
		if diff := cmp.Diff(fmt.Sprint(test.want), fmt.Sprint(test.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
