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
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// shortestStay is the least length of a life that tells anything beside others.
	shortestStay = 2 * time.Hour
	// handover is the time between the end of a life and the begin of the one that takes its place, or by which the two
	// overlap, at most. Where nothing takes its place within that, it was a cron job's, or an autoscaler gave it up.
	handover = time.Hour
	// maxStays bounds the lives of one workload that are kept of one resource, with so many more while they are read.
	maxStays = 4000
	sampleAt = maxStays / 4
	// minPlaces is the share of the places of a workload that have to agree.
	minPlaces = .5
	// grownUp is the share of the length of the lives before from which on the running one is judged; before, the one
	// that it took the place of is.
	grownUp = .75
	// goneBack is the share of the growth of the lives before that a young life shows by its age at least.
	goneBack = .3
)

// place is what ran one after the other, each taking over from the one before.
type place []*stay

// placesOf deals out the lives of a workload to the places that they took from each other, those that began first to
// the place that was left last. It puts the lives in that order. What is too short to be one of them, as in a crash
// loop, may lie between two.
func placesOf(stays []stay, short spans) (all []place) {
	slices.SortFunc(stays, func(a, b stay) int {
		return cmp.Or(a.first.Compare(b.first), a.last.Compare(b.last),
			cmp.Compare(orderOf(a.labels), orderOf(b.labels)))
	})
	var open []int // places whose latest life ended not long ago
	for i := range stays {
		s := &stays[i]
		open = slices.DeleteFunc(open, func(at int) bool {
			latest := all[at][len(all[at])-1]
			_, near := short.apart(latest.last, s.first)
			return !near && s.first.After(latest.last)
		})
		best, nearest := -1, time.Duration(math.MaxInt64)
		for k, at := range open {
			latest := all[at][len(all[at])-1]
			apart, near := short.apart(latest.last, s.first)
			if latest.ends && latest.first.Before(s.first) && near && apart < nearest {
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
// running last. ok is false where they are no evidence; enough is false where they are too few to be any.
func (p place) judge(j *lives.Judge, r sampler.Resource) (g lives.Growth, judged place, enough, ok bool) {
	judged = p
	n := len(p)
	var young *stay
	if n > 1 && p[n-1].hours() < grownUp*p[n-2].hours() {
		young, judged = p[n-1], p[:n-1]
	}
	if len(judged) < minJudged {
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

// offsetOf is what is added to the level of a resource before growth is compared with it: that of a few of what is
// counted, or a megabyte.
func offsetOf(r sampler.Resource) float64 {
	if isMemory(r) {
		return 1 << 20
	}
	return 4
}

func isMemory(r sampler.Resource) bool { return r.Unit == "bytes" }

// overLives judges one resource of a workload over the lives of its processes, as far as they end and take over from
// each other. tried tells whether there was enough to judge.
func overLives(all []place, short spans, resource sampler.Resource, until time.Time) (f foundOver, tried, ok bool) {
	var (
		judge    lives.Judge
		places   int
		grew     []Replica
		figures  alerting.Lives
		since    time.Time
		counts   = map[string]*VersionCount{}
		evidence float64
		on       [allGrounds]int // places
	)
	for _, p := range all {
		last := p[len(p)-1].last
		if _, near := short.apart(last, until); !near && until.After(last) {
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
			figures.LowPerDay, figures.HighPerDay = g.Low, g.High
		}
		grew = append(grew, replicaOver(judged, &g))
		if from := judged[g.Since].first; since.IsZero() || from.Before(since) {
			since = from
		}
		figures.LowPerDay, figures.HighPerDay = min(figures.LowPerDay, g.Low), max(figures.HighPerDay, g.High)
		of := judged.groundsOf(&g)
		on[of]++
		evidence += livesEValue(g.Growth, livesClass{of, isMemory(resource)})
		if figures.Grew = max(figures.Grew, g.Lives); g.Growth > figures.Growth {
			figures.Growth, figures.LastShare, figures.T = g.Growth, g.Shares[len(g.Shares)-1], g.Fit.T
		}
	}
	if places == 0 || float64(len(grew)) < minPlaces*float64(places) {
		return f, places > 0, false
	}
	slices.SortStableFunc(grew, func(a, b Replica) int { return compareReplicas(&a, &b) })
	f.Finding = Finding{
		Resource: resource, Kind: alerting.Trend, Growing: len(grew), Replicas: places, Lives: &figures,
		EValue: evidence / float64(places), Worst: grew[0], Others: grew[1:min(len(grew), maxExamples)],
	}
	f.Worst.Since = since
	for of, n := range on {
		if n > on[f.grounds] {
			f.grounds = grounds(of)
		}
	}
	for _, v := range counts {
		f.Versions = append(f.Versions, *v)
	}
	f.orderVersions()
	for _, v := range f.Versions {
		of := alerting.LivesOf{Version: v.Version, Since: v.First, Lives: v.Replicas}
		if v.leaks() {
			figures.Versions = append(figures.Versions, of)
		} else {
			figures.Before = append(figures.Before, of)
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

// workloads are those of a scan, by name.
type workloads map[string]*workload

// workload is one service, of all of its versions.
type workload struct {
	labels  []Label
	stays   map[string][]stay // by resource
	short   spans             // in which lives ran that are too short to tell anything
	origins map[origin][]role // metrics that were read there
}

// workloadName returns a text by which a workload is known, of any of its versions.
func workloadName(group []Label) (name string) {
	for _, label := range workloadOf(group) {
		name += label.Name + "\x00" + label.Value + "\x00"
	}
	return name
}

// of returns the workload of a group.
func (all workloads) of(group []Label) *workload {
	name := workloadName(group)
	w := all[name]
	if w == nil {
		w = &workload{labels: workloadOf(group), stays: map[string][]stay{}, origins: map[origin][]role{}}
		all[name] = w
	}
	return w
}

// pass notes a life that is too short to tell anything but that something ran.
func (w *workload) pass(l *life) { w.short = w.short.with(span{l.first, l.last}) }

// keep notes a life of a process, of one resource, for the judgment over lives.
func (c *collector) keep(group []Label, p *process, version string, l *life, resource string) {
	curve, ok := l.curves[resource]
	if !ok || l.withLoad[resource] {
		return
	}
	w := c.workloads.of(group)
	if b := p.readAs; b != nil {
		w.origins[origin{b.source, b.part}] = b.roles
	}
	w.stays[resource] = some(append(w.stays[resource], stay{
		labels: p.labels, metric: metricOf(p, resource), first: l.first, last: l.last, version: version, ends: l.ends,
		curve: curve, limit: l.limits[resource], begins: l.begins, hash: hashOf(p.labels),
	}), maxStays+sampleAt)
}

func resourceOf(name string) sampler.Resource {
	r, known := sampler.Lookup(name)
	if !known {
		r = sampler.Resource{Name: name}
	}
	return r
}

// overLives judges all workloads over their lives, and returns how many were, and what their pasts tell.
func (c *collector) overLives(until time.Time) (candidates []foundOver, judged int, past livesTables) {
	past = livesTables{}
	for _, name := range slices.Sorted(maps.Keys(c.workloads)) {
		w := c.workloads[name]
		for _, resource := range slices.Sorted(maps.Keys(w.stays)) {
			r := resourceOf(resource)
			places := placesOf(some(w.stays[resource], maxStays), w.short)
			f, tried, ok := overLives(places, w.short, r, until)
			if tried {
				judged++
			}
			nothing := past.add(places, r, tried)
			if ok {
				f.Group, f.nothing = w.labels, nothing
				candidates = append(candidates, f)
			}
		}
	}
	return candidates, judged, past
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
