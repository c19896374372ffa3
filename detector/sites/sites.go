// Package sites follows each line of code at which goroutines wait, or from which live memory comes, as a series of
// its own. It finds growth that a total hides, and says which lines made a total grow. Its decisions depend only on
// the profiles and their times. How profiles are taken, and what an alert does with a line, is for evidence.
package sites

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	maxSites       = 4096 // lines of code that are known by their latest values
	maxFollowed    = 64   // lines that have a series: 6 KB each
	emptySnapshots = 4    // in which a line must have been empty to make room for others
)

// The constants of the verdict on one site. A process has many sites, and most of what a service does in good health
// makes some of them grow, so a site alone must grow for longer than a total, and its growth must be material for the
// process.
const (
	loneRequired  = 1.75 // times the required duration of a total...
	youngRequired = 5.25 // ...and so many on the first day: the days of a service are seen once a day has passed
	totalShare    = .01  // of the total, which is added to the level that growth is measured against
	minGoroutines = 5    // from which on a site is followed...
	minSamples    = 2    // ...and samples of the heap
	minProven     = 5    // goroutines: that a single one hangs, as one left by the start-up, is no leak that grows
	countOffset   = 4    // as for totals
	sampleOffset  = 8    // samples of the heap; fewer come by chance
	bytesOffset   = 1 << 20
	startShare    = .05 // of its growth, up to which a site that is proven to leak counts as before
	minSiteShare  = .02 // of the growth, for a site to be listed beside others
)

// Config holds the settings of a Tracker, with the meaning that they have for the totals.
type Config struct {
	Scale     float64       // of all time constants; 1 outside soak mode
	Patience  time.Duration // divided by the sensitivity
	MinGrowth float64
	HalfLife  time.Duration // unscaled
}

// Tracker follows the sites of one kind of profile. It is not safe for concurrent use. It takes up to 1.5 MB: 6 KB for
// each of up to 64 sites that have a series, and 0.3 KB for each other of up to 4096.
type Tracker struct {
	kind   profile.Kind
	config Config

	began, at  int64 // first and latest profile, unix nanoseconds
	gc         uint64
	sites      map[profile.Frame]*site
	followed   []*site
	total      float64
	mean       baseline.EWMA // of the total
	resolution float64
	load       *trend.Ladder
	past       past
	gains      [snapshots]gain
	round      int
	beyond     int            // sites of the latest profile for which there was no room
	ended      finding.Change // how the finding on a line that ended last did
}

// gain is how much the sites that grew since a snapshot have grown together, as of the profile of an instant.
type gain struct {
	at  int64
	sum float64
}

// site is a line of code.
type site struct {
	latest profile.Site
	past   [snapshots]float32
	round  int // of the latest profile that had it
	value  float64
	live   [2]float64 // after the latest two collections at which profiles were taken, the latest last
	proven float64    // goroutines there that are proven to be leaked, at the latest proof
	*line
}

// NewTracker returns a tracker of goroutines (profile.Goroutine) or of memory (profile.Heap).
func NewTracker(kind profile.Kind, config Config) *Tracker {
	t := &Tracker{kind: kind, config: config, sites: make(map[profile.Frame]*site)}
	t.mean = baseline.NewEWMA(t.scaled(config.HalfLife))
	return t
}

func (t *Tracker) scaled(d time.Duration) time.Duration { return finding.Stretch(d, t.config.Scale) }

// Observe takes the next profile. load is how much work the process does, as a rate; NaN where unknown. A profile that
// is not newer than the one before is ignored.
func (t *Tracker) Observe(p *profile.Profile, load float64) {
	at := p.Time.UnixNano()
	if t.began != 0 && at <= t.at {
		return
	}
	if t.began == 0 {
		t.began = at
		t.load = trend.NewLadder(at, t.config.Scale)
		t.past.step = int64(t.scaled(trend.FinestWidth))
	}
	t.at = at
	t.round++
	collected := p.GC != t.gc
	t.gc, t.resolution = p.GC, p.Resolution
	t.total, t.beyond = 0, 0
	for i := range p.Sites {
		t.record(&p.Sites[i])
	}
	t.mean.Observe(at, t.total)
	if !math.IsNaN(load) && !math.IsInf(load, 0) {
		t.load.Add(at, load, 0)
	}
	snapshot := t.past.due(at)
	if snapshot {
		t.past.add(at, t.total, t.sites)
	}
	first := 0 // of the snapshots in which a site must have been empty to be forgotten
	if len(t.sites) > maxSites/2 {
		first = max(0, t.past.n-emptySnapshots)
	}
	for frame, s := range t.sites {
		if s.round != t.round {
			s.value, s.latest.Count, s.latest.Bytes = 0, 0, 0
		}
		if collected {
			s.live[0], s.live[1] = s.live[1], s.value
		}
		if snapshot {
			s.past[t.past.n-1] = float32(s.value)
		}
		if s.line == nil && s.value == 0 && s.forgotten(first, t.past.n) {
			delete(t.sites, frame)
		}
	}
	t.choose()
	params := t.params()
	lone := t.loneParams(params)
	for _, s := range t.followed {
		if change := s.judge(t.at, s.add(t.at, s.value), params, lone, t.load); change == finding.GaveBack ||
			change == finding.CameToRest {
			t.ended = change
		}
	}
}

// IsOurs reports whether a function is of the packages that watch: their own memory and goroutines are no news. Those
// of the command and of tests are watched.
func IsOurs(function string) bool {
	path, found := strings.CutPrefix(profile.PackageOf(function), "github.com/mdzesseis/leaktrend/")
	return found && !strings.HasPrefix(path, "cmd/") && !strings.HasSuffix(path, "_test")
}

