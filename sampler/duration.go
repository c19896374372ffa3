package sampler

import (
	"errors"
	"math"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// errDuration is the error for a text that is not a duration.
var errDuration = errors.New("must be a duration, as in 30s, 1h30m, 7d or 1d12h")

// errLongDuration is the error for a duration that time.Duration cannot hold.
var errLongDuration = errors.New("is too long: the maximum is 292 years")

// ParseDuration reads a length of time as users write it on command lines and in files: what time.ParseDuration reads,
// and days (d, of 24 hours), weeks (w) and years (y, of 365 days, as in Prometheus) beside the other units, as in 7d,
// 1d12h, 1.5d, -2w or 1y. The error is a clause without the text.
func ParseDuration(text string) (time.Duration, error) {
	rest, sign := text, 1.
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		if rest[0] == '-' {
			sign = -1
		}
		rest = rest[1:]
	}
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, errDuration
	}
	var sum time.Duration
	for rest != "" {
		number, unit, next := cutPart(rest)
		part, err := partOf(number, unit)
		if err != nil {
			return 0, err
		}
		if part > math.MaxInt64-sum {
			return 0, errLongDuration
		}
		sum += part
		rest = next
	}
	return time.Duration(sign) * sum, nil
}

// cutPart splits off the first number and its unit.
func cutPart(text string) (number, unit, rest string) {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' || c == '.' }
	end := 0
	for end < len(text) && isDigit(text[end]) {
		end++
	}
	from := end
	for end < len(text) && !isDigit(text[end]) {
		end++
	}
	return text[:from], text[from:end], text[end:]
}

// partOf returns what a number of a unit is.
func partOf(number, unit string) (time.Duration, error) {
	of := map[string]time.Duration{"d": day, "w": 7 * day, "y": 365 * day}[unit]
	if of == 0 {
		d, err := time.ParseDuration(number + unit)
		switch {
		case err == nil && unit != "": // 0 alone is the whole text or nothing
			return d, nil
		case validUnits[unit] && isDecimal(number):
			return 0, errLongDuration
		}
		return 0, errDuration
	}
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case !isDecimal(number) || err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errDuration
	case !(n*float64(of) < math.MaxInt64):
		return 0, errLongDuration
	}
	return time.Duration(math.Round(n * float64(of))), nil
}

var validUnits = map[string]bool{"ns": true, "us": true, "µs": true, "μs": true, "ms": true, "s": true, "m": true,
	"h": true}

// isDecimal reports whether a text of digits and points is a number.
func isDecimal(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}
