package rules

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
	"github.com/mdzesseis/leaktrend/detector"
)

// text returns the rules as they are written.
func text(t *testing.T, a Approximation, match string) string {
	t.Helper()
	var b bytes.Buffer
	if err := a.WriteYAML(&b, match); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func approximate(t testing.TB, change func(c *detector.Config)) Approximation {
	t.Helper()
	c := detector.DefaultConfig()
	if change != nil {
		change(&c)
	}
	a, err := Approximate(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestApproximationIsValid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *detector.Config){
		"default": nil,
		"limits": func(c *detector.Config) {
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold = 50, 100, 100<<20
		},
		"limits only": func(c *detector.Config) { c.Adaptive.Enabled = false },
		"trend only":  func(c *detector.Config) { c.AlertOnThreshold = false },
		"hardly any":  func(c *detector.Config) { c.Adaptive.Sensitivity, c.Adaptive.Patience = .1, 72*time.Hour },
		"eager": func(c *detector.Config) {
			c.Adaptive.Sensitivity, c.Adaptive.MinGrowth, c.Adaptive.HalfLife = 10, .01, time.Millisecond
		},
		"extreme": func(c *detector.Config) {
			c.Adaptive.Patience, c.Adaptive.HalfLife, c.Adaptive.MinGrowth = math.MaxInt64, math.MaxInt64, 10
		},
	} {
		t.Run(name, func(t *testing.T) {
			promtest.Promtool(t, text(t, approximate(t, change), `job="api",env=~"a|\"b"`), "")
		})
	}
}

// Without keep_firing_for the rules are the same, but for what they say of it, and promtool takes them too.
func TestPlainRules(t *testing.T) {
	t.Parallel()
	full := approximate(t, func(c *detector.Config) { c.GoroutineThreshold = 50 })
	rulesOf := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "#") && !strings.Contains(line, "keep_firing_for") {
				all = append(all, line)
			}
		}
		return all
	}
	with, without := text(t, full, ""), text(t, full.Plain(), "")
	if !slices.Equal(rulesOf(with), rulesOf(without)) || strings.Count(with, "keep_firing_for:") < 2 ||
		strings.Contains(without, "keep_firing_for:") {
		t.Errorf("with it:\n%s\nwithout:\n%s", with, without)
	}
	promtest.Promtool(t, without, "")
}

// The rules themselves: a leak fires and a sawtooth does not, nor a step, nor a process whose restarts give back what
// it took. By hand, in steps: after 20 h (240) the window of 204 holds the rise from 137 to 329 (the lowest of the last
// 12), over a mean of 124 before it, plus 4: 150 %. After 34 h (408) it is the rise from 305 to 497 over 280.5, plus 4:
// 67.49 %.
func TestApproximationFires(t *testing.T) {
	if testing.Short() {
		t.Skip("promtool takes many seconds")
	}
	t.Parallel()
	a := approximate(t, func(c *detector.Config) { c.AlertOnThreshold = false })
	promtest.Promtool(t, text(t, a, `job="api"`), `
rule_files: [rules.yaml]
evaluation_interval: 5m
tests:
  - interval: 5m
    input_series:
      - {series: 'process_start_time_seconds{job="api",instance="leak"}', values: '0x420'}
      - {series: 'go_goroutines{job="api",instance="leak"}', values: '100+1x420'}
      - {series: 'process_start_time_seconds{job="api",instance="sawtooth"}', values: '0x420'}
      - {series: 'go_goroutines{job="api",instance="sawtooth"}', values: '`+strings.Repeat("100+3x119 ", 4)+`'}
      - {series: 'process_start_time_seconds{job="api",instance="step"}', values: '0x420'}
      - {series: 'go_goroutines{job="api",instance="step"}', values: '100x199 300x220'}
      - {series: 'process_start_time_seconds{job="api",instance="restarts"}', values: '0x119 36000x119 72000x119 108000x119'}
      - {series: 'go_goroutines{job="api",instance="restarts"}', values: '`+strings.Repeat("100+0.05x119 ", 4)+`'}
      - {series: 'process_start_time_seconds{job="other",instance="leak"}', values: '0x420'}
      - {series: 'go_goroutines{job="other",instance="leak"}', values: '100+1x420'}
      - {series: 'go_goroutines{job="api",instance="of unknown age"}', values: '100+1x420'}
    alert_rule_test:
      - {eval_time: 4h, alertname: LeaktrendRulesLeak}
      - eval_time: 20h
        alertname: LeaktrendRulesLeak
        exp_alerts:
          - exp_labels: {job: api, instance: leak, resource: goroutines, severity: warning}
            exp_annotations:
              summary: goroutines of api at leak may leak
              description: goroutines grew by 150% of the level before, evenly and without coming back.
      - eval_time: 34h
        alertname: LeaktrendRulesLeak
        exp_alerts:
          - exp_labels: {job: api, instance: leak, resource: goroutines, severity: warning}
            exp_annotations:
              summary: goroutines of api at leak may leak
              description: goroutines grew by 67.49% of the level before, evenly and without coming back.
`)
}

