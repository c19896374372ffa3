package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"all.yaml": `app: {name: x}
resource_monitoring:
  check_interval: 15s
  goroutine_threshold: 1000
  goroutine_leak_threshold: 20
  fd_threshold: 1000
  memory_threshold_mb: 500
  growth_rate_threshold: 50
  alert_webhook_url: http://user:hush@am:9093/api/v1/alerts?token=hush
  alert_cooldown: 2m
  stack_trace_on_leak: true
  profile_dir: "/var/tmp/\x1b[31mred"
`,
		"faults.yaml": "resource_monitoring:\n  fd_threshold: -1\n  check_intervall: 15s\n" +
			"  goroutine_leak_threshold: 1\n  goroutine_threshold: 2\n",
		"off.yaml":  "resource_monitoring: {enabled: false}\n",
		"none.yaml": "app: {}\n",
		"typo.yaml": "app: {}\nresource_monitorng:\n  fd_threshold: 100\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const physical = "  time scale  a leak that doubles a level in 8h (with a day of history: in 4h) is called soon " +
		"after, a faster one sooner\n"
	for _, test := range []struct {
		name, stdin string
		args        []string
		want        outcome
	}{
		{"all", "", []string{"all.yaml"},
			outcome{exitRan,
				"warning: all.yaml:5: goroutine_leak_threshold: goroutine_threshold is 1000 (line 4) and " +
					"goroutine_leak_threshold is 20 (line 5), two names of one setting: goroutine_threshold: 1000 " +
					"holds\n" +
					"all.yaml: valid\n" +
					"  checks      every 15s\n" +
					"  limits      goroutines 1,000 above the start, open_fds 1,000 above the start, " +
					"heap_inuse_bytes 500 " +
					"MB, growth of 50 % within one interval, else 80 % of what the process can have\n" +
					physical +
					"  alerts      log and http://am:9093/... as alertmanager, those of one resource and kind at " +
					"most every 2m\n" +
					"  captures    in /var/tmp/�[31mred, at most 100 MB\n" +
					"  off         nothing\n", ""}},
		{"standard input", "resource_monitoring: {alert_cooldown: 0s}\n", []string{"-"},
			outcome{exitRan, "standard input: valid\n" +
				"  checks      every 30s\n" +
				"  limits      80 % of what the process can have\n" +
				physical +
				"  alerts      log\n" +
				"  off         webhook (alert_webhook_url), captures (stack_trace_on_leak)\n", ""}},
		{"faults", "", []string{"faults.yaml"},
			outcome{exitUsage,
				"warning: faults.yaml:4: goroutine_leak_threshold: goroutine_threshold is 2 (line 5) and " +
					"goroutine_leak_threshold is 1 (line 4), two names of one setting: goroutine_threshold: 2 holds\n",
				"leaktrend: faults.yaml:2: fd_threshold: -1 is negative\n" +
					"faults.yaml:3: check_intervall: unknown key; did you mean check_interval?\n"}},
		{"disabled", "", []string{"off.yaml"},
			outcome{exitRan, "off.yaml: valid\n  off         all of it: enabled is false\n", ""}},
		{"cooldown of a year", "resource_monitoring:\n  alert_cooldown: 1y\n", []string{"-"},
			outcome{exitRan, "standard input: valid\n" +
				"  checks      every 30s\n" +
				"  limits      80 % of what the process can have\n" +
				physical +
				"  alerts      log, those of one resource and kind at most every 365d\n" +
				"  off         webhook (alert_webhook_url), captures (stack_trace_on_leak)\n", ""}},
		{"empty section", "resource_monitoring:\n", []string{"-"},
			outcome{exitRan, "warning: standard input:1: resource_monitoring: is empty: the defaults hold\n" +
				"standard input: valid\n" +
				"  checks      every 30s\n" +
				"  limits      80 % of what the process can have\n" +
				physical +
				"  alerts      log, those of one resource and kind at most every 5m\n" +
				"  off         webhook (alert_webhook_url), captures (stack_trace_on_leak)\n", ""}},
		{"no section", "", []string{"none.yaml"}, outcome{exitUsage, "",
			"leaktrend: none.yaml:1: resource_monitoring: the section is missing\n"}},
		{"misspelled section", "", []string{"typo.yaml"}, outcome{exitUsage, "",
			"leaktrend: typo.yaml:2: resource_monitoring: the section is missing (is " +
				"resource_monitorng a typo?)\n"}},
		{"no configuration at all", "", []string{"-"}, outcome{exitUsage, "",
			"leaktrend: standard input:1: resource_monitoring: the section is missing\n"}},
		{"no file", "", []string{filepath.Join("nowhere", "x.yaml")},
			outcome{exitUsage, "", "leaktrend: nowhere/x.yaml: no such file or directory\n"}},
		{"no argument", "", nil,
			outcome{exitUsage, "", "leaktrend: check needs a file: leaktrend check FILE [flags]\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := leaktrend(t, test.stdin, append([]string{"check"}, test.args...)...)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A limit beyond what a process can have is never reached.
func TestUnreachableLimits(t *testing.T) {
	ceilings := []sampler.Ceiling{{Resource: sampler.HeapInuseBytes, Level: 1 << 30, Source: "GOMEMLIMIT"},
		{Resource: sampler.RSSBytes, Level: 24 << 30, Source: "physical memory"},
		{Resource: sampler.OpenFDs, Level: 20000, Source: "RLIMIT_NOFILE"}}
	for _, test := range []struct {
		name     string
		config   detector.Config
		ceilings []sampler.Ceiling
		want     []string
	}{
		{"none", detector.Config{}, ceilings, nil},
		{"below", detector.Config{FDThreshold: 19999, MemoryThreshold: 2 << 30}, ceilings, nil},
		{"beyond", detector.Config{FDThreshold: 5_000_000, MemoryThreshold: 100 << 30}, ceilings, []string{
			"fd_threshold: 5,000,000 is never reached where a process can have no more than here: 20,000 " +
				"(RLIMIT_NOFILE)",
			"memory_threshold_mb: 100 GB is never reached where a process can have no more than here: 24 GB " +
				"(physical memory)"}},
		{"not known", detector.Config{FDThreshold: 5_000_000, MemoryThreshold: 100 << 30}, nil, nil},
		{"no limit", detector.Config{FDThreshold: 5_000_000}, []sampler.Ceiling{{Resource: sampler.OpenFDs}}, nil},
	} {
		if diff := cmp.Diff(test.want, unreachable(test.config, test.ceilings)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
