// Package config is the configuration of the detector and of the monitor that runs it: one table parses, checks,
// documents and writes it. What a setting does belongs to the code that uses it. YAML stays in this package.
package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Config holds the settings of the detector and of the ResourceMonitor. It is plain data and comparable with ==.
// Default gives the values to start from; the zero value is not valid.
type Config struct {
	Enabled            bool          // run at all
	CheckInterval      time.Duration // time between samples, at least 10ms
	GoroutineThreshold int64         // goroutines above the starting baseline; 0 = off
	FDThreshold        int64         // descriptors above the starting baseline; 0 = off
	MemoryThreshold    int64         // bytes of heap in use, absolute; 0 = off
	AlertWebhookURL    string        // http or https; empty = none
	AlertWebhookFormat string        // auto, json, slack or alertmanager
	AlertCooldown      time.Duration // minimum time between two alerts of one resource and kind; 0 = none
	AlertOnThreshold   bool          // false: hard limits are counted and shown but not alerted
	StackTraceOnLeak   bool          // capture goroutine stacks and profiles on a leak
	ProfileDir         string        // where captures go; empty = the system's temporary directory
	// what captures may at most take together, in units of 1024*1024 bytes; 0 = write none
	ProfileMaxMB    int64
	MaxAlertHistory int    // alerts kept in memory, 0 to 1,000,000
	StateDir        string // where what was learned is kept between starts; empty = nowhere
	// tells this process from others of its executable, in StateDir and in alerts; empty = the host's name
	Instance string
	// HistoryFrom is the Prometheus that earlier lives are read from, http or https, by a monitor that was given a
	// reader of it; empty = none. HistorySelector selects the series of this workload, as in {job="worker"}.
	HistoryFrom     string
	HistorySelector string
	// GrowthRateThreshold is the growth within one interval that is reported as a hard limit, in percent; 0 = off. With
	// the trend detector on it is reported once it was not given back for ten minutes, scaled in soak mode.
	GrowthRateThreshold float64
	// fingerprints that are shown and counted but not alerted, separated by blanks; empty = none
	KnownLeaks string
	CaptureURL string // where captures are posted beside the alert, http or https; empty = nowhere
	Holders    bool   // name what keeps memory alive, where that can be told
	Adaptive   Adaptive
}

// Captures reports whether captures are taken: written, posted, or both.
func (c Config) Captures() bool {
	return c.StackTraceOnLeak && (c.ProfileMaxMB > 0 || c.CaptureURL != "")
}

// KnownFingerprints returns those of KnownLeaks, one by one.
func (c Config) KnownFingerprints() []string { return strings.Fields(c.KnownLeaks) }

// Adaptive holds the settings of the trend detector.
type Adaptive = engine.Adaptive

// NoLoad is the value of Adaptive.Load with which growth is judged without regard to load, as with the empty one.
const NoLoad = engine.NoLoad

// Engine returns what the decisions depend on.
func (c Config) Engine() engine.Config {
	return engine.Config{
		GoroutineThreshold:  c.GoroutineThreshold,
		FDThreshold:         c.FDThreshold,
		MemoryThreshold:     c.MemoryThreshold,
		GrowthRateThreshold: c.GrowthRateThreshold,
		AlertCooldown:       c.AlertCooldown,
		AlertOnThreshold:    c.AlertOnThreshold,
		Adaptive:            c.Adaptive,
	}
}

// Default returns the settings that hold where a file says nothing.
func Default() Config {
	return Config{
		Enabled:            true,
		Holders:            true,
		CheckInterval:      30 * time.Second,
		AlertWebhookFormat: "auto",
		AlertCooldown:      5 * time.Minute,
		AlertOnThreshold:   true,
		ProfileMaxMB:       100,
		MaxAlertHistory:    100,
		Adaptive: Adaptive{
			Enabled:     true,
			Sensitivity: 1,
			MinGrowth:   0.2,
			Patience:    8 * time.Hour,
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

// Repaired returns c with the default in place of every setting that is out of its range.
func (c Config) Repaired() Config {
	standard := Default()
	for i := range keys {
		if k := &keys[i]; k.check != nil && k.check(&c) != nil {
			k.copy(&c, &standard)
		}
	}
	return c
}
