package tune

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
)

var update = flag.Bool("update", false, "write the golden files anew")

// stored is a result of two groups, trimmed from runs on generated and on shipped recordings. It does not change as the
// detector does.
func stored(t *testing.T) *Result {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var r Result
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

func TestWriteText(t *testing.T) {
	for name, verbose := range map[string]bool{"answer.golden": false, "report.golden": true} {
		var b strings.Builder
		if err := stored(t).WriteText(&b, verbose); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > textWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		checkGolden(t, name, b.String())
	}
}

// What to set, what it costs, how sure that is and what is missing comes first, in a line each.
func TestAnswer(t *testing.T) {
	base := func() *Result {
		return &Result{InForce: Setting{1, 0.2}, Choice: &Choice{
			Budget: "1/30d", PerDay: 1. / 30, Setting: Setting{1, 0.2}, Basis: byFolds, Folds: 5, Kept: true,
			Confidence: 0.5,
			Judged:     Figures{Exposure: 30, FalseAlarms: 1, Rate: &Interval{0.033, 0.001, 0.1}},
		}}
	}
	for name, tt := range map[string]struct {
		change func(r *Result)
		want   string
	}{
		"sure": {func(r *Result) { r.Choice.Confidence = .97 }, `
set         sensitivity 1, least_growth 0.2 (both as they are)
costs       0.99 false alarms a month of a process (0.03 to 3, with 95 % confidence); recorded: 1 in
            30 healthy process-days
confidence  97 % that the budget of 1/30d is kept
`},
		"all that is to be set": {func(r *Result) {
			r.TrendOff, r.Choice.Setting.Sensitivity, r.Choice.Missing = true, 2, 59.1
			r.Limits = []Limit{
				{Key: "goroutine_threshold", Resource: "goroutines", Proposed: 670},
				{Key: "fd_threshold", Resource: "open_fds", InForce: 100, Proposed: 100},
				{Key: "memory_threshold_mb", Resource: "heap_inuse_bytes", Proposed: 830 << 20},
			}
		}, `
set         sensitivity 2, least_growth 0.2, adaptive.enabled true, goroutine_threshold 670,
            memory_threshold_mb 830
costs       0.99 false alarms a month of a process (0.03 to 3, with 95 % confidence); recorded: 1 in
            30 healthy process-days
confidence  50 % that the budget of 1/30d is kept
missing     60 more healthy process-days without a false alarm, to be 95 % sure
`},
		"over, with leaks": {func(r *Result) {
			c := r.Choice
			c.Kept, c.Missing = false, 12
			c.Judged.Leaks, c.Judged.Recall, c.Judged.DueRecall, c.Judged.DelayHours = 4, &Interval{.5, .1, .9},
				&Interval{1, .4, 1}, &Spread{2, 6, 9}
		}, `
set         sensitivity 1, least_growth 0.2 (both as they are)
costs       0.99 false alarms a month of a process (0.03 to 3, with 95 % confidence); recorded: 1 in
            30 healthy process-days
confidence  none: that is above the budget of 1/30d, and no setting was found that surely keeps it
missing     12 more healthy process-days without a false alarm, to be 95 % sure
finds       50 % (10 to 90) of the leaks, 100 % (40 to 100) of those that were due, half of them
            within 6h
`},
		"extended": {func(r *Result) {
			r.Months = []Month{{Setting: Setting{0.5, 0.2}, Alarms: &Interval{9, 9, 9}},
				{Setting: Setting{1, 0.2}, Chosen: true, Alarms: &Interval{0.2, 0.1, 0.4}}}
		}, `
set         sensitivity 1, least_growth 0.2 (both as they are)
costs       0.2 false alarms a month of a process (0.1 to 0.4, with 95 % confidence), by the
            recordings extended; recorded: 1 in 30 healthy process-days
confidence  50 % that the budget of 1/30d is kept
`},
		"nothing healthy": {func(r *Result) {
			r.Choice.Basis, r.Choice.Missing, r.Choice.Judged = withoutBasis, 89.9, Figures{}
		}, `
set         sensitivity 1, least_growth 0.2 (both as they are)
costs       not known: there is no healthy time under physical time constants
confidence  none: nothing shows that the budget of 1/30d is kept
missing     90 more healthy process-days without a false alarm, to be 95 % sure
`},
		"interrupted": {func(r *Result) { r.Choice = nil }, ""},
	} {
		r := base()
		tt.change(r)
		var p printer
		p.answer(r)
		if diff := cmp.Diff(tt.want, p.b.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// Settings that did the same are one row, and the one in force is told.
func TestFold(t *testing.T) {
	trial := func(sensitivity, minGrowth float64, alarms int, inForce, chosen bool) Trial {
		return Trial{Setting: Setting{sensitivity, minGrowth}, InForce: inForce, Chosen: chosen,
			Figures: Figures{FalseAlarms: alarms}}
	}
	type row struct{ sensitivity, mark string }
	for _, test := range []struct {
		trials []Trial
		want   []row
	}{
		{nil, nil},
		{[]Trial{trial(1, .2, 0, true, true)}, []row{{"1", "kept"}}},
		{[]Trial{trial(.5, .2, 0, false, false), trial(1, .2, 0, true, true), trial(2, .2, 0, false, false)},
			[]row{{"0.5 to 2", "kept at 1"}}},
		{[]Trial{trial(.5, .2, 0, false, false), trial(1, .2, 0, true, false), trial(2, .2, 0, false, true),
			trial(4, .2, 0, false, false)},
			[]row{{"0.5 to 1", "in force at 1"}, {"2 to 4", "recommended at 2"}}},
		{[]Trial{trial(.5, .2, 0, false, false), trial(1, .2, 1, true, false), trial(2, .2, 1, false, false)},
			[]row{{"0.5", ""}, {"1 to 2", "in force at 1"}}},
		{[]Trial{trial(.5, .1, 0, false, false), trial(.5, .2, 0, false, false)}, []row{{"0.5", ""}, {"0.5", ""}}},
	} {
		var got []row
		for _, f := range fold(test.trials) {
			got = append(got, row{f.sensitivity(), f.mark()})
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestConfigYAML(t *testing.T) {
	r := stored(t)
	inForce := detector.DefaultConfig()
	inForce.FDThreshold = 123
	text, err := r.ConfigYAML(inForce)
	if err != nil {
		t.Fatal(err)
	}
	got, warnings, err := detector.ParseConfig(bytes.NewReader(text), "test")
	want := inForce
	want.Adaptive.Sensitivity, want.Adaptive.MinGrowth = r.Choice.Setting.Sensitivity, r.Choice.Setting.MinGrowth
	if diff := cmp.Diff(want, got); err != nil || len(warnings) > 0 || diff != "" {
		t.Errorf("%v %v (-want +got)\n%s", err, warnings, diff)
	}
	for _, says := range []string{"# Chosen, instead of 1, by leaktrend tune", "healthy process-days", "confidence",
		"# Soak runs of 20m"} {
		if !strings.Contains(string(text), says) {
			t.Errorf("no %q in\n%s", says, text)
		}
	}
}

// page returns the HTML, and fails where it is not well-formed or not self-contained.
func page(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if name := element.Name.Local; name == "script" || name == "link" || name == "img" || name == "iframe" {
			t.Errorf("element %s", name)
		}
		for _, a := range element.Attr {
			if name := a.Name.Local; name == "src" || name == "href" || strings.HasPrefix(name, "on") {
				t.Errorf("attribute %s of %s", name, element.Name.Local)
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s=%q of %s", a.Name.Local, a.Value, element.Name.Local)
			}
		}
	}
	for _, outside := range []string{"http:", "https:", "url(", "@import"} {
		if strings.Contains(b.String(), outside) {
			t.Errorf("the page reaches out: %s", outside)
		}
	}
	return b.String()
}

func TestWriteHTML(t *testing.T) {
	got := page(t, stored(t))
	if n := strings.Count(got, `<svg class="scaled"`); n != 4 {
		t.Errorf("%d charts, want two of each group", n)
	}
	for _, says := range []string{">predict_linear</text>", ">Mann-Kendall</text>", ">recommended</text>",
		">budget</text>", "prefers-color-scheme:dark"} {
		if !strings.Contains(got, says) {
			t.Errorf("no %q", says)
		}
	}
}

func TestWriteHTMLMonths(t *testing.T) {
	r := stored(t)
	r.Unlabelled, r.Groups, r.Choice = true, r.Groups[1:], nil
	r.From = `<script>"a&b"</script>`
	for i, s := range []float64{0.5, 1, 2} {
		m := Month{Setting: Setting{s, 0.2}, InForce: s == 1, Alarms: &Interval{float64(i), 0, float64(2 * i)}}
		r.Months = append(r.Months, m)
	}
	got := page(t, r)
	if !strings.Contains(got, "A month of this very process") || !strings.Contains(got, "&lt;script&gt;") {
		t.Error("the month is missing, or a name is not escaped")
	}
}

func TestAdvice(t *testing.T) {
	base := func() *Result {
		return &Result{InForce: Setting{1, 0.2}, Choice: &Choice{
			Budget: "1/30d", PerDay: 1. / 30, Setting: Setting{1, 0.2}, Basis: byFolds, Folds: 5, Kept: true,
			Confidence: 0.999999,
			Judged:     Figures{Exposure: 500, FalseAlarms: 1, Rate: &Interval{0.002, 0, 0.01}},
		}}
	}
	tests := map[string]struct {
		change func(r *Result)
		want   []string
	}{
		"kept": {func(*Result) {}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): sensitivity 1 and least_growth 0.2 can " +
				"stay as they are.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy " +
				"process-days, 0.002 (0 to 0.01) per process-day.",
			"That supports the budget with over 99.9 % confidence.",
		}},
		"too little": {func(r *Result) { r.Choice.Confidence, r.Choice.Missing = 0.638, 42.1 }, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): sensitivity 1 and least_growth 0.2 can " +
				"stay as they are.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy " +
				"process-days, 0.002 (0 to 0.01) per process-day.",
			"That supports the budget with 63.8 % confidence; for 95 % it takes 43 more healthy process-days without " +
				"a false alarm.",
		}},
		"nothing healthy": {func(r *Result) {
			r.Choice.Basis, r.Choice.Missing, r.Choice.Judged = withoutBasis, 89.9, Figures{}
		}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): sensitivity 1 and least_growth 0.2 can " +
				"stay as they are.",
			"There is no healthy time under physical time constants to judge it on: 90 healthy process-days without " +
				"a false alarm are needed to support the " +
				"budget with 95 % confidence.",
		}},
		"over": {func(r *Result) {
			r.Choice.Kept, r.Choice.Missing, r.Choice.Setting.Sensitivity = false, 42.1, 0.5
		}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): set sensitivity 0.5 and least_growth 0.2.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy " +
				"process-days, 0.002 (0 to 0.01) per process-day.",
			"That is above the budget; no setting was found that surely keeps it. For 95 % confidence that this one " +
				"does, it takes 43 more healthy " +
				"process-days without a false alarm.",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := base()
			tt.change(r)
			if diff := cmp.Diff(tt.want, r.Advice()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
