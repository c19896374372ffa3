package trend

import (
	"math"
	"time"
)

// Growth is what is known of a window of minimums. Levels are in the unit of the series. What comes after the test that
// failed is zero.
type Growth struct {
	Reason  Reason
	Suspect bool // sustained by every test at a sixth of the required duration

	Since  int64         // start of the window, unix nanoseconds
	Window time.Duration // its length
	Points int           // minimums in it
	Width  time.Duration // of one minimum
	Level  float64       // moving baseline before the growth
	Base   float64       // minimum from which the rise counts
	Rise   float64       // above the base, of the lower of the latest two minimums
	Growth float64       // rise over level + offset, as a share; a level below 0 counts as 0
	Fit    Fit           // of the minimums; x = 0 at the start of the window
	Need   float64       // hours times growth (to the power 1.3) that it must reach; 0 = not known
	// share of the window that has passed since nine tenths of the rise were there for good; 0 = not computed
	Rest float64
	// in which nine tenths of the rise, and of what was kept before the window, came; 0 = it did not come in steps
	Steps int
	// since the latest step, as a multiple of the time between the latest two; 0 with fewer than two
	Pause float64
	// growth beyond 1.4 counted for more: its rate is constant, no load explains it, and no earlier level was as high
	Strong bool

	Load bool    // whether the load could be held constant
	Kept float64 // share of the rate that then remains
}

// measure sets the rise from a base to the end of the window, and the growth that it is.
func (c *Growth) measure(base, end, offset float64) {
	c.Base, c.Rise = base, end-base
	c.Growth = c.Rise / (max(c.Level, 0) + offset)
}

// Rate returns the rate of the rise, per second: from the first minimum to the one before the latest, where growth that
// goes on has the lower of the latest two. 0 where the window has no more than two.
func (c *Growth) Rate() float64 {
	lasted := c.Window - 2*c.Width
	if lasted <= 0 {
		return 0
	}
	return c.Rise / lasted.Seconds()
}

// strength is what growth earns in an hour: the growth to the power 1.3, up to 4 times the level; strong growth at a
// constant rate to the power 4 from 1.4 times on.
func (c *Growth) strength() float64 {
	if !c.Strong {
		return math.Pow(min(c.Growth, maxGrowth), growthPower)
	}
	return math.Pow(min(c.Growth, strongFrom), growthPower) * math.Pow(max(1, min(c.Growth, strongTo)/strongFrom),
		strongPower)
}

// restShare is the share of the rise that may come after a series has come to rest.
const restShare = .1

// resting returns the share of the window since all but a tenth of the rise are there for good.
func (c *Growth) resting(x, kept []float64) float64 {
	last := len(kept) - 1
	level := kept[last] - restShare*(kept[last]-c.Base)
	i := last
	for i > 0 && kept[i-1] >= level {
		i--
	}
	return (x[last] - x[max(0, i-1)]) / (x[last] - x[0])
}

// longestStep is over how many minimums in a row a step may rise: it may begin within one.
const longestStep = 2

// steps returns in how many steps nine tenths of all that never came back came, and for how long there was none since,
// as a multiple of the time between the two latest: 0 of growth that did not come in steps, and with less than two.
// What rises by a tenth of the growth from one minimum to the next is a step, or a part of one.
func (c *Growth) steps(all *collectedMinimums) (n int, pause float64) {
	last := all.n - 1
	var latest, before int64
	height, rising := 0., 0
	for i := 1; i <= last; i++ {
		rise := all.kept[i] - all.kept[i-1]
		if rise < restShare*c.Rise {
			rising = 0
			continue
		}
		height += rise
		if rising++; rising == 1 {
			n++
			before, latest = latest, all.numbers[i]
		} else if rising > longestStep {
			return 0, 0
		}
	}
	if height < (1-restShare)*(all.kept[last]-all.kept[0]) {
		return 0, 0
	}
	if n > 1 {
		pause = float64(all.numbers[last]-latest) / float64(latest-before)
	}
	return n, pause
}

// CalledAfter returns how long after the start of the window growth at this rate reaches what is required: the duration
// T with (T/D)^1.3 T = Need, where D is the time in which the level grows by itself; of strong growth that with 1.4^1.3
// (T/(1.4 D))^4 T = Need, if that is sooner. ok is false where the window has no rate.
func (c *Growth) CalledAfter(scale float64) (after time.Duration, ok bool) {
	hours := c.Window.Hours() / scale
	if c.Growth <= 0 || hours <= 0 || c.Need <= 0 {
		return 0, false
	}
	rate := c.Growth / hours
	after = time.Duration(math.Pow(c.Need/math.Pow(rate, growthPower), 1/(1+growthPower)) * scale * float64(time.Hour))
	if c.Strong && rate*after.Hours()/scale > strongFrom {
		need := c.Need / math.Pow(strongFrom, growthPower) * math.Pow(strongFrom/rate, strongPower)
		after = time.Duration(math.Pow(need, 1/(1+strongPower)) * scale * float64(time.Hour))
	}
	return after, after > 0
}

// even measures the share of the rise in each quarter of the window's time. lack is how much the one that lacks most
// lacks of its share, with that of the last quarter added; ok is false where one holds next to nothing.
func (c *Growth) even(x, kept []float64) (lack float64, ok bool) {
	last := len(kept) - 1
	total := kept[last] - c.Base
	before := c.Base
	i := 0
	for part := 1; part <= evenParts; part++ {
		at := x[0] + (x[last]-x[0])*float64(part)/evenParts
		for i < last-1 && x[i+1] < at {
			i++
		}
		now := max(kept[i]+(at-x[i])/(x[i+1]-x[i])*(kept[i+1]-kept[i]), c.Base)
		share := now - before
		if share < minShare*total {
			return 0, false
		}
		if part < evenParts {
			lack = max(lack, evenShare-share/total)
		} else {
			lack += max(0, lastShare-share/total)
		}
		before = now
	}
	return lack, true
}
