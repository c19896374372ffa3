package trend

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var gap = math.NaN()

// filled returns a ladder at scale 1 with one value in each bucket of a width; NaN leaves one empty. The level is 100
// throughout.
func filled(w int, values ...float64) *Ladder {
	l := NewLadder(0, 1)
	for i, v := range values {
		at := int64(i) * l.Width(w)
		if !math.IsNaN(v) {
			l.Add(at, v, 100)
		}
	}
	l.Advance(int64(len(values))*l.Width(w), 100)
	return l
}

func concat(parts ...[]float64) (all []float64) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func constant(n int, v float64) []float64 { return shifted(make([]float64, n), v) }

// The ramp of most cases: eight minimums from 100 to 170 over a level of 100 with an offset of 100. The rise is
// min(160, 170) - 100 = 60 and the growth 60/200 = 0.3. At 5 min the window is 2400 s, so 2400 s x 0.3^1.3 = 501.7 s of
// required duration are earned (8.36 min); suspicion asks for a sixth (50.2 min), and twice that required duration
// (100.3 min) is too much to look closer.
var ramp = []float64{100, 110, 120, 130, 140, 150, 160, 170}

// bulge is what a parabola of curvature -1 a minimum squared rises above its ends, over eight minimums.
var bulge = []float64{0, 6, 10, 12, 12, 10, 6, 0}

// bulging returns the ramp with that many times the bulge. Where it is above 0 the growth bends down.
func bulging(by float64) []float64 { return plus(ramp, scaled(bulge, by)) }

