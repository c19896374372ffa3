package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write the golden files anew")

var began = time.Date(2026, 11, 23, 15, 28, 33, 0, time.UTC)

// resource returns a resource that was read for two hours, in a state.
func resource(name string, state detector.State) replay.Resource {
	r, _ := sampler.Lookup(name)
	c := replay.Resource{First: 20, Chart: &plot.Chart{Resource: r}}
	c.Status = detector.Status{Resource: r, State: state, Value: 25, Baseline: 20, Judged: true, Why: "does not grow"}
	series := history.NewShape(64)
	for i := range 121 {
		series.Add(history.Observation{At: began.Add(time.Duration(i) * time.Minute).UnixNano(),
			Value: float64(20 + i%5), Mean: 20, Deviation: 1})
	}
	c.Chart.Bins = series.Bins()
	return c
}

// leaking returns a resource that leaks and has so much time left; 0 is no limit.
func leaking(name string, left time.Duration) replay.Resource {
	c := resource(name, detector.Firing)
	c.Trend, c.Value, c.SlopePerHour, c.Since, c.Severity = true, 115, 191, began.Add(10*time.Minute), alerting.High
	e := alerting.Event{
		Time: began.Add(90 * time.Minute), Status: alerting.Firing, Kind: alerting.Trend, Resource: name,
		Severity: alerting.High, Summary: name + " leak: +191/h",
		Evidence: &alerting.Evidence{Window: "1h20m0s", Points: 24, Floor: 200, R2: .984, T: 12.4, LoadShare: .97},
	}
	if left > 0 {
		c.Exhaustion = &alerting.Exhaustion{Limit: 4096, Source: "RLIMIT_NOFILE", At: began.Add(2*time.Hour + left)}
	}
	c.Events = []alerting.Event{e}
	return c
}

func resultOf(file string, resources ...replay.Resource) *replay.Result {
	r := &replay.Result{File: file, First: began, Last: began.Add(2 * time.Hour), Samples: 121, Resources: resources}
	for i := range resources {
		r.Events = append(r.Events, resources[i].Events...)
	}
	return r
}

func newReport() *Report {
	return &Report{Zone: time.UTC}
}

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteHTML(&b, "a summary of <all>"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// withoutAssets drops what belongs to the plots' package from a page.
func withoutAssets(page string) string {
	page = strings.Replace(page, plot.Style(), "", 1)
	return strings.Replace(page, plot.Script+pageScript, "", 1)
}

// withoutPictures replaces the svg elements, which have goldens of their own.
func withoutPictures(page string) string {
	var b strings.Builder
	depth := 0
	for rest := page; rest != ""; {
		i := regexp.MustCompile(`<svg |</svg>`).FindStringIndex(rest)
		if i == nil {
			return b.String() + rest
		}
		if depth == 0 {
			b.WriteString(rest[:i[0]])
		}
		if rest[i[0]+1] == '/' {
			depth--
		} else if depth++; depth == 1 {
			b.WriteString("[picture]")
		}
		rest = rest[i[1]:]
	}
	return b.String()
}

// The table and the page have the same levels, from the first of the recording, which its plot begins with.
func TestLevels(t *testing.T) {
	leak := leaking(sampler.OpenFDs, 0)
	leak.First = leak.Baseline - 7
	result := resultOf("a.csv", leak)
	want := fmt.Sprintf("%.0f → %.0f", leak.First, leak.Value)
	if row, entry := rowsOf(result)[0], entryOf(result, &result.Resources[0]); row.Levels != want ||
		entry.Levels != want {
		t.Errorf("table %s, page %s, want %s", row.Levels, entry.Levels, want)
	}
}

func TestWriteHTML(t *testing.T) {
	r := newReport()
	was := resource(sampler.Goroutines, detector.Healthy)
	was.LimitsPassed = 1
	was.Events = []alerting.Event{
		{Time: began, Status: alerting.Firing, Kind: alerting.Limit, Resource: sampler.Goroutines,
			Summary: "goroutines above the limit"},
		{Time: began.Add(time.Minute), Status: alerting.Resolved, Kind: alerting.Limit, Resource: sampler.Goroutines,
			Summary: "goroutines limit resolved after 1m"},
	}
	short := resource(sampler.Threads, detector.Learning)
	short.Why = "too few samples to tell"
	suspect := resource(sampler.RSSBytes, detector.Suspected)
	suspect.Since, suspect.Why = began.Add(time.Hour), "grew by 2 MB (25 %) in 1h, not yet for long enough"
	unjudged := resource(sampler.CPUSeconds, detector.Learning)
	unjudged.Judged, unjudged.Chart = false, nil
	r.Add(resultOf("dir/a & <b>.csv", resource(sampler.HeapLiveBytes, detector.Healthy), was, short, suspect, unjudged))
	r.Add(resultOf("dir/c.csv", leaking(sampler.Goroutines, 0), leaking(sampler.OpenFDs, 20*time.Hour)))
	page := pageOf(t, r)

	text := withoutAssets(page)
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			if name := a.Name.Local; name == "src" || name == "href" && !strings.HasPrefix(a.Value, "#") ||
				strings.HasPrefix(name, "on") {
				t.Errorf("attribute %s=%q of %s", name, a.Value, element.Name.Local)
			}
		}
	}
	for _, outside := range []string{"https:", "url(", "@import", "import("} {
		if strings.Contains(page, outside) {
			t.Errorf("the page reaches out: %s", outside)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads nowhere: #%s", m[1])
		}
	}

	text = withoutPictures(text)
	golden := filepath.Join("testdata", "report.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", golden, diff)
	}
}

