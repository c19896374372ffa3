package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/labels"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/detector"
)

func TestReplayExitCode(t *testing.T) {
	t.Parallel()
	limits := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(limits, []byte("resource_monitoring:\n  goroutine_threshold: 500\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		level  func(float64) float64
		args   []string
		code   int
		closes string
	}{
		{"healthy", oscillating, []string{"--exit-code"}, 0, "1 recording: 1 without a leak\n"},
		{"leak", leaking, []string{"--exit-code"}, 1, "1 recording: 1 with a leak\n"},
		{"leak, not asked", leaking, nil, 0, "1 recording: 1 with a leak\n"},
		{"hard limit", jumping, []string{"--exit-code", "--config", limits}, 1, "1 recording: 1 beyond a hard limit\n"},
		{"hard limit not set", jumping, []string{"--exit-code"}, 0, "1 recording: 1 too early to tell\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := recordingOf(t, "goroutines", 24, test.level)
			got := leaktrend(t, "", append([]string{"replay", path}, test.args...)...)
			if got.code != test.code || !strings.HasSuffix(got.stdout, test.closes) {
				t.Errorf("exit code %d, want %d, and at the end %q:\n%s%s", got.code, test.code, test.closes,
					got.stdout, got.stderr)
			}
		})
	}
	t.Run("too short", func(t *testing.T) {
		got := leaktrend(t, "", "replay", recordingOf(t, "goroutines", 0.5, steady))
		if !strings.HasSuffix(got.stdout,
			"says ok\n1 recording: 1 too early to tell; it was not read or judged in full\n") ||
			strings.Contains(got.stdout, "/h") {
			t.Errorf("got\n%s", got.stdout)
		}
	})
}

func TestReplayLacksLoad(t *testing.T) {
	t.Parallel()
	path := recordingOf(t, "goroutines", 24, steady)
	for load, warned := range map[string]bool{"requests": true, "goroutines": false, "none": false,
		"cpu_seconds": false} {
		config := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(config, []byte("resource_monitoring:\n  adaptive:\n    load: "+load+"\n"),
			0o644); err != nil {
			t.Fatal(err)
		}
		got := leaktrend(t, "", "replay", "--config", config, path)
		if got.code != 0 || strings.Contains(got.stderr, "adaptive.load: no recording has "+load) != warned {
			t.Errorf("%s: code %d\n%s", load, got.code, got.stderr)
		}
	}
}

