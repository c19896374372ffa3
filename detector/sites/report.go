package sites

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// Finding is growth at one site that is a leak by itself.
type Finding struct {
	Site     alerting.Site
	Since    time.Time
	Growth   float64            // over the level before it, in goroutines or bytes
	Evidence *alerting.Evidence // nil where proof alone tells
	// GivenBack is whether the latest profile has less than half of the growth: the finding ends if its next minimum
	// says so, too.
	GivenBack bool
}

// Findings returns the sites that leak: those that are proven to, then those that grow fastest; behind them those that
// have given their growth back.
func (t *Tracker) Findings() []Finding {
	var all []Finding
	for _, s := range t.followed {
		if !s.growth.Active() {
			continue
		}
		since := s.growth.Onset().At
		c := s.growth.Measured()
		f := Finding{
			Site: t.describe(s, since), Since: finding.Instant(since), Growth: s.value - c.Level,
			GivenBack: s.growth.GivenBack(t.at, s.value),
		}
		if c.Points > 0 {
			f.Evidence = finding.EvidenceOf(&c)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(trueLast(a.GivenBack, b.GivenBack), byProof(&a.Site, &b.Site))
	})
	return all
}

// Leaking returns the sites that leak by themselves and have not given their growth back, at most n of them: those that
// are proven to, then those that grow fastest.
func (t *Tracker) Leaking(n int) []Grown {
	var all []Grown
	for _, s := range t.followed {
		if s.growth.Active() && !s.growth.GivenBack(t.at, s.value) {
			since := s.growth.Onset().At
			was, _ := t.past.before(s, since)
			all = append(all, Grown{Site: t.describe(s, since), Growth: s.value - was, Profile: s.latest})
		}
	}
	slices.SortFunc(all, func(a, b Grown) int { return byProof(&a.Site, &b.Site) })
	return all[:min(n, len(all))]
}

// byProof puts those that are proven first, and of these and of the others the fastest.
func byProof(a, b *alerting.Site) int {
	return cmp.Or(trueLast(!a.Proven, !b.Proven), cmp.Compare(b.GrowthPerHour, a.GrowthPerHour),
		cmp.Compare(a.File, b.File), a.Line-b.Line)
}

// trueLast orders by a condition: what it holds for comes last.
func trueLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// describe returns what is known of a site, with its growth since an instant.
func (t *Tracker) describe(s *site, since int64) alerting.Site {
	was, then := t.past.before(s, since)
	d := alerting.Site{
		Function: s.latest.Function, File: s.latest.File, Line: s.latest.Line,
		Count: math.Round(s.latest.Count), Bytes: math.Round(s.latest.Bytes), WaitReason: s.latest.WaitReason,
		GrowthPerHour: t.past.rate(s, then, t.at),
		Share:         t.share(s.value-was, since),
	}
	if t.kind == profile.Goroutine {
		d.Proven = s.isProven(s.value - was)
	} else {
		d.Held = t.heldByTwoCollections(s, was)
	}
	return d
}

// isProven reports whether at least half of a growth is proven to be leaked.
func (s *site) isProven(growth float64) bool { return s.proven >= 1 && s.proven >= growth/2 }

// heldByTwoCollections reports whether most of the growth was live after two collections, and is more than sampling
// gives by chance.
func (t *Tracker) heldByTwoCollections(s *site, was float64) bool {
	growth := s.value - was
	return growth >= sampleOffset/2*t.resolution && min(s.live[0], s.live[1])-was >= growth/2
}

// Growth returns how much all sites together have grown since an instant.
func (t *Tracker) Growth(since time.Time) float64 { return t.past.growth(t.total, since.UnixNano()) }

// share returns what a site's growth is of the growth of all sites that grew: what others shrank makes it no greater,
// so that shares since one instant add up to no more than 1.
func (t *Tracker) share(growth float64, since int64) float64 {
	if growth <= 0 {
		return 0
	}
	return growth / max(t.past.growth(t.total, since), t.gained(since), growth)
}

// gained returns how much the sites that grew since an instant have grown together.
func (t *Tracker) gained(since int64) (sum float64) {
	i := t.past.index(since)
	if known := t.gains[i]; known.at == t.at {
		return known.sum
	}
	for _, s := range t.sites {
		sum += max(0, s.value-float64(s.past[i]))
	}
	t.gains[i] = gain{t.at, sum}
	return sum
}

