package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parse returns a configuration, its warnings as text, and the lines of the error.
func parse(text string) (Config, []string, []string) {
	c, warnings, err := Parse(strings.NewReader(text), "f.yaml")
	return c, texts(warnings), lines(err)
}

func texts(warnings []Warning) []string {
	var s []string
	for _, w := range warnings {
		s = append(s, w.String())
	}
	return s
}

func TestLoadOfTheHost(t *testing.T) {
	for _, test := range []struct {
		file     string
		want     Config
		warnings []string
	}{
		{"host-config.yaml", with(func(c *Config) {
			c.CheckInterval = 15 * time.Second
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold = 1000, 1000, 500<<20
			c.GrowthRateThreshold = 50
			c.AlertCooldown = 2 * time.Minute
			c.StackTraceOnLeak = true
			c.MaxAlertHistory = 200
		}), []string{
			"35: fd_leak_threshold: fd_threshold is 1000 (line 31) and fd_leak_threshold is 20 (line 35), " +
				"two names of one setting: fd_threshold: 1000 holds",
			"36: goroutine_leak_threshold: goroutine_threshold is 1000 (line 29) and goroutine_leak_threshold is 20 " +
				"(line 36), " +
				"two names of one setting: goroutine_threshold: 1000 holds",
			"37: memory_leak_threshold: memory_threshold_mb is 500 (line 30) and memory_leak_threshold is 52428800 " +
				"(line 37), " +
				"two names of one setting, in MB and in bytes: memory_threshold_mb: 500 holds",
			"40: enable_gc_optimization: does nothing here; it is accepted so that existing files load",
		}},
		{"host-enterprise.yaml", with(func(c *Config) {
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold = 1000, 1000, 512<<20
			c.AlertWebhookURL = "http://alertmanager:9093/api/v1/alerts"
		}), []string{
			"26: goroutine_tracking.stack_trace_on_leak: is not read here: for stacks and profiles with each leak, " +
				"put it under resource_monitoring:",
		}},
	} {
		t.Run(test.file, func(t *testing.T) {
			path := filepath.Join("testdata", test.file)
			got, warnings, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range test.warnings {
				test.warnings[i] = path + ":" + test.warnings[i]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.warnings, texts(warnings)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParse(t *testing.T) {
	const missing = "f.yaml:1: resource_monitoring: the section is missing: the defaults hold"
	for _, test := range []struct {
		name     string
		text     string
		want     Config
		warnings []string
	}{
		{"empty file", "", Default(), []string{missing}},
		{"comment only", "# nothing\n", Default(), []string{missing}},
		{"not a mapping", "- resource_monitoring\n", Default(), []string{missing}},
		{"other sections", "app: {name: x}\nenabled: true\n1: [a, b]\n[a]: b\nmonitoring:\n" +
			"  resource_monitoring: {x: y}\n", Default(), []string{missing}},
		{"misspelled section", "app: {}\nresource_monitor:\n  enabled: false\n", Default(),
			[]string{"f.yaml:2: resource_monitoring: the section is missing: the defaults hold (is resource_monitor " +
				"a typo?)"}},
		{"empty section", "a: 1\nresource_monitoring:\n", Default(),
			[]string{"f.yaml:2: resource_monitoring: is empty: the defaults hold"}},
		{"empty mapping", "resource_monitoring: {}", Default(), nil},
		{"every key", `
resource_monitoring:
  enabled: false
  check_interval: 1h30m
  goroutine_threshold: 1_000
  fd_threshold: 1000.0
  memory_threshold_mb: 0x10
  alert_webhook_url: https://h/x
  alert_webhook_format: slack
  alert_cooldown: "0s"
  alert_on_threshold: no
  stack_trace_on_leak: on
  profile_dir: /var/tmp
  profile_max_mb: 0
  max_alert_history: 1e3
  holders: off
  growth_rate_threshold: 12.5
  adaptive:
    enabled: false
    sensitivity: 2
    soak: '20m'
    least_growth: .5
    patience: 1h
    half_life: 90s
    load: requests
`, Config{
			CheckInterval: 90 * time.Minute, GoroutineThreshold: 1000, FDThreshold: 1000, MemoryThreshold: 16 << 20,
			AlertWebhookURL: "https://h/x", AlertWebhookFormat: "slack", StackTraceOnLeak: true, ProfileDir: "/var/tmp",
			MaxAlertHistory:     1000,
			GrowthRateThreshold: 12.5, Adaptive: Adaptive{Sensitivity: 2, Soak: 20 * time.Minute, MinGrowth: 0.5,
				Patience: time.Hour,
				HalfLife: 90 * time.Second, Load: "requests"},
		}, nil},
		{"other names", `
resource_monitoring:
  monitoring_interval: 15s
  goroutine_leak_threshold: 1
  fd_leak_threshold: 2
  memory_leak_threshold: 3
  enable_memory_profiling: true
`, with(func(c *Config) {
			c.CheckInterval, c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold, c.StackTraceOnLeak =
				15*time.Second, 1, 2, 3, true
		}), nil},
		{"both names", `
resource_monitoring:
  monitoring_interval: 15s
  check_interval: "1m"
  goroutine_threshold: 0
  goroutine_leak_threshold: 20
  fd_leak_threshold: 0
  fd_threshold: 0
  memory_threshold_mb: 1
  memory_leak_threshold: 1048576
  stack_trace_on_leak: true
  enable_memory_profiling: off
`, with(func(c *Config) {
			c.CheckInterval, c.MemoryThreshold, c.StackTraceOnLeak = time.Minute, 1<<20, true
		}), []string{
			`f.yaml:3: monitoring_interval: check_interval is "1m" (line 4) and monitoring_interval is 15s (line 3), ` +
				`two names of one setting: check_interval: "1m" holds`,
			"f.yaml:6: goroutine_leak_threshold: goroutine_threshold is 0 (line 5) and goroutine_leak_threshold is " +
				"20 (line 6), " +
				"two names of one setting: goroutine_threshold: 0 holds",
			"f.yaml:12: enable_memory_profiling: stack_trace_on_leak is true (line 11) and enable_memory_profiling " +
				"is off (line 12), " +
				"two names of one setting: stack_trace_on_leak: true holds",
		}},
		{"nothing given", "resource_monitoring:\n  alert_webhook_url:\n  profile_dir: ~\n  adaptive: {load: \"\"}\n",
			with(func(c *Config) { c.Adaptive.Load = "" }), nil},
		{"without effect", "resource_monitoring: {cpu_threshold: 80.5, disk_threshold: , enable_gc_optimization: x}",
			Default(), []string{
				"f.yaml:1: enable_gc_optimization: does nothing here; it is accepted so that existing files load",
				"f.yaml:1: cpu_threshold: does nothing here; it is accepted so that existing files load",
				"f.yaml:1: disk_threshold: does nothing here; it is accepted so that existing files load",
			}},
		{"anchors and merges", `
x: &limit 7
base: &base
  fd_threshold: 1
  goroutine_threshold: 1
  adaptive: &adaptive {sensitivity: 3, soak: 1m}
more: &more {fd_threshold: 2, max_alert_history: 2, profile_max_mb: 2}
resource_monitoring:
  <<: [*more, *base, *more]
  goroutine_threshold: *limit
  profile_max_mb: 3
  adaptive:
    soak: 2m
    <<: *adaptive
`, with(func(c *Config) {
			c.FDThreshold, c.GoroutineThreshold, c.MaxAlertHistory, c.ProfileMaxMB = 2, 7, 2, 3
			c.Adaptive.Sensitivity, c.Adaptive.Soak, c.CheckInterval = 3, 2*time.Minute, 100*time.Millisecond
		}), nil},
		{"section by alias", "s: &s {fd_threshold: 3}\nresource_monitoring: *s\n", with(func(c *Config) {
			c.FDThreshold = 3
		}), nil},
		{"section by merge", "s: &s\n  resource_monitoring: {fd_threshold: 3}\n<<: *s\n", with(func(c *Config) {
			c.FDThreshold = 3
		}), nil},
		{"documents", "a: 1\n---\n---\n- b\n---\nresource_monitoring: {fd_threshold: 3}\n---\n" +
			"resource_monitoring: {no_such: 4}\n",
			with(func(c *Config) { c.FDThreshold = 3 }),
			[]string{"f.yaml:8: resource_monitoring: is not read: an earlier document has the section too, on line 6"}},
		{"captures of another section", "goroutine_tracking: {stack_trace_on_leak: yes}\n" +
			"resource_monitoring: {fd_threshold: 3}\n",
			with(func(c *Config) { c.FDThreshold = 3 }),
			[]string{"f.yaml:1: goroutine_tracking.stack_trace_on_leak: is not read here: for stacks and profiles " +
				"with each leak, put it under resource_monitoring:"}},
		{"captures of both", "goroutine_tracking: {stack_trace_on_leak: true}\n" +
			"resource_monitoring: {enable_memory_profiling: true}\n",
			with(func(c *Config) { c.StackTraceOnLeak = true }), nil},
		{"no captures of another section", "goroutine_tracking: {stack_trace_on_leak: false}\n" +
			"resource_monitoring: {}\n", Default(), nil},
		{"another section is not ours to judge", "goroutine_tracking: [stack_trace_on_leak, {a: b}]\n" +
			"resource_monitoring: {}\n---\ngoroutine_tracking:\n  stack_trace_on_leak: {}\n",
			Default(), nil},
		{"byte order mark and CRLF", "\ufeffresource_monitoring:\r\n  fd_threshold: 3\r\n", with(func(c *Config) {
			c.FDThreshold = 3
		}), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, warnings, err := parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each value stands on line 2 after the key.
func TestParseValueFaults(t *testing.T) {
	for _, test := range []struct{ setting, want string }{
		{"enabled: maybe", "enabled: maybe is not true or false"},
		{"enabled: 1", "enabled: 1 is not true or false"},
		{`enabled: "true"`, `enabled: "true" is not true or false; remove the quotes`},
		{"enabled:", "enabled: has no value"},
		{"enabled: null", "enabled: has no value"},
		{"enabled: [true]", "enabled: must be a single value, not a list"},
		{"enabled: !secret x", `enabled: has the tag "!secret", which has no meaning here`},
		{"enabled: !!bool x", `enabled: is not what its tag "!!bool" says`},
		{"check_interval: 30", "check_interval: 30 has no unit; write 30s"},
		{`check_interval: "30"`, "check_interval: 30 has no unit; write 30s"},
		{"check_interval: 1.5", "check_interval: 1.5 has no unit; write 1.5s"},
		{"check_interval: 0", "check_interval: 0 has no unit; write 0s"},
		{"check_interval: -30", "check_interval: -30 is negative and has no unit"},
		{"check_interval: -30s", "check_interval: -30s is negative"},
		{"check_interval: 0s", "check_interval: 0s is too short; it must be above zero"},
		{"check_interval: 9ms", "check_interval: 9ms is below the minimum, 10ms"},
		{"check_interval: .nan", "check_interval: .nan is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: nan", "check_interval: nan is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: 1q", "check_interval: 1q is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: 9999999h", "check_interval: 9999999h is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: true", "check_interval: true is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: 2026-01-02", "check_interval: 2026-01-02 is not a duration like 30s, 1h30m or 7d"},
		{"check_interval: {s: 30}", "check_interval: must be a single value, not a mapping"},
		{"check_interval:", "check_interval: has no value"},
		{`check_interval: ""`, `check_interval: "" is not a duration like 30s, 1h30m or 7d`},
		{"goroutine_threshold: -1", "goroutine_threshold: -1 is negative"},
		{"goroutine_threshold: -1.0", "goroutine_threshold: -1.0 is negative"},
		{"goroutine_threshold: 1.5", "goroutine_threshold: 1.5 is not a whole number"},
		{"goroutine_threshold: .inf", "goroutine_threshold: .inf is not a whole number"},
		{"goroutine_threshold: .nan", "goroutine_threshold: .nan is not a whole number"},
		{"goroutine_threshold: 9223372036854775808", "goroutine_threshold: 9223372036854775808 is too large"},
		{"goroutine_threshold: 9.3e18", "goroutine_threshold: 9.3e18 is too large"},
		{`goroutine_threshold: "1000"`, `goroutine_threshold: "1000" is not a whole number; remove the quotes`},
		{"goroutine_threshold: many", "goroutine_threshold: many is not a whole number"},
		{"memory_threshold_mb: 8796093022208", "memory_threshold_mb: 8796093022208 is above the maximum, " +
			"8796093022207"},
		{"memory_threshold_mb: -1", "memory_threshold_mb: -1 is negative"},
		{"memory_threshold_mb: 0.5", "memory_threshold_mb: 0.5 is not a whole number"},
		{"memory_leak_threshold: -1", "memory_leak_threshold: -1 is negative"},
		{"max_alert_history: 5000000000", "max_alert_history: 5000000000 is above the maximum, 1000000"},
		{"growth_rate_threshold: 50%", `growth_rate_threshold: "50%" is not a number`},
		{"growth_rate_threshold: .nan", "growth_rate_threshold: NaN is not a finite number"},
		{"growth_rate_threshold: -.inf", "growth_rate_threshold: -Inf is not a finite number"},
		{"growth_rate_threshold: -1", "growth_rate_threshold: -1 is negative"},
		{`growth_rate_threshold: "5"`, `growth_rate_threshold: "5" is not a number; remove the quotes`},
		{"alert_webhook_url: http://h:secret/", "alert_webhook_url: is not a valid URL (not shown, it may hold a " +
			"secret)"},
		{"alert_webhook_url: !!int secret", `alert_webhook_url: is not what its tag "!!int" says`},
		{"alert_webhook_url: true", "alert_webhook_url: true is not text; put it in quotes if it is meant"},
		{"alert_webhook_format: JSON", `alert_webhook_format: "JSON" is not one of auto, json, slack, alertmanager`},
		{"alert_webhook_format: " + strings.Repeat("ö", 51) + "x",
			`alert_webhook_format: "` + strings.Repeat("ö", 50) + `"... is not one of auto, json, slack, alertmanager`},
		{"alert_webhook_format:", "alert_webhook_format: has no value"},
		{"alert_cooldown: -1s", "alert_cooldown: -1s is negative"},
		{"profile_dir: 7", "profile_dir: 7 is not text; put it in quotes if it is meant"},
		{"cpu_threshold: [1]", "cpu_threshold: must be a single value, not a list"},
		{"adaptive:", "adaptive: has no value"},
		{"adaptive: on", "adaptive: must be a mapping of keys to values, not a single value"},
		{"adaptive: {soak: 5s}", "adaptive.soak: 5s is below the minimum, 10s"},
		{"adaptive: {sensitivity: 0}", "adaptive.sensitivity: 0 is not between 0.1 and 10"},
		{"adaptive: {load: }", "adaptive.load: has no value"},
		{"adaptive: {sensitivty: 1}", "adaptive.sensitivty: unknown key; did you mean sensitivity?"},
		{"adaptive: {fd_threshold: 1}", "adaptive.fd_threshold: unknown key; fd_threshold belongs under " +
			"resource_monitoring:"},
		{"sensitivity: 1", "sensitivity: unknown key; sensitivity belongs under adaptive:"},
		{"adaptive.soak: 1m", "adaptive.soak: unknown key; soak belongs under adaptive:"},
		{"gorutine_threshold: 1", "gorutine_threshold: unknown key; did you mean goroutine_threshold?"},
		{"checkInterval: 1s", "checkInterval: unknown key; did you mean check_interval?"},
		{"fd-threshold: 1", "fd-threshold: unknown key; did you mean fd_threshold?"},
		{"colour: red", "colour: unknown key"},
		{"1: 2", "1: unknown key"},
		{"? a b\n  : 2", `"a b": unknown key`},
		{"? [a]\n  : 2", `"a list": cannot be a key`},
		{"<<: 5", "<<: can merge mappings only, not a single value"},
		{"<<: [{}, [1]]", "<<: can merge mappings only, not a list"},
	} {
		c, warnings, got := parse("resource_monitoring:\n  " + test.setting + "\n")
		if diff := cmp.Diff([]string{"f.yaml:2: " + test.want}, got); diff != "" {
			t.Errorf("%s:\n%s", test.setting, diff)
		}
		if c != (Config{}) || warnings != nil {
			t.Errorf("%s: got %+v and warnings %q beside the error", test.setting, c, warnings)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want []string
	}{
		{"all faults in order of line", `
resource_monitoring:
  adaptive:
    patience: 5
  fd_threshold: -1
  no_such_key: 1
  enabled: perhaps
  fd_threshold: 2
  check_interval: 1
`, []string{
			"f.yaml:4: adaptive.patience: 5 has no unit; write 5s",
			"f.yaml:5: fd_threshold: -1 is negative",
			"f.yaml:6: no_such_key: unknown key",
			"f.yaml:7: enabled: perhaps is not true or false",
			"f.yaml:8: fd_threshold: stands here twice, first on line 5",
			"f.yaml:9: check_interval: 1 has no unit; write 1s",
		}},
		{"both names at fault", "resource_monitoring:\n  fd_leak_threshold: x\n  fd_threshold: -1\n", []string{
			"f.yaml:2: fd_leak_threshold: x is not a whole number",
			"f.yaml:3: fd_threshold: -1 is negative",
		}},
		{"section twice", "resource_monitoring: {}\na: 1\na: 2\nresource_monitoring: {}\n",
			[]string{"f.yaml:4: resource_monitoring: stands here twice, first on line 1"}},
		{"section of a wrong kind", "resource_monitoring: [enabled]\n",
			[]string{"f.yaml:1: resource_monitoring: must be a mapping of keys to values, not a list"}},
		{"keys without the section", "# ours\nenabled: true\ngorutine_threshold: 5\n",
			[]string{"f.yaml:2: enabled: stands at the top level: put the settings under resource_monitoring:"}},
		{"fault in a merged mapping", "base: &base\n  workers: 3\nresource_monitoring:\n  <<: *base\n",
			[]string{"f.yaml:2: workers: unknown key"}},
		{"merge of itself", "resource_monitoring: &a\n  <<: *a\n",
			[]string{"f.yaml:2: <<: merges a mapping into itself"}},
		{"alias of a list", "l: &l [1]\nresource_monitoring:\n  enabled: *l\n",
			[]string{"f.yaml:3: enabled: must be a single value, not a list"}},

		{"bad YAML elsewhere", "resource_monitoring: {}\nb: c: d\n",
			[]string{"f.yaml:2: mapping values are not allowed in this context"}},
		{"bad indentation", "x: 1\ny:\n  a: 1\n  b: 2\n c: 3\nz: 1\n", []string{"f.yaml:5: did not find expected key"}},
		{"bad first line", "a: 'x' y\n", []string{"f.yaml:1: did not find expected key"}},
		{"bad last line", "a: 1\nb: 'x' y", []string{"f.yaml:2: did not find expected key"}},
		{"tab", "a:\n\t- 1\n", []string{"f.yaml:2: found character that cannot start any token"}},
		{"unclosed list", "x: 1\na:\n  b: [1\nc: 2\n", []string{"f.yaml:3: did not find expected ',' or ']'"}},
		{"unknown anchor", "# *foo\nx: 1\ny: *foo\nz: 1\n", []string{"f.yaml:3: unknown anchor 'foo' referenced"}},
		{"control character", "x: 1\ny: \x01\nz: 1\n", []string{"f.yaml:2: control characters are not allowed"}},
		{"not UTF-8", "x: 1\ny: \xff\nz: 1\n", []string{"f.yaml:2: invalid leading UTF-8 octet"}},
		{"bad second document", "resource_monitoring: {}\n---\na: b: c\n",
			[]string{"f.yaml:3: mapping values are not allowed in this context"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _, got := parse(test.text)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if c != (Config{}) {
				t.Errorf("got %+v beside the error", c)
			}
		})
	}
}

func TestParseErrorUnwraps(t *testing.T) {
	_, _, err := Parse(strings.NewReader("resource_monitoring: {enabled: 1, fd_threshold: -1}"), "f.yaml")
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("got %#v, want two errors joined", err)
	}
}

// Mappings that merge each other ten times at each of 30 levels would be 10^30 mappings if each were added each time.
func TestParseBoundsMerges(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {fd_threshold: 3}\n")
	name := func(i int) string { return "m" + strconv.Itoa(i) }
	last := "a0"
	for i := range 30 {
		b.WriteString(name(i) + ": &" + name(i) + " {<<: [" + strings.Repeat("*"+last+", ", 10) + "]}\n")
		last = name(i)
	}
	b.WriteString("resource_monitoring: {<<: *" + last + "}\n")
	got, warnings, err := parse(b.String())
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	if diff := cmp.Diff(with(func(c *Config) { c.FDThreshold = 3 }), got); diff != "" {
		t.Error(diff)
	}
}

func TestParseInput(t *testing.T) {
	broken := errors.New("broken")
	if _, _, err := Parse(iotest.ErrReader(broken), "f.yaml"); !errors.Is(err, broken) ||
		err.Error() != "f.yaml: broken" {
		t.Errorf("failing reader: got %v", err)
	}
	const maxBytes = 16 << 20
	comment := append(bytes.Repeat([]byte("#"), maxBytes-1), '\n')
	if _, _, err := Parse(bytes.NewReader(comment), "f.yaml"); err != nil {
		t.Errorf("16 MiB: got %v", err)
	}
	endless := io.MultiReader(bytes.NewReader(comment), strings.NewReader("#"), iotest.ErrReader(broken))
	if _, _, err := Parse(endless, "f.yaml"); err == nil || err.Error() != "f.yaml: is larger than 16 MiB" {
		t.Errorf("more than 16 MiB: got %v", err)
	}
}

func TestLoadErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent.yaml")
	if _, _, err := Load(absent); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), absent) {
		t.Errorf("absent file: got %v", err)
	}
	if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("directory: got %v", err)
	}
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("resource_monitoring:\n  fd_threshold: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{bad + ":2: fd_threshold: x is not a whole number"}
	_, _, err := Load(bad)
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Error(diff)
	}
}
