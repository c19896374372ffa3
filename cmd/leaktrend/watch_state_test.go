package main

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/watch"
	"github.com/mdzesseis/leaktrend/detector"
)

// What a test run shows is its own: what an earlier one found of a program that was mended since is not asked for.
func TestWatchKeepsState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		flags      watchFlags
		configured string
		soak       time.Duration
		want       string
	}{
		{"by default", watchFlags{}, "", 0, watch.StateDir()},
		{"in a test run", watchFlags{}, "", time.Minute, ""},
		{"in a test run with a directory", watchFlags{state: "kept"}, "", time.Minute, "kept"},
		{"configured", watchFlags{}, "configured", time.Minute, "configured"},
		{"named", watchFlags{state: "kept"}, "configured", 0, "kept"},
		{"none", watchFlags{noState: true}, "configured", 0, ""},
	} {
		config := detector.DefaultConfig()
		config.StateDir, config.Adaptive.Soak = test.configured, test.soak
		if test.flags.setStateDir(&config); config.StateDir != test.want {
			t.Errorf("%s: %q, want %q", test.name, config.StateDir, test.want)
		}
	}
}
