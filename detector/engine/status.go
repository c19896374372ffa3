package engine

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// State is the verdict on one resource.
type State uint8

// The states, in the order of how much they ask of whoever reads them.
const (
	Learning  State = iota // too little was seen to judge
	Healthy                // judged, and no leak
	Suspected              // has the shape of a leak and lacks the duration
	Firing                 // a leak, or a hard limit passed
)

var states = [...]string{Learning: "learning", Healthy: "healthy", Suspected: "suspected", Firing: "firing"}

// String returns the name of the state.
func (s State) String() string { return states[s] }

// MarshalText returns the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reason says what a verdict rests on.
type Reason uint8

// The reasons of a verdict.
const (
	IsCounter  Reason = iota // not judged: a counter
	IsContext                // not judged: context
	Leaks                    // sustained growth holds
	AboveLimit               // a hard limit is passed
	// falls to its lowest level within one reading, again and again, and nothing tells of restarts
	MayRestart
	StandsIn    // stands in for a resource that is read
	TrendOff    // below its limits, and the trend is not judged
	TooFew      // too few samples to tell
	TooShort    // too short a time to tell
	NotALeak    // the nearest window of growth failed a test: Nearest has which
	LineLeaks   // a line of code leaks by itself
	NotRead     // not read any more
	Uncollected // a heap that was hardly collected: what is live is known after each collection
)

// Status is what the engine makes of one resource at the latest sample. Levels are in the unit of the resource.
type Status struct {
	Resource     sampler.Resource
	At           time.Time // of the latest reading; zero before the first
	State        State
	Trend, Limit bool // which kind of finding holds, if State is Firing; Limit also where limits are not alerted
	Severity     alerting.Severity
	Value        float64
	Baseline     float64 // moving baseline; frozen while growth is suspected
	Deviation    float64 // moving standard deviation around it
	First        float64 // the earliest reading since the latest restart
	Base         float64 // minimum from which the rise of a trend that fires counts; else 0
	Start        float64 // settled starting level
	SlopePerHour float64 // of the growth while it is found, else of the latest minimums; 0 if unknown
	Since        time.Time
	SinceError   time.Duration // how far from Since the growth of a trend that fires may have begun; else 0
	Exhaustion   *alerting.Exhaustion
	Evidence     *alerting.Evidence // of a trend that fires, as of its latest confirmation; else nil
	// Fell is when the growth of a trend that fires was gone within one reading, where nothing tells of restarts: it is
	// taken for one until it has grown again, or has not for as long as before; else zero.
	Fell time.Time
	// HeldOver tells that this was at a restart that is known. Lives is what was told of the lives before; nil where
	// nothing is known of them.
	HeldOver bool
	// Resumed is how many times the growth of a trend that fires was seen again after it was gone so.
	Resumed int
	Lives   *alerting.Lives
	// Grew is how long a trend that fires has climbed: from Since to its latest new high; else 0.
	Grew time.Duration
	// Nats is the evidence that a trend that fires still climbs, in nats: trend.Fit.Nats of the latest windows, summed
	// over the widths on which growth passes every test now, 0 to 1660. A leak goes on at several widths, what comes to
	// rest or swings at one or none.
	Nats    float64
	Judged  bool          // false for a counter and for context
	Verdict Verdict       // the answer to whether it leaks
	Reason  Reason        // what the verdict rests on
	Nearest trend.Growth  // the window that came nearest to a leak
	Soonest time.Duration // shortest time after which anything can be called
	// Callable is when growth that is Early or Suspect could be called at the earliest, if it goes on at its rate; else
	// zero.
	Callable time.Time
	// Doubles is the time in which a leak from the first sample on must double the level to have been called by now; 0
	// unless OK or Early.
	Doubles      time.Duration
	Collections  int    // that ran while it was watched, for Uncollected; else 0
	HasGrown     bool   // since the first reading, for Uncollected; else false
	Teeth        int    // times that growth was gone within one reading, for MayRestart; else 0
	Why          string // the reason as a clause, composed in wording
	Leaks        int    // trend findings since the engine began
	LimitsPassed int    // limit findings since then
	Memory       int    // bytes that are kept to judge it
}

// Status returns the state of every resource seen, in the order of the resource table, others behind in order of
// appearance.
func (e *Engine) Status() []Status {
	var all []Status
	for _, r := range sampler.Resources() {
		if s := e.byName[r.Name]; s != nil {
			all = append(all, e.StatusOf(s))
		}
	}
	for _, s := range e.series {
		if _, known := sampler.Lookup(s.resource.Name); !known {
			all = append(all, e.StatusOf(s))
		}
	}
	return all
}

