package sites

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

var (
	physical = Config{Scale: 1, Patience: 8 * time.Hour, MinGrowth: .2, HalfLife: 6 * time.Hour}
	began    = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
)

const rate = 512 << 10

// service makes the profiles of a service: for each site, by its line, what is there at a time in hours.
type service struct {
	kind  profile.Kind
	at    map[int]func(hours float64) float64
	noise *rand.Rand
	gc    uint64
}

func newService(kind profile.Kind, seed uint64) *service {
	return &service{kind: kind, at: map[int]func(float64) float64{}, noise: rand.New(rand.NewPCG(seed, 7))}
}

func (s *service) profile(hours float64) *profile.Profile {
	p := &profile.Profile{Kind: s.kind, Time: began.Add(time.Duration(hours * float64(time.Hour)))}
	if s.kind == profile.Heap {
		s.gc++
		p.GC, p.Resolution = s.gc, rate
	}
	for _, line := range slices.Sorted(maps.Keys(s.at)) { // in an order, for the noise is drawn in it
		v := s.at[line](hours)
		if v <= 0 {
			continue
		}
		site := profile.Site{Frame: profile.Frame{Function: "main.f", File: "/src/main.go", Line: line},
			Application: true}
		if s.kind == profile.Heap {
			site.Bytes, site.Count = v, v/1024
		} else {
			site.Count = math.Round(v)
		}
		p.Count += site.Count
		p.Bytes += site.Bytes
		p.Sites = append(p.Sites, site)
	}
	return p
}

// sampled is what the heap profile makes of an amount: a number of samples that varies by chance.
func (s *service) sampled(amount float64) float64 {
	mean := amount / rate
	// Poisson by its normal approximation, which is fine above a few.
	return max(0, math.Round(mean+math.Sqrt(mean)*s.noise.NormFloat64())) * rate
}

// run passes a service's profiles to a tracker, one every 150 s, and returns when each line began to leak, in hours.
func run(t *Tracker, s *service, hours float64) map[int]float64 {
	found := map[int]float64{}
	for h := 0.; h < hours; h += 150. / 3600 {
		t.Observe(s.profile(h), math.NaN())
		for _, f := range t.Findings() {
			if _, known := found[f.Site.Line]; !known {
				found[f.Site.Line] = h
			}
		}
	}
	return found
}

// What a total cannot show.
func TestHiddenLeaks(t *testing.T) {
	// 50 goroutines that leak at one line, in a pool of 5,000 to 10,000.
	s := newService(profile.Goroutine, 1)
	s.at[10] = func(h float64) float64 { return 7500 + 2500*math.Sin(2*math.Pi*h/5) + 50*s.noise.NormFloat64() }
	s.at[42] = func(h float64) float64 { return math.Floor(50 * h / 24) }
	s.at[50] = func(float64) float64 { return 40 + 5*s.noise.NormFloat64() }
	tracker := NewTracker(profile.Goroutine, physical)
	found := run(tracker, s, 48)
	if at, ok := found[42]; !ok || len(found) != 1 || at > 36 {
		t.Errorf("goroutines: found at line and hour %v, want line 42 within 36 h", found)
	}
	t.Logf("goroutines: %v", found)
	got := tracker.Findings()
	if len(got) != 1 {
		t.Fatalf("findings: %+v", got)
	}
	if perHour := got[0].Site.GrowthPerHour; math.Abs(perHour-50./24) > .3 {
		t.Errorf("%v an hour, want 2.1", perHour)
	}

	// 2 MB an hour at one line, under a live heap of 1 to 2 GB.
	s = newService(profile.Heap, 2)
	for line := range 30 {
		phase := float64(line)
		s.at[100+line] = func(h float64) float64 {
			return s.sampled(1.5e9/30 + 5e8/30*math.Sin(2*math.Pi*h/3+phase/9))
		}
	}
	s.at[42] = func(h float64) float64 { return s.sampled(2 << 20 * h) }
	tracker = NewTracker(profile.Heap, physical)
	found = run(tracker, s, 48)
	if at, ok := found[42]; !ok || len(found) != 1 || at > 30 {
		t.Errorf("heap: found at line and hour %v, want line 42 within 30 h", found)
	}
	t.Logf("heap: %v", found)
	if got := tracker.Findings(); len(got) != 1 || !got[0].Site.Held {
		t.Errorf("growth that was live after many collections is not called so: %+v", got)
	}
}

