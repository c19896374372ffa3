package detector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Config holds the settings of the detector and of the ResourceMonitor. It is plain data and comparable with ==.
// DefaultConfig gives the values to start from; the zero value is not valid.
type Config struct {
	Enabled            bool          // run at all
	CheckInterval      time.Duration // time between samples, at least 10ms
	GoroutineThreshold int64         // goroutines above the starting baseline; 0 = off
	FDThreshold        int64         // descriptors above the starting baseline; 0 = off
	MemoryThreshold    int64         // bytes of heap in use, absolute; 0 = off
	AlertWebhookURL    string        // http or https; empty = none
	AlertWebhookFormat string        // auto, json, slack or alertmanager
	AlertCooldown      time.Duration // least time between two alerts of one resource and kind; 0 = none
	AlertOnThreshold   bool          // false: hard limits are counted and shown but not alerted
	StackTraceOnLeak   bool          // capture goroutine stacks and profiles on a leak
	ProfileDir         string        // where captures go; empty = the system's temporary directory
	ProfileMaxMB       int64         // the most that captures may take together, in units of 1024*1024 bytes; 0 = write none
	MaxAlertHistory    int           // alerts kept in memory, 0 to 1,000,000
	// GrowthRateThreshold is the growth within one interval that is reported as a hard limit, in percent; 0 = off.
	GrowthRateThreshold float64
	Adaptive            AdaptiveConfig
}

// AdaptiveConfig holds the settings of the trend detector.
type AdaptiveConfig struct {
	Enabled     bool
	Sensitivity float64       // 0.1 to 10; the patience asked before an alarm is divided by it
	Soak        time.Duration // run length to which all time constants are scaled, at least 10s; 0 = off, physical constants
	LeastGrowth float64       // least rise relative to the level, 0.01 to 10
	Patience    time.Duration // how long a doubling must be sustained without any history, above zero
	HalfLife    time.Duration // of the moving baseline, above zero
	Load        string        // name of the resource that measures load; "" or "none" = off
}

// NamedLoad returns the resource that the user named as the load; "" where it is the default one, or nothing asks for it.
func (c AdaptiveConfig) NamedLoad() string {
	if !c.Enabled || c.Load == noLoad || c.Load == sampler.CPUSeconds {
		return ""
	}
	return c.Load
}

// DefaultConfig returns the settings that hold where a file says nothing.
func DefaultConfig() Config {
	return Config{
		Enabled:            true,
		CheckInterval:      30 * time.Second,
		AlertWebhookFormat: "auto",
		AlertCooldown:      5 * time.Minute,
		AlertOnThreshold:   true,
		ProfileMaxMB:       100,
		MaxAlertHistory:    100,
		Adaptive: AdaptiveConfig{
			Enabled:     true,
			Sensitivity: 1,
			LeastGrowth: 0.2,
			Patience:    7 * time.Hour,
			HalfLife:    6 * time.Hour,
			Load:        sampler.CPUSeconds,
		},
	}
}

// Validate reports every setting that is out of its range, each as "KEY: VALUE ..." with the key as it is spelled in
// YAML. The errors are joined. A webhook URL is shown without anything that may be secret.
func (c Config) Validate() error {
	var faults []error
	for i := range keys {
		if k := &keys[i]; k.check != nil {
			if err := k.check(&c); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", k.name(), err))
			}
		}
	}
	return errors.Join(faults...)
}