// StatusOf returns the state of one series. Why is empty.
func (e *Engine) StatusOf(s *Series) Status {
	st := Status{
		Resource:     s.resource,
		At:           finding.Instant(s.at),
		Value:        s.value,
		Leaks:        s.found[kindIndex(alerting.Trend)],
		LimitsPassed: s.found[kindIndex(alerting.Limit)],
		Memory:       s.memory(),
		Soonest:      e.soonest(),
	}
	if s.ladder == nil {
		if s.resource.Kind == sampler.Gauge {
			st.Reason = IsContext
		}
		return st
	}
	st.Judged, st.First = !s.standsIn(e), s.first
	if s.unread {
		st.Reason = NotRead
		return st
	}
	st.Baseline, _ = s.average.Mean()
	st.Deviation = s.average.Deviation()
	st.Start, _ = s.Start()
	st.SlopePerHour = s.rate() * 3600
	st.Trend = s.growth.Active()
	if f := &s.limit; f.active {
		st.Limit, st.Severity, st.Since, st.Reason = true, f.severity, finding.Instant(f.since), AboveLimit
	}
	nearest := s.growth.Nearest()
	st.Nearest = nearest
	switch {
	case st.Trend:
		measured := s.growth.Measured()
		st.State, st.Since, st.Baseline = Firing, finding.Instant(s.growth.Onset().At), measured.Level
		st.Base, st.SinceError = measured.Base, s.growth.Onset().Error
		st.Severity = max(st.Severity, s.severity)
		st.Exhaustion, st.Evidence = s.exhaustion(s.at), finding.EvidenceOf(&measured)
		st.Lives = s.reported
		st.Grew, st.Nats, st.Resumed = s.growth.Grew(), s.growth.Nats(), s.growth.Resumed()
		st.Reason, st.Verdict = Leaks, Leak
		if fell, ok := s.growth.Fell(); ok {
			st.Fell, st.HeldOver = finding.Instant(fell), s.growth.HeldOver()
		}
	case st.Limit:
		st.State, st.Verdict = Firing, Limit
		st.Exhaustion = s.exhaustion(s.at)
	case !st.Judged:
		st.State, st.Reason = Healthy, StandsIn
	case !e.config.Adaptive.Enabled:
		st.State, st.Reason = Healthy, TrendOff
	case s.growth.Suspected():
		st.State, st.Since = Suspected, finding.Instant(nearest.Since)
		st.Exhaustion = s.exhaustion(s.at)
		st.Reason = NotALeak
	case nearest.Reason == trend.NoData && time.Duration(s.at-e.epoch) >= e.soonest():
		st.Reason = TooFew
	case nearest.Reason == trend.NoData:
		st.Reason = TooShort
	default:
		st.State, st.Reason = Healthy, NotALeak
		if n, saw := s.saw.Teeth(); saw && e.restartsUnknown() {
			st.State, st.Reason, st.Verdict, st.Teeth = Suspected, MayRestart, Suspect, n
			return st
		}
	}
	if st.State != Firing {
		params := paramsSeen(e, s)
		st.judged(&s.growth, &params, s.at, time.Duration(s.at-s.began), func() (trend.Growth, int64, bool) {
			return faint(s, params, e.load.ladder, s.at-e.life.first, s.at)
		})
	}
	if n, counted := collections(e, s); counted && st.Verdict == OK && n < minCollections {
		st.Verdict, st.Reason, st.Collections = Early, Uncollected, n
		st.HasGrown = hasGrown(s, e.config.Adaptive.MinGrowth)
	}
	if st.Verdict == Early && st.Exhaustion == nil && !st.Callable.IsZero() {
		st.Exhaustion = s.Limits().Exhaustion(st.At, s.value, s.slope())
	}
	return st
}

// Foresee fills in Doubles of a status that is OK, and Callable of one that is Early or Suspect by its growth. It takes
// some 100 us, which whoever wants to know only what leaks need not pay.
func (e *Engine) Foresee(st *Status) {
	s := e.byName[st.Resource.Name]
	if s == nil || s.ladder == nil || st.Reason != NotALeak {
		return
	}
	params := paramsSeen(e, s)
	switch {
	case st.Verdict == OK:
		st.Doubles, _ = params.Detectable(s.ladder, st.Baseline)
	case !st.Callable.IsZero():
		at, ok := params.Callable(s.ladder, s.at, s.value, st.Nearest.Rate(), st.Baseline)
		if st.Callable = (time.Time{}); ok {
			st.Callable = finding.Instant(at)
		}
	}
}

// paramsSeen returns the constants that a series is judged by, with the level that earlier lives had as of its latest
// judgment.
func paramsSeen(e *Engine, s *Series) trend.Params {
	params := s.params(e)
	params.Known, params.HasKnown = s.seen.level, s.seen.ok
	return params
}

// minCollections is how many collections show whether a heap grows, or goes on growing: between two of them it is read
// as flat.
const minCollections = 4

// collections returns how many collections ran since a heap is watched that is read after each of them; ok is false
// where that is not known.
func collections(e *Engine, s *Series) (n int, ok bool) {
	counter := e.byName[sampler.GCCycles]
	if s.resource.Name != sampler.HeapLiveBytes || counter == nil || !counter.hasFirst {
		return 0, false
	}
	return int(max(0, counter.value-counter.first)), true
}

// hasGrown reports whether a heap grew since its first reading by so much that it may go on.
func hasGrown(s *Series, minGrowth float64) bool {
	return s.value-s.first > smallShare*minGrowth*(s.first+s.offset)
}

// soonest is how long the shortest window and its confirmation take.
func (e *Engine) soonest() time.Duration {
	const buckets = 9
	return time.Duration(buckets * e.scale * float64(trend.FinestWidth))
}
