package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// All durations are of one type, which knows days, and all words of a few are told by name.
func TestFlagTypes(t *testing.T) {
	t.Parallel()
	durations := 0
	for _, c := range documented(rootCommand()) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Value.Type() == "duration":
				durations++
				if err := f.Value.Set("0.0001w"); err != nil && !strings.Contains(err.Error(), "must be from ") {
					t.Errorf("%s --%s knows no weeks: %v", c.Name(), f.Name, err)
				}
				if f.Value.Set("-1h") == nil {
					t.Errorf("%s --%s takes a negative duration", c.Name(), f.Name)
				}
			case f.Name == "format" && f.Value.Set("xml") == nil:
				t.Errorf("%s --%s takes any word", c.Name(), f.Name)
			}
			if _, parsed := parsedAsTime(f.DefValue); parsed && f.Value.Type() != "duration" {
				t.Errorf("%s --%s holds a duration, and is a %s", c.Name(), f.Name, f.Value.Type())
			}
		})
	}
	if durations < 12 {
		t.Errorf("only %d durations", durations)
	}
}

func parsedAsTime(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil && d != 0
}

// Variables stand in for the flags of each command, and errors name them.
func TestVariables(t *testing.T) {
	recording := recordingOf(t, "goroutines", 24, steady)
	t.Setenv("LEAKTREND_FORMAT", "json")
	t.Setenv("LEAKTREND_REPLAY_EXIT_CODE", "true")
	t.Setenv("LEAKTREND_NAME", "no process is called this")
	t.Setenv("LEAKTREND_WAIT", "1")
	t.Setenv("LEAKTREND_VERSION", "1.2.3")
	for _, test := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"replay", recording}, exitRan, `"kind":"verdict","state":"ok"`, recording},
		{[]string{"replay", "--format", "text", recording}, exitRan, "1 recording: 1 without a leak", recording},
		{[]string{"version"}, exitRan, `{"version":`, ""},
		{[]string{"record", "-o", "x.csv"}, exitUsage, "", "--name no process is called this: no such process " +
			"(--name is from LEAKTREND_NAME)\n"},
		{[]string{"watch", "--pid", "1"}, exitUsage, "", "--wait goes with --name, without -o, --pprof and --listen, " +
			"which are for one process (--wait is from LEAKTREND_WAIT)\n"},
	} {
		got := leaktrend(t, "", test.args...)
		if got.code != test.code || !strings.Contains(got.stdout, test.stdout) ||
			!strings.Contains(got.stderr, test.stderr) {
			t.Errorf("%s: exit code %d\n%s%s", test.args, got.code, got.stdout, got.stderr)
		}
	}
	t.Setenv("LEAKTREND_SOAK", "5 minutes")
	want := outcome{exitUsage, "", "leaktrend: LEAKTREND_SOAK=5 minutes: must be a duration, as in 30s, 1h30m, 7d or " +
		"1d12h (LEAKTREND_REPLAY_SOAK is for replay alone)\n"}
	if got := leaktrend(t, "", "replay", recording); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
