package fleet

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// shortestStay is the least length of a life that tells anything beside others.
	shortestStay = 2 * time.Hour
	// handover is the time between the end of a life and the begin of the one that takes its place, or by which the two
	// overlap, at most. Where nothing takes its place within that, it was a cron job's, or an autoscaler gave it up.
	handover = time.Hour
	// maxStays bounds the lives of one workload that are kept of one resource.
	maxStays = 4000
	// minPlaces is the share of the places of a workload that have to agree.
	minPlaces = .5
	// grownUp is the share of the length of the lives before from which on the running one is judged; before, the one
	// that it took the place of is.
	grownUp = .75
	// goneBack is the share of the growth of the lives before that a young life shows by its age at least.
	goneBack = .3
)

// livesWorth says what growth over lives is worth against chance: the growth of a life, as a share of the level at its
// start, that is reached; of 6,000 generated healthy services of a week of deploys, restarts and crashes the number
// that reach it (seed 61, the worse half of the parameters); and the share that this has in the e-value, as in package
// calibration. Nearly all of them are caches and warm-ups that each deploy cuts off: only how much grows tells them
// from leaks. Weights were chosen with these.
var livesWorth = [...]struct {
	growth  float64
	reached int
	weight  float64
}{{.2, 265, .02}, {1, 28, .18}, {1.4, 10, .3}, {2, 3, .5}}

const livesServices = 6000

// livesEValue returns the evidence against a healthy service of growth over its lives.
func livesEValue(growth float64) (e float64) {
	for _, w := range livesWorth {
		if growth >= w.growth {
			e += w.weight * (livesServices + 1) / float64(w.reached+1)
		}
	}
	return e
}

// stay is one life of a process of a workload, of one resource.
type stay struct {
	labels      map[string]string
	metric      string
	first, last time.Time
	version     string
	ends        bool
	curve       lives.Curve
}

func (s *stay) hours() float64 { return s.last.Sub(s.first).Hours() }

// place is what ran one after the other, each taking over from the one before.
type place []*stay

// curvesOf returns the curves of a life over its age, by resource: nil for one that tells nothing beside others, as it
// is too short or lasted for the whole scan.
func curvesOf(p *process, l *life, g prom.Grid) map[string]lives.Curve {
	whole := !l.ends && !l.first.After(g.At(min(1, g.N-1)))
	if whole || l.length() < shortestStay {
		return nil
	}
	curves := make(map[string]lives.Curve, len(p.readings))
	for k := range p.readings {
		track := lives.NewTrack(1)
		latest, seen := 0., false
		for i, v := range p.readings[k].values {
			if at := g.At(i); !math.IsNaN(v) && !at.Before(l.first) && !at.After(l.last) {
				track.Add(int64(at.Sub(l.first)), v)
				latest, seen = v, true
			}
		}
		if seen {
			curve := track.Curve()
			curve.Last = latest
			curves[p.readings[k].resource] = curve
		}
	}
	return curves
}

// placesOf deals out the lives of a workload to the places that they took from each other, those that began first to
// the place that was left last. Lives are in order of their begin.
func placesOf(stays []stay) (all []place) {
	var open []int // places whose latest life ended not long ago
	for i := range stays {
		s := &stays[i]
		open = slices.DeleteFunc(open, func(at int) bool {
			latest := all[at][len(all[at])-1]
			return s.first.Sub(latest.last) > handover
		})
		best, nearest := -1, time.Duration(math.MaxInt64)
		for k, at := range open {
			latest := all[at][len(all[at])-1]
			apart := s.first.Sub(latest.last).Abs()
			if latest.ends && latest.first.Before(s.first) && apart <= handover && apart < nearest {
				best, nearest = k, apart
			}
		}
		if best >= 0 {
			at := open[best]
			all[at] = append(all[at], s)
			continue
		}
		open = append(open, len(all))
		all = append(all, place{s})
	}
	return all
}

