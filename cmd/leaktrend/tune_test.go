package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// tuneSet writes recordings of four programs, each healthy once and leaking once, and their labels. It returns the
// labels file.
func tuneSet(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	labels := "recordings:\n"
	for i := range 4 {
		writeRecording(t, filepath.Join(dir, fmt.Sprintf("healthy%d.csv", i)), 100*time.Hour, 0, oscillating)
		writeRecording(t, filepath.Join(dir, fmt.Sprintf("leaking%d.csv", i)), 36*time.Hour, 0, leaking)
		labels += fmt.Sprintf("  - {file: healthy%d.csv, program: p%d, healthy: true}\n", i, i)
		labels += fmt.Sprintf("  - {file: leaking%d.csv, program: p%d, healthy: false, leaks: [{resource: "+
			"goroutines, start: begin, kind: steady}]}\n", i, i)
	}
	return writeText(t, dir, "labels.yaml", labels)
}

func writeText(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var tuneBegin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// writeRecording writes a sample of goroutines every five minutes.
func writeRecording(t *testing.T, path string, length, soak time.Duration, level func(hour float64) float64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := recording.NewWriter(f, recording.Header{Interval: 5 * time.Minute, Soak: soak})
	var s sampler.Sample
	for at := time.Duration(0); at < length; at += 5 * time.Minute {
		s.Reset(tuneBegin.Add(at))
		s.Add(sampler.Goroutines, math.Round(level(at.Hours())))
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// unwrapped undoes the breaks of lines, which depend on the length of the names of files.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestTune(t *testing.T) {
	t.Parallel()
	labels := tuneSet(t)
	dir := t.TempDir()
	out, html := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "curve.html")
	got := leaktrend(t, "", "tune", labels, "--budget", "1/10d", "-o", out, "--html", html, "--verbose")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, says := range []string{
		"8 recordings of 4 programs, from " + labels, "100 % (40 to 100)", "predict_linear", "Sources of the rules",
		"For a budget of 1/10d",
		"4-fold cross-validation", "set sensitivity 4, least_growth 0.2, goroutine_threshold 75 costs 0 false alarms " +
			"a month of a process (0 to ", "finds 100 % (40 to 100) of the leaks",
	} {
		if !strings.Contains(unwrapped(got.stdout), says) {
			t.Errorf("no %q in\n%s", says, got.stdout)
		}
	}
	config, warnings, err := detector.LoadConfig(out)
	if err != nil || len(warnings) > 0 || config.Validate() != nil {
		t.Errorf("the recommended configuration: %v %v", err, warnings)
	}
	page, err := os.ReadFile(html)
	if err != nil || !bytes.Contains(page, []byte("<svg ")) {
		t.Errorf("the page: %v", err)
	}
	// What was recommended can be in force in the next run, which replaces nothing without being told.
	for _, flag := range []string{"-o", "--html"} {
		again := leaktrend(t, "", "tune", labels, "--config", out, flag, out)
		if again.code != exitUsage || !strings.Contains(again.stderr, "--force") || again.stdout != "" {
			t.Errorf("%s of a file that is there: code %d, %s", flag, again.code, again.stderr)
		}
	}
	again := leaktrend(t, "", "tune", labels, "--config", out, "-o", out, "--force", "--format", "json", "--budget",
		"1/10d")
	var result struct {
		Config  string
		InForce struct{ Sensitivity float64 } `json:"in_force"`
		Groups  []struct {
			Unit    string
			Methods []struct {
				Name string
				All  struct {
					Leaks, Found int
					Rate         struct{ Value, Low, High float64 }
				}
			}
		}
		Choice struct{ Confidence float64 }
	}
	if err := json.Unmarshal([]byte(again.stdout), &result); err != nil {
		t.Fatal(err, again.stderr)
	}
	if len(result.Groups) != 1 || len(result.Groups[0].Methods) != 9 || result.Config != out ||
		result.InForce.Sensitivity != config.Adaptive.Sensitivity || result.Choice.Confidence <= 0 {
		t.Errorf("got %+v", result)
	}
	if own := result.Groups[0].Methods[0]; own.All.Leaks != 4 || own.All.Rate.High <= 0 ||
		own.Name != "this configuration" {
		t.Errorf("this configuration: %+v", own)
	}
}

func TestTuneUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeRecording(t, filepath.Join(dir, "a.csv"), 10*time.Hour, 0, steady)
	empty := t.TempDir()
	entry := func(rest string) string {
		return writeText(t, dir, fmt.Sprintf("labels%d.yaml", time.Now().UnixNano()), "recordings:\n  - {program: p, "+
			rest+"}\n")
	}
	leaks := func(what string) string { return entry("file: a.csv, healthy: false, leaks: [" + what + "]") }
	full := writeText(t, dir, "full.txt", "text")
	recording := filepath.Join(dir, "a.csv")
	tests := map[string]struct {
		args []string
		says []string
	}{
		"nothing":                 {nil, []string{"labels file"}},
		"format":                  {[]string{recording, "--format", "xml"}, []string{"--format xml"}},
		"budget":                  {[]string{recording, "--budget", "often"}, []string{"--budget", "often", "1/30d"}},
		"workers":                 {[]string{recording, "--workers", "0"}, []string{"--workers 0"}},
		"generate":                {[]string{"--generate", "-1"}, []string{"--generate -1"}},
		"generate and recordings": {[]string{recording, "--generate", "1"}, []string{"--generate"}},
		"generate with": {[]string{"--generate", "1", "--generate-with", "wings"},
			[]string{"--generate-with wings"}},
		"out is full":            {[]string{recording, "-o", full}, []string{full, "--force"}},
		"html is full":           {[]string{recording, "--html", full}, []string{full, "--force"}},
		"same files":             {[]string{recording, "--html", "x", "-o", "x"}, []string{"same file"}},
		"out is standard output": {[]string{recording, "-o", "-"}, []string{"- is no file"}},
		"out is a directory":     {[]string{recording, "-o", dir}, []string{"directory"}},
		"out is nowhere": {[]string{recording, "-o", filepath.Join(dir, "no", "x")},
			[]string{filepath.Join(dir, "no")}},
		"labels beside": {[]string{recording, entry("file: a.csv, healthy: true")}, []string{"stands alone"}},
		"no recordings": {[]string{empty}, []string{"leaktrend: " + empty + ": no recordings"}},
		"no file":       {[]string{filepath.Join(dir, "none.csv")}, []string{"none.csv"}},
		"empty set":     {[]string{writeText(t, dir, "empty.yaml", "")}, []string{"no recordings"}},
		"missing file":  {[]string{entry("file: none.csv, healthy: true")}, []string{".yaml:2:", "none.csv"}},
		"missing resource": {[]string{leaks("{resource: open_fds, start: begin}")},
			[]string{".yaml:2:", "open_fds"}},
		"outside": {[]string{leaks("{resource: goroutines, start: 2027-01-01T00:00:00Z}")},
			[]string{".yaml:2:", "outside"}},
		"overlapping": {[]string{leaks("{resource: goroutines, start: begin}, {resource: goroutines, start: " +
			"2026-11-01T02:00:00Z}")},
			[]string{".yaml:2:", "twice"}},
		"contradiction": {[]string{leaks("")}, []string{".yaml:2:", "contradict"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := leaktrend(t, "", append([]string{"tune"}, tt.args...)...)
			if got.code != exitUsage || got.stdout != "" {
				t.Errorf("exit code %d, stdout %q", got.code, got.stdout)
			}
			for _, text := range tt.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("stderr does not say %q:\n%s", text, got.stderr)
				}
			}
		})
	}
}

func TestTuneUnlabelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeRecording(t, filepath.Join(dir, "a.csv"), 30*time.Hour, 0, oscillating)
	writeRecording(t, filepath.Join(dir, "b.csv"), time.Hour, 10*time.Hour, steady)
	got := leaktrend(t, "", "tune", dir, "--verbose")
	if got.code != 0 || !strings.Contains(got.stdout, "A month of this very process") ||
		!strings.Contains(got.stdout, "Soak runs of 10h") {
		t.Errorf("code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// What looks like a leak in a recording that is not labelled is told, and is no false alarm. Without --verbose the
// answer and one table are all.
func TestTuneSuspects(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "week.csv")
	writeRecording(t, path, 72*time.Hour, 0, func(hour float64) float64 {
		return oscillating(hour) + 10*max(0, hour-36)
	})
	got := leaktrend(t, "", "tune", path)
	text := unwrapped(got.stdout)
	if got.code != 0 || !strings.Contains(text, path+": goroutines looks like a leak since 2026-11-02 ") ||
		!strings.Contains(text, "label it, or leave it out") ||
		!strings.Contains(text, "; recorded: 0 in 1.") ||
		strings.Count(text, "This configuration on the recordings:") != 1 || strings.Contains(text, "predict_linear") {
		t.Errorf("code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	again := leaktrend(t, "", "tune", "--format", "json", path)
	var result struct {
		Suspects []struct {
			Recording, Resource string
			Since               time.Time
		}
		Groups []struct {
			Methods []struct {
				All struct {
					FalseAlarms int `json:"false_alarms"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(again.stdout), &result); err != nil {
		t.Fatal(err, again.stderr)
	}
	if len(result.Suspects) != 1 || result.Suspects[0].Recording != path ||
		result.Suspects[0].Resource != sampler.Goroutines ||
		result.Suspects[0].Since.Sub(tuneBegin).Hours() < 30 || result.Groups[0].Methods[0].All.FalseAlarms != 0 {
		t.Errorf("%+v", result)
	}
}

// An interrupted run prints what there is, writes no configuration, and says so by its exit code.
func TestTuneInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "config.yaml")
	var stdout, stderr bytes.Buffer
	err := run(ctx, []string{"tune", "--generate", "1", "-o", out}, strings.NewReader(""), &stdout, &stderr)
	if exitCode(err) != exitUsage || stderr.String() != "leaktrend: interrupted\n" ||
		!strings.Contains(stdout.String(), "PARTIAL: interrupted.") {
		t.Errorf("%v; stdout:\n%s\nstderr:\n%s", err, stdout.String(), stderr.String())
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a configuration was written")
	}
}

// A configuration without the trend is measured as it is, and recommended with it.
func TestTuneTrendOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := writeText(t, dir, "config.yaml", "resource_monitoring:\n  adaptive:\n    enabled: false\n")
	out := filepath.Join(dir, "out.yaml")
	got := leaktrend(t, "", "tune", tuneSet(t), "--config", config, "-o", out)
	if got.code != 0 || !strings.Contains(unwrapped(got.stdout), "trend detector is off") {
		t.Errorf("code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	recommended, _, err := detector.LoadConfig(out)
	if err != nil || !recommended.Adaptive.Enabled {
		t.Errorf("recommended %+v: %v", recommended, err)
	}
}
