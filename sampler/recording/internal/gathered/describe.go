package gathered

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/doubt"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/unjudged"
)

// describe says what each column is: by what is declared, then by its values, last by its name. What is no reading
// leaves.
func (p *Process) describe(g *File) {
	several := map[string]int{}
	var names []string
	for _, c := range p.Columns {
		names = append(names, c.header)
		several[c.Resource.Name]++
	}
	counters := unjudged.ServerCounters(names)
	used := map[string]bool{}
	slices.SortStableFunc(p.Columns, func(a, b *Column) int { return cmp.Compare(a.Rank, b.Rank) })
	kept := p.Columns[:0]
	for _, c := range p.Columns {
		name := c.Resource.Name
		if several[name] > 1 {
			name += c.series
		}
		if used[name] {
			g.SetAside(scan.Printable(c.header), "the same as "+name)
			continue
		}
		guess, _ := sampler.Lookup(name)
		if c.Resource.Unit == "" {
			c.Resource.Unit = guess.Unit
		}
		guess.Unit = c.Resource.Unit
		c.Resource = guess
		if c.Resource.Unjudged == "" && c.declared == undeclared &&
			(unjudged.IsCounter(c.header) || counters[c.header]) {
			c.Resource.Kind, c.Resource.Unjudged = sampler.Counter, "a counter"
		}
		// as OpenFileDescriptorCount and uptimeMillis
		if words, known := sampler.Lookup(strings.Join(naming.Words(c.header), " ")); !known {
			c.Resource.Positive = c.Resource.Positive || words.Positive
			if c.Resource.Unjudged == "" && c.declared == undeclared && words.Unjudged != "" {
				c.Resource.Context, c.Resource.Unjudged = true, words.Unjudged
			}
		}
		c.JudgeKind()
		if c.Resource.Unjudged == "" && unjudged.IsRemainder(c.header) {
			c.Resource.Context, c.Resource.Unjudged = true, isLeftOver
		}
		if c.Resource.Positive {
			c.dropImpossible()
		}
		if c.Resource.Unjudged == "" {
			c.dropPlaceholders()
		}
		if c.Resource.Unjudged == "" && !c.Resource.Positive {
			c.dropFailed()
		}
		used[name] = true
		if c.Resource.Unjudged != "" {
			g.SetAside(scan.Printable(c.header), c.Resource.Unjudged)
		}
		kept = append(kept, c)
	}
	p.Columns = kept
	p.describeCache(g)
	p.describeRemainders(g)
	for _, c := range p.Columns {
		if other := c.Resource.StandsInFor; other != "" && used[other] {
			g.SetAside(scan.Printable(c.header), "stands in for "+other)
		}
	}
}

// reportsUse reports whether a judged column is what is used where another is what is left of the same.
func reportsUse(left, used *Column) bool {
	return used.Resource.Unjudged == "" &&
		unjudged.UsedBeside(left.header, used.header, left.Resource.Unit == "bytes", used.Resource.Unit == "bytes")
}

// describeRemainders names columns of what is left where no judged column has what is used: an "ok" beside it would be
// about something else.
func (p *Process) describeRemainders(g *File) {
	var alone []string
	for _, c := range p.Columns {
		if c.Resource.Unjudged == isLeftOver && len(c.Points) > 0 &&
			!slices.ContainsFunc(p.Columns, func(used *Column) bool { return reportsUse(c, used) }) {
			alone = append(alone, scan.Printable(c.header))
		}
	}
	if len(alone) > 0 {
		g.Unread("%s: what is left falls as a leak grows, and no column tells what is used: record that, as total "+
			"less free",
			strings.Join(alone, ", "))
	}
}

// isLeftOver is why what is left is not judged.
const isLeftOver = "what is left, not what is used"