func plus(a, b []float64) []float64 {
	sum := make([]float64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}

func TestJudge(t *testing.T) {
	const minute = int64(60e9)
	line := Fit{Slope: 10. / 300, Intercept: 100, R2: 1, T: MaxT, EffectivePoints: 8}
	slower := func(f Fit, by float64) Fit { f.Slope /= by; return f }
	measured := func(reason Reason, suspect bool, fit Fit) Growth {
		return Growth{Reason: reason, Suspect: suspect, Window: 40 * time.Minute, Points: 8, Width: 5 * time.Minute,
			Level: 100, Base: 100, Rise: 60, Growth: 0.3, Fit: fit}
	}
	with := func(c Growth, change func(*Growth)) Growth { change(&c); return c }
	rises := func(rise, growth float64) func(*Growth) { return func(c *Growth) { c.Rise, c.Growth = rise, growth } }
	longest := func(rise, growth float64) func(*Growth) {
		return func(c *Growth) {
			c.Window, c.Points, c.Rise, c.Growth, c.Fit.EffectivePoints = 160*time.Minute, 32, rise, growth, 32
		}
	}
	swing := []float64{1, -1, -1, 1, 1, -1, -1, 1}
	swinging := plus(ramp, swing)
	swung := Fit{line.Slope, 100, 1 - 8./4208, 10 * math.Sqrt(31.5), 8} // 8 and 4208 are sums of squares
	// of bulging(.06): the residuals have r = .375
	bent := Fit{line.Slope, 100.42, 0.9998560207330145, 137.6204706407951, 8 / 2.2}
	for _, test := range []struct {
		name     string
		width    int
		values   []float64
		required time.Duration
		change   func(*Params)
		load     *Ladder
		want     Growth
	}{
		{"no floors", 0, nil, time.Minute, nil, nil, Growth{}},
		{"seven floors", 0, ramp[:7], time.Minute, nil, nil, Growth{}},
		{"three of eight missing", 0, []float64{100, gap, 120, gap, 140, gap, 160, 170}, time.Minute, nil, nil,
			Growth{}},
		{"first missing", 0, concat([]float64{gap}, ramp[1:]), time.Minute, nil, nil, Growth{}},
		{"last missing", 0, concat(ramp[:7], []float64{gap}), time.Minute, nil, nil, Growth{}},
		{"two of eight missing", 0, []float64{100, 110, gap, 130, 140, gap, 160, 170}, time.Minute, nil, nil,
			with(measured(Sustained, true, line), func(c *Growth) { c.Points, c.Fit.EffectivePoints = 6, 6 })},

		{"flat", 0, constant(8, .1), time.Minute, nil, nil,
			with(measured(NotGrowing, false, Fit{}), func(c *Growth) { c.Base, c.Rise, c.Growth = .1, 0, 0 })},
		{"came back", 0, concat(ramp[:7], []float64{90}), time.Minute, nil, nil,
			with(measured(NotGrowing, false, Fit{}), func(c *Growth) { c.Base, c.Rise, c.Growth = 90, 0, 0 })},
		{"last but one came back", 0, concat(ramp[:6], []float64{100, 170}), time.Minute, nil, nil,
			with(measured(NotGrowing, false, Fit{}), func(c *Growth) { c.Rise, c.Growth = 0, 0 })},

		// The 20 min before, of which the first 5 were not read, had a minimum of 500.
		{"seen before", 0, concat([]float64{gap, 500, 500, 500}, ramp), time.Minute, nil, nil,
			with(measured(SeenBefore, false, Fit{}), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 500, -340, -1.7
			})},
		{"most of it seen before", 0, concat([]float64{gap, 125, 125, 125}, ramp), time.Minute, nil, nil,
			with(measured(SeenBefore, false, Fit{}), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 125, 35, .175
			})},
		// From 108 the rise is 52; each quarter of the clipped growth 108, 110, ... 170 keeps its share but the first:
		// 9.5 of 62, or 15.32 %. The 2.68 % that it lacks ask for e^(30 x .0268) = 2.23 times the required duration;
		// the growth of .26 earns 416.6 s.
		{"in part seen before", 0, concat([]float64{gap, 108, 108, 108}, ramp), 186 * time.Second, nil, nil,
			with(measured(Sustained, true, line), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 108, 52, .26
			})},
		{"in part seen before, too uneven", 0, concat([]float64{gap, 108, 108, 108}, ramp), 188 * time.Second, nil, nil,
			with(measured(Uneven, true, line), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 108, 52, .26
			})},
		// From 130 the first quarter holds nothing.
		{"a quarter seen before", 0, concat([]float64{gap, 118, 118, 118}, ramp), time.Minute, nil, nil,
			with(measured(Uneven, false, Fit{}), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 118, 42, .21
			})},
		// From 103 the rise is 57 and the first quarter 14.5 of 67, or 22 %.
		{"little of it seen before", 0, concat([]float64{gap, 103, 103, 103}, ramp), time.Minute, nil, nil,
			with(measured(Sustained, true, line), func(c *Growth) {
				c.Since, c.Base, c.Rise, c.Growth = 20*minute, 103, 57, .285
			})},

		{"too small", 0, ramp, time.Minute, func(p *Params) {
			p.MinGrowth = .31
		}, nil, measured(TooSmall, false, Fit{})},
		{"too recent to look at", 0, ramp, 351 * time.Minute, nil, nil, measured(TooRecent, false, Fit{})},
		{"too recent for suspicion", 0, ramp, 51 * time.Minute, nil, nil, measured(TooRecent, false, line)},
		{"suspect", 0, ramp, 50 * time.Minute, nil, nil, measured(TooRecent, true, line)},
		{"suspect to the last", 0, ramp, 502 * time.Second, nil, nil, measured(TooRecent, true, line)},

		{"step", 0, []float64{100, 101, 102, 103, 160, 161, 162, 163}, time.Minute, nil, nil,
			with(measured(Uneven, false, Fit{}), func(c *Growth) { c.Rise, c.Growth, c.Steps = 62, .31, 1 })},
		{"steps that double", 0, []float64{100, 140, 140, 140, 140, 140, 220, 220}, time.Minute, nil, nil,
			with(measured(Uneven, false, Fit{}), func(c *Growth) {
				c.Rise, c.Growth, c.Steps, c.Pause = 120, .6, 2, .2
			})},
		{"saturation", 0, []float64{100, 120, 140, 150, 155, 160, 161, 162}, time.Minute, nil, nil,
			with(measured(Uneven, false, Fit{}), func(c *Growth) { c.Rise, c.Growth = 61, .305 })},
		// The last quarter, from 5.25, holds 13.25 of 100; the fit is worked out like those below.
		{"levels off late", 0, []float64{100, 130, 145, 160, 172, 185, 192, 200}, time.Minute, nil, nil,
			with(measured(Uneven, false, Fit{0.04531746031746032, 112.91666666666666, 0.9564909995540848,
				9.62775106898933, 5.621945881559403}),
				func(c *Growth) { c.Rise, c.Growth = 92, .46 })},
		// The fits here and below are worked out in exact fractions by the formulas of Regress; those of
		// TestRegressReference come out the same to 15 digits. Without the spike and what came back after it the
		// quarters hold 17.5, 17.5, 21.25 and 18.75 of 75.
		{"steep but not significant", 0, []float64{100, 110, 120, 130, 140, 150, 900, 175}, time.Minute, nil, nil,
			with(measured(NotSignificant, false, Fit{0.18154761904761904, 37.5, 0.2396841142444894, 1.3753024553438458,
				8}),
				func(c *Growth) { c.Rise, c.Growth = 75, .375 })},
		// The quarters hold 20, 15, 17.5 and 17.5 of 70.
		{"not significant", 0, []float64{100, 900, 120, 130, 140, 150, 160, 170}, time.Minute, nil, nil,
			measured(NotSignificant, false, Fit{-0.12341269841269842, 363.3333333333333, 0.11271228017428737,
				-0.8730296782286284, 8})},
		{"sustained", 0, ramp, 501 * time.Second, nil, nil, measured(Sustained, true, line)},
		{"sustained from below zero", 0, shifted(ramp, -135), 501 * time.Second, nil, nil,
			with(measured(Sustained, true, line), func(c *Growth) { c.Base, c.Fit.Intercept = -35, -35 })},
		{"sustained at 1e15", 0, shifted(ramp, 1e15), 501 * time.Second, nil, nil,
			with(measured(Sustained, true, line), func(c *Growth) { c.Base, c.Fit.Intercept = 1e15+100, 1e15+100 })},
		// 32 minimums: rise 300, growth 1.5 over 2 2/3 h: 1.5^1.3 x 160 min = 271.04 min are earned.
		{"longest window", 0, shifted(steps(32, 10), 100), 271 * time.Minute, nil, nil,
			with(measured(Sustained, true, line), longest(300, 1.5))},
		{"longest window, too recent", 0, shifted(steps(32, 10), 100), 272 * time.Minute, nil, nil,
			with(measured(TooRecent, true, line), longest(300, 1.5))},
		// A growth of 15 counts as 4: 4^1.3 x 160 min = 16 h 10.06 min are earned.
		{"growth beyond 4 times", 0, shifted(steps(32, 100), 100), 16*time.Hour + 10*time.Minute, nil, nil,
			with(measured(Sustained, true, slower(line, .1)), longest(3000, 15))},
		{"growth beyond 4 times earns no more", 0, shifted(steps(32, 100), 100), 16*time.Hour + 11*time.Minute, nil,
			nil,
			with(measured(TooRecent, true, slower(line, .1)), longest(3000, 15))},

		// The ramp with bulges of 0.735, 0.6125 and -6.125 in its middle; more than 1 % of the 70 that it rises bends.
		// The growth of .3018 earns 505.6 s, of which an eighth is 63.2 s; suspicion asks for a sixth of the required
		// duration: 379.2 s.
		{"bends down", 0, bulging(.06), 63 * time.Second, nil, nil,
			with(measured(Sustained, true, bent), rises(60.36, .3018))},
		{"bends down, too recent", 0, bulging(.06), 64 * time.Second, nil, nil,
			with(measured(Uneven, true, bent), rises(60.36, .3018))},
		{"bends down, suspect to the last", 0, bulging(.06), 379 * time.Second, nil, nil,
			with(measured(Uneven, true, bent), rises(60.36, .3018))},
		{"bends down, too recent for suspicion", 0, bulging(.06), 380 * time.Second, nil, nil,
			with(measured(Uneven, false, bent), rises(60.36, .3018))},
		// .3015 earns 504.99 s, .285 earns 469.4 s.
		{"bends down by too little", 0, bulging(.05), 504 * time.Second, nil, nil,
			with(measured(Sustained, true, Fit{line.Slope, 100.35, 0.9999000099990001, 165.14456476895407, 8 / 2.2}),
				rises(60.3, .3015))},
		{"bends up", 0, bulging(-.5), 469 * time.Second, nil, nil,
			with(measured(Sustained, true, Fit{line.Slope, 96.5, 0.9900990099009901, 16.514456476895408, 8 / 2.2}),
				rises(57, .285))},
		{"bends down near the ceiling", 0, bulging(.06), 1000 * time.Hour, func(p *Params) {
			p.Offset, p.Ceiling = 0, 200
		}, nil,
			with(measured(Sustained, true, bent), rises(60.36, .6036))},
		// Where the load tells time too 40 times the required duration is asked: 12.64 s.
		{"bends down, with the load", 0, bulging(.06), 12 * time.Second, nil, filled(0, steps(8, 3)...),
			with(measured(Sustained, true, bent), func(c *Growth) { c.Rise, c.Growth, c.Load = 60.36, .3018, true })},
		{"bends down, with the load, too recent", 0, bulging(.06), 13 * time.Second, nil, filled(0, steps(8, 3)...),
			with(measured(Uneven, true, bent), func(c *Growth) { c.Rise, c.Growth, c.Load = 60.36, .3018, true })},

		// Growth is .6 without the offset: .34 h are earned, and 60 of the 100 up to the ceiling are used.
		{"ceiling near", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 200 }, nil,
			with(measured(Sustained, true, line), func(c *Growth) { c.Growth = .6 })},
		{"ceiling far", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 230 }, nil,
			with(measured(TooRecent, false, Fit{}), func(c *Growth) { c.Growth = .6 })},
		{"ceiling near but little growth", 0, ramp, 1000 * time.Hour, func(p *Params) {
			p.Ceiling = 200
		}, nil, measured(TooRecent, false, Fit{})},
		{"ceiling already passed", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 90 }, nil,
			with(measured(TooRecent, false, Fit{}), func(c *Growth) { c.Growth = .6 })},

		// At 20 min the ramp earns 33.4 min. 24 h of history before it halve the required duration, 4 h take a twelfth
		// off.
		{"no history", 1, ramp, 66 * time.Minute, nil, nil,
			with(measured(TooRecent, true, slower(line, 4)), func(c *Growth) {
				c.Window, c.Width = 160*time.Minute, 20*time.Minute
			})},
		{"a day of history", 1, concat(constant(72, 100), ramp), 66 * time.Minute, nil, nil,
			with(measured(Sustained, true, slower(line, 4)), func(c *Growth) {
				c.Since, c.Window, c.Width = 24*60*minute, 160*time.Minute, 20*time.Minute
			})},
		{"history counts from the first value", 1, concat(constant(60, gap), constant(12, 100), ramp), 66 * time.Minute,
			nil, nil,
			with(measured(TooRecent, true, slower(line, 4)), func(c *Growth) {
				c.Since, c.Window, c.Width = 24*60*minute, 160*time.Minute, 20*time.Minute
			})},

		// At 6 h the ramp takes 48 h and earns 10.03 h. 18 h of history make .625 of the required duration; eight times
		// that passes below the 500 of the day before: 10.03 h / 8 / .625 = 120.4 min.
		{"long climb below what was seen", 3, concat([]float64{gap, 500, 500, 500}, ramp), 120 * time.Minute, nil, nil,
			with(measured(Sustained, true, slower(line, 72)), func(c *Growth) {
				c.Since, c.Window, c.Width = 24*60*minute, 48*time.Hour, 6*time.Hour
			})},
		{"long climb, not long enough", 3, concat([]float64{gap, 500, 500, 500}, ramp), 121 * time.Minute, nil, nil,
			with(measured(SeenBefore, false, Fit{}), func(c *Growth) {
				c.Since, c.Window, c.Width, c.Base, c.Rise, c.Growth = 24*60*minute, 48*time.Hour, 6*time.Hour, 500,
					-340, -1.7
			})},

		{"four days", 4, []float64{100, 120, 140, 160}, time.Hour, nil, nil, Growth{}},
		// Five days: rise 60 (160 - 100), 25.09 h earned.
		{"five days", 4, []float64{100, 120, 140, 160, 180}, 25 * time.Hour, nil, nil,
			with(measured(Sustained, true, slower(line, 144)), func(c *Growth) {
				c.Window, c.Width, c.Points, c.Fit.EffectivePoints = 120*time.Hour, 24*time.Hour, 5, 5
			})},
		{"five at 6 h", 3, []float64{100, 120, 140, 160, 180}, time.Hour, nil, nil, Growth{}},

		// Of a load of 10, 12, 12, 10, ... the ramp is independent: all of the rate remains, and half of the required
		// duration is asked, up to 16.7 min.
		{"driving load steady", 0, ramp, 16 * time.Minute, func(p *Params) {
			p.LoadDrives = true
		}, filled(0, 10, 12, 12, 10, 10, 12, 12, 10),
			with(measured(Sustained, true, line), func(c *Growth) { c.Load, c.Kept = true, 1 })},
		{"load steady", 0, ramp, 16 * time.Minute, nil, filled(0, 10, 12, 12, 10, 10, 12, 12, 10),
			with(measured(TooRecent, true, line), func(c *Growth) { c.Load, c.Kept = true, 1 })},
		{"without that load", 0, ramp, 16 * time.Minute, nil, nil, measured(TooRecent, true, line)},
		// Where the load tells time, nothing remains, and five times the required duration is asked: 100.3 s.
		{"load grows along", 0, ramp, 101 * time.Second, nil, filled(0, steps(8, 3)...),
			with(measured(TooRecent, true, line), func(c *Growth) { c.Load = true })},
		{"load grows along, patiently", 0, ramp, 100 * time.Second, nil, filled(0, steps(8, 3)...),
			with(measured(Sustained, true, line), func(c *Growth) { c.Load = true })},
		// Most of the rate remains, but at a t of 1.03 (both made like the references of TestPartialReference). .29
		// earns 480.1 s, of which a fifth is 96.02 s.
		{"load grows along, nearly", 0, []float64{100, 112, 118, 131, 139, 152, 158, 170}, 97 * time.Second, nil,
			filled(0, 0, 3, 6, 9, 12, 15, 18, 22), with(measured(TooRecent, true, Fit{}), func(c *Growth) {
				c.Load, c.Kept, c.Rise, c.Growth = true, 0.7771084337349099, 58, .29
				c.Fit = Fit{0.032936507936507944, 100.41666666666663, 0.9957734915238557, 37.59802509584881, 8}
			})},
		// The load rises by 2.8 or 3.2 a minimum, with the same swing as the series: 7.2 or 6.8 of its 10 a minimum
		// remain.
		{"most of the rate is its own", 0, swinging, 480 * time.Second, nil, filled(0, plus(steps(8, 2.8), swing)...),
			with(measured(Sustained, true, swung), func(c *Growth) {
				c.Load, c.Kept, c.Base, c.Rise, c.Growth = true, .72, 101, 58, .29
			})},
		{"less of the rate is its own", 0, swinging, 97 * time.Second, nil, filled(0, plus(steps(8, 3.2), swing)...),
			with(measured(TooRecent, true, swung), func(c *Growth) {
				c.Load, c.Kept, c.Base, c.Rise, c.Growth = true, .68, 101, 58, .29
			})},
		{"less of the rate is its own, patiently", 0, swinging, 96 * time.Second, nil,
			filled(0, plus(steps(8, 3.2), swing)...),
			with(measured(Sustained, true, swung), func(c *Growth) {
				c.Load, c.Kept, c.Base, c.Rise, c.Growth = true, .68, 101, 58, .29
			})},
		// Eight times the required duration, and five times that.
		{"long climb with its load", 3, concat([]float64{gap, 500, 500, 500}, ramp), 120 * time.Minute, nil,
			filled(3, concat(constant(4, gap), steps(8, 3))...), with(measured(TooRecent, true, slower(line, 72)),
				func(c *Growth) {
					c.Since, c.Window, c.Width, c.Load = 24*60*minute, 48*time.Hour, 6*time.Hour, true
				})},
		{"load known too briefly", 0, ramp, 16 * time.Minute, nil, filled(0, gap, 12, 12, 10, 10, 12, 12, 10),
			measured(TooRecent, true, line)},
		{"load does not matter near the ceiling", 0, ramp, 1000 * time.Hour, func(p *Params) {
			p.Offset, p.Ceiling = 0, 200
		},
			filled(0, steps(8, 3)...), with(measured(Sustained, true, line), func(c *Growth) { c.Growth = .6 })},
	} {
		p := Params{Required: test.required, MinGrowth: .2, Offset: 100, Scale: 1}
		if test.change != nil {
			test.change(&p)
		}
		l := filled(test.width, test.values...)
		got := l.Judge(test.width, p, test.load)
		// What is asked and where it rests have a test of their own.
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.IgnoreFields(Growth{},
			"Need", "Rest")); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, got.Reason, diff)
		}
	}
}