// The page is the same in whatever order the results come, and has no more plots than a browser can take: those of the
// worst.
func TestOrder(t *testing.T) {
	const half, limit = 15, 20
	var results []*replay.Result
	for i := range half {
		results = append(results, resultOf(fmt.Sprintf("healthy%03d.csv", i),
			resource(sampler.Goroutines, detector.Healthy)))
		results = append(results,
			resultOf(fmt.Sprintf("leak%03d.csv", i), leaking(sampler.OpenFDs, time.Duration(1+i*7%half)*time.Hour)))
	}
	forth, back := newReport(), newReport()
	forth.maxPlots, back.maxPlots = limit, limit
	for _, r := range results {
		forth.Add(r)
	}
	var wg sync.WaitGroup
	for i := range results {
		wg.Add(1)
		go func() {
			defer wg.Done()
			back.Add(results[len(results)-1-i])
		}()
	}
	wg.Wait()
	page := pageOf(t, forth)
	if page != pageOf(t, back) {
		t.Error("the page depends on the order of the results")
	}
	if n := strings.Count(page, `<svg class="plot"`); n != limit {
		t.Errorf("%d plots", n)
	}
	for i := range half {
		if name := fmt.Sprintf("<h2>leak%03d.csv</h2>", i); !strings.Contains(page, name) {
			t.Errorf("no plot of %s", name)
		}
	}
	if !strings.Contains(page, "10 more are in the table without a plot") {
		t.Error("the page does not say that plots are missing")
	}
	if forth.entries[0].Left != "1h" || forth.entries[half-1].Left != "15h" {
		t.Errorf("the first has %s left, the last leak %s", forth.entries[0].Left, forth.entries[half-1].Left)
	}
}

func TestEmptyReport(t *testing.T) {
	page := withoutAssets(pageOf(t, newReport()))
	if strings.Contains(page, "<table") || !strings.Contains(page, "a summary of &lt;all&gt;") {
		t.Error(page)
	}
}

func TestSharedDir(t *testing.T) {
	for _, test := range []struct {
		files []string
		want  string
	}{
		{nil, ""},
		{[]string{"a.csv"}, ""},
		{[]string{"x/a.csv", "x/b.csv"}, "x/"},
		{[]string{"x/y/a.csv", "x/b.csv", "x/yz/c.csv"}, "x/"},
		{[]string{"x/a.csv", "standard input"}, ""},
		{[]string{"/x/a.csv", "/y/a.csv"}, "/"},
	} {
		if got := sharedDir(test.files); got != test.want {
			t.Errorf("%q: %q, want %q", test.files, got, test.want)
		}
	}
}

