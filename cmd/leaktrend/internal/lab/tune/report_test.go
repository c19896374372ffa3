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
	var b strings.Builder
	if err := stored(t).WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > textWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	checkGolden(t, "report.golden", b.String())
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
	want.Adaptive.Sensitivity, want.Adaptive.LeastGrowth = r.Choice.Setting.Sensitivity, r.Choice.Setting.LeastGrowth
	if diff := cmp.Diff(want, got); err != nil || len(warnings) > 0 || diff != "" {
		t.Errorf("%v %v (-want +got)\n%s", err, warnings, diff)
	}
	for _, says := range []string{"# Chosen, instead of 1, by leaktrend tune", "healthy process-days", "confidence", "# Soak runs of 20m"} {
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
	for _, says := range []string{">predict_linear</text>", ">Mann-Kendall</text>", ">recommended</text>", ">budget</text>", "prefers-color-scheme:dark"} {
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
			Budget: "1/30d", PerDay: 1. / 30, Setting: Setting{1, 0.2}, Basis: byFolds, Folds: 5, Kept: true, Confidence: 0.999999,
			Judged: Figures{Exposure: 500, FalseAlarms: 1, Rate: &Interval{0.002, 0, 0.01}},
		}}
	}
	tests := map[string]struct {
		change func(r *Result)
		want   []string
	}{
		"kept": {func(*Result) {}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): keep sensitivity 1, least_growth 0.2.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy process-days, 0.002 (0 to 0.01) per process-day.",
			"That supports the budget with over 99.9 % confidence.",
		}},
		"too little": {func(r *Result) { r.Choice.Confidence, r.Choice.Missing = 0.638, 42.1 }, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): keep sensitivity 1, least_growth 0.2.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy process-days, 0.002 (0 to 0.01) per process-day.",
			"That supports the budget with 63.8 % confidence; for 95 % it takes 43 more healthy process-days without a false alarm.",
		}},
		"nothing healthy": {func(r *Result) {
			r.Choice.Basis, r.Choice.Missing, r.Choice.Judged = withoutBasis, 89.9, Figures{}
		}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): keep sensitivity 1, least_growth 0.2.",
			"There is no healthy time under physical time constants to judge it on: 90 healthy process-days without a false alarm are needed to support the " +
				"budget with 95 % confidence.",
		}},
		"over": {func(r *Result) {
			r.Choice.Kept, r.Choice.Missing, r.Choice.Setting.Sensitivity = false, 42.1, 0.5
		}, []string{
			"For a budget of 1/30d (0.0333 false alarms per process-day): sensitivity 0.5, least_growth 0.2.",
			"Judged on programs left out of the search (5-fold cross-validation): 1 false alarm in 500 healthy process-days, 0.002 (0 to 0.01) per process-day.",
			"That is above the budget; no setting was found that surely keeps it. For 95 % confidence that this one does, it takes 43 more healthy " +
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
