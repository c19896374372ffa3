package wording

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// EachLife says in a clause how the latest lives of a process grew, in which versions, and what those before did.
func EachLife(l *alerting.Lives, r sampler.Resource) string {
	clause := fmt.Sprintf("each of the last %d lives grew by %s a day without levelling off", l.Grew, perDay(l, r))
	if of := versions(l.Versions, true); of != "" {
		clause += ": " + of
	} else if len(l.Versions) > 0 {
		clause += " (since " + dayOf(l.Versions[0].Since) + ")"
	}
	return clause + before(l.Before)
}

// perDay returns the range of the growth a day, to two or three digits.
func perDay(l *alerting.Lives, r sampler.Resource) string {
	low, high := r.Format(toDigits(l.LowPerDay)), r.Format(toDigits(l.HighPerDay))
	if low == high {
		return high
	}
	return low + " to " + high
}

// toDigits rounds to whole numbers from 10 on: a thousandth of a descriptor is nothing that was measured.
func toDigits(v float64) float64 {
	if v >= 10 {
		return math.Round(v)
	}
	return math.Round(v*10) / 10
}

// versions lists what lives were of; since is said of the first. "" where no version is known.
func versions(of []alerting.LivesOf, since bool) string {
	var names []string
	for i, v := range of {
		if v.Version == "" {
			continue
		}
		name := v.Version
		if since && i == 0 {
			name += " (since " + dayOf(v.Since) + ")"
		}
		names = append(names, name)
	}
	const maxNames = 4
	if n := len(names); n > maxNames {
		names = append(names[:maxNames-1], fmt.Sprintf("%d more", n-maxNames+1))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// before says what the lives before did; "" where none are known.
func before(of []alerting.LivesOf) string {
	n := 0
	for _, v := range of {
		n += v.Lives
	}
	if n == 0 {
		return ""
	}
	clause := "; the life"
	if n > 1 {
		clause = fmt.Sprintf("; the %d lives", n)
	}
	if names := versions(of, false); names != "" {
		return clause + " of " + names + " did not"
	}
	return clause + " before did not"
}

// began says with which version growth within a life began, where the lives before had another one and did not grow.
func began(l *alerting.Lives) string {
	if l == nil || len(l.Versions) == 0 || len(l.Before) == 0 {
		return ""
	}
	version := l.Versions[len(l.Versions)-1].Version
	if version == "" || version == l.Before[len(l.Before)-1].Version {
		return ""
	}
	return "; began with " + version + before(l.Before)
}

// endedWith says with which version the growth was not seen again.
func endedWith(l *alerting.Lives) string {
	switch {
	case l == nil || l.Ended == nil || l.Ended.Version == "":
		return ""
	case len(l.Versions) > 0 && l.Versions[len(l.Versions)-1].Version == l.Ended.Version:
		return "; the same version since, " + l.Ended.Version
	}
	return "; ended with " + l.Ended.Version
}

func dayOf(at time.Time) string { return at.Format("2 Jan") }