func TestStems(t *testing.T) {
	got := stemsOf([]string{"a/x.csv", "b/x.csv.gz", "b/y.json", "c/b/x.csv", "Y.om", "standard input", "../../ü.csv",
		"p/q r.csv"})
	want := map[string]string{
		"a/x.csv": "a-x", "b/x.csv.gz": "b-x", "b/y.json": "b-y", "c/b/x.csv": "c-b-x", "Y.om": "Y",
		"standard input": "standard-input",
		"../../ü.csv":    "plot", "p/q r.csv": "p-q-r",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Logf("(-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for file, stem := range got {
		if seen[strings.ToLower(stem)] || !regexp.MustCompile(`^[A-Za-z0-9_.-]+$`).MatchString(stem) {
			t.Errorf("%s is called %q", file, stem)
		}
		seen[strings.ToLower(stem)] = true
	}
}

func TestPictures(t *testing.T) {
	labelled := leaking(sampler.OpenFDs, time.Hour)
	labelled.Resource.Name = `conns{pool="a"}`
	other := leaking(sampler.OpenFDs, time.Hour)
	other.Resource.Name = `conns{pool='a'}`
	result := resultOf("dir/a.csv", leaking(sampler.OpenFDs, time.Hour), labelled, other,
		resource(sampler.Threads, detector.Healthy))
	dir := filepath.Join(t.TempDir(), "new", "plots")
	for _, force := range []bool{false, true} {
		p, err := NewPictures(dir, force, time.UTC, []string{"dir/a.csv"})
		if err != nil {
			t.Fatal(err)
		}
		p.Add(result)
		if err := p.Fault(); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewPictures(dir, false, time.UTC, []string{"dir/a.csv"}); err == nil ||
		!strings.Contains(err.Error(), "--force") {
		t.Errorf("the pictures would be overwritten: %v", err)
	}
	// Those of another recording are in nobody's way.
	if _, err := NewPictures(dir, false, time.UTC, []string{"dir/a.b.csv"}); err != nil {
		t.Error(err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{
		"a.conns-pool--a.svg", "a.conns-pool--a-2.svg", "a.open_fds.svg", "a.threads.svg",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(dir, "a.open_fds.svg"))
	if err != nil ||
		!bytes.Contains(text, []byte("LEAK: since 2026-11-23 15:38:33 UTC (1h 50m): +191/h without ever coming back, "+
			"from a baseline of 20 to 115")) {
		t.Errorf("%v\n%.1500s", err, text)
	}
}

func TestPicturesFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPictures(file, false, time.UTC, nil); err == nil {
		t.Error("a file is no directory")
	}
	// The directory goes away in between.
	gone := filepath.Join(dir, "gone")
	p, err := NewPictures(gone, false, time.UTC, []string{"a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	p.Add(resultOf("a.csv", leaking(sampler.OpenFDs, time.Hour)))
	if err := p.Fault(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// What may still become a leak is worse than what is in good health, and no finding.
func TestEarlyStandsAboveOK(t *testing.T) {
	of := func(v detector.Verdict) *entry {
		return entryOf(&replay.Result{},
			&replay.Resource{Status: detector.Status{Judged: true, State: detector.Healthy, Verdict: v}})
	}
	early, ok, unjudged := of(detector.Early), of(detector.OK), of(detector.Unjudged)
	if worse(early, ok) >= 0 || worse(ok, unjudged) >= 0 || early.Finding() {
		t.Errorf("ranks: early %d, ok %d, unjudged %d; a finding: %v", early.rank, ok.rank, unjudged.rank,
			early.Finding())
	}
}

// No figure of the JSON form has more digits than are known.
func TestFiguresOfJSON(t *testing.T) {
	c := leaking(sampler.OpenFDs, 3*time.Hour)
	c.Value, c.Baseline, c.SlopePerHour, c.Events[0].Evidence.T = 104857600.25, 104.04999999999998, 1.0/3, 12.333414235
	var b strings.Builder
	if err := WriteEvents(&b,
		[]*replay.Result{{File: "a.csv", Resources: []replay.Resource{c}, Events: c.Events}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"t":12.3334,`, `"value":104857600,"baseline":104.05,"slope_per_hour":0.333333,`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, &b)
		}
	}
}

// What a soak run says is told where it says more, with a length that the flag takes.
func TestEarlyNote(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		soaked replay.Soaked
		want   string
	}{
		{replay.Soaked{}, ""},
		{replay.Soaked{Length: 4 * hour, Verdict: detector.Early}, ""},
		{replay.Soaked{Length: 4 * hour, Verdict: detector.Unjudged}, ""},
		{replay.Soaked{Length: 4*hour + 30*time.Second, Verdict: detector.Leak}, "; --soak 4h0m30s says leak"},
		{replay.Soaked{Length: 99*hour + 55*time.Minute, Verdict: detector.OK}, "; --soak 4d3h55m says ok"},
		{replay.Soaked{Length: 96 * hour, Verdict: detector.OK}, "; --soak 4d says ok"},
	} {
		c := replay.Resource{Soaked: test.soaked}
		c.Verdict, c.Why = detector.Early, "grew"
		if got := strings.TrimPrefix(earlyNote(&c), table.Early(&c.Status)); got != test.want {
			t.Errorf("%+v: %q, want %q", test.soaked, got, test.want)
		}
		if test.want == "" {
			continue
		}
		if d, err := sampler.ParseDuration(inDays(test.soaked.Length)); err != nil || d != test.soaked.Length {
			t.Errorf("%v is read back as %v, %v", test.soaked.Length, d, err)
		}
	}
}
