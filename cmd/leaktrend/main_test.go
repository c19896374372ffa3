package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/labels"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/detector"
)

var update = flag.Bool("update", false, "write the golden files anew")

// outcome is what a command line gave.
type outcome struct {
	code           int
	stdout, stderr string
}

func leaktrend(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{exitCode(err), stdout.String(), stderr.String()}
}

// recordingOf writes a recording with a sample a minute of one resource.
func recordingOf(t *testing.T, resource string, hours float64, level func(hour float64) float64) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# leaktrend recording v1\n# interval: 1m\n# source: a test\ntime,%s\n", resource)
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for minute := range int(hours * 60) {
		at := begin.Add(time.Duration(minute) * time.Minute)
		fmt.Fprintf(&b, "%s,%g\n", at.Format(time.RFC3339), math.Round(level(float64(minute)/60)))
	}
	path := filepath.Join(t.TempDir(), "recording.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func steady(float64) float64         { return 100 }
func leaking(hour float64) float64   { return 100 + 20*hour }
func oscillating(h float64) float64  { return 100 + 50*math.Sin(h*math.Pi) }
func jumping(hour float64) float64   { return 100 + 1000*math.Floor(hour/6) }
func shortLeak(hour float64) float64 { return 100 + 4000*hour }

func TestUsage(t *testing.T) {
	healthy := recordingOf(t, "goroutines", 24, steady)
	config := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(config, []byte("resource_monitoring:\n  check_interval: 30\n  gorutine_threshold: 5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	empty, full := t.TempDir(), config
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string // on stderr
	}{
		{"help", []string{"-h"}, 0, nil},
		{"help of a command", []string{"replay", "--help"}, 0, nil},
		{"unknown command", []string{"bogus"}, 2, []string{"bogus"}},
		{"unknown flag", []string{"replay", "--bogus", healthy}, 2, []string{"--bogus"}},
		{"nothing to replay", []string{"replay"}, 2, []string{"arg"}},
		{"missing file", []string{"replay", "nowhere.csv"}, 2, []string{"nowhere.csv"}},
		{"directory without recordings", []string{"replay", empty}, 2, []string{empty, "no recordings"}},
		{"format", []string{"replay", "--format", "xml", healthy}, 2, []string{"--format xml"}},
		{"report over a file", []string{"replay", "--html", full, healthy}, 2, []string{full, "--force"}},
		{"report on standard output", []string{"replay", "--html", "-", healthy}, 2, []string{"- is no file"}},
		{"plots in a file", []string{"replay", "--plot", full, healthy}, 2, []string{"--plot", full}},
		{"soak out of range", []string{"replay", "--soak", "1s", healthy}, 2, []string{"--soak", "10s"}},
		{"faults of a configuration", []string{"replay", "--config", config, healthy}, 2,
			[]string{config + ":2: check_interval", "30s", config + ":3: gorutine_threshold", "goroutine_threshold"}},
		{"no target", []string{"watch"}, 2, []string{"--pid", "--name", "--url"}},
		{"two targets", []string{"watch", "--pid", "1", "--name", "x"}, 2, []string{"--pid", "--name", "--url"}},
		{"record packed", []string{"record", "--pid", "1", "-o", "x.csv.gz"}, 2, []string{"-o x.csv.gz", "plain text"}},
		{"record to nowhere", []string{"record", "--pid", "1"}, 2, []string{"-o FILE"}},
		{"interval out of range", []string{"watch", "--pid", "1", "--interval", "1ms"}, 2, []string{"--interval 1ms", "10ms"}},
		{"bad pattern", []string{"watch", "--name", "("}, 2, []string{"pattern"}},
		{"standard input twice", []string{"replay", "-", "-"}, 2, []string{"standard input"}},
		{"watch and record to one place", []string{"watch", "--url", "http://127.0.0.1:1/metrics", "-o", "-"}, 2, []string{"-o -"}},
		{"demo of nothing", []string{"demo", "--leak", "water"}, 2, []string{"--leak water"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := leaktrend(t, "", test.args...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d; stderr:\n%s", got.code, test.code, got.stderr)
			}
			for _, text := range test.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("stderr does not say %q:\n%s", text, got.stderr)
				}
			}
			if test.code == exitUsage && got.stdout != "" {
				t.Errorf("stdout of a failed command:\n%s", got.stdout)
			}
		})
	}
}

