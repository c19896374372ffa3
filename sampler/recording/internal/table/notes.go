package table

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// noteLog keeps the notes of a table, which mean there what they mean in a recording of our own: from their place on.
type noteLog struct {
	comments.Notes
	input.FaultLog
	states []noted
}

// noted is what the notes have from a row on.
type noted struct {
	row    int
	start  time.Time
	levels []sampler.Ceiling
}

// Read reads a note before a row.
func (n *noteLog) Read(line []byte, number, row int) {
	start, levels := n.Start, slices.Clone(n.Levels)
	n.Parse(line, false, func(format string, args ...any) { n.Fault(number, format, args...) })
	if n.Start.Equal(start) && slices.Equal(n.Levels, levels) {
		return
	}
	n.states = append(n.states, noted{row, n.Start, slices.Clone(n.Levels)})
}

// apply brings what was noted into what was gathered of rows with these times, for all processes alike.
func (n *noteLog) apply(g *gathered.File, times []int64) {
	g.Header = n.Header
	g.Faults += n.Faults
	g.Errs = append(g.Errs, n.Errs...)
	for _, state := range n.states {
		t := int64(-1)
		for row := state.row; row < len(times) && t < 0; row++ {
			t = times[row]
		}
		if t < 0 {
			continue
		}
		for _, p := range g.Processes {
			if !state.start.IsZero() {
				p.Starts.Sorted = len(p.Starts.Points) == 0
				p.Starts.Add(t, float64(state.start.UnixNano())/1e9)
			}
			for _, c := range state.levels {
				p.LimitOf(c.Resource, t, c.Level)
			}
		}
	}
}
