package config

import (
	"math"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const (
	sectionName   = "resource_monitoring"
	adaptiveGroup = "adaptive"
	checkInterval = "check_interval"

	mib = 1 << 20

	minInterval = 10 * time.Millisecond
	minSoak     = 10 * time.Second
	maxHistory  = 1_000_000
)

// key is one setting: where it stands, what it means, and how it is read, checked and written.
type key struct {
	group     string // the mapping within the section; "" = the section itself
	meaning   string
	spellings []spelling             // the first holds where several stand
	list      bool                   // several values may stand there
	check     func(c *Config) error  // nil: every value is in range
	copy      func(to, from *Config) // only where there is a check
}

type spelling struct {
	name string
	read func(c *Config, v scalar) error // nil: the key is accepted and ignored
	text func(c *Config) string          // the value in YAML; "" if this spelling cannot express it
}

func (k *key) name() string { return qualified(k.group, k.spellings[0].name) }

func (k *key) inert() bool { return k.spellings[0].read == nil }

// text returns the setting as YAML, in the first spelling that can express it.
func (k *key) text(c *Config) (name, text string) {
	for _, s := range k.spellings {
		if text = s.text(c); text != "" {
			return s.name, text
		}
	}
	return "", ""
}

// valueOf returns what stands at the key.
func (k *key) valueOf(n *yaml.Node) (scalar, error) {
	if k.list {
		return listOf(n)
	}
	return scalarOf(n)
}

func (k key) in(group string) key {
	k.group = group
	return k
}

// also adds a spelling that is read and written like the first.
func (k key) also(name string) key {
	k.spellings = append(k.spellings, spelling{name, k.spellings[0].read, k.spellings[0].text})
	return k
}

// orNothing takes a key without a value as the empty text.
func (k key) orNothing() key {
	read := k.spellings[0].read
	k.spellings[0].read = func(c *Config, v scalar) error {
		if v.value == nil {
			v.value = ""
		}
		return read(c, v)
	}
	return k
}

func qualified(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}

// keys drives parsing, validation and writing, in the order in which settings are written.
var keys = []key{
	boolKey("enabled", "run the monitor", func(c *Config) *bool { return &c.Enabled }),
	durationKey(checkInterval,
		"time between samples, at least 10ms; if soak is set and this is not, a 1200th of soak, 50ms to 30s",
		minInterval, false,
		func(c *Config) *time.Duration { return &c.CheckInterval }).also("monitoring_interval"),
	integerKey("goroutine_threshold", "hard limit: goroutines above the starting baseline; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.GoroutineThreshold }).also("goroutine_leak_threshold"),
	integerKey("fd_threshold", "hard limit: descriptors above the starting baseline; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.FDThreshold }).also("fd_leak_threshold"),
	memoryKey(),
	textKey("alert_webhook_url", "where alerts are posted, http or https; empty = none", checkURL,
		func(c *Config) *string { return &c.AlertWebhookURL }).orNothing(),
	textKey("alert_webhook_format", "form of the posted alerts: "+strings.Join(webhookFormats, ", ")+
		"; auto goes by the URL", checkFormat,
		func(c *Config) *string { return &c.AlertWebhookFormat }),
	durationKey("alert_cooldown", "minimum time between two alerts of one resource and kind, unless the severity rises",
		0, true,
		func(c *Config) *time.Duration { return &c.AlertCooldown }),
	boolKey("alert_on_threshold", "false: hard limits are counted and shown but not alerted",
		func(c *Config) *bool { return &c.AlertOnThreshold }),
	boolKey("stack_trace_on_leak", "capture goroutine stacks and profiles on a leak",
		func(c *Config) *bool { return &c.StackTraceOnLeak }).also("enable_memory_profiling"),
	textKey("profile_dir", "where captures go; empty = the system's temporary directory", checkText,
		func(c *Config) *string { return &c.ProfileDir }).orNothing(),
	integerKey("profile_max_mb", "maximum size of all captures together, in MB of 1024*1024 bytes; 0 = write none",
		math.MaxInt64/mib,
		func(c *Config) *int64 { return &c.ProfileMaxMB }),
	textKey("capture_url", "where captures are also posted, http or https, with stack_trace_on_leak; empty = nowhere",
		checkURL,
		func(c *Config) *string { return &c.CaptureURL }).orNothing(),
	boolKey("holders", "name what keeps memory alive, in a Go process that is watched from outside or uses package "+
		"holders",
		func(c *Config) *bool { return &c.Holders }),
	listKey("known_leaks", "fingerprints of leaks that are shown and counted but not alerted", checkFingerprint,
		func(c *Config) *string { return &c.KnownLeaks }),
	integerKey("max_alert_history", "alerts kept in memory", maxHistory,
		func(c *Config) *int { return &c.MaxAlertHistory }),
	textKey("state_dir", "directory, best a dedicated one, where what was learned is kept between starts; empty = "+
		"nowhere",
		checkText,
		func(c *Config) *string { return &c.StateDir }).orNothing(),
	textKey("instance", "name that distinguishes this process from others of its executable, in state_dir and in "+
		"alerts; empty = the host's name", checkText,
		func(c *Config) *string { return &c.Instance }).orNothing(),
	textKey("history_from", "Prometheus from which earlier lives are read at the start, http or https; empty = none",
		checkURL,
		func(c *Config) *string { return &c.HistoryFrom }).orNothing(),
	textKey("history_selector", `selector of the series of this workload there, such as {job="worker"}`, checkSelector,
		func(c *Config) *string { return &c.HistorySelector }).orNothing(),
	numberKey("growth_rate_threshold", "hard limit: growth in percent within one interval, once it has outlasted a "+
		"burst of 10m; 0 = off", 0, math.MaxFloat64,
		func(c *Config) *float64 { return &c.GrowthRateThreshold }),
	inertKey("enable_gc_optimization"),
	inertKey("cpu_threshold"),
	inertKey("disk_threshold"),

	boolKey("enabled", "run the trend detector",
		func(c *Config) *bool { return &c.Adaptive.Enabled }).in(adaptiveGroup),
	numberKey("sensitivity", "0.1 to 10; the required duration is divided by it", 0.1, 10,
		func(c *Config) *float64 { return &c.Adaptive.Sensitivity }).in(adaptiveGroup),
	durationKey("soak", "scale all time constants so that a steady leak is called within a run of this length, at "+
		"least 10s; 0s = off",
		minSoak, true, func(c *Config) *time.Duration { return &c.Adaptive.Soak }).in(adaptiveGroup),
	numberKey("least_growth", "minimum rise relative to the level, 0.01 to 10", 0.01, 10,
		func(c *Config) *float64 { return &c.Adaptive.MinGrowth }).in(adaptiveGroup),
	durationKey("patience", "how long a doubling must be sustained without any history", 0, false,
		func(c *Config) *time.Duration { return &c.Adaptive.Patience }).in(adaptiveGroup),
	durationKey("half_life", "half-life of the moving baseline", 0, false,
		func(c *Config) *time.Duration { return &c.Adaptive.HalfLife }).in(adaptiveGroup),
	textKey("load", `name of the resource that measures load; "" or none = off`, checkText,
		func(c *Config) *string { return &c.Adaptive.Load }).in(adaptiveGroup),
}