// What services do in good health. Each is one site of a service with others.
func TestHealthySites(t *testing.T) {
	noise := rand.New(rand.NewPCG(3, 4))
	jitter := func(v float64) float64 { return v * (1 + .05*noise.NormFloat64()) }
	saturating := func(cap, hours float64) func(float64) float64 {
		return func(h float64) float64 { return cap * (1 - math.Exp(-h/hours)) }
	}
	for _, test := range []struct {
		name  string
		kind  profile.Kind
		hours float64
		site  func(h float64) float64
	}{
		{"pool that grows to its cap in an hour", profile.Goroutine, 48, func(h float64) float64 {
			return min(64, 64*h)
		}},
		{"pool that grows to its cap in six hours", profile.Goroutine, 48, saturating(64, 2)},
		{"pool with days", profile.Goroutine, 240, func(h float64) float64 {
			return jitter(60 - 50*math.Cos(2*math.Pi*h/24))
		}},
		{"pool with days and weekends", profile.Goroutine, 500, func(h float64) float64 {
			v := 60 - 50*math.Cos(2*math.Pi*h/24)
			if int(h/24)%7 >= 5 {
				v /= 3
			}
			return jitter(v)
		}},
		{"long polls", profile.Goroutine, 96, func(h float64) float64 {
			return jitter(300 + 150*math.Sin(2*math.Pi*h/1.5))
		}},
		{"idle keep-alives", profile.Goroutine, 96, func(h float64) float64 {
			return 30 + 200*noise.Float64()*noise.Float64()
		}},
		{"a step, as a feature that is switched on", profile.Goroutine, 96, func(h float64) float64 {
			if h > 30 {
				return jitter(80)
			}
			return 0
		}},
		{"a staircase of deploys", profile.Goroutine, 200, func(h float64) float64 { return 20 * math.Floor(1+h/50) }},
		{"a batch each night", profile.Goroutine, 240, func(h float64) float64 {
			if m := math.Mod(h, 24); m > 2 && m < 6 {
				return jitter(40)
			}
			return 2
		}},
		{"cache that fills in two hours", profile.Heap, 96, saturating(400e6, .7)},
		{"cache that fills in a day", profile.Heap, 96, saturating(400e6, 8)},
		{"cache that turns over", profile.Heap, 96, func(h float64) float64 {
			return jitter(200e6 + 100e6*math.Sin(2*math.Pi*h/7))
		}},
		{"buffers with days", profile.Heap, 240, func(h float64) float64 {
			return jitter(60e6 - 40e6*math.Cos(2*math.Pi*h/24))
		}},
		{"a table loaded at an hour", profile.Heap, 96, func(h float64) float64 {
			if h > 20 {
				return 300e6
			}
			return 1e6
		}},
		{"few samples", profile.Heap, 240, func(h float64) float64 { return float64(noise.IntN(4)) * rate }},
	} {
		s := newService(test.kind, 5)
		unit := 1.
		if test.kind == profile.Heap {
			unit = 1e6
		}
		for line := range 20 {
			s.at[100+line] = func(h float64) float64 { return unit * (20 + 3*s.noise.NormFloat64()) }
		}
		s.at[42] = test.site
		if found := run(NewTracker(test.kind, physical), s, test.hours); len(found) > 0 {
			t.Errorf("%s: found at line and hour %v", test.name, found)
		}
	}
}

