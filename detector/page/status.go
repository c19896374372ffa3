package page

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/sites"
)

// Version of the JSON form of Status.
const Version = "1"

// Status is all that a monitor shows but for the plots, in the form that programs read. Levels are in the unit of their
// resource.
type Status struct {
	Version   string               `json:"version"`
	Time      time.Time            `json:"time,omitzero"`    // of the latest sample
	Started   time.Time            `json:"started,omitzero"` // when the monitor was
	Interval  float64              `json:"interval_seconds"`
	Soak      float64              `json:"soak_seconds,omitempty"`
	Process   alerting.Process     `json:"process"`
	Healthy   bool                 `json:"healthy"`           // nothing fires, and samples are judged
	Stalled   bool                 `json:"stalled,omitempty"` // none is, though the monitor runs
	Resources []Resource           `json:"resources"`
	Alerts    []alerting.Alert     `json:"alerts"` // oldest first
	Delivery  []alerting.SinkStats `json:"delivery"`
	Log       alerting.LogStats    `json:"log"`    // of the lines that are no alerts
	Panics    uint64               `json:"panics"` // of the source, of hooks after a check, and of evidence
	Sites     []sites.Status       `json:"sites"`
	Captures  []evidence.Capture   `json:"captures"` // oldest first
	// what lies where they are written; only where they are
	Kept     *evidence.Kept       `json:"captures_kept,omitempty"`
	Uploads  *webhook.UploadStats `json:"captures_posted,omitempty"`
	Cost     Cost                 `json:"cost"`
	Evidence evidence.Cost        `json:"evidence_cost"`
}

// Resource is the verdict on one resource.
type Resource struct {
	Resource     string               `json:"resource"` // its name
	Unit         string               `json:"unit,omitempty"`
	State        string               `json:"state"`             // learning, healthy, suspected or firing
	Verdict      string               `json:"verdict"`           // ok, early, suspect, leak, limit or unjudged
	Callable     time.Time            `json:"callable,omitzero"` // when an early growth could be called at the earliest
	Trend        bool                 `json:"trend"`             // which kind of finding holds, if it fires
	Limit        bool                 `json:"limit"`
	Severity     *alerting.Severity   `json:"severity,omitempty"` // only where it fires
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	Deviation    float64              `json:"deviation"`
	Start        float64              `json:"start"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since,omitzero"`
	SinceError   float64              `json:"since_error_seconds,omitempty"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Judged       bool                 `json:"judged"` // false for a counter and for context
	Why          string               `json:"why"`    // the reason of the verdict, as a clause
	Leaks        int                  `json:"leaks"`
	LimitsPassed int                  `json:"limits_passed"`
}

// Cost is what the checks of a monitor have cost.
type Cost struct {
	Checks       int64         `json:"checks"`
	Elapsed      time.Duration `json:"elapsed_ns"` // that all of them took, with what OnSample did
	Longest      time.Duration `json:"longest_ns"` // of one
	HistoryBytes int64         `json:"history_bytes"`
}