// record adds a site of the latest profile.
func (t *Tracker) record(latest *profile.Site) {
	if IsOurs(latest.Function) {
		return
	}
	value := t.valueOf(latest)
	t.total += value
	if latest.Function == "" {
		return // a stack that nothing is known of
	}
	s := t.sites[latest.Frame]
	if s == nil {
		if len(t.sites) >= maxSites {
			t.beyond++
			return
		}
		s = new(site)
		t.sites[latest.Frame] = s
	}
	s.latest, s.value, s.round = *latest, value, t.round
}

func (t *Tracker) valueOf(s *profile.Site) float64 {
	if t.kind == profile.Heap {
		return s.Bytes
	}
	return s.Count
}

func (t *Tracker) minFollowed() float64 {
	if t.kind == profile.Heap {
		return minSamples * t.resolution
	}
	return minGoroutines
}

// choose gives a series to sites that have become material. Where there is no room for all, those that grew most keep
// theirs.
func (t *Tracker) choose() {
	minimum, weakest := t.minFollowed(), t.weakest()
	for _, s := range t.sites {
		if s.line != nil || s.value < minimum || s.value == 0 {
			continue
		}
		switch {
		case len(t.followed) < maxFollowed:
			t.followed = append(t.followed, s)
		case weakest >= 0 && s.grown() > t.followed[weakest].grown():
			t.followed[weakest].line = nil
			t.followed[weakest] = s
		default:
			continue
		}
		t.follow(s)
		weakest = t.weakest()
	}
}

// weakest returns the index of the followed site that grew least, of those that are not suspected to leak; -1 where
// there is none.
func (t *Tracker) weakest() int {
	weakest := -1
	for i, s := range t.followed {
		if !s.grows() && (weakest < 0 || s.grown() < t.followed[weakest].grown()) {
			weakest = i
		}
	}
	return weakest
}

// follow begins a series with what the snapshots tell of the site's past.
func (t *Tracker) follow(s *site) {
	s.line = newLine(t.began, t.config.Scale, t.scaled(t.config.HalfLife))
	step := s.ladder.Width(0)
	from := t.began
	if longest := s.ladder.Width(trend.Widths-1) * trend.Buckets; t.at-from > longest {
		from = t.at - longest
	}
	for at := from; at < t.at; at += step {
		value, _ := t.past.before(s, at)
		s.add(at, value)
	}
}

// params are the constants of the verdict on growth, by which a site is suspected as a total is.
func (t *Tracker) params() trend.Params {
	return trend.Params{Required: t.config.Patience, MinGrowth: t.config.MinGrowth, Offset: t.offset(),
		Scale: t.config.Scale}
}

// loneParams ask for more, for a site by itself to be a leak.
func (t *Tracker) loneParams(params trend.Params) trend.Params {
	age := min(1, time.Duration(t.at-t.began).Hours()/24/t.config.Scale)
	params.Required = finding.Stretch(params.Required, youngRequired-(youngRequired-loneRequired)*age)
	return params
}

// offset is added to the level of a site when its growth is measured: growth from next to nothing counts by what it is
// to the process.
func (t *Tracker) offset() float64 {
	total, _ := t.mean.Mean()
	if t.kind == profile.Heap {
		return max(bytesOffset, sampleOffset*t.resolution) + totalShare*total
	}
	return countOffset + totalShare*total
}

// Suspected reports whether any site has the shape of a leak.
func (t *Tracker) Suspected() bool { return slices.ContainsFunc(t.followed, (*site).grows) }

// Prove takes a profile of leaked goroutines. A site that has grown and at which several are proven to be leaked is a
// leak from then on.
func (t *Tracker) Prove(p *profile.Profile) {
	for _, s := range t.sites {
		s.proven = 0
	}
	for i := range p.Sites {
		s := t.sites[p.Sites[i].Frame]
		if s == nil {
			continue
		}
		s.proven = p.Sites[i].Count
		if s.proven >= minProven && s.grown() >= minProven && s.line != nil {
			s.growth.Prove(s.ladder, t.growthOf(s))
		}
	}
}

// growthOf returns the growth of a site, as far as it is known: at least since when and how much.
func (t *Tracker) growthOf(s *site) trend.Growth {
	if s.growth.Suspected() {
		return s.growth.Nearest()
	}
	base := float64(s.past[0])
	began := 0
	for i, v := range s.past[:t.past.n] {
		if float64(v) <= base+startShare*(s.value-base) {
			began = i
		}
	}
	since := t.past.at[began]
	return trend.Growth{Since: since, Window: time.Duration(t.at - since), Level: base, Base: base,
		Rise: s.value - base}
}

// Total returns what all sites of the latest profile have together, in goroutines or bytes.
func (t *Tracker) Total() float64 { return t.total }

// Resolution returns how many bytes a sample of the heap stands for, in the latest profile; 0 for goroutines.
func (t *Tracker) Resolution() float64 { return t.resolution }

// Beyond returns how many sites of the latest profile are not followed for want of room. They count for the total.
func (t *Tracker) Beyond() int { return t.beyond }

// MaxSites is how many lines of code a Tracker knows at most.
func (t *Tracker) MaxSites() int { return maxSites }

// Ended returns how the finding on a line that ended last did; finding.Unchanged while none has.
func (t *Tracker) Ended() finding.Change { return t.ended }