// judge returns the growth over the lives of a place, and of them those that were judged, the one that counts as
// running last. ok is false where they are no evidence; told is false where they are too few to be any.
func (p place) judge(j *lives.Judge, r sampler.Resource) (g lives.Growth, judged place, told, ok bool) {
	judged = p
	n := len(p)
	var young *stay
	if n > 1 && p[n-1].hours() < grownUp*p[n-2].hours() {
		young, judged = p[n-1], p[:n-1]
	}
	if len(judged) < 3 {
		return g, judged, false, false
	}
	config := calibration.Judgment().Adaptive
	j.Begin(lives.Params{
		Required: time.Duration(float64(config.Patience) / config.Sensitivity), MinGrowth: config.MinGrowth,
		Offset: offsetOf(r), Scale: 1,
	})
	for i, s := range judged[:len(judged)-1] {
		j.Add(i, &lives.Life{First: s.first, End: s.last, Version: s.version, Ended: lives.Replaced}, &s.curve)
	}
	running := judged[len(judged)-1]
	track := running.curve.Resume()
	track.Add(int64(running.last.Sub(running.first)), running.curve.Last)
	j.AddRunning(len(judged)-1, running.first, &track)
	if g, ok = j.Over(); ok && young != nil {
		ok = young.goesOn(g.Low, r)
	}
	return g, judged, true, ok
}

// goesOn reports whether a young life grows like those before it, as far as can be seen.
func (s *stay) goesOn(perDay float64, r sampler.Resource) bool {
	first, _ := s.curve.Level(0)
	due := goneBack * perDay * s.hours() / 24
	return due < offsetOf(r) || s.curve.Last-first >= due
}

// offsetOf is what is added to the level of a resource before growth is compared with it: that of a few of what is
// counted, or a megabyte.
func offsetOf(r sampler.Resource) float64 {
	if r.Unit == "bytes" {
		return 1 << 20
	}
	return 4
}

// overLives judges one resource of a workload over the lives of its processes, as far as they end and take over from
// each other. tried tells whether there was enough to judge.
func overLives(stays []stay, resource sampler.Resource, until time.Time) (f Finding, tried, ok bool) {
	slices.SortFunc(stays, func(a, b stay) int {
		return cmp.Or(a.first.Compare(b.first), a.last.Compare(b.last),
			cmp.Compare(orderOf(a.labels), orderOf(b.labels)))
	})
	var (
		judge    lives.Judge
		places   int
		grew     []Replica
		told     alerting.Lives
		since    time.Time
		counts   = map[string]*VersionCount{}
		evidence float64
	)
	for _, p := range placesOf(stays) {
		if until.Sub(p[len(p)-1].last) > handover {
			continue // given up
		}
		g, judged, enough, leaks := p.judge(&judge, resource)
		if !enough {
			continue
		}
		places++
		for i, s := range judged {
			v := counts[s.version]
			if v == nil {
				v = &VersionCount{Version: s.version, First: s.first}
				counts[s.version] = v
			}
			v.Replicas++
			if s.first.Before(v.First) {
				v.First = s.first
			}
			if leaks && i >= g.Since {
				v.Growing++
			}
		}
		if !leaks {
			continue
		}
		if len(grew) == 0 {
			told.LowPerDay, told.HighPerDay = g.Low, g.High
		}
		grew = append(grew, replicaOver(judged, &g))
		if from := judged[g.Since].first; since.IsZero() || from.Before(since) {
			since = from
		}
		told.LowPerDay, told.HighPerDay = min(told.LowPerDay, g.Low), max(told.HighPerDay, g.High)
		evidence += livesEValue(g.Growth)
		if told.Grew = max(told.Grew, g.Lives); g.Growth > told.Growth {
			told.Growth, told.LastShare, told.T = g.Growth, g.Shares[len(g.Shares)-1], g.Fit.T
		}
	}
	if places == 0 || float64(len(grew)) < minPlaces*float64(places) {
		return f, places > 0, false
	}
	slices.SortStableFunc(grew, func(a, b Replica) int { return compareReplicas(&a, &b) })
	f = Finding{
		Resource: resource, Kind: alerting.Trend, Growing: len(grew), Replicas: places, Lives: &told,
		EValue: evidence / float64(places), Worst: grew[0], Others: grew[1:min(len(grew), maxExamples)],
	}
	f.Worst.Since = since
	for _, v := range counts {
		f.Versions = append(f.Versions, *v)
	}
	f.orderVersions()
	for _, v := range f.Versions {
		of := alerting.LivesOf{Version: v.Version, Since: v.First, Lives: v.Replicas}
		if v.leaks() {
			told.Versions = append(told.Versions, of)
		} else {
			told.Before = append(told.Before, of)
		}
	}
	return f, true, true
}

