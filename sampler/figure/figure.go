// Package figure formats figures for people, in the one way that tables, pages and alerts share. It knows nothing of
// this module, so that alerts need not know resources.
package figure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var byteUnits = [...]string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}

// UnitOf returns the unit in the name of a resource, as Prometheus names metrics: "bytes", "seconds", or "" for counts.
// Labels behind the name, in braces, do not count.
func UnitOf(name string) string {
	metric, _, _ := strings.Cut(name, "{")
	metric = strings.TrimSuffix(metric, "_total")
	switch {
	case strings.HasSuffix(metric, "_bytes"):
		return "bytes"
	case strings.HasSuffix(metric, "_seconds"):
		return "seconds"
	}
	return ""
}

// Format writes a value in a unit: 1.4 GB (of 1024 MB each), 2,911, 3h 20m. A unit that it does not know is that of a
// count.
func Format(value float64, unit string) string {
	switch unit {
	case "bytes":
		return formatBytes(value)
	case "seconds":
		if math.Abs(value) >= math.MaxInt64/1e9 { // 292 years, the longest Duration
			return formatCount(value) + "s"
		}
		return Duration(time.Duration(value * float64(time.Second)))
	}
	return formatCount(value)
}

// PerHour writes a rate, in units per hour, with its sign: +120 MB/h.
func PerHour(rate float64, unit string) string {
	sign := ""
	switch {
	case rate < 0:
		sign = "-"
	case rate > 0:
		sign = "+"
	}
	return sign + Format(math.Abs(rate), unit) + "/h"
}

// Growth returns how much more a value is than the one before, both as Format shows them: a sentence that has all three
// adds up.
func Growth(value, before float64, unit string) float64 {
	return shown(value, unit) - shown(before, unit)
}

// shown returns a value as Format rounds it; one in seconds as it is.
func shown(value float64, unit string) float64 {
	size := math.Abs(value)
	switch {
	case unit == "bytes":
		scale, _ := byteUnit(size)
		rounded := math.Round(size / scale)
		if hasTenth(size/scale, scale) {
			rounded = math.Round(size/scale*10) / 10
		}
		return math.Copysign(rounded*scale, value)
	case unit == "" && size >= 10 && size < 1e15:
		return math.Round(value)
	}
	return value
}

// byteUnit returns the unit in which a number of bytes is shown: its size and its name.
func byteUnit(value float64) (scale float64, name string) {
	unit := 0
	scale = 1
	for value/scale >= 1023.5 && unit < len(byteUnits)-1 {
		scale *= 1024
		unit++
	}
	return scale, byteUnits[unit]
}

// hasTenth reports whether a number of byte units is shown with a tenth: below 100, so that levels, their difference
// and shares agree as far as they are shown, but not where they are whole, as 64 MB are that somebody has set.
func hasTenth(value, scale float64) bool {
	return scale > 1 && (value < 9.95 || value < 99.95 && value != math.Trunc(value))
}

func formatBytes(value float64) string {
	if value < 0 {
		return "-" + formatBytes(-value)
	}
	scale, name := byteUnit(value)
	if hasTenth(value/scale, scale) {
		return fmt.Sprintf("%.1f %s", value/scale, name)
	}
	return fmt.Sprintf("%.0f %s", value/scale, name)
}

func formatCount(value float64) string {
	if value < 0 {
		return "-" + formatCount(-value)
	}
	switch {
	case value >= 1e15:
		return strconv.FormatFloat(value, 'g', 4, 64)
	case value >= 10 || value == math.Trunc(value):
		return groupThousands(strconv.FormatFloat(value, 'f', 0, 64))
	}
	return strconv.FormatFloat(value, 'g', 2, 64)
}

func groupThousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Duration writes a length of time in its two largest units: 3d 4h, 3h 20m, 2m 10s; one below a minute as 42s, 1.2s,
// 50ms.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-max(d, -math.MaxInt64)) // the least has no opposite
	}
	two := func(large, small time.Duration, names string) string {
		d = d.Round(small)
		text := fmt.Sprintf("%d%c", d/large, names[0])
		if rest := d % large / small; rest > 0 {
			text += fmt.Sprintf(" %d%c", rest, names[1])
		}
		return text
	}
	switch {
	case d >= day-30*time.Minute:
		if d > 1000*day {
			return fmt.Sprintf("%dd", d/day)
		}
		return two(day, time.Hour, "dh")
	case d >= time.Hour-30*time.Second:
		return two(time.Hour, time.Minute, "hm")
	case d >= time.Minute-500*time.Millisecond:
		return two(time.Minute, time.Second, "ms")
	case d >= 10*time.Second:
		return fmt.Sprintf("%ds", d.Round(time.Second)/time.Second)
	case d >= time.Second-500*time.Microsecond:
		return belowTen(d, time.Second, "s")
	case d >= time.Millisecond-500*time.Nanosecond:
		return belowSecond(d, time.Millisecond, "ms")
	case d >= time.Microsecond:
		return belowSecond(d, time.Microsecond, "µs")
	case d > 0:
		return fmt.Sprintf("%dns", d)
	}
	return "0s"
}

// belowSecond writes a length of time below a second in one unit: with a tenth below ten of these.
func belowSecond(d, unit time.Duration, name string) string {
	if d >= 10*unit {
		return fmt.Sprintf("%d%s", d.Round(unit)/unit, name)
	}
	return belowTen(d, unit, name)
}

// belowTen writes a length of time below ten of a unit, with a tenth unless that is zero.
func belowTen(d, unit time.Duration, name string) string {
	return strconv.FormatFloat(float64(d.Round(unit/10))/float64(unit), 'f', -1, 64) + name
}