func TestReplayExitCode(t *testing.T) {
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
		{"hard limit not set", jumping, []string{"--exit-code"}, 0, "1 recording: 1 without a leak\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := recordingOf(t, "goroutines", 24, test.level)
			got := leaktrend(t, "", append([]string{"replay", path}, test.args...)...)
			if got.code != test.code || !strings.HasSuffix(got.stdout, test.closes) {
				t.Errorf("exit code %d, want %d, and at the end %q:\n%s%s", got.code, test.code, test.closes, got.stdout, got.stderr)
			}
		})
	}
	t.Run("too short", func(t *testing.T) {
		got := leaktrend(t, "", "replay", recordingOf(t, "goroutines", 0.5, steady))
		if !strings.HasSuffix(got.stdout, "1 recording: 1 too short to tell\n") {
			t.Errorf("got\n%s", got.stdout)
		}
	})
}

func TestReplayLacksLoad(t *testing.T) {
	path := recordingOf(t, "goroutines", 24, steady)
	for load, warned := range map[string]bool{"requests": true, "goroutines": false, "none": false, "cpu_seconds": false} {
		config := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(config, []byte("resource_monitoring:\n  adaptive:\n    load: "+load+"\n"), 0o644); err != nil {
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
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("resource_monitoring: {goroutine_threshold: 50, alert_on_threshold: false}\n"), 0o644); err != nil {
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
		{"held", step(6, 7), 1, []string{"  was LIMIT  goroutines", "passed a hard limit, which is not alerted", "1 recording: 1 beyond a hard limit"}},
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
	if len(lines) != 1 {
		t.Fatalf("%d events, want 1:\n%s", len(lines), got.stdout)
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
	path := recordingOf(t, "open_fds", 48, leaking)
	got := leaktrend(t, "", "replay", path)
	got.stdout = strings.ReplaceAll(got.stdout, path, "recording.csv")
	checkGolden(t, "replay.golden", got.stdout)
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
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

// The shipped recordings: every leak is called in the resource that leaks, and nothing is called in a healthy one.
func TestShippedRecordings(t *testing.T) {
	all, err := labels.Load(filepath.FromSlash("../../testdata/labels.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	healthy, sick := 0, 0
	for _, label := range all {
		t.Run(strings.TrimSuffix(filepath.Base(label.Path), ".csv"), func(t *testing.T) {
			config := detector.DefaultConfig()
			config.Adaptive.Soak = label.Soak
			result, err := replay.File(t.Context(), label.Path, replay.Options{Config: config, Given: true})
			if err != nil {
				t.Fatal(err)
			}
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

func TestRecordAndReplay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	path := filepath.Join(t.TempDir(), "self.csv")
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", path, "--interval", "20ms", "--duration", "300ms", "--soak", "10s")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# leaktrend recording v1\n", "# interval: 20ms\n", "# soak: 10s\n", "time,", "rss_bytes", "open_fds"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the recording lacks %q:\n%.400s", want, text)
		}
	}
	if got := leaktrend(t, "", "replay", path); got.code != 0 || !strings.Contains(got.stdout, "soak 10s") {
		t.Errorf("replay: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := leaktrend(t, "", "record", "--pid", "1", "-o", path, "--duration", "1s"); got.code != 2 || !strings.Contains(got.stderr, "--force") {
		t.Errorf("a recording was replaced without --force: exit code %d, %s", got.code, got.stderr)
	}
}

func TestRecordEndsWithItsProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	child := exec.Command("sleep", "0.5")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = child.Wait() }()
	pid := strconv.Itoa(child.Process.Pid)
	got := leaktrend(t, "", "record", "--pid", pid, "-o", filepath.Join(t.TempDir(), "sleep.csv"), "--interval", "50ms")
	if got.code != 0 || !strings.Contains(got.stderr, "ended") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

func TestRecordToFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	got := leaktrend(t, "", "record", "--pid", strconv.Itoa(os.Getpid()), "-o", "/dev/full", "--interval", "50ms", "--duration", "5s")
	if got.code != 2 || !strings.Contains(got.stderr, "no space left") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

// leakyPython opens 25 files a second and closes none.
const leakyPython = `
import time
kept = []
while True:
    kept.append(open("/dev/null"))
    time.sleep(0.04)
`

// leaky starts a program that leaks descriptors, with an argument that --name finds.
func leaky(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	// Asked for its own path, as python3 may be a script that starts it.
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs Linux and python3")
	}
	child := exec.Command(strings.TrimSpace(string(python)), "-c", leakyPython, name)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // so that one that is killed is gone
		defer close(ended)
		_ = child.Wait()
	}()
	t.Cleanup(func() {
		_ = child.Process.Kill()
		<-ended
	})
	return child
}

func TestWatchFindsLeakOfAnotherLanguage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of real time")
	}
	child := leaky(t, "leaktrend")
	out := filepath.Join(t.TempDir(), "watched.csv")
	got := leaktrend(t, "", "watch", "--pid", strconv.Itoa(child.Process.Pid), "--soak", "2m", "--interval", "100ms",
		"--duration", "20s", "--exit-code", "-o", out)
	if got.code != exitLeak || !strings.Contains(got.stdout, "open_fds leak: ") {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}

	// What was recorded of the live run gives the same events in replay,
	// but for what the descriptors are, which a recording does not hold.
	live := regexp.MustCompile(`open_fds leak: [^"]*? left to the limit of [0-9,]+`).FindString(got.stdout)
	again := leaktrend(t, "", "replay", "--format", "json", out)
	if live == "" || !strings.Contains(again.stdout, live) {
		t.Errorf("live: %s\nreplay: %s", live, again.stdout)
	}
}

// asCommand makes the test binary the command itself.
const asCommand = "LEAKTREND_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// The monitor of a demo watches its own process, so each demo needs one.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of real time")
	}
	for leak, says := range map[string]string{
		"goroutines": "goroutines leak: ", "heap": "heap_live_bytes leak: ", "fds": "open_fds leak: ", "none": "No alert in 40s, as it should be",
	} {
		t.Run(leak, func(t *testing.T) {
			t.Parallel()
			if leak == "fds" && runtime.GOOS != "linux" {
				t.Skip("descriptors are counted on Linux only")
			}
			args := []string{"demo", "--leak", leak}
			if leak == "none" {
				args = append(args, "--duration", "40s")
			}
			command := exec.Command(os.Args[0], args...)
			command.Env = append(os.Environ(), asCommand+"=1")
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), says) || leak != "none" && !strings.Contains(string(out), "Found ") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// What was never sampled is not healthy.
func TestNothingSampled(t *testing.T) {
	down := "http://127.0.0.1:1/metrics"
	out := filepath.Join(t.TempDir(), "down.csv")
	for _, args := range [][]string{
		{"watch", "--url", down, "--duration", "200ms", "--interval", "50ms", "--exit-code"},
		{"record", "--url", down, "--duration", "200ms", "--interval", "50ms", "-o", out},
	} {
		got := leaktrend(t, "", args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "nothing was sampled from "+down) {
			t.Errorf("%s: exit code %d\n%s%s", args[0], got.code, got.stdout, got.stderr)
		}
	}
}

// The setting in force is shown, not only the one that was recorded.
func TestReplayNamesTheSoakInForce(t *testing.T) {
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