// replicaOver returns the running life of a place, with what grew over all of them.
func replicaOver(judged place, g *lives.Growth) Replica {
	running := judged[len(judged)-1]
	first, _ := running.curve.Level(0)
	r := Replica{
		Labels: running.labels, Metric: running.metric, Version: running.version, Severity: alerting.Warning,
		Value: running.curve.Last, Baseline: first,
		SlopePerHour: (g.Low + g.High) / 2 / 24, Since: judged[g.Since].first, Last: running.last, Ended: false,
		Evidence: &alerting.Evidence{
			Window: g.Running.Window.String(), Points: g.Running.Points, EffectivePoints: g.Running.Fit.EffectivePoints,
			Floor: g.Running.Width.Seconds(),
			Rise:  g.Running.Rise, Growth: g.Growth, R2: g.Running.Fit.R2, T: g.Fit.T,
		},
		Line: &spark.Line{}, order: orderOf(running.labels),
	}
	for _, s := range judged {
		for i := range s.curve.Floors {
			if v, ok := s.curve.Level(i); ok {
				r.Line.Add(v)
			}
		}
	}
	return r
}

// workload is one service, of all of its versions.
type workload struct {
	labels []Label
	stays  map[string][]stay // by resource
}

// workloadName returns a text by which a workload is known, of any of its versions.
func workloadName(group []Label) (name string) {
	for _, label := range workloadOf(group) {
		name += label.Name + "\x00" + label.Value + "\x00"
	}
	return name
}

// keep notes a life of a process, of one resource, for the judgment over lives.
func (c *collector) keep(group []Label, p *process, version string, l *life, resource string) {
	curve, ok := l.curves[resource]
	if !ok || l.withLoad[resource] {
		return
	}
	labels, name := workloadOf(group), workloadName(group)
	w := c.workloads[name]
	if w == nil {
		w = &workload{labels: labels, stays: map[string][]stay{}}
		c.workloads[name] = w
	}
	if all := w.stays[resource]; len(all) < maxStays {
		w.stays[resource] = append(all, stay{p.labels, metricOf(p, resource), l.first, l.last, version, l.ends, curve})
	}
}

// overLives judges all workloads over their lives, and returns how many were.
func (c *collector) overLives(until time.Time) (candidates []Finding, judged int) {
	for _, name := range slices.Sorted(maps.Keys(c.workloads)) {
		w := c.workloads[name]
		for _, resource := range slices.Sorted(maps.Keys(w.stays)) {
			r, known := sampler.Lookup(resource)
			if !known {
				r = sampler.Resource{Name: resource}
			}
			f, tried, ok := overLives(w.stays[resource], r, until)
			if tried {
				judged++
			}
			if ok {
				f.Group = w.labels
				candidates = append(candidates, f)
			}
		}
	}
	return candidates, judged
}

// withoutOverLives returns the findings without those that one over the lives of the same workload stands for.
func withoutOverLives(list, all []Finding) []Finding {
	over := slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.Lives == nil })
	return slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return f.Lives == nil && stoodFor(&f, over) })
}

// stoodFor reports whether findings tell of the same resource of the same workload.
func stoodFor(f *Finding, by []Finding) bool {
	return slices.ContainsFunc(by, func(o Finding) bool {
		return o.Resource.Name == f.Resource.Name && slices.Equal(workloadOf(o.Group), workloadOf(f.Group))
	})
}