// A flag or a configuration given to replay wins over the soak mode that the recording names.
func TestReplaySoakPrecedence(t *testing.T) {
	t.Parallel()
	plain := recordingOf(t, "goroutines", 1, shortLeak)
	text, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	soaked := filepath.Join(t.TempDir(), "soak.csv")
	if err := os.WriteFile(soaked, append([]byte("# soak: 10h\n"), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("resource_monitoring:\n  enabled: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
	}{
		{"no soak", []string{plain}, 0},
		{"the recording's", []string{soaked}, 1},
		{"flag", []string{plain, "--soak", "10h"}, 1},
		{"flag against the recording's", []string{soaked, "--soak", "0"}, 0},
		{"configuration against the recording's", []string{soaked, "--config", config}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := leaktrend(t, "", append([]string{"replay", "--exit-code"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d:\n%s%s", got.code, test.code, got.stdout, got.stderr)
			}
		})
	}
}

// A hard limit that is not alerted counts all the same, as it does in watch.
func TestReplayLimitNotAlerted(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config,
		[]byte("resource_monitoring: {goroutine_threshold: 50, alert_on_threshold: false}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	step := func(from, to float64) func(float64) float64 {
		return func(hour float64) float64 {
			if hour >= from && hour < to {
				return 200
			}
			return 100
		}
	}
	for _, test := range []struct {
		name  string
		level func(float64) float64
		code  int
		want  []string
	}{
		{"holds", step(6, 24), 1, []string{"  LIMIT  goroutines", "1 recording: 1 beyond a hard limit"}},
		{"held", step(6, 7), 1, []string{"  was LIMIT  goroutines", "passed a hard limit, which is not alerted",
			"1 recording: 1 beyond a hard limit"}},
		{"never", steady, 0, []string{"  ok  goroutines", "1 recording: 1 without a leak"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			recording, page := recordingOf(t, "goroutines", 12, test.level), filepath.Join(t.TempDir(), "report.html")
			got := leaktrend(t, "", "replay", "--exit-code", "--config", config, "--html", page, recording)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d:\n%s%s", got.code, test.code, got.stdout, got.stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("%q is missing in:\n%s", want, got.stdout)
				}
			}
		})
	}
}

func TestReplayJSON(t *testing.T) {
	t.Parallel()
	leak := recordingOf(t, "goroutines", 24, leaking)
	got := leaktrend(t, "", "replay", leak, recordingOf(t, "open_fds", 24, steady), "--format", "json")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	var lines []map[string]any
	for line := range strings.Lines(got.stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, object)
	}
	if len(lines) != 3 {
		t.Fatalf("%d lines, want an event and two verdicts:\n%s", len(lines), got.stdout)
	}
	for i, want := range []map[string]any{{"resource": "goroutines", "state": "leak"},
		{"resource": "open_fds", "state": "ok"}} {
		verdict := lines[1+i]
		if verdict["kind"] != "verdict" || verdict["resource"] != want["resource"] ||
			verdict["state"] != want["state"] ||
			verdict["rows"] != 1440. || verdict["rows_used"] != 1440. || verdict["reason"] == "" {
			t.Errorf("verdict %v, want %v of 1440 rows", verdict, want)
		}
	}
	event := lines[0]
	for key, want := range map[string]any{
		"file": leak, "resource": "goroutines", "kind": "trend", "state": "firing", "severity": "warning",
	} {
		if event[key] != want {
			t.Errorf("%s is %v, want %v", key, event[key], want)
		}
	}
	if slope := event["slope_per_hour"].(float64); math.Abs(slope-20) > 0.5 {
		t.Errorf("slope_per_hour is %v, want 20", slope)
	}
	for _, key := range []string{"time", "since"} {
		if _, err := time.Parse(time.RFC3339, event[key].(string)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range []string{"value", "baseline", "summary", "evidence"} {
		if _, ok := event[key]; !ok {
			t.Errorf("no %s in %s", key, got.stdout)
		}
	}
}

func TestReplayStdinAndFaults(t *testing.T) {
	t.Parallel()
	input := "time,value\n1700000000,1\nbroken\n1700000060,2\n1700000030,3\n"
	got := leaktrend(t, input, "replay", "-")
	want := "skipped: standard input:3: "
	if got.code != 0 || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "standard input:5: ") {
		t.Errorf("exit code %d; stderr lacks the faults of lines 3 and 5:\n%s", got.code, got.stderr)
	}
	if !strings.Contains(got.stdout, "standard input  2 samples over 1m") {
		t.Errorf("the rest was not used:\n%s", got.stdout)
	}
}

func TestReplayText(t *testing.T) {
	t.Parallel()
	path := recordingOf(t, "open_fds", 48, leaking)
	got := leaktrend(t, "", "replay", path)
	got.stdout = strings.ReplaceAll(got.stdout, path, "recording.csv")
	checkGolden(t, "replay.golden", got.stdout)
}

// The shipped recordings: every leak is called in the resource that leaks, and nothing is called in a healthy one.
func TestShippedRecordings(t *testing.T) {
	t.Parallel()
	all, err := labels.Load(filepath.FromSlash("../../testdata/labels.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	healthy, sick := 0, 0
	for _, label := range all {
		t.Run(strings.TrimSuffix(filepath.Base(label.Path), ".csv"), func(t *testing.T) {
			config := detector.DefaultConfig()
			config.Adaptive.Soak = label.Soak
			results, err := replay.File(t.Context(), label.Path, replay.Options{Config: config, Given: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != 1 {
				t.Fatalf("%d recordings in the file", len(results))
			}
			result := results[0]
			if result.FaultCount > 0 {
				t.Errorf("faults in the recording: %v", result.Faults)
			}
			var expected []string // resources in which an alarm is true
			called := make(map[string]bool)
			for _, leak := range label.Leaks {
				expected = append(append(expected, leak.Resource), leak.Also...)
			}
			for _, e := range result.Events {
				called[e.Resource] = true
				if !slices.Contains(expected, e.Resource) {
					t.Errorf("false alarm: %s", e.Summary)
				}
			}
			for _, leak := range label.Leaks {
				if !called[leak.Resource] {
					t.Errorf("the leak of %s was not called", leak.Resource)
				}
			}
		})
		if label.Healthy {
			healthy++
		} else {
			sick++
		}
	}
	if healthy < 8 || sick < 8 {
		t.Errorf("%d healthy and %d leaking recordings, want 8 of each", healthy, sick)
	}
	files, err := replay.Files([]string{filepath.FromSlash("../../testdata/recordings")})
	if err != nil || len(files) != len(all) {
		t.Errorf("%d recordings, %d labels (%v)", len(files), len(all), err)
	}
}

// The setting in force is shown, not only the one that was recorded.
func TestReplayNamesTheSoakInForce(t *testing.T) {
	t.Parallel()
	path := recordingOf(t, "goroutines", 1, steady)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("# soak: 10h\n"), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	got := leaktrend(t, "", "replay", "--soak", "0", path)
	if !strings.Contains(got.stdout, "judged with physical time constants, recorded with soak 10h") {
		t.Errorf("got\n%s", got.stdout)
	}
}

// What a file calls its columns and processes reaches no terminal, line of JSON, page or recording raw.
func TestReplayShowsNoControlCharacters(t *testing.T) {
	t.Parallel()
	const evil = "\x1b[31mred\x1b[2J\u202e\u009b"
	dir := t.TempDir()
	path := filepath.Join(dir, "evil.csv")
	var file strings.Builder
	fmt.Fprintf(&file, "time;pod;a%s;b%s\n", evil, evil)
	for i := range 200 {
		fmt.Fprintf(&file, "%d;%s;%d;1\n%d;b;%d;x%s\n", 1700000000+600*i, evil, i, 1700000000+600*i, i, evil)
	}
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "page.html")
	for _, args := range [][]string{
		{"replay", path}, {"replay", "--format", "json", path}, {"replay", "--html", page, path},
		{"convert", path, "-o", filepath.Join(dir, "out.csv")}, {"replay", path + evil},
	} {
		got := leaktrend(t, "", args...)
		written, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{"stdout": got.stdout, "stderr": got.stderr}
		for _, name := range written {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if name != path {
				texts[name] = string(text)
			}
		}
		for where, text := range texts {
			for line := range strings.Lines(text) {
				bad := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool {
					return !unicode.IsPrint(r) && r != '\t' && r != '\u00a0'
				})
				if bad >= 0 {
					t.Fatalf("%v: %s: %q", args, where, line[max(0, bad-20):min(len(line), bad+20)])
				}
			}
		}
	}
}

// Times that count from the beginning of a recording are no dates of 1970.
func TestReplayTellsElapsedTimes(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("elapsed_min,open_fds\n")
	for i := range 2880 {
		fmt.Fprintf(&file, "%d,%d\n", i, 100+max(0, i-600)/5)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	got := leaktrend(t, file.String(), "replay", "--html", page, "-")
	if !strings.Contains(got.stdout, " since +") {
		t.Errorf("a row says %s", got.stdout)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	lines := leaktrend(t, file.String(), "replay", "--format", "json", "-").stdout
	for _, text := range []string{got.stdout, lines, string(html)} {
		if strings.Contains(text, "1970") || strings.Contains(text, "Jan ") {
			t.Errorf("a date: %s", text)
		}
	}
	var last struct{ Time, Since, Summary string }
	first, _, _ := strings.Cut(lines, "\n")
	if err := json.Unmarshal([]byte(first), &last); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{last.Time, last.Since} {
		if d, err := time.ParseDuration(strings.TrimPrefix(text, "+")); err != nil || d < 9*time.Hour ||
			d > 30*time.Hour {
			t.Errorf("%q is not what has passed", text)
		}
	}
	if !strings.Contains(last.Summary+";", ", growing since "+last.Since+";") {
		t.Errorf("an alert says %q", last.Summary)
	}
}
