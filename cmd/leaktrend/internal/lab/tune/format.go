package tune

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/sampler"
)

// confidence never rounds up to certainty.
func confidence(p float64) string {
	if p > 0.999 {
		return "over 99.9 %"
	}
	return strconv.FormatFloat(math.Floor(1000*p)/10, 'f', -1, 64) + " %"
}

// cut keeps a name from pushing the columns beyond the width.
func cut(name string) string {
	const limit = 30
	if utf8.RuneCountInString(name) <= limit {
		return name
	}
	return string([]rune(name)[:limit-1]) + "…"
}

// unknown stands for what cannot be said.
const unknown = "-"

// number writes a knob.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// number3 writes a figure with up to three digits.
func number3(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// number2 writes one end of an interval.
func number2(v float64) string {
	if v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// rateText writes a rate with its interval.
func rateText(i *Interval) string {
	if i == nil {
		return unknown
	}
	return fmt.Sprintf("%s (%s to %s)", number2(i.Value), number2(i.Low), number2(i.High))
}

// percentText writes a share with its interval.
func percentText(i *Interval) string {
	if i == nil {
		return unknown
	}
	return fmt.Sprintf("%.0f %% (%.0f to %.0f)", 100*i.Value, 100*i.Low, 100*i.High)
}

func percent(i *Interval) string {
	if i == nil {
		return unknown
	}
	return fmt.Sprintf("%.0f %%", 100*i.Value)
}

func (f *Figures) alarmed() string {
	if f.Alarmed == nil {
		return unknown
	}
	return fmt.Sprintf("of %d: %s", f.Healthy, percentText(f.Alarmed))
}

func duration(hours float64) string {
	return sampler.FormatDuration(time.Duration(hours * float64(time.Hour)))
}

func hour(s *Spread) string {
	if s == nil {
		return unknown
	}
	return duration(s.Median)
}

func hours(s *Spread) string {
	if s == nil {
		return unknown
	}
	return duration(s.Median) + " / " + duration(s.P90)
}

func share(s *Spread) string {
	if s == nil {
		return unknown
	}
	return number2(s.Median)
}

func shares(s *Spread) string {
	if s == nil {
		return unknown
	}
	return number2(s.Median) + " / " + number2(s.P90)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func count3(n float64, what string) string {
	return number3(n) + " " + what + "s"
}

func mark(inForce, chosen bool) string {
	switch {
	case inForce && chosen:
		return "kept" // the one in force is recommended
	case inForce:
		return "in force"
	case chosen:
		return "recommended"
	}
	return ""
}