// WriteConfig writes c as the section resource_monitoring of a YAML file, which ParseConfig reads back identically.
// Above each key stand its meaning and default, and then what notes holds under the name of the key, as in
// "check_interval" or "adaptive.sensitivity". It writes nothing if c is not valid or a note belongs to no key.
// The webhook URL is written in full, secrets included.
func WriteConfig(w io.Writer, c Config, notes map[string]string) error {
	if err := c.Validate(); err != nil {
		return err
	}
	for name := range notes {
		if !slices.ContainsFunc(keys, func(k key) bool { return k.name() == name && !k.inert() }) {
			return fmt.Errorf("note on %s, which is no key of the configuration", show(name))
		}
	}
	defaults := DefaultConfig()
	var b bytes.Buffer
	b.WriteString(sectionName + ":\n")
	group, indent := "", "  "
	for i := range keys {
		k := &keys[i]
		if k.inert() {
			continue
		}
		if k.group != group {
			group = k.group
			fmt.Fprintf(&b, "%s%s:\n", indent, group)
			indent += "  "
		}
		_, standard := k.text(&defaults)
		fmt.Fprintf(&b, "%s# %s (default %s)\n", indent, k.meaning, standard)
		if note := notes[k.name()]; note != "" {
			for _, line := range strings.FieldsFunc(note, func(r rune) bool { return r != '\t' && !strconv.IsPrint(r) }) {
				fmt.Fprintf(&b, "%s# %s\n", indent, line)
			}
		}
		name, text := k.text(&c)
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

const (
	sectionName   = "resource_monitoring"
	adaptiveGroup = "adaptive"

	mib = 1 << 20

	leastInterval = 10 * time.Millisecond
	leastSoak     = 10 * time.Second
	mostHistory   = 1_000_000
)

// key is one setting: where it stands, what it means, and how it is read, checked and written.
type key struct {
	group     string // the mapping within the section; "" = the section itself
	meaning   string
	spellings []spelling // the first is the preferred one
	check     func(c *Config) error
	rank      func(c *Config) int64 // lower is stricter; only where there are two spellings
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
	boolKey("enabled", "run at all", func(c *Config) *bool { return &c.Enabled }),
	durationKey("check_interval", "time between samples, at least 10ms", leastInterval, false,
		func(c *Config) *time.Duration { return &c.CheckInterval }).also("monitoring_interval"),
	wholeKey("goroutine_threshold", "hard limit: goroutines above the starting baseline; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.GoroutineThreshold }).also("goroutine_leak_threshold"),
	wholeKey("fd_threshold", "hard limit: descriptors above the starting baseline; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.FDThreshold }).also("fd_leak_threshold"),
	memoryKey(),
	textKey("alert_webhook_url", "where alerts are posted, http or https; empty = none", checkURL,
		func(c *Config) *string { return &c.AlertWebhookURL }).orNothing(),
	textKey("alert_webhook_format", "form of the posted alerts: "+strings.Join(webhookFormats, ", ")+"; auto goes by the URL", checkFormat,
		func(c *Config) *string { return &c.AlertWebhookFormat }),
	durationKey("alert_cooldown", "least time between two alerts of one resource and kind, unless the severity rises", 0, true,
		func(c *Config) *time.Duration { return &c.AlertCooldown }),
	boolKey("alert_on_threshold", "false: hard limits are counted and shown but not alerted",
		func(c *Config) *bool { return &c.AlertOnThreshold }),
	boolKey("stack_trace_on_leak", "capture goroutine stacks and profiles on a leak",
		func(c *Config) *bool { return &c.StackTraceOnLeak }).also("enable_memory_profiling"),
	textKey("profile_dir", "where captures go; empty = the system's temporary directory", checkText,
		func(c *Config) *string { return &c.ProfileDir }).orNothing(),
	wholeKey("profile_max_mb", "the most that captures may take together, in MB of 1024*1024 bytes; 0 = write none", math.MaxInt64/mib,
		func(c *Config) *int64 { return &c.ProfileMaxMB }),
	wholeKey("max_alert_history", "alerts kept in memory", mostHistory,
		func(c *Config) *int { return &c.MaxAlertHistory }),
	numberKey("growth_rate_threshold", "percent of growth within one interval that is reported as a hard limit; 0 = off", 0, math.MaxFloat64,
		func(c *Config) *float64 { return &c.GrowthRateThreshold }),
	inertKey("enable_gc_optimization"),
	inertKey("cpu_threshold"),
	inertKey("disk_threshold"),

	boolKey("enabled", "run the trend detector",
		func(c *Config) *bool { return &c.Adaptive.Enabled }).in(adaptiveGroup),
	numberKey("sensitivity", "0.1 to 10; the patience asked before an alarm is divided by it", 0.1, 10,
		func(c *Config) *float64 { return &c.Adaptive.Sensitivity }).in(adaptiveGroup),
	durationKey("soak", "scale all time constants so that a steady leak is called within a run of this length, at least 10s; 0s = off",
		leastSoak, true, func(c *Config) *time.Duration { return &c.Adaptive.Soak }).in(adaptiveGroup),
	numberKey("least_growth", "least rise relative to the level, 0.01 to 10", 0.01, 10,
		func(c *Config) *float64 { return &c.Adaptive.LeastGrowth }).in(adaptiveGroup),
	durationKey("patience", "how long a doubling must be sustained without any history", 0, false,
		func(c *Config) *time.Duration { return &c.Adaptive.Patience }).in(adaptiveGroup),
	durationKey("half_life", "half-life of the moving baseline", 0, false,
		func(c *Config) *time.Duration { return &c.Adaptive.HalfLife }).in(adaptiveGroup),
	textKey("load", `name of the resource that measures load; "" or none = off`, checkText,
		func(c *Config) *string { return &c.Adaptive.Load }).in(adaptiveGroup),
}

func boolKey(name, meaning string, field func(*Config) *bool) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.boolean(); return err },
			func(c *Config) string { return strconv.FormatBool(*field(c)) },
		}},
		rank: func(c *Config) int64 {
			if *field(c) {
				return 0
			}
			return 1
		},
	}
}