// Limits fire above what is configured, or near what the process may have, and let go again.
func TestApproximationOfLimits(t *testing.T) {
	t.Parallel()
	a := approximate(t, func(c *detector.Config) {
		c.Adaptive.Enabled, c.GoroutineThreshold, c.MemoryThreshold = false, 500, 100<<20
	})
	promtest.Promtool(t, text(t, a, ""), `
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'process_start_time_seconds{job="api",instance="slow"}', values: '0x300'}
      - {series: 'go_goroutines{job="api",instance="slow"}', values: '100+4x300'}
      - {series: 'process_start_time_seconds{job="api",instance="burst"}', values: '0x300'}
      - {series: 'go_goroutines{job="api",instance="burst"}', values: '100x99 1300x9 100x190'}
      - {series: 'process_start_time_seconds{job="api",instance="restarted"}', values: '0x99 6000x200'}
      - {series: 'go_goroutines{job="api",instance="restarted"}', values: '100x99 700x200'}
      - {series: 'process_max_fds{job="api",instance="fds"}', values: '1000x300'}
      - {series: 'process_open_fds{job="api",instance="fds"}', values: '10x99 850x99 10x100'}
      - {series: 'go_memstats_heap_inuse_bytes{job="api",instance="heap"}', values: '1000000x99 314572800x200'}
    alert_rule_test:
      - {eval_time: 98m, alertname: LeaktrendRulesLimit}
      - eval_time: 105m
        alertname: LeaktrendRulesLimit
        exp_alerts:
          - exp_labels: {job: api, instance: burst, resource: goroutines, severity: critical}
            exp_annotations: &burst
              summary: goroutines of api at burst is above its hard limit
              description: goroutines grew by 2.4 times the limit of 500 above the start.
          - exp_labels: {job: api, instance: fds, resource: open_fds, severity: warning}
            exp_annotations: &fds
              summary: open_fds of api at fds is above its hard limit
              description: open_fds are at 85% of what the process may have.
          - exp_labels: {job: api, instance: heap, resource: heap_inuse_bytes, severity: critical}
            exp_annotations: &heap
              summary: heap_inuse_bytes of api at heap is above its hard limit
              description: heap_inuse_bytes is 3 times the limit of 100 MB.
      - eval_time: 150m
        alertname: LeaktrendRulesLimit
        exp_alerts:
          - exp_labels: {job: api, instance: slow, resource: goroutines, severity: warning}
            exp_annotations:
              summary: goroutines of api at slow is above its hard limit
              description: goroutines grew by 1.144 times the limit of 500 above the start.
          - exp_labels: {job: api, instance: fds, resource: open_fds, severity: warning}
            exp_annotations: *fds
          - exp_labels: {job: api, instance: heap, resource: heap_inuse_bytes, severity: critical}
            exp_annotations: *heap
`)
}

func TestApproximateRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(c *detector.Config){
		"enabled is false: there is nothing to approximate": func(c *detector.Config) { c.Enabled = false },
		"adaptive.soak: rules cannot be scaled to a soak run, which is over before they have seen enough": func(
			c *detector.Config) {
			c.Adaptive.Soak = time.Hour
		},
		"adaptive.enabled and alert_on_threshold are both false: there is nothing to alert on": func(
			c *detector.Config) {
			c.Adaptive.Enabled, c.AlertOnThreshold = false, false
		},
	} {
		c := detector.DefaultConfig()
		change(&c)
		if _, err := Approximate(c); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Approximate(detector.Config{}); err == nil {
		t.Error("a configuration that is not valid is taken")
	}
}

func TestCheckMatch(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]bool{
		"": true, `job="api"`: true, ` job = "a" , env!~"x\"y|z" `: true, `a=~""`: true,
		`job`: false, `{job="api"}`: false, `job="api"}`: false, `job="api",`: false, `job="a`: false, `job='a'`: false,
		"job=\"a\nb\"":       false,
		`job="a"} or {b="c"`: false, `1a="b"`: false,
	} {
		if err := CheckMatch(match); (err == nil) != want {
			t.Errorf("%q: %v", match, err)
		}
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	// 8 h of required duration over the 2 h 5 min of the first window is 3.84, to the power 1/1.3.
	got := approximate(t, nil).Needs(windows[0])
	if want := (Needs{2.815, 1.652, math.Inf(1), math.Inf(1)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Twice as sensitive is half of the required duration.
	twice := approximate(t, func(c *detector.Config) { c.Adaptive.Sensitivity = 2 }).Needs(windows[0])
	if twice.Young != got.Old {
		t.Errorf("twice as sensitive: %+v", twice)
	}
	needs := approximate(t, func(c *detector.Config) { c.Adaptive.MinGrowth = 3 }).Needs(windows[6])
	if want := (Needs{3, 3, 3, 3}); needs != want {
		t.Errorf("least growth: %+v, want %+v", needs, want)
	}
}

// The losses are said where they are losses.
func TestLosses(t *testing.T) {
	t.Parallel()
	all := strings.Join(approximate(t, func(c *detector.Config) {
		c.FDThreshold, c.GrowthRateThreshold = 5, 5
	}).Losses(), "\n")
	few := approximate(t, func(c *detector.Config) { c.Adaptive.Enabled = false }).Losses()
	if !strings.Contains(all, "growth_rate_threshold") || !strings.Contains(all, "starting level") || len(few) != 0 {
		t.Errorf("all: %s\nfew: %s", all, few)
	}
}
