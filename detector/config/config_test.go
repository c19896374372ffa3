package config

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// with returns the defaults after a change.
func with(change func(c *Config)) Config {
	c := Default()
	change(&c)
	return c
}

// lines returns the lines of an error, none for nil.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name string
		c    Config
		want []string
	}{
		{"zero value", Config{}, []string{
			"check_interval: 0s is too short; it must be above zero",
			`alert_webhook_format: "" is not one of auto, json, slack, alertmanager`,
			"adaptive.sensitivity: 0 is not between 0.1 and 10",
			"adaptive.least_growth: 0 is not between 0.01 and 10",
			"adaptive.patience: 0s is too short; it must be above zero",
			"adaptive.half_life: 0s is too short; it must be above zero",
		}},
		{"least values", Config{
			CheckInterval: 10 * time.Millisecond, AlertWebhookFormat: "json",
			Adaptive: Adaptive{Sensitivity: 0.1, Soak: 10 * time.Second, MinGrowth: 0.01, Patience: 1, HalfLife: 1},
		}, nil},
		{"greatest values", Config{
			CheckInterval: math.MaxInt64, GoroutineThreshold: math.MaxInt64, FDThreshold: math.MaxInt64,
			MemoryThreshold: math.MaxInt64,
			AlertWebhookURL: "https://user:secret@[::1]:65535/a?b=c#d", AlertWebhookFormat: "alertmanager",
			AlertCooldown: math.MaxInt64,
			ProfileMaxMB:  math.MaxInt64 >> 20, MaxAlertHistory: 1_000_000, GrowthRateThreshold: math.MaxFloat64,
			Adaptive: Adaptive{Sensitivity: 10, Soak: math.MaxInt64, MinGrowth: 10, Patience: math.MaxInt64,
				HalfLife: math.MaxInt64, Load: "none"},
		}, nil},
		{"below", Config{
			CheckInterval: 10*time.Millisecond - 1, GoroutineThreshold: -1, FDThreshold: math.MinInt64,
			MemoryThreshold: -2, AlertCooldown: -time.Second,
			AlertWebhookFormat: "slack", ProfileMaxMB: -3, MaxAlertHistory: -4, GrowthRateThreshold: -0.5,
			Adaptive: Adaptive{Sensitivity: 0.09, Soak: 9 * time.Second, MinGrowth: -1, Patience: -time.Hour,
				HalfLife: -time.Minute},
		}, []string{
			"check_interval: 9.999999ms is below the minimum, 10ms",
			"goroutine_threshold: -1 is negative",
			"fd_threshold: -9223372036854775808 is negative",
			"memory_threshold_mb: -2 is negative",
			"alert_cooldown: -1s is negative",
			"profile_max_mb: -3 is negative",
			"max_alert_history: -4 is negative",
			"growth_rate_threshold: -0.5 is negative",
			"adaptive.sensitivity: 0.09 is not between 0.1 and 10",
			"adaptive.soak: 9s is below the minimum, 10s",
			"adaptive.least_growth: -1 is negative",
			"adaptive.patience: -1h is negative",
			"adaptive.half_life: -1m is negative",
		}},
		{"above", Config{
			CheckInterval: time.Second, AlertWebhookFormat: "xml", ProfileMaxMB: math.MaxInt64>>20 + 1,
			MaxAlertHistory:     1_000_001,
			GrowthRateThreshold: math.Inf(1), ProfileDir: "a\x00b",
			Adaptive: Adaptive{Sensitivity: math.NaN(), MinGrowth: 10.5, Patience: 1, HalfLife: 1, Load: "\xff"},
		}, []string{
			`alert_webhook_format: "xml" is not one of auto, json, slack, alertmanager`,
			`profile_dir: "a\x00b" holds characters that are not text`,
			"profile_max_mb: 8796093022208 is above the maximum, 8796093022207",
			"max_alert_history: 1000001 is above the maximum, 1000000",
			"growth_rate_threshold: +Inf is not a finite number",
			"adaptive.sensitivity: NaN is not a finite number",
			"adaptive.least_growth: 10.5 is not between 0.01 and 10",
			`adaptive.load: "\xff" holds characters that are not text`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lines(test.c.Validate())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWebhookURL(t *testing.T) {
	const (
		invalid  = "is not a valid URL (not shown, it may hold a secret)"
		hostless = "is not a URL with scheme and host (not shown, it may hold a secret)"
	)
	for url, want := range map[string]string{
		"":                                           "",
		"http://h":                                   "",
		"HTTPS://user:secret@h/?t=xx":                "",
		"http://alertmanager:9093/api/v1/alerts":     "",
		"h.example.com/services/secret":              hostless,
		"mailto:secret@example.com":                  hostless,
		"https://":                                   hostless,
		"http://:9093/secret":                        hostless,
		"//h/secret":                                 hostless,
		"http://user:sec ret@h":                      invalid,
		"http://h:secret":                            invalid,
		"http://user:secret%zz@h/":                   invalid,
		" http://h/secret":                           invalid,
		"http://h/\nsecret":                          invalid,
		"http://h/\xffsecret":                        invalid,
		"ftp://user:secret@h/secret?secret":          "ftp://h/... is not an http or https URL",
		"http://user:secret@h:70000/secret?secret":   "http://h:70000/... has a port that is not between 1 and 65535",
		"http://user:secret@h:0/secret?token=secret": "http://h:0/... has a port that is not between 1 and 65535",
	} {
		c := with(func(c *Config) { c.AlertWebhookURL = url })
		got := ""
		if err := c.Validate(); err != nil {
			got = strings.TrimPrefix(err.Error(), "alert_webhook_url: ")
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", url, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	c := with(func(c *Config) {
		c.MemoryThreshold = 52428801
		c.AlertWebhookURL = "http://h/?a=\"b\""
		c.Adaptive.Soak = 90 * time.Minute
	})
	notes := map[string]string{"adaptive.soak": "as long as a run in CI\nresource_monitoring: {}", "enabled": "first"}
	if err := Write(&b, c, notes); err != nil {
		t.Fatal(err)
	}
	want := `resource_monitoring:
  # run the monitor (default true)
  # first
  enabled: true
  # time between samples, at least 10ms; if soak is set and this is not, a 1200th of soak, 50ms to 30s (default 30s)
  check_interval: 30s
  # hard limit: goroutines above the starting baseline; 0 = off (default 0)
  goroutine_threshold: 0
  # hard limit: descriptors above the starting baseline; 0 = off (default 0)
  fd_threshold: 0
  # hard limit: heap in use in MB of 1024*1024 bytes, absolute; if the heap in use is not read, the live heap, else resident memory; 0 = off (default 0)
  memory_leak_threshold: 52428801
  # where alerts are posted, http or https; empty = none (default "")
  alert_webhook_url: "http://h/?a=\"b\""
  # form of the posted alerts: auto, json, slack, alertmanager; auto goes by the URL (default "auto")
  alert_webhook_format: "auto"
  # minimum time between two alerts of one resource and kind, unless the severity rises (default 5m)
  alert_cooldown: 5m
  # false: hard limits are counted and shown but not alerted (default true)
  alert_on_threshold: true
  # capture goroutine stacks and profiles on a leak (default false)
  stack_trace_on_leak: false
  # where captures go; empty = the system's temporary directory (default "")
  profile_dir: ""
  # maximum size of all captures together, in MB of 1024*1024 bytes; 0 = write none (default 100)
  profile_max_mb: 100
  # where captures are also posted, http or https, with stack_trace_on_leak; empty = nowhere (default "")
  capture_url: ""
  # name what keeps memory alive, in a Go process that is watched from outside or uses package holders (default true)
  holders: true
  # fingerprints of leaks that are shown and counted but not alerted (default [])
  known_leaks: []
  # alerts kept in memory (default 100)
  max_alert_history: 100
  # directory, best a dedicated one, where what was learned is kept between starts; empty = nowhere (default "")
  state_dir: ""
  # name that distinguishes this process from others of its executable, in state_dir and in alerts; empty = the host's name (default "")
  instance: ""
  # Prometheus from which earlier lives are read at the start, http or https; empty = none (default "")
  history_from: ""
  # selector of the series of this workload there, such as {job="worker"} (default "")
  history_selector: ""
  # hard limit: growth in percent within one interval, once it has outlasted a burst of 10m; 0 = off (default 0)
  growth_rate_threshold: 0
  adaptive:
    # run the trend detector (default true)
    enabled: true
    # 0.1 to 10; the required duration is divided by it (default 1)
    sensitivity: 1
    # scale all time constants so that a steady leak is called within a run of this length, at least 10s; 0s = off (default 0s)
    # as long as a run in CI
    # resource_monitoring: {}
    soak: 1h30m
    # minimum rise relative to the level, 0.01 to 10 (default 0.2)
    least_growth: 0.2
    # how long a doubling must be sustained without any history (default 8h)
    patience: 8h
    # half-life of the moving baseline (default 6h)
    half_life: 6h
    # name of the resource that measures load; "" or none = off (default "cpu_seconds")
    load: "cpu_seconds"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	for want, call := range map[string]func(w *strings.Builder) error{
		"fd_threshold: -1 is negative": func(w *strings.Builder) error {
			return Write(w, with(func(c *Config) { c.FDThreshold = -1 }), nil)
		},
		"note on cpu_threshold, which is no key of the configuration": func(w *strings.Builder) error {
			return Write(w, Default(), map[string]string{"cpu_threshold": "x"})
		},
		"note on sensitivity, which is no key of the configuration": func(w *strings.Builder) error {
			return Write(w, Default(), map[string]string{"sensitivity": "x"})
		},
	} {
		var w strings.Builder
		if err := call(&w); err == nil || err.Error() != want || w.Len() > 0 {
			t.Errorf("got error %v and %d bytes, want %q", err, w.Len(), want)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteReportsFailure(t *testing.T) {
	if err := Write(brokenWriter{}, Default(), nil); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestParseReadsWhatWriteWrites(t *testing.T) {
	for name, c := range map[string]Config{
		"defaults": Default(),
		// No field has its default, so that a key which is not written or not read is seen.
		"nothing by default": {
			CheckInterval: 1234567 * time.Microsecond, GoroutineThreshold: 1, FDThreshold: 2, MemoryThreshold: 3 << 20,
			AlertWebhookURL: "https://u:p@h:1/x?y=z#'\"", AlertWebhookFormat: "slack", AlertCooldown: time.Hour +
				time.Second,
			StackTraceOnLeak: true, ProfileDir: "~\t\x7f\u2028\ufffe\U0001f600 # : \\", ProfileMaxMB: 4,
			MaxAlertHistory: 5, GrowthRateThreshold: 1e-300,
			Adaptive: Adaptive{Sensitivity: 1.0 / 3, Soak: 20 * time.Minute, MinGrowth: 0.3, Patience: 1,
				HalfLife: 100 * time.Hour, Load: "null"},
		},
		"greatest": with(func(c *Config) {
			c.CheckInterval, c.MemoryThreshold, c.GoroutineThreshold = math.MaxInt64, math.MaxInt64, math.MaxInt64
			c.GrowthRateThreshold, c.Adaptive.Load = math.MaxFloat64, ""
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := Write(&b, c, nil); err != nil {
				t.Fatal(err)
			}
			got, warnings, err := Parse(strings.NewReader(b.String()), "written.yaml")
			if err != nil || warnings != nil {
				t.Fatal(err, warnings)
			}
			if diff := cmp.Diff(c, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is out of range is replaced, and nothing else.
func TestRepaired(t *testing.T) {
	sound := Config{CheckInterval: time.Second, FDThreshold: 7, AlertWebhookFormat: "slack",
		Adaptive: Default().Adaptive}
	broken, want := sound, sound
	broken.CheckInterval, broken.MaxAlertHistory, broken.GrowthRateThreshold = time.Millisecond, 1_000_001, math.Inf(1)
	broken.AlertWebhookURL, broken.AlertWebhookFormat, broken.Adaptive.Sensitivity = "ftp://h", "xml", math.NaN()
	standard := Default()
	want.CheckInterval, want.MaxAlertHistory, want.AlertWebhookFormat = standard.CheckInterval,
		standard.MaxAlertHistory, "auto"
	if diff := cmp.Diff(want, broken.Repaired()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sound, sound.Repaired()); diff != "" {
		t.Error(diff)
	}
	if err := (Config{}).Repaired().Validate(); err != nil {
		t.Error(err)
	}
}

// What is as by default is left out, but for what there is a note on.
func TestWriteChanged(t *testing.T) {
	for _, test := range []struct {
		name  string
		c     Config
		notes map[string]string
		want  string
	}{
		{"nothing", Default(), nil, "resource_monitoring: {}\n"},
		{"a note", Default(), map[string]string{"adaptive.soak": "no test run"}, `resource_monitoring:
  adaptive:
    # scale all time constants so that a steady leak is called within a run of this length, at least 10s; 0s = off (default 0s)
    # no test run
    soak: 0s
`},
		{"both groups", with(func(c *Config) { c.FDThreshold, c.MemoryThreshold, c.Adaptive.Sensitivity = 7, 5, 2 }),
			nil, `resource_monitoring:
  # hard limit: descriptors above the starting baseline; 0 = off (default 0)
  fd_threshold: 7
  # hard limit: heap in use in MB of 1024*1024 bytes, absolute; if the heap in use is not read, the live heap, else resident memory; 0 = off (default 0)
  memory_leak_threshold: 5
  adaptive:
    # 0.1 to 10; the required duration is divided by it (default 1)
    sensitivity: 2
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := WriteChanged(&b, test.c, test.notes); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got, warnings, err := parse(b.String()); got != test.c || warnings != nil || err != nil {
				t.Errorf("read back: %v, %v, %v", got, warnings, err)
			}
		})
	}
}
