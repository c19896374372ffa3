package trend

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Where the window starts after a gap the level is that of its first bucket, else that of the bucket before it.
func TestJudgeLevel(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []float64
		want   float64
	}{
		{"bucket before", constant(4, 100), 4},
		{"gap before", []float64{100, 100, 100, gap}, 5},
		{"nothing before", nil, 1},
	} {
		l := NewLadder(0, 1)
		values := concat(test.before, ramp)
		for i, v := range values {
			if !math.IsNaN(v) {
				l.Add(int64(i)*l.finest, v, float64(i)) // bucket i-1 closes with level i
			}
		}
		l.Advance(int64(len(values))*l.finest, 0)
		c := l.Judge(0, Params{Required: time.Minute, MinGrowth: .2, Offset: 4, Scale: 1}, nil)
		if c.Level != test.want || c.Reason != Sustained || c.Points != len(ramp) {
			t.Errorf("%s: level %g, want %g: %+v", test.name, c.Level, test.want, c)
		}
	}
}

// After a gap longer than the memory a ladder judges as a new one would: neither the levels nor the history before it
// count.
func TestJudgeAfterLongGap(t *testing.T) {
	l := filled(0, constant(600, 1e6)...)
	at := 100 * l.Width(4)
	for i, v := range ramp {
		l.Add(at+int64(i)*l.finest, v, 100)
	}
	l.Advance(at+8*l.finest, 100)
	p := Params{Required: 13 * time.Minute, MinGrowth: .2, Offset: 100, Scale: 1} // with history half of it would do
	want := filled(0, ramp...).Judge(0, p, nil)
	want.Since = at
	if diff := cmp.Diff(want, l.Judge(0, p, nil)); diff != "" || want.Reason != TooRecent {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The instant of the start, the unit of the values and, for a ladder of another scale, the unit of time change no
// verdict.
func TestJudgeShape(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var reasons [Sustained + 1]int
	for range 60 {
		type point struct {
			at    int64
			value float64
		}
		var points []point
		rate, noise := math.Exp(random.NormFloat64()*2)*1e-3, 30*random.Float64()
		level := 200.
		at := int64(0)
		for i := range 3000 {
			level += rate * 60 * (random.Float64() + .5)
			if i%1500 == 700 {
				level += 300 * random.Float64() * float64(random.IntN(2))
			}
			points = append(points, point{at, level + noise*random.Float64()})
			at += 30*second + random.Int64N(60*second)
			if random.IntN(300) == 0 {
				at += random.Int64N(7200 * second)
			}
		}
		// The ladder, load and parameters of the series after a change of units. Powers of two keep the arithmetic
		// exact.
		judge := func(epoch int64, k float64, s int64) (all [Widths]Growth) {
			l, load := NewLadder(epoch, float64(s)), NewLadder(epoch, float64(s))
			for _, p := range points {
				l.Add(epoch+p.at*s, p.value*k, 200*k)
				load.Add(epoch+p.at*s, 50+p.value/10+float64(p.at%7e9)/1e9, 0)
			}
			params := Params{Required: 12 * time.Hour, MinGrowth: .2, Offset: 4 * k, Ceiling: 4000 * k,
				Scale: float64(s)}
			for w := range all {
				all[w] = l.Judge(w, params, load)
			}
			return all
		}
		base := judge(0, 1, 1)
		for _, c := range base {
			reasons[c.Reason]++
		}
		const epoch, k, s = 1_700_000_000_000_000_000, 1 << 20, 4
		for name, changed := range map[string]struct {
			got    [Widths]Growth
			adjust func(*Growth)
		}{
			"later": {judge(epoch, 1, 1), func(c *Growth) { c.Since += epoch }},
			"other unit": {judge(0, k, 1), func(c *Growth) {
				c.Level, c.Base, c.Rise, c.Fit.Slope, c.Fit.Intercept = c.Level*k, c.Base*k, c.Rise*k, c.Fit.Slope*k,
					c.Fit.Intercept*k
			}},
			"slower": {judge(0, 1, s), func(c *Growth) {
				c.Since, c.Window, c.Width, c.Fit.Slope = c.Since*s, c.Window*s, c.Width*s, c.Fit.Slope/s
			}},
		} {
			want := base
			for w := range want {
				if want[w].Reason != NoData {
					changed.adjust(&want[w])
				}
			}
			if diff := cmp.Diff(want, changed.got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	for reason, n := range reasons {
		if n == 0 && Reason(reason) != SeenBefore && Reason(reason) != NotSignificant {
			t.Errorf("no series was %v: the test shows less than it should", Reason(reason))
		}
	}
}

// A tiny jitter on a level, however high, is no growth.
func TestJudgeJitter(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for _, level := range []float64{0, 1, 1e15, -1e6} {
		l := NewLadder(0, 1)
		for i := range int64(40 * 288) {
			l.Add(i*300*second, level+random.Float64()*max(math.Abs(level), 1)*1e-15, level)
		}
		for w := range Widths {
			c := l.Judge(w, Params{Required: time.Nanosecond, MinGrowth: 1e-3, Offset: 4, Scale: 1}, nil)
			if c.Reason > TooSmall || c.Reason == NoData {
				t.Errorf("level %g, width %d: %v", level, w, c.Reason)
			}
		}
	}
}

func TestReasonString(t *testing.T) {
	var got []string
	for r := NoData; r <= Sustained; r++ {
		got = append(got, r.String())
	}
	want := []string{"no data", "not growing", "too small", "seen before", "too recent", "uneven", "not significant",
		"sustained"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkJudge(b *testing.B) {
	p := Params{Required: 12 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	l := leaking()
	for _, bench := range []struct {
		name string
		load *Ladder
	}{{"alone", nil}, {"load", leaking()}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for w := range Widths {
					l.Judge(w, p, bench.load)
				}
			}
		})
	}
}

// A window says what is asked of it, since when its growth rests, and so when it could be called.
func TestNeedAndRest(t *testing.T) {
	type question struct {
		Reason      Reason
		Need, Rest  float64
		CalledAfter time.Duration
	}
	// From 100 to 170 over 8 minimums of 5 min, of which the lower of the latest two is 160: a growth of 60 over 104
	// (with the offset) in 40 min. With 7 h asked growth at that rate is called after T hours, (.8654 T)^1.3 T = 7:
	// 2.529. The last of the minimums is the first above nine tenths.
	params := Params{Required: 7 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	for _, test := range []struct {
		name   string
		values []float64
		want   question
	}{
		{"a line", ramp, question{TooRecent, 7, 1. / 7, 2*time.Hour + 31*time.Minute + 44*time.Second}},
		{"flat", constant(8, 100), question{Reason: NotGrowing}},
		{"a step long ago", concat(constant(4, 100), constant(28, 400)),
			question{Uneven, 7, 28. / 31, 2*time.Hour + 13*time.Minute + 45*time.Second}},
	} {
		c := filled(0, test.values...).Judge(0, params, nil)
		after, _ := c.CalledAfter(1)
		got := question{c.Reason, c.Need, c.Rest, after.Round(time.Second)}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, .01)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestBendsDown(t *testing.T) {
	// Orthogonal to any parabola over eight points, so that curvature is g, t = 1.168 g/k with k times this, and
	// residuals are not correlated (r < 0): the squared distances have 168 for a sum of squares, this has 616, and
	// 1.168 is (168 x 5/616)^.5.
	quartic := []float64{7, -13, -3, 9, 9, -3, -13, 7}
	for _, test := range []struct {
		name    string
		x, kept []float64
		want    bool
	}{
		{"straight", steps(8, 300), ramp, false},
		{"flat", steps(8, 300), constant(8, .1), false},
		{"four floors tell nothing", steps(4, 300), []float64{0, 2, 3, 3}, false},
		// 12.25 times that, of 70.
		{"1.05 %", steps(8, 300), bulging(.06), true},
		{"0.99 %", steps(8, 300), bulging(.0566), false},
		{"1.01 %", steps(8, 300), bulging(.0578), true},
		{"up", steps(8, 300), bulging(-.06), false},
		{"far up", steps(8, 300), bulging(-1), false},
		{"1.6 % at a t of -1.05", steps(8, 300), plus(bulging(.09), scaled(quartic, .1)), true},
		{"1.4 % at a t of -.93", steps(8, 300), plus(bulging(.08), scaled(quartic, .1)), false},
		{"up at a t of 1.05", steps(8, 300), plus(bulging(-.09), scaled(quartic, .1)), false},
		{"soak", steps(8, 300./144), bulging(.06), true},
		{"stretched", steps(8, 86400*12), bulging(.06), true},
		{"stretched, by too little", steps(8, 86400*12), bulging(.05), false},
		{"other unit", steps(8, 300), scaled(bulging(.06), 1e9), true},
		{"other unit, by too little", steps(8, 300), scaled(bulging(.05), 1e9), false},
		{"over a level", steps(8, 300), shifted(bulging(.06), 1e9), true},
		{"over a level, by too little", steps(8, 300), shifted(bulging(.05), 1e9), false},
		// Of 0 to 31 the third is missing; the middle stays 15.5. Its ends are 240.25 (15.5 squared) below the middle,
		// 1 % of 310 is 3.1.
		{"long, by .0125 a floor squared", thinned(steps(32, 300)), thinned(parabola(32, 10, -.0125)), false},
		{"long, by .0133 a floor squared", thinned(steps(32, 300)), thinned(parabola(32, 10, -.0133)), true},
		{"a cache that fills", steps(16, 300), mapped(steps(16, .1), func(a float64) float64 {
			return 1 - math.Exp(-a)
		}), true},
		{"growth that compounds", steps(16, 300), mapped(steps(16, .1), math.Exp), false},
	} {
		if got := new(fitter).bendsDown(test.x, test.kept); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// parabola returns n minimums from 100 that rise by slope each, and by curvature times the squared distance from the
// middle.
func parabola(n int, slope, curvature float64) []float64 {
	return mapped(steps(n, 1), func(i float64) float64 {
		d := i - float64(n-1)/2
		return 100 + slope*i + curvature*d*d
	})
}

func thinned(v []float64) []float64 { return slices.Concat(v[:2], v[3:]) }

// What rounding leaves of a straight line, at any level and width and with any minimums missing, is no bend.
func TestStraightIsNotBent(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	bent := 0 // by the sign and t of the curvature alone: what the test is about does occur
	for range 20000 {
		level := []float64{0, .1, 1. / 3, 100, 1e6 + .3, 1e9, 1e12, 1e15, -.7, -1e9}[random.IntN(10)]
		rise := max(math.Abs(level), 1) * math.Exp(random.Float64()*10-5) // from .7 % of the level to 150 times
		n := 5 + random.IntN(Buckets-4)
		width := 300 * []float64{1, 4, 16, 72, 288}[random.IntN(5)] * []float64{1, 1. / 144, 12.5}[random.IntN(3)]
		missing := []float64{0, .2}[random.IntN(2)]
		var x, kept []float64
		for i := range n {
			if i == 0 || i == n-1 || random.Float64() >= missing {
				x, kept = append(x, float64(i)*width), append(kept, level+rise*float64(i)/float64(n-1))
			}
		}
		if new(fitter).bendsDown(x, kept) {
			t.Fatalf("level %g, rise %g: bent: %v over %v", level, rise, kept, x)
		}
		squares := mapped(x, func(a float64) float64 { d := a - x[len(x)-1]/2; return d * d })
		if f, ok := new(fitter).partial(squares, kept, x); ok && f.T < -1 {
			bent++
		}
	}
	if bent == 0 {
		t.Error("no line had a curvature by rounding: the test shows less than it should")
	}
}
