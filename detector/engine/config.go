package engine

import (
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Config holds what the decisions depend on. The zero value turns everything off but is not valid: see Adaptive.
type Config struct {
	GoroutineThreshold  int64   // hard limit: goroutines above the starting baseline; 0 = off
	FDThreshold         int64   // hard limit: descriptors above the starting baseline; 0 = off
	MemoryThreshold     int64   // hard limit: heap in use in bytes, absolute; 0 = off
	GrowthRateThreshold float64 // percent of growth within one interval that is a hard limit; 0 = off
	// minimum time between two alerts of one resource and kind, unless the severity rises
	AlertCooldown    time.Duration
	AlertOnThreshold bool // false: hard limits are counted and shown but not alerted
	Adaptive         Adaptive
}

// Adaptive holds the settings of the trend detector.
type Adaptive struct {
	Enabled     bool
	Sensitivity float64 // 0.1 to 10; the required duration is divided by it
	// run length to which all time constants are scaled, at least 10s; 0 = off, physical constants
	Soak      time.Duration
	MinGrowth float64       // minimum rise relative to the level, 0.01 to 10
	Patience  time.Duration // how long a doubling must be sustained without any history, above zero
	HalfLife  time.Duration // of the moving baseline, above zero
	Load      string        // name of the resource that measures load; "" or NoLoad = off
}

// NoLoad is the value of Adaptive.Load with which growth is judged without regard to load, as with the empty one.
const NoLoad = "none"

// NamedLoad returns the resource that the user named as the load; "" where it is the default one, or nothing asks for
// it.
func (a Adaptive) NamedLoad() string {
	if !a.Enabled || a.Load == NoLoad || a.Load == sampler.CPUSeconds {
		return ""
	}
	return a.Load
}

// Scale returns the factor on all time constants: 1 outside soak mode.
func (a Adaptive) Scale() float64 {
	if a.Soak > 0 {
		return float64(a.Soak) / float64(SoakSpan)
	}
	return 1
}

const (
	// soakSamples is how many samples a soak run takes: two for each of the finest minimums.
	soakSamples     = 1200
	minSoakInterval = 50 * time.Millisecond
)

// SoakInterval returns the time between samples that fits the scaled time constants, at least 50 ms; 0 outside soak
// mode.
func (a Adaptive) SoakInterval() time.Duration {
	if a.Soak <= 0 {
		return 0
	}
	return max((a.Soak / soakSamples).Round(10*time.Millisecond), minSoakInterval)
}
