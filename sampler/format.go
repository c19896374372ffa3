package sampler

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var byteUnits = [...]string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}

// Format writes a value of the resource as people write it: 1.4 GB (of 1024 MB each, as in the configuration), 2,911,
// 3h 20m.
func (r Resource) Format(value float64) string {
	switch r.Unit {
	case "bytes":
		return formatBytes(value)
	case "seconds":
		if math.Abs(value) >= math.MaxInt64/1e9 { // 292 years, the longest Duration
			return formatCount(value) + "s"
		}
		return FormatDuration(time.Duration(value * float64(time.Second)))
	}
	return formatCount(value)
}

// FormatPerHour writes a rate, in units per hour, with its sign: +120 MB/h.
func (r Resource) FormatPerHour(rate float64) string {
	sign := ""
	switch {
	case rate < 0:
		sign = "-"
	case rate > 0:
		sign = "+"
	}
	return sign + r.Format(math.Abs(rate)) + "/h"
}

func formatBytes(value float64) string {
	if value < 0 {
		return "-" + formatBytes(-value)
	}
	unit := 0
	for value >= 1023.5 && unit < len(byteUnits)-1 {
		value /= 1024
		unit++
	}
	if unit > 0 && value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, byteUnits[unit])
	}
	return fmt.Sprintf("%.0f %s", value, byteUnits[unit])
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

// FormatDuration writes a length of time in its two largest units: 3d 4h, 3h 20m, 2m 10s, 0.4s.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return "-" + FormatDuration(-max(d, -math.MaxInt64)) // the least has no opposite
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
	}
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

// ShortDuration writes a length of time exactly, as ParseDuration and time.ParseDuration read it, without parts that are zero: 12h for
// 12h0m0s.
func ShortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// elapsedBefore bounds the instants that are no dates: 1973. Times of a recording that only tells what has passed since
// its beginning count from 1970, and so does a clock that was not set.
const elapsedBefore = 100_000_000 // unix seconds

// FormatInstant writes an instant in a layout of package time; one that is no date but tells what has passed since a
// recording began as that, as in +3h20m.
func FormatInstant(t time.Time, layout string) string {
	if t.IsZero() || t.Unix() >= elapsedBefore || t.Unix() < 0 {
		return t.Format(layout)
	}
	return "+" + ShortDuration(time.Duration(t.UnixNano()).Round(time.Millisecond))
}
