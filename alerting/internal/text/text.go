// Package text writes numbers and times in the texts of alerts, as all ways of delivery need them. Sentences stand
// in the alert already, and are not composed here.
package text

import (
	"math"
	"strconv"
	"time"
)

// Number writes a number for programs that read it as text: whole from 1000 on, else with four digits.
func Number(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// When writes a time in UTC for people, as summaries do.
func When(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// Instant writes a time in UTC for programs, as RFC 3339.
func Instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
