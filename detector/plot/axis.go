package plot

import (
	"math"
	"strconv"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// axis is a stretch of values with round marks.
type axis struct {
	low, high float64
	ticks     []tick
}

type tick struct {
	value float64
	label string
}

// valueAxis covers the values from low to high with about so many ticks, at steps that are round in the unit. Whole
// values have no steps below one. Amounts are written in the unit in which the largest sample is, so that the axis
// agrees with the text; where there is nearly none, in that of the axis.
func valueAxis(low, high, sample float64, unit string, integer bool, about int) axis {
	largest := max(math.Abs(low), math.Abs(high))
	if scale, _ := byteScale(sample); unit == "bytes" && largest < 2*1024*scale {
		largest = sample
	}
	about = max(about, 1)
	step := RoundStep((high-low)/float64(about), largest, unit)
	scale, name := 1., ""
	if unit == "bytes" {
		scale, name = byteScale(largest)
	}
	if integer && unit == "" {
		step = max(step, 1)
	}
	a := axis{low: math.Floor(low/step+1e-9) * step, high: math.Ceil(high/step-1e-9) * step}
	first := math.Round(a.low / step)
	for i := range about + 3 { // one more at either end, and rounding
		label, value := "", (first+float64(i))*step
		if value > a.high+step/2 {
			break
		}
		switch {
		case value == 0 && unit != "seconds":
			label = "0"
		case unit == "bytes":
			label = strconv.FormatFloat(value/scale, 'f', digits(step/scale), 64) + " " + name
		case unit == "" && step < 1:
			label = strconv.FormatFloat(value, 'f', digits(step), 64)
		default:
			label = sampler.Resource{Unit: unit}.Format(value)
		}
		a.ticks = append(a.ticks, tick{value, label})
	}
	return a
}

// byteScale returns the unit that an amount is written in, as sampler.Resource.Format chooses it.
func byteScale(high float64) (scale float64, name string) {
	units := [...]string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}
	scale, i := 1., 0
	for high/scale >= 1023.5 && i < len(units)-1 {
		scale, i = scale*1024, i+1
	}
	return scale, units[i]
}

// RoundStep returns the smallest step of at least this, above 0, that is round where values of a unit up to the largest
// are written: 1, 2 or 5 times a power of ten, of KB, MB and so on for bytes, and a usual length of time for seconds.
// Every axis has its marks at such steps.
func RoundStep(step, largest float64, unit string) float64 {
	scale := 1.
	if unit == "bytes" {
		scale, _ = byteScale(largest)
	}
	if unit == "seconds" && step >= 1 {
		for _, seconds := range roundTimes {
			if seconds >= step {
				return seconds
			}
		}
	}
	step /= scale
	power := math.Pow10(int(math.Floor(math.Log10(step))))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= step*(1-1e-9) {
			return m * power * scale
		}
	}
	return 10 * power * scale
}

// digits returns how many places after the point a step needs.
func digits(step float64) int {
	for d := range 12 {
		if scaled := step * math.Pow10(d); math.Abs(scaled-math.Round(scaled)) < .01*scaled {
			return d
		}
	}
	return 12
}

// roundTimes are round lengths of time in seconds.
var roundTimes = []float64{
	1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400,
	5 * 86400, 10 * 86400,
	20 * 86400, 50 * 86400, 100 * 86400, 200 * 86400, 500 * 86400, 1000 * 86400, 1e4 * 86400, 1e5 * 86400,
}

// timeTick is a mark of the time axis.
type timeTick struct {
	at    time.Time
	label string
	as    As
}

// timeAxis returns at most so many round instants, in a zone, from one to another, in unix nanoseconds.
func timeAxis(from, to int64, zone *time.Location, limit int) (ticks []timeTick) {
	step := roundTimes[len(roundTimes)-1]
	for _, s := range roundTimes {
		if float64(to-from)/1e9/s <= float64(limit) {
			step = s
			break
		}
	}
	first := time.Unix(0, from).In(zone)
	year, month, day := first.Date()
	if step >= 86400 {
		days := int(step / 86400)
		for k := 0; ; k += days {
			at := time.Date(year, month, day+k, 0, 0, 0, 0, zone)
			if at.UnixNano() > to {
				return ticks
			}
			if at.UnixNano() >= from {
				ticks = append(ticks, timeTick{at, at.Format("Jan 2"), AsDay})
			}
		}
	}
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
	as, layout := AsMinute, "15:04"
	if step < 60 {
		as, layout = AsSecond, "15:04:05"
	}
	k := int64(float64(from-midnight.UnixNano())/1e9/step) - 1
	for ; ; k++ {
		at := midnight.Add(time.Duration(k) * time.Duration(step) * time.Second)
		if step >= 3600 {
			// By the clock on the wall, which a day of 23 or 25 hours sets differently.
			at = time.Date(year, month, day, int(k)*int(step/3600), 0, 0, 0, zone)
		}
		if at.UnixNano() > to {
			return ticks
		}
		if at.UnixNano() < from {
			continue
		}
		tick := timeTick{at, at.Format(layout), as}
		if h, m, s := at.Clock(); h == 0 && m == 0 && s == 0 {
			tick.label, tick.as = at.Format("Jan 2"), AsDay
		}
		ticks = append(ticks, tick)
	}
}

func zoneName(at int64, zone *time.Location) string {
	name, offset := time.Unix(0, at).In(zone).Zone()
	if name != "" && (name[0] == '+' || name[0] == '-') {
		return time.Unix(0, at).In(zone).Format("UTC-07:00")
	}
	if name == "" && offset == 0 {
		return "UTC"
	}
	return name
}
