package table

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write the golden files anew")

var rows = []Row{
	{
		Verdict: "LEAK", Tint: terminal.Red, Resource: "open_fds", Spark: "▁▂▃▄▅▆▇█▁▂▃▄", Levels: "12 → 2,911",
		Rate: "+1,240/h",
		Note: "since 08:10:00 (2h 5m), 3h 20m left to the limit of 8,192",
	},
	{Verdict: "suspect", Tint: terminal.Yellow, Resource: "heap_live_bytes", Spark: "▁▁▂▂▃▃", Levels: "1.4 GB → 1.9 GB",
		Rate: "+90 MB/h", Note: "not for long enough"},
	{Verdict: "ok", Tint: terminal.Green, Resource: `http_requests_in_flight{handler="/api/v1/orders",code="200"}`,
		Levels: "3 → 3", Note: strings.Repeat("no growth ", 20)},
	{Verdict: "early", Tint: terminal.Dim, Resource: "goroutines\x1b[2J\nx\xff", Note: "naïve → überlang\tend"},
	{Verdict: "ok", Tint: terminal.Green, Resource: "3 other metrics"},
	{},
}

func TestWriteGolden(t *testing.T) {
	var b bytes.Buffer
	for _, style := range []terminal.Style{
		{Width: 132},
		{Width: 132, Fit: true},
		{Width: 80},
		{Width: 80, Fit: true},
		{Width: 80, Fit: true, Color: true},
		{Width: 30, Fit: true},
		{Width: 5, Fit: true, Color: true},
	} {
		if err := Write(&b, style, "  ", rows); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Repeat("-", style.Width) + "\n")
	}
	path := filepath.Join("testdata", "table.golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got); go test -update writes it anew\n%s", diff)
	}
}

var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func written(t *testing.T, s terminal.Style, indent string, rows []Row) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, s, indent, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// At any width: colours move nothing, no line is too wide, and none is lost; nor is a reason, where a line of its own
// has room.
func TestWriteFits(t *testing.T) {
	for width := range 200 {
		plain := written(t, terminal.Style{Width: width, Fit: true}, " ", rows)
		colored := written(t, terminal.Style{Width: width, Fit: true, Color: true}, " ", rows)
		if diff := cmp.Diff(plain, colors.ReplaceAllString(colored, "")); diff != "" {
			t.Fatalf("width %d: colours differ (-without +with)\n%s", width, diff)
		}
		lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
		heads := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			return strings.HasPrefix(line, strings.Repeat(" ", 10))
		})
		if len(heads) != len(rows) {
			t.Errorf("width %d: %d rows, want %d:\n%s", width, len(heads), len(rows), plain)
		}
		for _, r := range rows {
			note := strings.Join(strings.Fields(terminal.Printable(r.Note)), " ")
			if joined := strings.Join(strings.Fields(plain), " "); width >= 10+minNote &&
				!strings.Contains(joined, note) {
				t.Errorf("width %d: %q is lost:\n%s", width, note, plain)
			}
		}
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(line) - 1; n > width {
				t.Errorf("%d columns, want %d at most: %q", n, width, line)
			}
		}
	}
}

// Where lines need not fit, names are whole: they tell which resource it is.
func TestWriteKeepsNames(t *testing.T) {
	for _, width := range []int{0, 20, 80, 132} {
		if got := written(t, terminal.Style{Width: width}, "", rows); !strings.Contains(got, rows[2].Resource) {
			t.Errorf("width %d:\n%s", width, got)
		}
	}
}

