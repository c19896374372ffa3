package labels

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const good = `# what is true
recordings:
  - file: recordings/redis.csv
    program: redis
    healthy: true
    note: 5 minutes
    leaks: []
  - {file: ../b.csv, healthy: true}
  - file: c.csv
    program: go-file
    healthy: false
    soak: 20m
    leaks:
      - resource: open_fds
        start: 2026-11-23T15:38:26Z
        kind: file that is never closed
        also: [heap_live_bytes, rss_bytes]
      - resource: goroutines
        start: begin
      - {resource: threads, start: "2026-11-23T15:38:26.5+01:00", also: }
`

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "labels.yaml")
	if err := os.WriteFile(path, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Recording{
		{Path: filepath.Join(dir, "recordings", "redis.csv"), Program: "redis", Healthy: true, Note: "5 minutes",
			Line: 3},
		{Path: filepath.Join(filepath.Dir(dir), "b.csv"), Healthy: true, Line: 8},
		{
			Path: filepath.Join(dir, "c.csv"), Program: "go-file", Soak: 20 * time.Minute, Line: 9,
			Leaks: []Leak{
				{
					Resource: "open_fds", Start: time.Date(2026, 11, 23, 15, 38, 26, 0, time.UTC),
					Kind: "file that is never closed",
					Also: []string{"heap_live_bytes", "rss_bytes"},
				},
				{Resource: "goroutines"},
				{Resource: "threads", Start: time.Date(2026, 11, 23, 14, 38, 26, 5e8, time.UTC)},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("missing file: %v", err)
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []string // a line of the error each
		kept     []string // files that load all the same
	}{
		{"empty", "", []string{"l.yaml: no recordings"}, nil},
		{"comments only", "# nothing\n", []string{"l.yaml: no recordings"}, nil},
		{"null", "~\n", []string{"l.yaml: no recordings"}, nil},
		{"empty list", "recordings: []\n", []string{"l.yaml: no recordings"}, nil},
		{"null list", "recordings:\n", []string{"l.yaml: no recordings"}, nil},
		{"a sentence", "just text\n",
			[]string{`l.yaml:1: the file must be keys with values, as in recordings: [...], not "just text"`}, nil},
		{"a list", "- {file: a.csv, healthy: true}\n",
			[]string{"l.yaml:1: the file must be keys with values, as in recordings: [...], not a list"}, nil},
		{"recordings is text", "\nrecordings: a.csv\n", []string{"l.yaml:2: must be a list"}, nil},
		{"no YAML", "recordings:\n  - file: a.csv\n    note: a: b\n",
			[]string{"l.yaml:3: mapping values are not allowed in this context"}, nil},
		{"a tab", "recordings:\n  - file: a.csv\n\thealthy: true\n",
			[]string{"l.yaml:3: found a tab character that violates indentation"}, nil},
		{"an anchor that is none", "recordings:\n  - file: a.csv\n    healthy: *yes\n",
			[]string{"l.yaml:3: unknown anchor 'yes' referenced"}, nil},
		{"two documents", good + "---\nrecordings: []\n", []string{"l.yaml:21: a second document in the file"}, nil},
		{"top-level key", "recording:\n  - {file: a.csv, healthy: true}\n",
			[]string{"l.yaml:1: recording: unknown key"}, nil},
		{
			"unknown keys, at every depth",
			"version: 1\nrecordings:\n  - file: a.csv\n    healthy: true\n    sok: 20m\n  - file: b.csv\n" +
				"    healthy: false\n    leaks:\n" +
				"      - resource: threads\n        begin: begin\n  - {file: c.csv, healthy: true}\n",
			[]string{"l.yaml:1: version: unknown key", "l.yaml:5: sok: unknown key", "l.yaml:10: begin: unknown key"},
			[]string{"c.csv"},
		},
		{"no entry", "recordings:\n  -\n  - a.csv\n", []string{
			"l.yaml:2: a recording must be keys with values, as in {file: a.csv, healthy: true}, not nothing",
			`l.yaml:3: a recording must be keys with values, as in {file: a.csv, healthy: true}, not "a.csv"`}, nil},
		{"leaks by name", "recordings:\n  - file: a.csv\n    leaks: [rss]\n", []string{
			`l.yaml:3: a leak must be keys with values, as in {resource: rss_bytes}, not "rss"`}, nil},
		{"no file", "recordings:\n  - healthy: true\n", []string{"l.yaml:2: file is missing"}, nil},
		{"no healthy", "recordings:\n  - file: a.csv\n", []string{"l.yaml:2: healthy is missing: true or false"}, nil},
		{"healthy is a word", "recordings:\n  - file: a.csv\n    healthy: maybe\n",
			[]string{`l.yaml:3: healthy: "maybe" is neither true nor false`}, nil},
		{"twice the same key", "recordings:\n  - file: a.csv\n    healthy: true\n    healthy: false\n",
			[]string{"l.yaml:4: healthy: stands on line 3 already"}, nil},
		{"file is a list", "recordings:\n  - file: [a.csv]\n    healthy: true\n",
			[]string{"l.yaml:2: file: must be text"}, nil},
		{
			"healthy with leaks", "recordings:\n  - file: a.csv\n    healthy: true\n    leaks: [{resource: threads}]\n",
			[]string{"l.yaml:2: healthy and leaks contradict each other"}, nil,
		},
		{"sick without leaks", "recordings:\n  - {file: a.csv, healthy: false}\n",
			[]string{"l.yaml:2: healthy and leaks contradict each other"}, nil},
		{
			"soak", "recordings:\n  - file: a.csv\n    healthy: true\n    soak: 20\n  - file: b.csv\n    soak: -5m\n" +
				"    healthy: true\n",
			[]string{`l.yaml:4: soak: "20" is no length of time, as in 20m`, `l.yaml:6: soak: "-5m" is no length of ` +
				`time, as in 20m`}, nil,
		},
		{
			"leaks", "recordings:\n  - file: a.csv\n    healthy: false\n    leaks:\n      - resource: threads\n" +
				"        start: yesterday\n" +
				"      - kind: file\n      - resource: open_fds\n        also: {a: b}\n" +
				"  - {file: b.csv, healthy: false, leaks: threads}\n",
			[]string{
				`l.yaml:6: start: "yesterday" is neither a time, as in 2026-11-23T08:15:48Z, nor begin`,
				"l.yaml:7: resource is missing", "l.yaml:9: also: must be a list of resources",
				"l.yaml:10: must be a list",
			}, nil,
		},
		{
			"one file twice", "recordings:\n  - {file: x/a.csv, healthy: true}\n  - {file: b.csv, healthy: true}\n" +
				"  - {file: ./x//a.csv, healthy: true}\n",
			[]string{"l.yaml:4: " + filepath.Join("x", "a.csv") + " is labelled on line 2 already"},
			[]string{filepath.Join("x", "a.csv"), "b.csv"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			recordings, err := parse([]byte(test.in), "l.yaml")
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("error (-want +got)\n%s", diff)
			}
			var kept []string
			for _, r := range recordings {
				kept = append(kept, r.Path)
			}
			if diff := cmp.Diff(test.kept, kept); diff != "" {
				t.Errorf("recordings (-want +got)\n%s", diff)
			}
		})
	}
}

// An entry that several recordings share may be an anchor.
func TestAlias(t *testing.T) {
	const in = "recordings:\n  - file: a.csv\n    healthy: false\n    leaks: &same\n" +
		"      - &one {resource: threads}\n" +
		"  - {file: b.csv, healthy: false, leaks: *same}\n  - {file: c.csv, healthy: false, leaks: [*one]}\n"
	got, err := parse([]byte(in), "l.yaml")
	want := []Recording{
		{Path: "a.csv", Line: 2, Leaks: []Leak{{Resource: "threads"}}},
		{Path: "b.csv", Line: 6, Leaks: []Leak{{Resource: "threads"}}},
		{Path: "c.csv", Line: 7, Leaks: []Leak{{Resource: "threads"}}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; (-want +got)\n%s", err, diff)
	}
}

// FuzzLoad: what loads is whole, and every fault has a line of the input.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("recordings:\n  - file: a.csv\n    healthy: maybe\n    leaks: [{also: *x}]\n"))
	f.Add([]byte("recordings: &a\n  - *a\n  - ? [x]\n    : {<<: *a}\n"))
	f.Add([]byte("--- \n...\n--- 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		recordings, err := parse(data, "l.yaml")
		if err == nil && len(recordings) == 0 {
			t.Error("neither recordings nor an error")
		}
		lines := 1 + len(lineBreak.FindAll(data, -1))
		if !utf8.Valid(data) {
			lines = math.MaxInt // YAML may be UTF-16, whose line breaks are other bytes
		}
		for _, r := range recordings {
			if r.Path == "" || r.Healthy != (len(r.Leaks) == 0) || r.Soak < 0 || r.Line < 1 || r.Line > lines {
				t.Errorf("%+v", r)
			}
		}
		if err == nil || err.Error() == "l.yaml: no recordings" {
			return
		}
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			match := faultLine.FindStringSubmatch(fault)
			if match == nil {
				t.Fatalf("no line: %q", fault)
			}
			if n, _ := strconv.Atoi(match[1]); n < 1 || n > lines {
				t.Errorf("%q in %d lines", fault, lines)
			}
		}
	})
}

var (
	faultLine = regexp.MustCompile(`^l\.yaml:(\d+): .`)
	lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]") // as YAML has it
)
