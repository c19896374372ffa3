package lives

import (
	"math"
	"slices"
	"time"
)

const (
	dayHours = 24
	weekDays = 7
	// profileWeight is the weight of the latest hour of its name: about the latest eight days count.
	profileWeight = .25
)

// Profile is the level that a resource usually has by the hour of the day and by the day of the week, in UTC: the
// lowest value in each hour, averaged over the latest days with falling weight, kept to a thousandth of the range.
type Profile struct {
	Base  float64 `json:"base"`
	Unit  float64 `json:"unit"`
	Hours []int16 `json:"hours"` // 24, from midnight on: Base + n Unit; -1 where nothing was read
	Days  []int16 `json:"days"`  // 7, from Sunday on
}

// Hour returns the usual level in an hour of the day, 0 to 23; ok is false where it is not known.
func (p *Profile) Hour(hour int) (level float64, ok bool) { return p.level(p.Hours, hour) }

// Day returns the usual level on a day of the week; ok is false where it is not known.
func (p *Profile) Day(day time.Weekday) (level float64, ok bool) { return p.level(p.Days, int(day)) }

func (p *Profile) level(of []int16, i int) (level float64, ok bool) {
	if i < 0 || i >= len(of) || of[i] < 0 {
		return 0, false
	}
	return p.Base + float64(of[i])*p.Unit, true
}

func (p *Profile) clone() Profile {
	c := *p
	c.Hours, c.Days = slices.Clone(p.Hours), slices.Clone(p.Days)
	return c
}

func (p *Profile) valid() bool {
	if len(p.Hours) == 0 && len(p.Days) == 0 {
		return true // of which nothing is known
	}
	if len(p.Hours) != dayHours || len(p.Days) != weekDays || !(math.Abs(p.Base) <= 2*maxMagnitude) ||
		!(p.Unit >= 0 && p.Unit <= 2*maxMagnitude) {
		return false
	}
	outside := func(n int16) bool { return n < nothing || n > steps }
	return !slices.ContainsFunc(p.Hours, outside) && !slices.ContainsFunc(p.Days, outside)
}

// Clock gathers a Profile over lives. It does not allocate, and is not safe for concurrent use.
type Clock struct {
	levels  [dayHours + weekDays]float64 // of the hours, then of the days; NaN where nothing was read
	hour    int64                        // that is open, counted from the epoch of Unix time
	lowest  float64
	started bool
}

// NewClock returns the clock that goes on with a profile.
func NewClock(p *Profile) Clock {
	var c Clock
	for i := range c.levels {
		c.levels[i] = math.NaN()
		level, ok := p.Hour(i)
		if i >= dayHours {
			level, ok = p.Day(time.Weekday(i - dayHours))
		}
		if ok {
			c.levels[i] = level
		}
	}
	return c
}

// Add takes a reading at an instant, unix nanoseconds. Instants must not decrease.
func (c *Clock) Add(at int64, value float64) {
	if hour := at / int64(time.Hour); !c.started || hour != c.hour {
		c.close()
		c.hour, c.lowest, c.started = hour, value, true
		return
	}
	c.lowest = min(c.lowest, value)
}

// close adds the hour that is open to those that are known.
func (c *Clock) close() {
	if !c.started {
		return
	}
	lowest := min(max(c.lowest, -maxMagnitude), maxMagnitude)
	day := (c.hour/dayHours + int64(time.Thursday)) % weekDays // Unix time began on a Thursday
	for _, of := range []struct {
		i      int64
		weight float64
	}{{c.hour % dayHours, profileWeight}, {dayHours + day, profileWeight / dayHours}} {
		level := &c.levels[of.i]
		if math.IsNaN(*level) {
			*level = lowest
		} else {
			*level += of.weight * (lowest - *level)
		}
	}
}

// Profile returns what was gathered in hours that are over.
func (c *Clock) Profile() Profile {
	low, high := math.Inf(1), math.Inf(-1)
	for _, level := range c.levels {
		if !math.IsNaN(level) {
			low, high = min(low, level), max(high, level)
		}
	}
	if math.IsInf(low, 1) {
		return Profile{}
	}
	p := Profile{Base: low, Unit: rounded((high - low) / steps), Hours: make([]int16, dayHours),
		Days: make([]int16, weekDays)}
	for i, level := range c.levels {
		n := int16(nothing)
		if !math.IsNaN(level) {
			n = 0
			if p.Unit > 0 {
				n = int16(min(steps, math.Round((level-low)/p.Unit)))
			}
		}
		if i < dayHours {
			p.Hours[i] = n
		} else {
			p.Days[i-dayHours] = n
		}
	}
	return p
}
