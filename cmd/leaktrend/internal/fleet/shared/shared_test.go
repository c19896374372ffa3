package shared

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
)

var end = time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)

// reportOf is one of a part in whose past there were so many instants, at two of which something was called.
func reportOf(instants float64, at time.Time) *fleet.Report {
	r := &fleet.Report{End: at, Hypotheses: 5, ByResource: map[string]int{"goroutines": 4},
		Calls:   []backtest.Candidate{{Resource: "goroutines", Strength: 7, Own: .5}},
		Lengths: map[int]int{168: 4}, Lives: backtest.Sums{
			Judged: map[string]int{"counts longer": 3},
			Calls:  []backtest.Candidate{{Resource: "goroutines", Strength: 9}},
		}}
	r.Lives.Table.Judged("counts longer", instants/2)
	r.Lives.Table.Call("counts longer", 20, backtest.Leveled, 1)
	r.Past.Judged("goroutines", instants)
	r.Past.Call("goroutines", 20, backtest.FellBack, 2)
	r.Past.Call("goroutines", 5, backtest.WentOn, 1)
	return r
}

// Each part has the sum of what the others have left of about its time, grouped alike, and says of which it has
// nothing.
func TestDirectory(t *testing.T) {
	byJob := []string{"job"}
	part := func(dir string, n, of int, groupBy []string) *Directory {
		return &Directory{Path: dir, Part: fleet.Shard{Number: n, Of: of}, GroupBy: groupBy}
	}
	dir := t.TempDir()
	for _, left := range []struct {
		d *Directory
		r *fleet.Report
	}{
		{part(dir, 1, 5, byJob), reportOf(1, end)}, // replaced below
		{part(dir, 1, 5, byJob), reportOf(10, end)},
		{part(dir, 2, 5, byJob), reportOf(100, end.Add(-7*24*time.Hour))},
		{part(dir, 3, 5, byJob), reportOf(1000, end.Add(-9*24*time.Hour))}, // too long ago
		{part(dir, 4, 5, []string{"namespace"}), reportOf(1000, end)},
		{part(dir, 2, 6, byJob), reportOf(1000, end)}, // of another division
		{part(dir, 5, 5, byJob), reportOf(1000, end)},
	} {
		if err := left.d.Leave(left.r); err != nil {
			t.Fatal(err)
		}
	}
	var table, over backtest.Table
	table.Judged("goroutines", 110)
	over.Judged("counts longer", 55)
	for range 2 {
		over.Call("counts longer", 20, backtest.Leveled, 1)
		table.Call("goroutines", 20, backtest.FellBack, 2)
		table.Call("goroutines", 5, backtest.WentOn, 1)
	}
	const unknown = "the past of 2 of the 5 parts of the fleet is not known yet, of this week and grouped alike; " +
		"chances are by those of the others"
	for _, number := range []int{0, 5} { // the same part
		got, hints := part(dir, number, 5, byJob).Others(end)
		want := fleet.Past{
			Hypotheses: 10, Lengths: map[int]int{168: 8},
			Sums: backtest.Sums{Judged: map[string]int{"goroutines": 8},
				Calls: slices.Repeat(reportOf(1, end).Calls, 2), Table: table},
			Lives: backtest.Sums{Judged: map[string]int{"counts longer": 6},
				Calls: slices.Repeat(reportOf(1, end).Lives.Calls, 2), Table: over},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("part %d has of the others (-want +got):\n%s", number, diff)
		}
		if diff := cmp.Diff([]string{unknown}, hints); diff != "" {
			t.Errorf("part %d says (-want +got):\n%s", number, diff)
		}
	}
	none := Directory{}
	if got, hints := none.Others(end); len(got.Table.Resources) > 0 || hints != nil ||
		none.Leave(reportOf(1, end)) != nil {
		t.Errorf("without a directory: %v, %q", got, hints)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// What does not hold together is not used, and named.
func TestBrokenFiles(t *testing.T) {
	edges, err := json.Marshal(backtest.Edges)
	if err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf(`{"version":2,"end":"2026-03-08T00:00:00Z","group_by":["job"],"edges":%s,"hypotheses":1,`+
		`"resources":{}}`, edges)
	for _, test := range []struct{ name, text, says string }{
		{"cut off", good[:40], "unexpected EOF"},
		{"another release", strings.Replace(good, `"edges":[`, `"edges":[0.5,`, 1), "of another release"},
		{"another version", strings.Replace(good, `"version":2`, `"version":1`, 1), "of another release"},
		{"less than nothing", strings.Replace(good, `{}`, `{"rss_bytes":{"Instants":-1}}`, 1), "out of range"},
		{"too much", strings.Replace(good, `{}`, `{"rss_bytes":{"Reached":[{"False":1e300}]}}`, 1), "out of range"},
		{"a call that is none", strings.Replace(good, `"resources"`, `"calls":[{"Strength":-1}],"resources"`, 1),
			"out of range"},
		{"growth over lives out of range", strings.Replace(good, `"resources"`,
			`"lives":{"judged":{"counts":-1}},"resources"`, 1), "out of range"},
		{"a length that is none", strings.Replace(good, `"resources"`, `"lengths":{"-3":1},"resources"`, 1),
			"out of range"},
		{"no counts", strings.Replace(good, `{}`, `{"rss_bytes":null}`, 1), "without counts"},
	} {
		d := Directory{Path: t.TempDir(), Part: fleet.Shard{Number: 1, Of: 2}, GroupBy: []string{"job"}}
		if err := os.WriteFile(filepath.Join(d.Path, "part-0-of-2.json"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, hints := d.Others(end)
		if len(got.Table.Resources) > 0 || len(hints) != 1 || !strings.Contains(hints[0], "part-0-of-2.json") ||
			!strings.Contains(hints[0], test.says) {
			t.Errorf("%s: %v, %q", test.name, got, hints)
		}
	}
}

// What an earlier release left is used, and what it lacks is said.
func TestEarlierRelease(t *testing.T) {
	edges, err := json.Marshal(backtest.Edges)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"version":2,"end":"2026-03-08T00:00:00Z","group_by":["job"],"edges":%s,"hypotheses":3,`+
		`"judged":{"rss_bytes":2},"calls":[{"Resource":"rss_bytes","Strength":2}],`+
		`"resources":{"rss_bytes":{"Instants":4}}}`,
		edges)
	d := Directory{Path: t.TempDir(), Part: fleet.Shard{Number: 1, Of: 2}, GroupBy: []string{"job"}}
	if err := os.WriteFile(filepath.Join(d.Path, "part-0-of-2.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fleet.Past{Hypotheses: 3, Lengths: map[int]int{}, Lives: backtest.Sums{Judged: map[string]int{}}}
	want.Judged, want.Calls = map[string]int{"rss_bytes": 2}, []backtest.Candidate{{Resource: "rss_bytes", Strength: 2}}
	want.Table.Judged("rss_bytes", 4)
	got, hints := d.Others(end)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const lacks = "what 1 of the 2 parts of the fleet tell of growth over lives is not known yet: an earlier release " +
		"of leaktrend left it out"
	if diff := cmp.Diff([]string{lacks}, hints); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	whole, part := fleet.Shard{}, fleet.Shard{Number: 1, Of: 2}
	for d, says := range map[*Directory]string{
		{}:                       "<nil>",
		{Path: dir, Part: part}:  "<nil>",
		{Path: dir, Part: whole}: "needs --shard",
		{Path: file, Part: part}: "is no directory",
		{Path: filepath.Join(dir, "x"), Part: part}: "no such file",
	} {
		if got := fmt.Sprint(d.Check()); !strings.Contains(got, says) {
			t.Errorf("%+v: %s, want %q", d, got, says)
		}
	}
}
