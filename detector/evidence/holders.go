package evidence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// holder is a ProfileSource that can find what keeps the live memory of a line alive, as in "main.sessions
// (map[string]*main.session), 1,204,113 entries"; "" where that is not known. A line without a file stands for open
// descriptors, of the kind that its function names as parts do, or of all for "". It takes a few seconds at most.
type holder interface {
	Holder(ctx context.Context, line profile.Frame) (alerting.Holder, error)
}

// holders are what was found for the lines of the latest findings.
type holders struct {
	search atomic.Pointer[search] // nil where holders cannot be found
	known  map[string]answer      // by finding and line
	order  []string               // their keys, oldest first
}

// search finds what keeps the memory of a line alive.
type search struct {
	find func(ctx context.Context, line profile.Frame) (alerting.Holder, error)
	here bool // it uses memory of the process that is watched
}

// answer is the result for one line. Finding nothing is a result too: a second search costs as much as the first. It is
// kept for ever if this process pays for the search itself.
type answer struct {
	held  alerting.Holder
	err   error
	until time.Time // it holds; zero for ever
}

// searchAgain is how long a search that failed, or found nothing, is not repeated.
const searchAgain = 10 * time.Minute

// errNoRoom says that the process may not have the memory that the search needs.
var errNoRoom = errors.New("the process is close to a limit of its memory")

// add names what holds the memory of the first of the lines of an alert that have some, once for each finding.
func (h *holders) add(ctx context.Context, a *alerting.Alert, crowded bool) error {
	for i := range a.Sites {
		s := &a.Sites[i]
		if s.Bytes == 0 {
			continue
		}
		line := profile.Frame{Function: s.Function, File: s.File, Line: s.Line}
		held, err := h.find(ctx, a.ID+" "+calledFrom(s), line, crowded, nil)
		if held.Text != "" {
			s.Holder, s.HolderPath = held.Text, held.Path.Clone()
			weigh(s.HolderPath, s)
			a.Summary += wording.HolderClause(a)
		}
		return err
	}
	return nil
}

// addDescriptors names what keeps the descriptors of an alert open, of a kind of the breakdown, which grew by growth,
// once for each finding. Where most of them have no Go object, the holder of the others does not explain them.
func (h *holders) addDescriptors(ctx context.Context, a *alerting.Alert, kind string, growth float64,
	crowded bool) error {
	held, err := h.find(ctx, a.ID, profile.Frame{Function: kind}, crowded, func(held alerting.Holder) error {
		if held.All == 0 || 2*float64(held.All) >= growth {
			return nil
		}
		count := sampler.Resource{}.Format
		return fmt.Errorf("%s were added, and %s have an object of package os or net: what is opened by package "+
			"syscall, or in C, has none",
			count(growth), count(float64(held.All)))
	})
	if held.Text != "" {
		a.Holder, a.HolderPath = held.Text, held.Path.Clone()
		a.Summary += wording.HolderClause(a)
	}
	return err
}

// find searches for what holds the objects of a line, unless the result is known by a key. judge returns why a holder
// that was found does not count; it may be nil.
func (h *holders) find(
	ctx context.Context, key string, line profile.Frame, crowded bool, judge func(alerting.Holder) error,
) (alerting.Holder, error) {
	by := h.search.Load()
	found, known := h.known[key]
	if known && (found.until.IsZero() || time.Now().Before(found.until)) {
		return found.held, found.err
	}
	if by.here && crowded {
		return alerting.Holder{}, errNoRoom
	}
	found.held, found.err = by.find(ctx, line)
	if found.err == nil && judge != nil {
		if found.err = judge(found.held); found.err != nil {
			found.held = alerting.Holder{}
		}
	}
	var another passing // search goes on
	switch {
	case found.err != nil && (errors.As(found.err, &another) || errors.Is(ctx.Err(), context.Canceled)):
		return alerting.Holder{}, found.err
	case found.err == nil && found.held.Text != "" || by.here && ctx.Err() == nil:
		found.until = time.Time{}
	default:
		found.until = time.Now().Add(searchAgain)
	}
	if h.known == nil {
		h.known = make(map[string]answer)
	}
	h.known[key] = found
	if known {
		return found.held, found.err
	}
	if h.order = append(h.order, key); len(h.order) > maxRemembered {
		delete(h.known, h.order[0])
		h.order = h.order[1:]
	}
	return found.held, found.err
}

// weigh adds to the steps of a path how much of a line's memory hangs below each, and to the last the line that
// allocated it.
func weigh(p *alerting.Path, of *alerting.Site) {
	if p == nil {
		return
	}
	for i := range p.Steps {
		step := &p.Steps[i]
		step.Bytes = math.Round(of.Bytes * step.Share)
		if i < len(p.Steps)-1 {
			continue
		}
		if step.File == "" {
			step.File, step.Line = of.File, of.Line
		}
		if step.Type == "" && len(of.Types) == 1 {
			step.Type = of.Types[0]
		}
	}
}