func TestWriteNothing(t *testing.T) {
	if got := written(t, terminal.Style{Width: 80}, "  ", nil); got != "" {
		t.Errorf("%q", got)
	}
	if err := Write(brokenPipe{}, terminal.Style{Width: 80}, "", rows); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestVerdictAndFinding(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 15, 0, 0, time.UTC)
	fds, _ := sampler.Lookup(sampler.OpenFDs)
	soon := &alerting.Exhaustion{Limit: 8192, At: now.Add(200 * time.Minute)}
	for _, test := range []struct {
		name    string
		status  detector.Status
		word    string
		tint    terminal.Tint
		finding string
	}{
		{"learning", detector.Status{State: detector.Learning, Verdict: detector.Early, Why: "too short to tell"},
			"early", terminal.Yellow, ""},
		{"healthy", detector.Status{State: detector.Healthy, Verdict: detector.OK, Why: "no growth"},
			"ok", terminal.Green, ""},
		{
			"suspected", detector.Status{State: detector.Suspected, Verdict: detector.Suspect,
				Since: now.Add(-5 * time.Minute), Why: "not for long enough"},
			"suspect", terminal.Yellow, "since 10:10:00 (5m), not for long enough",
		},
		{
			"leak", detector.Status{State: detector.Firing, Trend: true, Since: now.Add(-23 * time.Hour),
				Exhaustion: soon, Why: "sustained"},
			"LEAK", terminal.Red, "since 11:15:00 (23h), 3h 20m left to the limit of 8,192",
		},
		{
			"leak of days", detector.Status{State: detector.Firing, Trend: true, Since: now.Add(-50 * time.Hour)},
			"LEAK", terminal.Red, "since 2026-11-21 08:15 (2d 2h)",
		},
		{
			"leak of the life before",
			detector.Status{State: detector.Firing, Trend: true, Since: now.Add(-time.Hour),
				Fell: now.Add(-time.Minute), HeldOver: true, Why: "grew until the restart"},
			"LEAK", terminal.Red, "since 09:15:00 (1h), grew until the restart",
		},
		{
			"limit", detector.Status{State: detector.Firing, Limit: true, Since: now.Add(-time.Minute),
				Why: "above the hard limit"},
			"LIMIT", terminal.Red, "since 10:14:00 (1m), hard limit passed",
		},
		{
			"leak and limit", detector.Status{State: detector.Firing, Trend: true, Limit: true,
				Since: now.Add(-time.Minute), Exhaustion: soon},
			"LEAK", terminal.Red, "since 10:14:00 (1m), 3h 20m left to the limit of 8,192, hard limit passed",
		},
		{
			"limit passed, with growth that is suspected", detector.Status{State: detector.Firing, Limit: true,
				Exhaustion: soon},
			"LIMIT", terminal.Red, "3h 20m left to the limit of 8,192, hard limit passed",
		},
	} {
		test.status.Resource = fds
		if word, tint := Verdict(&test.status); word != test.word || tint != test.tint {
			t.Errorf("%s: verdict %q %q, want %q %q", test.name, word, tint, test.word, test.tint)
		}
		if got := Finding(&test.status, now); got != test.finding {
			t.Errorf("%s: %q, want %q", test.name, got, test.finding)
		}
	}
}

// Growth that is no finding yet is told with what it comes to.
func TestEarly(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 15, 0, 0, time.UTC)
	fds, _ := sampler.Lookup(sampler.OpenFDs)
	s := detector.Status{Resource: fds, Verdict: detector.Early, Why: "not yet for long enough", At: now}
	got := []string{Early(&s)}
	s.Exhaustion = &alerting.Exhaustion{Limit: 1024, At: now.Add(13 * time.Minute)}
	got = append(got, Early(&s))
	want := []string{"not yet for long enough", "reaches its limit of 1,024 in 13m if it goes on; not yet for long " +
		"enough"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRate(t *testing.T) {
	heap, _ := sampler.Lookup(sampler.HeapLiveBytes)
	suspect := detector.Status{Resource: heap, State: detector.Suspected, Verdict: detector.Suspect}
	growing := suspect
	growing.SlopePerHour = 1 << 20
	got := []string{Rate(&suspect), Rate(&growing)}
	if diff := cmp.Diff([]string{"", "+1.0 MB/h"}, got); diff != "" {
		t.Errorf("of a suspect between two steps, and of one at a rate (-want +got):\n%s", diff)
	}
}

func TestWorthARow(t *testing.T) {
	known, _ := sampler.Lookup(sampler.Goroutines)
	other, _ := sampler.Lookup("queue_length")
	for _, test := range []struct {
		name   string
		status detector.Status
		among  int
		want   bool
	}{
		{"a known one among many", detector.Status{Resource: known}, 500, true},
		{"another among few", detector.Status{Resource: other}, few, true},
		{"another among many", detector.Status{Resource: other, State: detector.Healthy, Verdict: detector.OK},
			few + 1, false},
		{"still learning", detector.Status{Resource: other}, few + 1, false},
		{"suspected among many", detector.Status{Resource: other, State: detector.Suspected, Verdict: detector.Suspect},
			500, true},
		{"firing among many", detector.Status{Resource: other, State: detector.Firing}, 500, true},
	} {
		if got := WorthARow(&test.status, test.among); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLevels(t *testing.T) {
	heap, _ := sampler.Lookup(sampler.HeapLiveBytes)
	if got, want := Levels(heap, 1<<20, 3<<29), "1.0 MB → 1.5 GB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What has no row of its own is counted by its verdict: nothing is ok because it is one of many.
func TestOthers(t *testing.T) {
	of := func(v detector.Verdict) *detector.Status { return &detector.Status{Judged: true, Verdict: v} }
	got := Others([]*detector.Status{of(detector.OK), of(detector.Early), of(detector.OK), of(detector.Unjudged)})
	want := []Row{
		{Verdict: "ok", Tint: terminal.Green, Resource: "2 other metrics"},
		{Verdict: "early", Tint: terminal.Yellow, Resource: "1 other metric"},
		{Verdict: "unjudged", Tint: terminal.Dim, Resource: "1 other metric"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Others(nil); got != nil {
		t.Errorf("rows for nothing: %v", got)
	}
}
