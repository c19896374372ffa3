package recording

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Faults of one kind in lines that follow each other are told once, with how many they are; a few are told each.
func TestFaultsFold(t *testing.T) {
	table := func(cells func(i int) string) string {
		var b strings.Builder
		b.WriteString("time,rss_bytes\n")
		for i := range 60 {
			fmt.Fprintf(&b, "2026-10-23T%02d:%02d:00Z,%s\n", i/12, i%12*5, cells(i))
		}
		return b.String()
	}
	bad := func(from, to int) func(int) string {
		return func(i int) string {
			if from <= i && i < to {
				return "lost"
			}
			return fmt.Sprint(1000 + i)
		}
	}
	for _, test := range []struct {
		name, text string
		n          int
		want       []string
	}{
		{"a few", table(bad(10, 13)), 3, []string{
			`f:12: rss_bytes: "lost": not a number`, `f:13: rss_bytes: "lost": not a number`,
			`f:14: rss_bytes: "lost": not a number`}},
		{"many", table(bad(10, 22)), 12, []string{`f:12: rss_bytes: "lost": not a number (the same for the 11 lines ` +
			`after it)`}},
		{"apart", table(func(i int) string { return bad(i%2*60, 10)(i) }), 5, []string{
			`f:2: rss_bytes: "lost": not a number`, `f:4: rss_bytes: "lost": not a number`,
			`f:6: rss_bytes: "lost": not a number`, `f:8: rss_bytes: "lost": not a number`,
			`f:10: rss_bytes: "lost": not a number`}},
	} {
		n, first := readAll(t, test.text)
		if diff := cmp.Diff(test.want, texts(first)); diff != "" || n != test.n {
			t.Errorf("%s: %d faults, want %d (-want +got):\n%s", test.name, n, test.n, diff)
		}
	}
}

// Lines that follow each other, and are wrong in different ways, are told each.
func TestFaultsOfDifferentReasons(t *testing.T) {
	const lines = `{"time":"2026-10-23T00:00:00Z","rss_bytes":1000}
{"time":"2026-10-23T00:05:00Z","rss_bytes":1001}
{"time" 5}
{"time":"x
[2]
{
{"time":"2026-10-23T00:15:00Z","rss_bytes":1003}
`
	n, first := readAll(t, lines)
	want := []string{"f:3: line 1: not valid JSON: ", "f:4: JSON that ends too early",
		"f:5: not an object of names and values", "f:6: JSON that ends too early"}
	got := texts(first)
	if !slices.EqualFunc(got, want, strings.HasPrefix) || n != len(want) {
		t.Errorf("%d faults: %q, want %q", n, got, want)
	}
	n, first = readAll(t, strings.ReplaceAll(lines, "{\n", strings.Repeat("{\n", 5)))
	if n != 8 || len(first) != 4 || !strings.HasSuffix(first[3].Error(), " (the same for the 4 lines after it)") {
		t.Errorf("%d faults: %q, want 8, the last ones as one", n, texts(first))
	}
}

// The hour that local time has twice in autumn is told as that, once.
func TestClockSetBack(t *testing.T) {
	const (
		back = ": not after the row before it, as where clocks are set back by an hour: skipped, as these times " +
			"have no zone"
		other = ": not after the row before it: skipped"
	)
	for _, test := range []struct {
		name, form string
		back       time.Duration
		want       []string
	}{
		{"local time", "2006-01-02 15:04:05", time.Hour, []string{`f:26: time: "2026-10-25 02:00:00"` + back +
			" (the same for the 11 lines after it)"}},
		{"with half of day", "2006-01-02 03:04 PM", time.Hour, []string{`f:26: time: "2026-10-25 02:00 AM"` + back +
			" (the same for the 11 lines after it)"}},
		{"with a zone", "2006-01-02 15:04:05-07:00", time.Hour, []string{`f:26: time: "2026-10-25 02:00:00+00:00"` +
			": not after the row before it (the same for the 11 lines after it): skipped"}},
		{"another step back", "2006-01-02 15:04:05", 10 * time.Minute, []string{`f:26: time: "2026-10-25 02:50:00"` +
			other, `f:27: time: "2026-10-25 02:55:00"` + other}},
	} {
		var b strings.Builder
		b.WriteString("time,rss_bytes\n")
		at := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
		for i := range 200 {
			if i == 24 {
				at = at.Add(-test.back)
			}
			fmt.Fprintf(&b, "%s,%d\n", at.Format(test.form), 1000+i)
			at = at.Add(5 * time.Minute)
		}
		n, first := readAll(t, b.String())
		if diff := cmp.Diff(test.want, texts(first)); diff != "" || n != int(test.back/(5*time.Minute)) {
			t.Errorf("%s: %d faults (-want +got):\n%s", test.name, n, diff)
		}
	}
}

// readAll reads a file, and returns what was skipped in it.
func readAll(t *testing.T, text string) (n int, first []error) {
	t.Helper()
	file, err := Read(context.Background(), strings.NewReader(text), "f", Options{})
	if err != nil || len(file.Recordings) != 1 {
		t.Fatalf("%+v, %v", file, err)
	}
	r := file.Recordings[0]
	for {
		var s sampler.Sample
		if err := r.Sample(context.Background(), &s); err == io.EOF {
			return r.Faults()
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A file too large to be held is read as a small one: a failed reading in the middle of it is a gap, and a recording of
// our own has what was judged.
func TestFailedReadingsOfLargeFiles(t *testing.T) {
	for _, test := range []struct {
		head string
		rows int
		want int // zeros that are read
	}{
		{"time,connections\n", 100, 0},
		{"time,connections\n", 20_000, 0},
		{"# leaktrend recording v1\ntime,connections\n", 20_000, 2},
	} {
		var file strings.Builder
		file.WriteString(test.head)
		for i := range test.rows {
			value := 60 + i*100/test.rows
			if i == test.rows/2 || i == test.rows*2/3 {
				value = 0
			}
			fmt.Fprintf(&file, "%d,%d\n", 1772409600+15*i, value)
		}
		r, err := NewReader(strings.NewReader(file.String()), "large.csv")
		if err != nil {
			t.Fatal(err)
		}
		var s sampler.Sample
		zeros, samples := 0, 0
		for r.Sample(t.Context(), &s) == nil {
			samples++
			for _, reading := range s.Readings {
				if reading.Value == 0 {
					zeros++
				}
			}
		}
		if zeros != test.want || samples < test.rows-2 {
			t.Errorf("%d rows: %d zeros of %d samples, want %d", test.rows, zeros, samples, test.want)
		}
	}
}
