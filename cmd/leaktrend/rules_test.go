package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/detector/collector"
)

func TestRulesCommand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, arguments string
		want            []string // on standard output
		not             string
		stderr          string // on standard error
	}{
		{"default", "rules", []string{"go_goroutines[299s]", "process_open_fds / process_max_fds > 0.8",
			"# Configuration: the default"}, ":start", "What it lacks:"},
		{"match", `rules --match job="api"`, []string{`go_goroutines{job="api"}[299s]`, `process_max_fds{job="api"}`},
			"process_start_time_seconds ", "4.1 false alarms"},
		{"configured", "rules --config config.yaml",
			[]string{"/ 77 > 1", "sensitivity 2", "go_memstats_heap_inuse_bytes / 1048576 > 1"},
			"process_max_fds > 0.8", "growth_rate_threshold"},
		{"collector", "rules --collector", []string{collector.Rules}, "go_goroutines", ""},
		{"dashboard", "rules --dashboard", []string{collector.Dashboard}, "groups:", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := writeText(t, t.TempDir(), "config.yaml", "resource_monitoring:\n  goroutine_threshold: 77\n"+
				"  fd_threshold: 9\n  memory_threshold_mb: 1\n"+
				"  growth_rate_threshold: 5\n  adaptive: {sensitivity: 2}\n")
			got := leaktrend(t, "", strings.Fields(strings.ReplaceAll(test.arguments, "config.yaml", config))...)
			if got.code != 0 || !strings.Contains(got.stderr, test.stderr) || strings.Contains(got.stdout, test.not) {
				t.Errorf("exit code %d, %q is in the rules or %q is not said:\n%s", got.code, test.not, test.stderr,
					got.stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("not in the rules: %s", want)
				}
			}
		})
	}
}

func TestRulesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "leaktrend.rules.yaml")
	if got := leaktrend(t, "", "rules", "-o", path); got.code != 0 || got.stdout != "" {
		t.Errorf("%+v", got)
	}
	written, err := os.ReadFile(path)
	if err != nil || string(written) != leaktrend(t, "", "rules").stdout {
		t.Errorf("the file differs from what is printed (%v)", err)
	}
	soak := writeText(t, dir, "soak.yaml", "resource_monitoring: {adaptive: {soak: 1h}}\n")
	for _, test := range []struct{ arguments, want string }{
		{"-o " + path, "is not empty; --force replaces it"},
		{"--match {job}", "--match {job}: must be label matchers"},
		{"--collector --dashboard", "one at a time"},
		{"--collector --match a=\"b\"", "are for the approximation"},
		{"--config " + soak, "adaptive.soak"},
		{"more", "takes no arguments"},
	} {
		got := leaktrend(t, "", append([]string{"rules"}, strings.Fields(test.arguments)...)...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%s: %d, %s%s, want %q", test.arguments, got.code, got.stdout, got.stderr, test.want)
		}
	}
}
