package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/testdata/await"
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
	t.Parallel()
	healthy := recordingOf(t, "goroutines", 24, steady)
	config := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(config, []byte("resource_monitoring:\n  check_interval: 30\n  gorutine_threshold: 5\n"),
		0o644); err != nil {
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
		{"a command that is nearly one", []string{"wach"}, 2, []string{"wach: no such command; did you mean watch?"}},
		{"a command that is nearly one, with its flags", []string{"wach", "--pid", "1"}, 2,
			[]string{"wach: no such command; did you mean watch?"}},
		{"no command, with flags", []string{"frobnicate", "-x"},
			2, []string{"frobnicate: no such command; leaktrend -h " +
				"lists them"}},
		{"unknown shell", []string{"completion", "tcsh"},
			2, []string{"tcsh: no such command", "leaktrend completion -h"}},
		{"unknown flag", []string{"replay", "--bogus", healthy}, 2, []string{"--bogus"}},
		{"nothing to replay", []string{"replay"}, 2, []string{"needs a recording"}},
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
		{"interval out of range", []string{"watch", "--pid", "1", "--interval", "1ms"},
			2, []string{"--interval 1ms", "10ms"}},
		{"wait for a pid", []string{"watch", "--pid", "1", "--wait"}, 2, []string{"--wait", "--name"}},
		{"wait for one process", []string{"watch", "--name", "x", "--wait", "-o", "x.csv"},
			2, []string{"--wait", "-o"}},
		{"bad pattern while waiting", []string{"watch", "--name", "(", "--wait"}, 2, []string{"pattern"}},
		{"bad pattern", []string{"watch", "--name", "("}, 2, []string{"pattern"}},
		{"standard input twice", []string{"replay", "-", "-"}, 2, []string{"standard input"}},
		{"watch and record to one place", []string{"watch", "--url", "http://127.0.0.1:1/metrics", "-o", "-"},
			2, []string{"-o -"}},
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

// asCommand makes the test binary the command itself.
const asCommand = "LEAKTREND_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	flag.Parse()
	// What one test taught is none of the others' business, nor of the user's.
	if err := os.Setenv("LEAKTREND_NO_STATE", "true"); err != nil {
		panic(err)
	}
	// Most of these tests wait for a process, a browser or a second sample: more of them at a time than there are
	// cores.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		if err := parallel.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A signal ends what waits for input that never comes.
func TestInputIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"replay", "-"}, {"convert", "-", "-o", filepath.Join(t.TempDir(), "x.csv")}} {
		stdin, never := io.Pipe()
		ctx, interrupt := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, args, stdin, io.Discard, io.Discard) }()
		if _, err := io.WriteString(never, "time,a\n"); err != nil { // it is being read
			t.Fatal(err)
		}
		interrupt()
		if err := await.Receive(t, "the end of "+args[0], ended); fmt.Sprint(err) != "interrupted" {
			t.Errorf("%s ended with %v", args[0], err)
		}
		if err := never.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is read through interruptible is what was written, however it comes.
func TestInterruptible(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	for _, from := range []io.Reader{
		strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)),
		iotest.DataErrReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text)),
	} {
		if err := iotest.TestReader(&interruptible{ctx: t.Context(), from: from}, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}
