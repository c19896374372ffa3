package dataset

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

const recorded = `# leaktrend recording v1
# source: pid 1 app
# start: 2026-01-01T00:00:00Z
# ceiling: open_fds 100
time,goroutines,open_fds
2026-01-01T01:00:00Z,10,20
2026-01-01T02:00:00Z,10,20
bad line
2026-01-01T03:00:00Z,,30
2026-01-01T04:00:00Z,15,40
# start: 2026-01-01T04:30:00Z
2026-01-01T05:00:00Z,12,50
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.csv", recorded)
	b := write(t, dir, "b.csv", "time,threads\n1700000000,5\n1700000060,6\n")
	path := write(t, dir, "labels.yaml", `recordings:
  - file: a.csv
    program: app
    healthy: false
    soak: 20m
    leaks:
      - resource: open_fds
        start: 2026-01-01T02:30:00Z
        kind: fd
        also: [goroutines]
  - file: b.csv
    program: other
    healthy: true
`)
	got, err := Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	instant := func(text string) int64 {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixNano()
	}
	nan := math.NaN()
	var times []int64
	for _, text := range []string{"01", "02", "03", "04", "05"} {
		times = append(times, instant("2026-01-01T"+text+":00:00Z"))
	}
	from := instant("2026-01-01T02:30:00Z")
	want := []*Recording{
		{
			Name: a, Program: "app", Soak: 20 * time.Minute, Times: times,
			Series: []Series{
				{"goroutines", []float64{10, 10, nan, 15, 12}, Truth{Consequence: true, From: from, Kind: "fd"}},
				// Twice the level of 20 is kept from 04:00 on. From 02:30 on it grows by 10 an hour: 80 take 8 hours.
				{"open_fds", []float64{20, 20, 30, 40, 50}, Truth{Leaks: true, From: from, Kind: "fd",
					Doubled: times[3], Exhausted: instant("2026-01-01T10:30:00Z")}},
			},
			Starts: []Mark[time.Time]{{0, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
				{4, time.Date(2026, 1, 1, 4, 30, 0, 0, time.UTC)}},
			Ceilings: []Mark[[]sampler.Ceiling]{
				{0, []sampler.Ceiling{{Resource: "open_fds", Level: 100, Source: "recorded ceiling"}}},
			},
			Faults: 1, Fault: cmpopts.AnyError,
		},
		{
			Name: b, Program: "other", Times: []int64{1700000000e9, 1700000060e9},
			Series: []Series{{Resource: "threads", Values: []float64{5, 6}}},
		},
	}
	if diff := cmp.Diff(want, got, equalNaN, cmpopts.EquateErrors(), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	again, err := LoadUnlabelled(context.Background(), []string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range again {
		if !r.Unknown || r.Soak != 0 {
			t.Errorf("%s: unknown %v, soak %v", r.Name, r.Unknown, r.Soak)
		}
		have = append(have, r.Program)
	}
	if diff := cmp.Diff([]string{"pid 1 app", "b"}, have); diff != "" {
		t.Errorf("programs: (-want +got)\n%s", diff)
	}
}

// TestLoadIsASource: what was decoded gives the samples that the file gives.
func TestLoadIsASource(t *testing.T) {
	path := write(t, t.TempDir(), "a.csv", recorded)
	recs, err := LoadUnlabelled(context.Background(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	in, err := recording.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if diff := cmp.Diff(drain(t, in), drain(t, recs[0].Source())); diff != "" {
		t.Errorf("(-file +decoded)\n%s", diff)
	}
}

func drain(t *testing.T, from sampler.Source) (all []sampler.Sample) {
	t.Helper()
	var s sampler.Sample
	for from.Sample(context.Background(), &s) == nil {
		all = append(all, s.Clone())
	}
	return all
}

func TestLoadFaults(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", recorded)
	write(t, dir, "empty.csv", "time,goroutines\n")
	entry := func(leaks string) string {
		return "recordings:\n  - file: a.csv\n    program: p\n    healthy: false\n    leaks:\n" + leaks
	}
	tests := map[string]struct{ labels, want string }{
		"empty set": {"recordings: []\n", ": no recordings"},
		"no file": {"recordings:\n  - file: no.csv\n    program: p\n    healthy: true\n",
			":2: open DIR/no.csv: no such file"},
		"no samples": {"recordings:\n  - file: empty.csv\n    program: p\n    healthy: true\n",
			":2: DIR/empty.csv: no samples"},
		"no resource": {entry("      - {resource: handles}\n"), `:2: DIR/a.csv holds no resource "handles"`},
		"no consequence": {entry("      - {resource: open_fds, also: [handles]}\n"),
			`:2: DIR/a.csv holds no resource "handles"`},
		"before the begin": {entry("      - {resource: open_fds, start: 2025-12-31T00:00:00Z}\n"),
			":2: the leak of open_fds begins at 2025-12-31T00:00:00Z, outside of the recording (2026-01-01T01:00:00Z " +
				"to 2026-01-01T05:00:00Z)"},
		"after the end": {entry("      - {resource: open_fds, start: 2026-01-02T00:00:00Z}\n"),
			":2: the leak of open_fds begins at 2026-01-02T00:00:00Z, outside"},
		"twice": {entry("      - {resource: open_fds}\n      - {resource: open_fds}\n"),
			":2: open_fds is labelled twice"},
		"also itself": {entry("      - {resource: open_fds, also: [open_fds]}\n"), ":2: open_fds is labelled twice"},
		"soak too short": {"recordings:\n  - {file: a.csv, program: p, healthy: true, soak: 1s}\n",
			":2: DIR/a.csv: adaptive.soak: 1s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, dir, strings.ReplaceAll(name, " ", "-")+".yaml", tt.labels)
			recs, err := Load(context.Background(), path)
			if err == nil || len(recs) != 0 {
				t.Fatalf("%d recordings, error %v", len(recs), err)
			}
			if want := path + strings.ReplaceAll(tt.want, "DIR", dir); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}

// TestLoadSharedConsequence: two leaks may have the same consequence, which then holds from the earlier begin on.
func TestLoadSharedConsequence(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", "time,a,b,c\n0,1,1,1\n10,1,1,1\n20,1,1,1\n")
	path := write(t, dir, "labels.yaml", `recordings:
  - file: a.csv
    program: p
    healthy: false
    leaks:
      - {resource: a, start: 1970-01-01T00:00:20Z, kind: x, also: [c]}
      - {resource: b, start: 1970-01-01T00:00:10Z, kind: y, also: [c]}