// Growing returns the sites that made the total grow since an instant, at most n of them: those that are proven to be
// leaked, then those with the most growth. Where proven ones made most of the growth the others are left out: that they
// grew meanwhile tells nothing against them. keep says which ones count; nil means all.
func (t *Tracker) Growing(since time.Time, n int, keep func(profile.Site) bool) []Grown {
	if t.past.n == 0 {
		return nil
	}
	at := max(since.UnixNano(), t.began)
	if since.IsZero() {
		at = t.began
	}
	type growing struct {
		site   *site
		growth float64
		proven bool
	}
	var all []growing
	sum, proven := 0., 0.
	for _, s := range t.sites {
		if keep != nil && !keep(s.latest) {
			continue
		}
		was, _ := t.past.before(s, at)
		if growth := s.value - was; growth > 0 && (t.kind != profile.Heap || growth >= t.resolution/2) {
			g := growing{s, growth, t.kind == profile.Goroutine && s.isProven(growth)}
			all = append(all, g)
			sum += growth
			if g.proven {
				proven += growth
			}
		}
	}
	slices.SortFunc(all, func(a, b growing) int {
		fa, fb := a.site.latest.Frame, b.site.latest.Frame
		return cmp.Or(trueLast(!a.proven, !b.proven), cmp.Compare(b.growth, a.growth), cmp.Compare(fa.File, fb.File),
			fa.Line-fb.Line)
	})
	var grown []Grown
	largest := 0.
	for _, g := range all {
		largest = max(largest, g.growth)
	}
	for _, g := range all {
		if len(grown) == n || !g.proven && proven >= sum/2 {
			break
		}
		if g.growth < minSiteShare*sum && g.growth < largest {
			continue
		}
		d := Grown{Site: t.describe(g.site, at), Growth: g.growth, Profile: g.site.latest}
		if t.kind == profile.Heap && t.resolution > 0 {
			was, _ := t.past.before(g.site, at)
			d.Samples = max(0, min(g.site.live[0], g.site.live[1])-was) / t.resolution
		}
		if keep != nil {
			d.Share = g.growth / sum // of those that count
		}
		grown = append(grown, d)
	}
	if t.kind == profile.Goroutine {
		ownBeside(grown)
	}
	return grown
}

// beside is the share of the goroutines of a library's line that one of the application's has at least, to be what they
// go with: net/http has one that reads beside each handler.
const beside = .9

// ownBeside puts the application's line first where as many goroutines wait there as at that of a library: which of the
// two has one more is chance, and the line is what an incident is known by.
func ownBeside(grown []Grown) {
	if len(grown) == 0 || grown[0].Profile.Application {
		return
	}
	i := slices.IndexFunc(grown, func(g Grown) bool { return g.Profile.Application })
	if i > 0 && grown[i].Growth >= beside*grown[0].Growth && grown[i].Proven == grown[0].Proven {
		own := grown[i]
		copy(grown[1:i+1], grown[:i])
		grown[0] = own
	}
}

// How it is known that a line of the application called a library that acts for it, the surest first; see
// alerting.Site.KnownBy.
const (
	ByMemory      = "memory"      // its memory from there grew with the leak, and is live
	ByCode        = "code"        // only lines of its function lead there, by the calls in the program's code
	ByAllocations = "allocations" // only lines of its function allocated on the way there
	ByNone        = "unsure"      // lines of other functions may have called as well
)

// someError is by how much the samples of the heap may differ from the total.
const someError = 1.25

// Bound keeps the rate of a site that has no more than its total has grown by from being above the total's: only where
// others shrink is a line faster, and the total is known by more and better readings. grown and perHour are of the
// total, in its unit.
func (g *Grown) Bound(grown, perHour float64) {
	has := g.Count
	if g.Bytes > 0 {
		has = g.Bytes
	}
	if grown > 0 && perHour > 0 && has <= someError*grown {
		g.GrowthPerHour = min(g.GrowthPerHour, perHour)
	}
}

// Grown is a site that has grown.
type Grown struct {
	alerting.Site
	Growth  float64      // in goroutines or bytes
	Profile profile.Site // as the latest profile had it
	// Samples is how many samples of the heap stand for what of the growth was live after the latest two collections; 0
	// for goroutines.
	Samples float64
}

// Status is a followed site as it is shown to people.
type Status struct {
	alerting.Site
	Resource  string    `json:"resource"` // goroutines or heap_live_bytes
	Since     time.Time `json:"since,omitzero"`
	Suspected bool      `json:"suspected"` // it has the shape of a leak
	Leaks     bool      `json:"leaks"`     // it is one by itself
}

// Statuses returns the followed sites, those with the most goroutines or bytes first.
func (t *Tracker) Statuses(resource string) []Status {
	all := make([]Status, 0, len(t.followed))
	for _, s := range t.followed {
		st := Status{Resource: resource, Suspected: s.growth.Suspected(), Leaks: s.growth.Active()}
		since := t.began
		switch {
		case st.Leaks:
			since = s.growth.Onset().At
		case st.Suspected:
			nearest := s.growth.Nearest()
			since = nearest.Since
		}
		if st.Leaks || st.Suspected {
			st.Since = finding.Instant(since)
		}
		st.Site = t.describe(s, since)
		all = append(all, st)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Count, a.Count), cmp.Compare(a.File, b.File),
			a.Line-b.Line)
	})
	return all
}