func durationKey(name, meaning string, least time.Duration, zero bool, field func(*Config) *time.Duration) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.duration(); return err },
			func(c *Config) string { return sampler.ShortDuration(*field(c)) },
		}},
		check: func(c *Config) error {
			switch d := *field(c); {
			case d < 0:
				return fmt.Errorf("%s is negative", sampler.ShortDuration(d))
			case d == 0 && !zero:
				return errors.New("0s is too short; it must be above zero")
			case d != 0 && d < least:
				return fmt.Errorf("%s is below the least value, %s", sampler.ShortDuration(d), sampler.ShortDuration(least))
			}
			return nil
		},
		rank: func(c *Config) int64 { return int64(*field(c)) },
	}
}

func wholeKey[T int | int64](name, meaning string, most int64, field func(*Config) *T) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) error {
				n, err := v.whole()
				if err == nil {
					err = checkWhole(n, most) // before the conversion, which may cut
				}
				*field(c) = T(n)
				return err
			},
			func(c *Config) string { return strconv.FormatInt(int64(*field(c)), 10) },
		}},
		check: func(c *Config) error { return checkWhole(int64(*field(c)), most) },
		rank:  func(c *Config) int64 { return rankLimit(int64(*field(c))) },
	}
}

// memoryKey has two spellings of different units: MB of 1024*1024 bytes, and bytes.
func memoryKey() key {
	k := wholeKey("memory_leak_threshold", "hard limit: heap in use in MB of 1024*1024 bytes, absolute; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.MemoryThreshold })
	megabytes := spelling{"memory_threshold_mb",
		func(c *Config, v scalar) error {
			n, err := v.whole()
			if err == nil {
				err = checkWhole(n, math.MaxInt64/mib)
			}
			c.MemoryThreshold = n * mib
			return err
		},
		func(c *Config) string {
			if c.MemoryThreshold%mib != 0 {
				return ""
			}
			return strconv.FormatInt(c.MemoryThreshold/mib, 10)
		},
	}
	k.spellings = []spelling{megabytes, k.spellings[0]}
	return k
}

func numberKey(name, meaning string, least, most float64, field func(*Config) *float64) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.number(); return err },
			func(c *Config) string { return formatNumber(*field(c)) },
		}},
		check: func(c *Config) error {
			switch v := *field(c); {
			case math.IsNaN(v) || math.IsInf(v, 0):
				return fmt.Errorf("%v is not a finite number", v)
			case v < 0:
				return fmt.Errorf("%s is negative", formatNumber(v))
			case v < least || v > most:
				return fmt.Errorf("%s is not between %s and %s", formatNumber(v), formatNumber(least), formatNumber(most))
			}
			return nil
		},
	}
}

func textKey(name, meaning string, check func(string) error, field func(*Config) *string) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.words(); return err },
			func(c *Config) string { return strconv.Quote(*field(c)) },
		}},
		check: func(c *Config) error { return check(*field(c)) },
	}
}

func inertKey(name string) key {
	return key{spellings: []spelling{{name: name}}}
}

// rankLimit orders limits by strictness: 0 is off.
func rankLimit(v int64) int64 {
	if v == 0 {
		return math.MaxInt64
	}
	return v
}

func checkWhole(v, most int64) error {
	switch {
	case v < 0:
		return fmt.Errorf("%d is negative", v)
	case v > most:
		return fmt.Errorf("%d is above the greatest value, %d", v, most)
	}
	return nil
}

var webhookFormats = []string{"auto", "json", "slack", "alertmanager"}

func checkFormat(s string) error {
	if !slices.Contains(webhookFormats, s) {
		return fmt.Errorf("%s is not one of %s", showText(s), strings.Join(webhookFormats, ", "))
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s holds characters that are not text", showText(s))
	}
	return nil
}

// checkURL shows no more of a bad URL than its scheme and host: user, path and query may all be secret, and the errors
// of net/url quote pieces of them.
func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || !utf8.ValidString(s) {
		return errors.New("is not a valid URL (not shown, it may hold a secret)")
	}
	if u.Scheme == "" || u.Hostname() == "" {
		return errors.New("is not a URL with scheme and host (not shown, it may hold a secret)")
	}
	shown := show(u.Scheme + "://" + u.Host + "/...")
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is not an http or https URL", shown)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%s has a port that is not between 1 and 65535", shown)
		}
	}
	return nil
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// show returns a name for use in a message: as it is when plain, else quoted and cut.
func show(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:[]<", r)
	}
	if name != "" && len(name) <= mostShown && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return showText(name)
}

const mostShown = 100

// showText quotes a value for use in a message, cut where it is long.
func showText(s string) string {
	if len(s) <= mostShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:mostShown], "")) + "..."
}

// nearest returns the candidate that is a small slip away from name, or "".
func nearest(name string, candidates []string) string {
	plain := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	found, least := "", max(1, min(3, len(plain)/4))+1
	for _, c := range candidates {
		if d := len(c) - len(plain); max(d, -d) >= least {
			continue
		}
		if d := editDistance(plain, c); d < least {
			found, least = c, d
		}
	}
	return found
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