// Proof needs no duration, but growth.
func TestProof(t *testing.T) {
	leaked := func(line int, n float64) *profile.Profile {
		return &profile.Profile{Kind: profile.GoroutineLeak, Sites: []profile.Site{{
			Frame: profile.Frame{Function: "main.f", File: "/src/main.go", Line: line}, Count: n,
		}}}
	}
	type result struct {
		Lines  []int
		Proven []bool
	}
	for _, test := range []struct {
		name string
		line int
		n    float64
		want result
	}{
		{"grew and leaked", 42, 9, result{[]int{42}, []bool{true}}},
		{"some of what grew", 42, 5, result{[]int{42}, []bool{true}}},
		{"few", 42, 4, result{}},
		{"leaked by the start-up", 43, 30, result{}},
		{"unknown", 77, 30, result{}},
	} {
		s := newService(profile.Goroutine, 6)
		s.at[42] = func(h float64) float64 { return 10 * h }
		s.at[43] = func(float64) float64 { return 30 }
		tracker := NewTracker(profile.Goroutine, physical)
		run(tracker, s, 1)
		tracker.Prove(leaked(test.line, test.n))
		var got result
		for _, f := range tracker.Findings() {
			got.Lines, got.Proven = append(got.Lines, f.Site.Line), append(got.Proven, f.Site.Proven)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A finding ends when a minimum shows that its growth was given back. Until then it stands behind those that leak on.
func TestFindingEnds(t *testing.T) {
	s := newService(profile.Goroutine, 8)
	s.at[10] = func(float64) float64 { return 100 }
	s.at[42] = func(h float64) float64 {
		if h > 60 {
			return 0
		}
		return 20 * h
	}
	s.at[43] = func(h float64) float64 { return 10 * h }
	tracker := NewTracker(profile.Goroutine, physical)
	type line struct {
		Line      int
		GivenBack bool
	}
	lines := func() (all []line) {
		for _, f := range tracker.Findings() {
			all = append(all, line{f.Site.Line, f.GivenBack})
		}
		return all
	}
	run(tracker, s, 59)
	for _, test := range []struct {
		hours   float64
		want    []line
		leaking int
	}{
		{59.1, []line{{42, false}, {43, false}}, 2},
		{60.1, []line{{43, false}, {42, true}}, 1},
		{64, []line{{43, false}}, 1},
	} {
		for h := tracker.hours() + .04; h < test.hours; h += .04 {
			tracker.Observe(s.profile(h), math.NaN())
		}
		if diff := cmp.Diff(test.want, lines()); diff != "" {
			t.Errorf("after %v h (-want +got):\n%s", test.hours, diff)
		}
		if got := tracker.Leaking(10); len(got) != test.leaking || got[0].Line != test.want[0].Line {
			t.Errorf("after %v h these leak: %+v", test.hours, got)
		}
	}
}

// A leak that makes its profiles dearer, so that they come more and more rarely, is found all the same.
func TestRarerProfiles(t *testing.T) {
	const scale = 240. / (48 * 3600) // a soak of 4 min
	config := physical
	config.Scale = scale
	s := newService(profile.Goroutine, 11)
	s.at[42] = func(h float64) float64 { return 300 + 2*h*3600 }
	for _, slower := range []float64{30, 60, 200} {
		tracker := NewTracker(profile.Goroutine, config)
		found := 0.
		for at := 0.; at < 900 && found == 0; at += .5 + at/slower {
			tracker.Observe(s.profile(at/3600), math.NaN())
			if len(tracker.Findings()) > 0 {
				found = at
			}
		}
		if found == 0 || found > 240 {
			t.Errorf("profiles that are %v of the time apart: found after %.0f s, want it within the run", 1/slower,
				found)
		}
	}
}

// hours returns the time of the latest profile since the first.
func (t *Tracker) hours() float64 { return time.Duration(t.at - t.began).Hours() }

func TestGrowing(t *testing.T) {
	s := newService(profile.Goroutine, 9)
	s.at[10] = func(float64) float64 { return 1000 }
	s.at[20] = func(h float64) float64 { return 5 + 40*h }
	s.at[30] = func(h float64) float64 { return 500 - 10*h }
	s.at[42] = func(h float64) float64 { return 60 * max(0, h-2) }
	s.at[50] = func(h float64) float64 { return math.Floor(h / 9) } // less than its share of a list
	tracker := NewTracker(profile.Goroutine, physical)
	run(tracker, s, 10.01)
	var got []alerting.Site
	for _, g := range tracker.Growing(began.Add(5*time.Hour), 10, nil) {
		got = append(got, g.Site)
	}
	// From 5 h to 10 h: 300 at line 42 and 200 at 20, less 50 at 30; with whole snapshots some minutes more.
	want := []alerting.Site{
		{Function: "main.f", File: "/src/main.go", Line: 42, Count: 480, GrowthPerHour: 60, Share: .6},
		{Function: "main.f", File: "/src/main.go", Line: 20, Count: 405, GrowthPerHour: 40, Share: .4},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(.03, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if growth := tracker.Growth(began); math.Abs(growth-(480+400-100+1)) > 5 {
		t.Errorf("all sites grew by %v", growth)
	}
	if got := tracker.Growing(began, 1, func(p profile.Site) bool { return p.Line < 40 }); len(got) != 1 ||
		got[0].Line != 20 || got[0].Share != 1 {
		t.Errorf("of the lines below 40: %+v", got)
	}
	if got := NewTracker(profile.Heap, physical).Growing(began, 5, nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// However many sites there are, the memory is bounded, and one that leaks is still followed.
func TestManySites(t *testing.T) {
	s := newService(profile.Goroutine, 10)
	for line := range 2 * maxSites {
		s.at[1000+line] = func(float64) float64 { return 6 }
	}
	tracker := NewTracker(profile.Goroutine, physical)
	tracker.Observe(s.profile(0), math.NaN())
	if n := len(tracker.sites); n != maxSites || tracker.Beyond() != maxSites {
		t.Errorf("%d sites are known and %d are not", n, tracker.Beyond())
	}
	clear(s.at) // the most of them are not seen again
	for line := range 300 {
		s.at[1000+line] = func(float64) float64 { return 6 }
	}
	s.at[42] = func(h float64) float64 { return 10 * h }
	found := run(tracker, s, 30)
	if _, ok := found[42]; !ok || len(found) != 1 {
		t.Errorf("found %v", found)
	}
	if len(tracker.followed) != maxFollowed || len(tracker.sites) > maxSites/2 {
		t.Errorf("%d sites are followed, %d known", len(tracker.followed), len(tracker.sites))
	}
}

// What watches is not watched, whatever package of it.
func TestOurs(t *testing.T) {
	const module = "github.com/mdzesseis/leaktrend/"
	got := map[string]bool{}
	want := map[string]bool{
		module + "detector.(*ResourceMonitor).loop":                 true,
		module + "detector/engine.(*Engine).Observe":                true,
		module + "alerting/webhook.(*Slot).Send.func1":              true,
		module + "sampler/self.New":                                 true,
		module + "trend.NewLadder":                                  true,
		module + "detector_test.leak":                               false,
		module + "cmd/leaktrend/internal/demo.(*service).leak":      false,
		"github.com/mdzesseis/leaktrends/detector.(*service).serve": false,
		"main.main.func1":                                           false,
		"":                                                          false,
	}
	for function := range want {
		got[function] = IsOurs(function)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadProfiles(t *testing.T) {
	tracker := NewTracker(profile.Goroutine, physical)
	s := newService(profile.Goroutine, 11)
	s.at[42] = func(float64) float64 { return 10 }
	tracker.Observe(s.profile(5), math.Inf(1))
	tracker.Observe(s.profile(3), 1) // the clock was set back
	tracker.Observe(s.profile(5), 1)
	tracker.Observe(&profile.Profile{Time: began.Add(6 * time.Hour)}, 1) // nothing at all
	tracker.Observe(s.profile(24*4000), 1)                               // years later
	tracker.Prove(&profile.Profile{})
	if got := tracker.Statuses("goroutines"); len(got) != 1 || got[0].Count != 10 {
		t.Errorf("sites: %+v", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newService(profile.Heap, 12)
			for line := range n {
				s.at[line] = func(float64) float64 { return 10e6 }
			}
			tracker := NewTracker(profile.Heap, physical)
			p := s.profile(0)
			b.ReportAllocs()
			for b.Loop() {
				p.Time = p.Time.Add(150 * time.Second)
				p.GC++
				tracker.Observe(p, 1)
			}
		})
	}
}
