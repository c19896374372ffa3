package fleet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

// lifeOf is a life of some hours, with the level by the age in hours.
type lifeOf struct {
	version string
	hours   float64
	level   func(age float64) float64
}

// placeOf returns lives that take over from each other; the last one runs.
func placeOf(limit float64, all ...lifeOf) (p place) {
	at := begin
	for i, l := range all {
		track := lives.NewTrack(1)
		last := 0.
		for age := 0.; age <= l.hours; age += 1. / 12 {
			last = l.level(age)
			track.Add(int64(age*float64(time.Hour)), last)
		}
		curve := track.Curve()
		curve.Last = last
		length := time.Duration(l.hours * float64(time.Hour))
		p = append(p, &stay{first: at, last: at.Add(length), version: l.version, ends: i < len(all)-1, curve: curve,
			limit: limit})
		at = at.Add(length + time.Minute)
	}
	return p
}

func climbs(age float64) float64 { return 200 * (1 + age/24) }
func rests(float64) float64      { return 200 }

// What tells the growth of lives from that of a cache which each deploy cuts off.
func TestGrounds(t *testing.T) {
	of := func(n int, hours float64, level func(age float64) float64) []lifeOf {
		return slices.Repeat([]lifeOf{{"v1", hours, level}}, n)
	}
	for _, test := range []struct {
		name  string
		limit float64
		all   []lifeOf
		want  grounds
	}{
		{"all alike", 0, of(9, 24, climbs), alike},
		{"far from the limit", 1000, of(9, 24, climbs), alike},
		{"killed at the limit", 410, of(9, 24, climbs), killed},
		{"goes on over weekends", 0, slices.Concat(of(4, 24, climbs), of(1, 72, climbs), of(4, 24, climbs)), longer},
		{"lives before stayed", 0, slices.Concat(of(4, 24, rests), of(7, 24, climbs)), begun},
		{"lives before stayed, and the last weekend's goes on", 0,
			slices.Concat(of(4, 24, rests), of(5, 24, climbs), of(1, 72, climbs), of(2, 24, climbs)), longer + begun},
	} {
		var j lives.Judge
		r, _ := sampler.Lookup(sampler.RSSBytes)
		r.Unit = "" // an offset of few
		g, judged, _, ok := placeOf(test.limit, test.all...).judge(&j, r)
		if !ok {
			t.Errorf("%s: no growth", test.name)
			continue
		}
		if got := judged.groundsOf(&g); got != test.want {
			t.Errorf("%s: grounds %d, want %d", test.name, got, test.want)
		}
	}
}

// What became of growth over lives is told by the lives after it.
func TestBecameOf(t *testing.T) {
	levelsOff := func(age float64) float64 { return climbs(min(age, 26)) }
	six := slices.Repeat([]lifeOf{{"v1", 24, climbs}}, 6)
	for _, test := range []struct {
		name  string
		later []lifeOf
		want  backtest.Outcome
	}{
		{"no life yet", nil, backtest.Open},
		{"one that is too young to tell", []lifeOf{{"v1", 10, climbs}}, backtest.Open},
		{"alike", []lifeOf{{"v1", 24, climbs}, {"v2", 24, climbs}}, backtest.CutOff},
		{"a longer one goes on", []lifeOf{{"v1", 24, climbs}, {"v2", 72, climbs}}, backtest.WentOn},
		{"a longer one levels off", []lifeOf{{"v1", 24, climbs}, {"v2", 72, levelsOff}}, backtest.Leveled},
		{"one does not grow", []lifeOf{{"v1", 24, rests}, {"v1", 24, climbs}}, backtest.CutOff},
		{"none grows any more", []lifeOf{{"v1", 24, rests}, {"v1", 24, rests}}, backtest.Leveled},
		{"none grows any more, of another version", []lifeOf{{"v2", 24, rests}, {"v2", 24, rests}}, backtest.Open},
	} {
		g := lives.Growth{Growth: 1}
		p := placeOf(0, slices.Concat(six, test.later)...)
		if got := p.becameOf(len(six), &g, sampler.Resource{}); got != test.want {
			t.Errorf("%s: outcome %d, want %d", test.name, got, test.want)
		}
	}
}

