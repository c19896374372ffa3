// Package text writes numbers and times in the texts of alerts, as all ways of delivery need them. Sentences stand
// in the alert already, and are not composed here.
package text

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Figure writes a number as people read it: whole from 1000 on, else with four digits.
func Figure(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// Instant writes a time in UTC, as RFC 3339.
func Instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Span writes a time in seconds as people read it: 2h5m, 3m12s.
func Span(seconds float64) string {
	d := time.Duration(seconds * 1e9).Round(time.Second)
	if d >= time.Hour {
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.String()
}
