package recording

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
func (p *process) describe(g *gathered) {
	several := map[string]int{}
	var names []string
	for _, c := range p.columns {
		names = append(names, c.header)
		several[c.resource.Name]++
	}
	counters := unjudged.ServerCounters(names)
	taken := map[string]bool{}
	slices.SortStableFunc(p.columns, func(a, b *column) int { return cmp.Compare(a.rank, b.rank) })
	kept := p.columns[:0]
	for _, c := range p.columns {
		name := c.resource.Name
		if several[name] > 1 {
			name += c.series
		}
		if taken[name] {
			g.setAside(scan.Printable(c.header), "the same as "+name)
			continue
		}
		guess, _ := sampler.Lookup(name)
		if c.resource.Unit == "" {
			c.resource.Unit = guess.Unit
		}
		guess.Unit = c.resource.Unit
		c.resource = guess
		if c.resource.Unjudged == "" && c.declared == undeclared &&
			(unjudged.IsCounter(c.header) || counters[c.header]) {
			c.resource.Kind, c.resource.Unjudged = sampler.Counter, "a counter"
		}
		c.judgeKind()
		if c.resource.Unjudged == "" && unjudged.IsRemainder(c.header) {
			c.resource.Context, c.resource.Unjudged = true, isLeftOver
		}
		if c.resource.Positive {
			c.dropImpossible()
		} else if c.resource.Unjudged == "" {
			c.dropFailed()
		}
		if c.resource.Unjudged == "" {
			c.dropPlaceholders()
		}
		taken[name] = true
		if c.resource.Unjudged != "" {
			g.setAside(scan.Printable(c.header), c.resource.Unjudged)
		}
		kept = append(kept, c)
	}
	p.columns = kept
	p.describeCache(g)
	p.tellRemainders(g)
	for _, c := range p.columns {
		if other := c.resource.StandsInFor; other != "" && taken[other] {
			g.setAside(scan.Printable(c.header), "stands in for "+other)
		}
	}
}

// tellsUsed reports whether a column that is judged tells what is used of that of which another is what is left.
func tellsUsed(left, used *column) bool {
	return used.resource.Unjudged == "" &&
		unjudged.UsedBeside(left.header, used.header, left.resource.Unit == "bytes", used.resource.Unit == "bytes")
}

// tellRemainders tells of what is left where nothing that is judged tells what is used: an "ok" beside it would be of
// something else.
func (p *process) tellRemainders(g *gathered) {
	var alone []string
	for _, c := range p.columns {
		if c.resource.Unjudged == isLeftOver && len(c.points) > 0 &&
			!slices.ContainsFunc(p.columns, func(used *column) bool { return tellsUsed(c, used) }) {
			alone = append(alone, scan.Printable(c.header))
		}
	}
	if len(alone) > 0 {
		g.unread("%s: a leak lets fall what is left, and no column tells what is used: record that, as total less free",
			strings.Join(alone, ", "))
	}
}

// isLeftOver is why what is left is not judged.
const isLeftOver = "what is left, not what is used"

// describeCache sets page cache aside where memory of another kind stands beside it, as in what free, sar and cgroups
// tell: it fills what is free and gives way.
func (p *process) describeCache(g *gathered) {
	var caches []*column
	memory, resident := false, false
	for _, c := range p.columns {
		resident = resident || naming.HasWord(c.header, "rss", "anon", "working")
		switch {
		case unjudged.IsCache(c.header) && c.declared == undeclared && c.resource.Unjudged == "":
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
		c.resource.Context, c.resource.Unjudged = true, "page cache"
		g.setAside(scan.Printable(c.header), "page cache")
	}
	if len(caches) == 0 || !resident {
		return
	}
	for _, c := range p.columns {
		if c.declared == undeclared && c.resource.Unjudged == "" &&
			unjudged.IsGroupTotal(c.header) {
			c.resource.Context, c.resource.Unjudged = true, "page cache is part of it"
			g.setAside(scan.Printable(c.header), "page cache is part of it")
		}
	}
}

// judgeKind takes what is declared, and where nothing is, what the values show.
func (c *column) judgeKind() {
	r := &c.resource
	switch {
	case c.declared == gauge, c.declared == undeclared && r.Unjudged != "" && isAmount(r, c.points):
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
func (c *column) dropImpossible() {
	before := len(c.points)
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return p.Value <= 0 })
	c.gaps = before - len(c.points)
}

// dropFailed makes gaps of a few values of 0 or less from which the next one is back at the level before: nothing gives
// all back and takes it again at once, but a reading that failed looks so.
func (c *column) dropFailed() {
	const low, longest, share = 8, 2, 50
	var failed []int
	for i := 1; i < len(c.points); i++ {
		if c.points[i].Value > 0 {
			continue
		}
		end := i
		for end < len(c.points) && c.points[end].Value <= 0 {
			end++
		}
		before := c.points[i-1].Value
		if end-i > longest || end == len(c.points) || before < low || c.points[end].Value < before/2 ||
			c.points[end].Value > 2*before {
			return
		}
		for ; i < end; i++ {
			failed = append(failed, i)
		}
	}
	if len(failed) == 0 || len(failed) > max(1, len(c.points)/share) || c.points[0].Value <= 0 {
		return
	}
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return p.Value <= 0 })
	c.gaps += len(failed)
}

// dropPlaceholders makes gaps of what is written down for a reading that failed.
func (c *column) dropPlaceholders() {
	before := len(c.points)
	var failed doubt.Placeholder
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return failed.Stands(p.Value) })
	c.absent = before - len(c.points)
}
