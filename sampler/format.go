package sampler

import (
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// Format writes a value of the resource as people write it: 1.4 GB (of 1024 MB each, as in the configuration), 2,911,
// 3h 20m.
func (r Resource) Format(value float64) string { return figure.Format(value, r.Unit) }

// FormatPerHour writes a rate, in units per hour, with its sign: +120 MB/h.
func (r Resource) FormatPerHour(rate float64) string { return figure.PerHour(rate, r.Unit) }

// Growth returns how much more a value is than the one before, both as Format shows them: a sentence that has all three
// adds up.
func (r Resource) Growth(value, before float64) float64 { return figure.Growth(value, before, r.Unit) }

// FormatDuration writes a length of time in its two largest units: 3d 4h, 3h 20m, 2m 10s; one below a minute as 42s,
// 1.2s, 50ms.
func FormatDuration(d time.Duration) string { return figure.Duration(d) }

// ShortDuration writes a length of time exactly, as ParseDuration and time.ParseDuration read it, without parts that
// are zero: 12h for 12h0m0s.
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

// elapsedBefore bounds the instants that are no dates: 1973. Times of a recording that only has the time elapsed since
// its beginning count from 1970, and so does a clock that was not set.
const elapsedBefore = 100_000_000 // unix seconds

// FormatInstant writes an instant in a layout of package time; one that is not a date but the time elapsed since a
// recording began as that, as in +3h20m.
func FormatInstant(t time.Time, layout string) string {
	if t.IsZero() || t.Unix() >= elapsedBefore || t.Unix() < 0 {
		return t.Format(layout)
	}
	return "+" + ShortDuration(time.Duration(t.UnixNano()).Round(time.Millisecond))
}