// The past of a fleet makes false calls over lives likelier than among generated services, never less likely.
func TestRateOfCallsOverLives(t *testing.T) {
	const e = 50
	quiet := livesTable{instants: 1e6}
	if got, want := quiet.rate(e), livesPrior(e); math.Abs(got/want-1) > 1e-9 {
		t.Errorf("where nothing came to nothing the rate is %g, want %g", got, want)
	}
	wrong := quiet
	for k := range wrong.wrong {
		wrong.wrong[k] = 1e4
	}
	if got, want := wrong.rate(e), livesPrior(e); !(got > 2*want && got < .02) {
		t.Errorf("where a hundredth of the calls came to nothing the rate is %g, of generated ones %g", got, want)
	}
	for _, of := range []livesClass{{alike, false}, {longer, true}, {longer + begun, false}} {
		before := 1.
		for growth := .2; growth < 10; growth *= 1.1 {
			share := of.healthyShare(growth)
			if !(share <= before && share > 0) {
				t.Fatalf("class %v: a growth of %.2f has a share of %g, a lesser one %g", of, growth, share, before)
			}
			before = share
			if back := livesPrior(livesEValue(growth, of)); math.Abs(back/share-1) > 1e-9 {
				t.Fatalf("class %v: share %g, by its e-value %g", of, share, back)
			}
		}
	}
}

// Of lives that are too many those are kept that any order of reading would leave, from all of the time.
func TestSomeLives(t *testing.T) {
	const n = 3 * maxStays
	var forwards, backwards []stay
	at := func(i int) stay {
		return stay{hash: hashOf(map[string]string{"pod": time.Duration(i).String()}),
			first: begin.Add(time.Duration(i) * time.Minute)}
	}
	for i := range n {
		forwards = some(append(forwards, at(i)), maxStays+sampleAt)
		backwards = some(append(backwards, at(n-1-i)), maxStays+sampleAt)
	}
	forwards, backwards = some(forwards, maxStays), some(backwards, maxStays)
	early := 0
	kept := map[time.Time]bool{}
	for _, s := range forwards {
		kept[s.first] = true
		if s.first.Before(begin.Add(n / 2 * time.Minute)) {
			early++
		}
	}
	same := 0
	for _, s := range backwards {
		if kept[s.first] {
			same++
		}
	}
	if share := float64(early) / float64(len(forwards)); share < .45 || share > .55 || same != maxStays {
		t.Errorf("%d lives are kept, %.2f of them early; %d in either order", len(forwards), share, same)
	}
}

// Times in which something ran are joined where they are near, in whatever order they are read, and what lies within
// one of them is not apart.
func TestSpans(t *testing.T) {
	at := func(hours float64) time.Time { return begin.Add(time.Duration(hours * float64(time.Hour))) }
	of := func(all ...float64) (s spans) {
		for i := 0; i < len(all); i += 2 {
			s = s.with(span{at(all[i]), at(all[i+1])})
		}
		return s
	}
	for _, test := range []struct{ got, want spans }{
		{of(10, 11, 2, 3, 20, 21), spans{{at(2), at(3)}, {at(10), at(11)}, {at(20), at(21)}}},
		{of(10, 11, 20, 21, 12, 13), spans{{at(10), at(13)}, {at(20), at(21)}}},
		{of(10, 11, 2, 3, 3.5, 9.5), spans{{at(2), at(11)}}},
		{of(10, 15, 12, 13), spans{{at(10), at(15)}}},
	} {
		if diff := cmp.Diff(test.want, test.got, cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	loop := of(10, 15)
	for _, test := range []struct {
		end, at float64
		apart   time.Duration
		ok      bool
	}{
		{9.5, 9.75, 15 * time.Minute, true},
		{9.5, 9.25, 15 * time.Minute, true},
		{9.5, 12, handover, true},
		{9.5, 15.5, handover, true},
		{9.5, 17, handover, false},
		{8.5, 12, handover, false},
		{12, 14, handover, true},
		{12, 9, 3 * time.Hour, false},
		{20, 22, handover, false},
	} {
		if apart, ok := loop.apart(at(test.end), at(test.at)); ok != test.ok || ok && apart != test.apart {
			t.Errorf("from %v to %v h: apart %v, %v, want %v, %v", test.end, test.at, apart, ok, test.apart, test.ok)
		}
	}
}

// A life that runs on into a scan is judged from its begin on.
func TestLifeIsJoined(t *testing.T) {
	whole := placeOf(0, lifeOf{"v1", 60, climbs})[0]
	early := placeOf(0, lifeOf{"v1", 20, climbs})[0]
	late := placeOf(0, lifeOf{"v1", 40, func(age float64) float64 { return climbs(age + 20) }})[0]
	late.first = early.first.Add(20 * time.Hour)
	late.prepend(early.first, &early.curve)
	type levels struct {
		Begin              time.Time
		First, Early, Late float64
	}
	levelsOf := func(s *stay) levels {
		first, early, late, _ := s.levels(30)
		return levels{s.first, first, early, late}
	}
	if diff := cmp.Diff(levelsOf(whole), levelsOf(late), cmp.Comparer(func(a, b float64) bool {
		return math.Abs(a-b) <= 20
	})); diff != "" {
		t.Errorf("(-whole +joined):\n%s", diff)
	}
}
