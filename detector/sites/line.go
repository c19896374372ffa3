package sites

import (
	"time"

	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/trend"
)

// line is what a followed site has beside: its minimums, and the life of its growth.
type line struct {
	ladder  *trend.Ladder
	average baseline.EWMA
	growth  finding.Growth
}

func newLine(began int64, scale float64, halfLife time.Duration) *line {
	return &line{ladder: trend.NewLadder(began, scale), average: baseline.NewEWMA(halfLife)}
}

// add takes the next value and returns the widths of which a bucket closed, as a bit set.
func (l *line) add(at int64, value float64) (closed uint8) {
	level, seen := l.average.Mean()
	if !seen {
		level = value
	}
	closed = l.ladder.Add(at, value, level)
	l.average.Observe(at, value)
	return closed
}

// judge moves the growth on. It is suspected by the constants of a total, and confirmed by those of a line alone.
func (l *line) judge(at int64, closed uint8, params, lone trend.Params, load *trend.Ladder) finding.Change {
	if closed == 0 {
		return finding.Unchanged
	}
	change := l.growth.Judge(l.ladder, at, closed, func(w int) trend.Growth {
		measured := l.ladder.Judge(w, params, load)
		if measured.Reason != trend.Sustained {
			return measured
		}
		if alone := l.ladder.Judge(w, lone, load); alone.Reason == trend.Sustained {
			return alone
		}
		measured.Reason = trend.TooRecent // for a line alone
		return measured
	})
	l.average.Freeze(l.grows())
	return change
}

// grows reports whether the line leaks or has the shape of a leak.
func (l *line) grows() bool { return l.growth.Active() || l.growth.Suspected() }