// describeCache sets page cache aside where there is memory of another kind beside it, as in the output of free, sar
// and cgroups: it fills free memory and gives way.
func (p *Process) describeCache(g *File) {
	var caches []*Column
	memory, resident, working := false, false, false
	for _, c := range p.Columns {
		resident = resident || naming.HasWord(c.header, "rss", "anon", "working")
		working = working || naming.HasWord(c.header, "working") && c.Resource.Unjudged == ""
		switch {
		case unjudged.IsCache(c.header) && c.declared == undeclared && c.Resource.Unjudged == "":
			caches = append(caches, c)
		case naming.HasWord(c.header, "rss", "anon", "used", "memused", "kbmemused", "available", "avail", "free",
			"memfree",
			"kbmemfree", "working"):
			memory = true
		}
	}
	if !memory {
		return
	}
	for _, c := range caches {
		c.Resource.Context, c.Resource.Unjudged = true, "page cache"
		g.SetAside(scan.Printable(c.header), "page cache")
	}
	if len(caches) == 0 && !working || !resident {
		return
	}
	for _, c := range p.Columns {
		if c.declared == undeclared && c.Resource.Unjudged == "" &&
			unjudged.IsGroupTotal(c.header) {
			c.Resource.Context, c.Resource.Unjudged = true, "page cache is part of it"
			g.SetAside(scan.Printable(c.header), "page cache is part of it")
		}
	}
}

// JudgeKind takes what is declared, and where nothing is, what the values show.
func (c *Column) JudgeKind() {
	r := &c.Resource
	switch {
	case c.declared == gauge, c.declared == undeclared && r.Unjudged != "" && isAmount(r, c.Points):
		r.Kind, r.Context, r.Unjudged = sampler.Gauge, false, ""
	case c.declared == counter && r.Kind == sampler.Gauge:
		r.Kind, r.Context, r.Unjudged = sampler.Counter, false, "a counter"
	}
}

// isAmount reports whether a column that its name makes a counter, or no amount, is an amount all the same: what falls
// is, but for a counter's falls to nothing at restarts; and what a process that lives always has.
func isAmount(r *sampler.Resource, points []point) bool {
	if _, known := sampler.Lookup(r.Name); known || r.Unjudged == "an identifier" || r.Unjudged == "page cache" {
		return false
	}
	if r.Kind == sampler.Counter && r.Positive {
		return true
	}
	falls, back := 0, 0
	for i := 1; i < len(points); i++ {
		if before, now := points[i-1].Value, points[i].Value; now < before {
			if falls++; now > before/2 {
				back++
			}
		}
	}
	return back > 1 && back > len(points)/1000 || falls > 3 && falls > len(points)/20
}

// dropImpossible makes gaps of values that a process which lives cannot have.
func (c *Column) dropImpossible() {
	before := len(c.Points)
	c.Points = slices.DeleteFunc(c.Points, func(p point) bool { return p.Value <= 0 })
	c.Gaps = before - len(c.Points)
}

// dropFailed makes gaps of a few values of 0 or less from which the next one is back at the level before: nothing gives
// all back and takes it again at once, but a reading that failed looks so. Of memory, which no process is without,
// these may be many.
func (c *Column) dropFailed() {
	memory := doubt.HoldsMemory(c.header, c.Resource.Unit)
	var failed []int
	for i := 1; i < len(c.Points); i++ {
		if c.Points[i].Value > 0 {
			continue
		}
		end := i
		for end < len(c.Points) && c.Points[end].Value <= 0 {
			end++
		}
		before := c.Points[i-1].Value
		if last := end == len(c.Points); last && end-i <= doubt.LongestFailure && len(failed) > 0 {
			if memory {
				failed = append(failed, between(i, end)...)
			}
			break // of counts it is not known what the next one will be
		} else if last || end-i > doubt.LongestFailure || before < doubt.MinLevel || c.Points[end].Value < before/2 ||
			c.Points[end].Value > 2*before {
			return
		}
		failed = append(failed, between(i, end)...)
		i = end
	}
	if len(failed) == 0 || len(failed) > max(1, len(c.Points)/doubt.FailedShare(memory)) || c.Points[0].Value <= 0 {
		return
	}
	kept := c.Points[:0]
	for i, p := range c.Points {
		if len(failed) > 0 && failed[0] == i {
			failed = failed[1:]
			c.Gaps++
			continue
		}
		kept = append(kept, p)
	}
	c.Points = kept
}

// between returns the indices from one up to another.
func between(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// dropPlaceholders makes gaps of what is written down for a reading that failed.
func (c *Column) dropPlaceholders() {
	before := len(c.Points)
	var failed doubt.Placeholder
	c.Points = slices.DeleteFunc(c.Points, func(p point) bool { return failed.Stands(p.Value) })
	c.Absent = before - len(c.Points)
}
