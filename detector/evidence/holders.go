package evidence

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// holder is a ProfileSource that can tell what keeps the live memory of a line alive, as in "main.sessions
// (map[string]*main.session), 1,204,113 entries"; "" where that is not known. A line without a file stands for open
// descriptors, of the kind that its function names as parts do, or of all for "". It takes a few seconds at most.
type holder interface {
	Holder(ctx context.Context, line profile.Frame) (string, error)
}

// holders are what was found for the lines of the latest findings.
type holders struct {
	search atomic.Pointer[search] // nil where nobody can tell
	known  map[string]answer      // by finding and line
	order  []string               // their keys, oldest first
}

// search is what tells what keeps the memory of a line alive.
type search struct {
	find func(ctx context.Context, line profile.Frame) (string, error)
	here bool // it takes memory of the process that is watched
}

// answer is what was found for one line. That nothing can be found in this process is one too: to look again costs it
// again.
type answer struct {
	text string
	err  error
}

// errNoRoom says that the search would take memory that the process may not have.
var errNoRoom = errors.New("the process is close to a limit of its memory")

// add names what holds the memory of the first of the lines of an alert that have some, once for each finding.
func (h *holders) add(ctx context.Context, a *alerting.Alert, crowded bool) error {
	for i := range a.Sites {
		s := &a.Sites[i]
		if s.Bytes == 0 {
			continue
		}
		line := profile.Frame{Function: s.Function, File: s.File, Line: s.Line}
		text, err := h.ask(ctx, a.ID+" "+calledFrom(s), line, crowded)
		if text != "" {
			s.Holder = text
			a.Summary += wording.HolderClause(a)
		}
		return err
	}
	return nil
}

// addDescriptors names what keeps the descriptors of an alert open, of a kind as the parts have it, once for each finding.
func (h *holders) addDescriptors(ctx context.Context, a *alerting.Alert, kind string, crowded bool) error {
	text, err := h.ask(ctx, a.ID, profile.Frame{Function: kind}, crowded)
	if text != "" {
		a.Holder = text
		a.Summary += wording.HolderClause(a)
	}
	return err
}

// ask asks what holds what is of a line, unless that is known by a key.
func (h *holders) ask(ctx context.Context, key string, line profile.Frame, crowded bool) (string, error) {
	by := h.search.Load()
	found, known := h.known[key]
	if known {
		return found.text, found.err
	}
	if by.here && crowded {
		return "", errNoRoom
	}
	found.text, found.err = by.find(ctx, line)
	if found.err != nil && (!by.here || ctx.Err() != nil) {
		return "", found.err
	}
	if h.known == nil {
		h.known = make(map[string]answer)
	}
	h.known[key] = found
	if h.order = append(h.order, key); len(h.order) > maxRemembered {
		delete(h.known, h.order[0])
		h.order = h.order[1:]
	}
	return found.text, found.err
}