`)
	recs, err := Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	var got []Truth
	for _, s := range recs[0].Series {
		got = append(got, s.Truth)
	}
	want := []Truth{{Leaks: true, From: 20e9, Kind: "x"}, {Leaks: true, From: 10e9, Kind: "y"},
		{Consequence: true, From: 10e9, Kind: "y"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoadKeepsTheGood(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", recorded)
	path := write(t, dir, "labels.yaml", "recordings:\n  - {file: no.csv, program: p, healthy: true}\n"+
		"  - {file: a.csv, program: p, healthy: true}\n")
	recs, err := Load(context.Background(), path)
	if len(recs) != 1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d recordings, error %v; want 1 and that a file does not exist", len(recs), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if recs, err := LoadUnlabelled(context.Background(), []string{filepath.Join(dir, "no.csv")}); len(recs) != 0 ||
		!errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d recordings, error %v", len(recs), err)
	}
}

// Several processes in one file are several recordings, each with its own label.
func TestLoadSeveralProcesses(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "two.csv", "time,pid,rss_kb\n1700000000,1,10\n1700000000,2,30\n1700000060,1,10\n"+
		"1700000060,2,60\n1700000120,1,11\n1700000120,2,90\n")
	names := func(recs []*Recording) (names []string) {
		for _, r := range recs {
			names = append(names, strings.TrimPrefix(r.Name, dir+string(filepath.Separator)))
		}
		return names
	}
	both := []string{"two.csv (pid 1)", "two.csv (pid 2)"}
	recs, err := LoadUnlabelled(t.Context(), []string{file})
	if diff := cmp.Diff(both, names(recs)); diff != "" || err != nil {
		t.Errorf("unlabelled: %v (-want +got):\n%s", err, diff)
	}
	const leaks = "    healthy: false\n    leaks: [{resource: rss_kb}]\n"
	for _, test := range []struct {
		name, labels string
		want         []string
		leaking      string
		says         string
	}{
		{"one label for all", "  - file: two.csv\n    healthy: true\n", both, "", ""},
		{"a label for each", "  - file: two.csv\n    process: pid 1\n    healthy: true\n  - file: two.csv\n" +
			"    process: 2\n" + leaks, both, "two.csv (pid 2)", ""},
		{"which one leaks?", "  - file: two.csv\n" + leaks, nil, "", `holds 2 processes: say which one leaks, as in ` +
			`process: "pid 1"`},
		{"no such process", "  - file: two.csv\n    process: pid 3\n    healthy: true\n", nil, "",
			`holds no process "pid 3"; it holds: pid 1; pid 2`},
		{"twice", "  - file: two.csv\n    process: pid 1\n    healthy: true\n  - file: two.csv\n    process: pid 1\n" +
			"    healthy: true\n", both[:1], "", "is labelled on line 2 already"},
	} {
		t.Run(test.name, func(t *testing.T) {
			recs, err := Load(t.Context(), write(t, dir, "labels.yaml", "recordings:\n"+test.labels))
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if diff := cmp.Diff(test.want, names(recs)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, r := range recs {
				if leaks := r.find("rss_kb").Truth.Leaks; leaks != (strings.HasSuffix(r.Name, test.leaking) &&
					test.leaking != "") {
					t.Errorf("%s: leaks %v", r.Name, leaks)
				}
			}
		})
	}
}