// The longer window is suspect (growth 1.125 over 2 h earns 139.9 min, and as it gathers rate e^-1.25 of the required
// duration is asked: 143.3 min) and the shorter one nothing but a step (growth .4 over 40 min, which earns 12.15 min;
// what 500 min can come to at the least is 11.9 min for suspicion): the suspicion must not be lost to the shorter
// window, though that passed more tests.
func TestJudgeKeepsSuspicion(t *testing.T) {
	values := shifted(steps(24, 9), 100)
	copy(values[16:], []float64{245, 246, 247, 248, 280, 300, 325, 330})
	l := filled(0, values...)
	p := Params{Required: 500 * time.Minute, MinGrowth: .2, Offset: 100, Scale: 1}
	type verdict struct {
		Reason  Reason
		Suspect bool
		Window  time.Duration
	}
	tell := func(c Growth) verdict { return verdict{c.Reason, c.Suspect, c.Window} }
	got := []verdict{tell(filled(0, values[16:]...).Judge(0, p, nil)), tell(l.Judge(0, p, nil))}
	want := []verdict{{Uneven, false, 40 * time.Minute}, {TooRecent, true, 2 * time.Hour}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each quarter of the window but the last should hold 18 % of the rise, the last 23 %, and none less than 8 %. Between
// minimums the growth counts as straight.
func TestEven(t *testing.T) {
	straight := func(n int) []float64 { return shifted(steps(n, .7), 100.1) }
	// Of eight minimums the quarters end at 1.75, 3.5 and 5.25; of five at minimums. All rise by 100.
	eight := func(v ...float64) []float64 { return shifted(v, 100) }
	type verdict struct {
		Lack float64
		OK   bool
	}
	for _, test := range []struct {
		name   string
		values []float64
		want   verdict
	}{
		{"straight 5", straight(5), verdict{0, true}},
		{"straight 8", straight(8), verdict{0, true}},
		{"straight 12", straight(12), verdict{0, true}},
		{"straight 16", straight(16), verdict{0, true}},
		{"straight 24", straight(24), verdict{0, true}},
		{"straight 32", straight(32), verdict{0, true}},

		{"5: first quarter 18", eight(0, 18, 47, 74, 100), verdict{0, true}},
		{"5: first quarter 17.9", eight(0, 17.9, 47, 74, 100), verdict{.001, true}},
		{"5: first quarter 8", eight(0, 8, 38, 68, 100), verdict{.1, true}},
		{"5: first quarter 7.9", eight(0, 7.9, 38, 68, 100), verdict{0, false}},
		{"5: last quarter 23", eight(0, 26, 51, 77, 100), verdict{0, true}},
		{"5: last quarter 22.9", eight(0, 26, 51, 77.1, 100), verdict{.001, true}},
		{"5: last quarter 7.9", eight(0, 31, 62, 92.1, 100), verdict{0, false}},
		{"5: two below 18 and the last below 23", eight(0, 16, 33, 80, 100), verdict{.02 + .03, true}},

		{"8: first quarter 9 + .75 x 12", eight(0, 9, 21, 37, 49, 65, 85, 100), verdict{0, true}},
		{"8: first quarter 9 + .75 x 11.9", eight(0, 9, 20.9, 37, 49, 65, 85, 100), verdict{.00075, true}},
		{"8: second quarter 46 - 28", eight(0, 19, 31, 40, 52, 65, 77, 100), verdict{0, true}},
		{"8: second quarter 45.95 - 28", eight(0, 19, 31, 40, 51.9, 65, 77, 100), verdict{.0005, true}},
		{"8: third quarter 68 - 50", eight(0, 15, 30, 44, 56, 65, 77, 100), verdict{0, true}},
		{"8: third quarter 67.925 - 50", eight(0, 15, 30, 44, 56, 64.9, 77, 100), verdict{.00075, true}},
		{"8: last quarter 100 - 77", eight(0, 16, 32, 47, 60, 74, 86, 100), verdict{0, true}},
		{"8: last quarter 100 - 77.15", eight(0, 16, 32, 47, 60, 74.2, 86, 100), verdict{.0015, true}},
	} {
		c := Growth{Base: test.values[0]}
		lack, ok := c.even(steps(len(test.values), 300), test.values)
		if diff := cmp.Diff(test.want, verdict{lack, ok}, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// What a swing that came back costs, and the recent rate: of the ramp at 20 min, whose finer minimums tell the last
// quarter of its time.
func TestJudgeByItsPast(t *testing.T) {
	minutes := func(slope ...float64) (values []float64) { // 32 minimums at 5 min, eight of each slope
		level := 100.
		for i := range 32 {
			values = append(values, level)
			level += slope[i/8]
		}
		return values
	}
	for _, test := range []struct {
		name   string
		values []float64
		want   float64 // rate of the last quarter over that of the window
	}{
		{"straight", minutes(5, 5, 5, 5), 1},
		{"stands still", minutes(5, 5, 5, 0), 0},
		{"falls, but for the last quarter's sake no further than counts", minutes(30, 5, 5, -5), minRate},
		{"gathers rate, up to what counts", minutes(1, 1, 1, 10), maxRate},
	} {
		l := filled(0, test.values...)
		r := &l.rings[1]
		var x, y []float64
		for i := r.oldest(); i < r.count; i++ {
			x, y = append(x, float64(i)*1200), append(y, r.at(i).minimum)
		}
		fit, _ := Regress(x, y)
		if got := l.recentRate(1, len(x), fit.Slope); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: rate %v, want %v", test.name, got, test.want)
		}
	}
	for _, test := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"nothing but a climb", steps(8, 10), 0},
		{"given back in part", []float64{0, 10, 30, 20, 40}, 10},
		{"two peaks, the higher one came up less", []float64{0, 20, 5, 50, 45, 60}, 15},
		{"a gap in the peak", []float64{0, 30, gap, 10, 40}, 20},
		{"falls only", []float64{50, 40, 30}, 0},
	} {
		if got := filled(0, test.values...).gaveBack(0, 2); got != test.want {
			t.Errorf("%s: gave back %v, want %v", test.name, got, test.want)
		}
	}
}

// A straight growth is even wherever its minimums are missing: quarters are quarters of the time.
func TestJudgeQuartersOverGaps(t *testing.T) {
	for _, test := range []struct {
		name     string
		n        int
		from, to int // minimums missing
	}{
		{"one of eight, early", 8, 1, 2},
		{"two of eight", 8, 3, 5},
		{"one of eight, late", 8, 6, 7},
		{"three of twelve", 12, 4, 7},
		{"an eighth of the longest, early", 32, 3, 7},
		{"a quarter of the longest, early", 32, 1, 9},
		{"a quarter of the longest", 32, 12, 20},
		{"a quarter of the longest, late", 32, 23, 31},
	} {
		values := shifted(steps(test.n, 10), 100)
		for i := test.from; i < test.to; i++ {
			values[i] = gap
		}
		c := filled(0, values...).Judge(0, Params{Required: 1, MinGrowth: .01, Offset: 100, Scale: 1}, nil)
		if want := test.n - (test.to - test.from); c.Reason != Sustained || c.Points != want {
			t.Errorf("%s: %v with %d floors, want %v with %d", test.name, c.Reason, c.Points, Sustained, want)
		}
	}
}
