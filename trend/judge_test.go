package trend

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var gap = math.NaN()

// filled returns a ladder at scale 1 with one value in each bucket of a width; NaN leaves one empty. The level is 100 throughout.
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

// The ramp of most cases: eight floors from 100 to 170 over a level of 100 with an offset of 100. The rise is min(160, 170) - 100 = 60
// and the growth 60/200 = 0.3. At 5 min the window is 2/3 h, so 0.2 h of patience are earned; suspicion asks for a sixth.
var ramp = []float64{100, 110, 120, 130, 140, 150, 160, 170}

func TestJudge(t *testing.T) {
	const minute = int64(60e9)
	line := Fit{Slope: 10. / 300, Intercept: 100, R2: 1, T: MaxT, EffectivePoints: 8}
	slower := func(f Fit, by float64) Fit { f.Slope /= by; return f }
	climb := func(reason Reason, suspect bool, fit Fit) Climb {
		return Climb{Reason: reason, Suspect: suspect, Window: 40 * time.Minute, Points: 8, Width: 5 * time.Minute,
			Level: 100, Base: 100, Rise: 60, Growth: 0.3, Fit: fit}
	}
	with := func(c Climb, change func(*Climb)) Climb { change(&c); return c }
	for _, test := range []struct {
		name     string
		width    int
		values   []float64
		patience time.Duration
		change   func(*Params)
		load     *Ladder
		want     Climb
	}{
		{"no floors", 0, nil, time.Minute, nil, nil, Climb{}},
		{"seven floors", 0, ramp[:7], time.Minute, nil, nil, Climb{}},
		{"three of eight missing", 0, []float64{100, gap, 120, gap, 140, gap, 160, 170}, time.Minute, nil, nil, Climb{}},
		{"first missing", 0, concat([]float64{gap}, ramp[1:]), time.Minute, nil, nil, Climb{}},
		{"last missing", 0, concat(ramp[:7], []float64{gap}), time.Minute, nil, nil, Climb{}},
		{"two of eight missing", 0, []float64{100, 110, gap, 130, 140, gap, 160, 170}, time.Minute, nil, nil,
			with(climb(Sustained, true, line), func(c *Climb) { c.Points, c.Fit.EffectivePoints = 6, 6 })},

		{"flat", 0, constant(8, .1), time.Minute, nil, nil,
			with(climb(NotGrowing, false, Fit{}), func(c *Climb) { c.Base, c.Rise, c.Growth = .1, 0, 0 })},
		{"came back", 0, concat(ramp[:7], []float64{90}), time.Minute, nil, nil,
			with(climb(NotGrowing, false, Fit{}), func(c *Climb) { c.Base, c.Rise, c.Growth = 90, 0, 0 })},
		{"last but one came back", 0, concat(ramp[:6], []float64{100, 170}), time.Minute, nil, nil,
			with(climb(NotGrowing, false, Fit{}), func(c *Climb) { c.Rise, c.Growth = 0, 0 })},

		// The 20 min before, of which the first 5 were not read, had a floor of 500.
		{"seen before", 0, concat([]float64{gap, 500, 500, 500}, ramp), time.Minute, nil, nil,
			with(climb(SeenBefore, false, Fit{}), func(c *Climb) { c.Since, c.Base, c.Rise, c.Growth = 20*minute, 500, -340, -1.7 })},
		{"most of it seen before", 0, concat([]float64{gap, 125, 125, 125}, ramp), time.Minute, nil, nil,
			with(climb(SeenBefore, false, Fit{}), func(c *Climb) { c.Since, c.Base, c.Rise, c.Growth = 20*minute, 125, 35, .175 })},
		// From 108 the rise is 52; each quarter of the clipped climb 108, 110, ... 170 keeps its share but the first: 2 of 62.
		{"in part seen before", 0, concat([]float64{gap, 108, 108, 108}, ramp), time.Minute, nil, nil,
			with(climb(Uneven, false, Fit{}), func(c *Climb) { c.Since, c.Base, c.Rise, c.Growth = 20*minute, 108, 52, .26 })},

		{"too small", 0, ramp, time.Minute, func(p *Params) { p.LeastGrowth = .31 }, nil, climb(TooSmall, false, Fit{})},
		{"too recent to look at", 0, ramp, 150 * time.Minute, nil, nil, climb(TooRecent, false, Fit{})},
		{"too recent for suspicion", 0, ramp, 75 * time.Minute, nil, nil, climb(TooRecent, false, line)},
		{"suspect", 0, ramp, 70 * time.Minute, nil, nil, climb(TooRecent, true, line)},
		{"suspect to the last", 0, ramp, 13 * time.Minute, nil, nil, climb(TooRecent, true, line)},

		{"step", 0, []float64{100, 101, 102, 103, 160, 161, 162, 163}, time.Minute, nil, nil,
			with(climb(Uneven, false, Fit{}), func(c *Climb) { c.Rise, c.Growth = 62, .31 })},
		{"saturation", 0, []float64{100, 120, 140, 150, 155, 160, 161, 162}, time.Minute, nil, nil,
			with(climb(Uneven, false, Fit{}), func(c *Climb) { c.Rise, c.Growth = 61, .305 })},
		// The last quarter holds 15 % of the climb.
		{"levels off late", 0, []float64{100, 130, 145, 160, 172, 185, 192, 200}, time.Minute, nil, nil,
			with(climb(Uneven, false, Fit{}), func(c *Climb) { c.Rise, c.Growth = 92, .46 })},
		// Made like the references of TestRegressReference.
		{"steep but not significant", 0, []float64{100, 110, 120, 130, 900, 150, 160, 170}, time.Minute, nil, nil,
			climb(NotSignificant, false, Fit{0.06349206349206349, 163.33333333333331, 0.02946267447427542, 0.4267815021470439, 8})},
		// Its fit is the reference "one spike" of TestRegressReference.
		{"not significant", 0, spiked, time.Minute, nil, nil,
			climb(NotSignificant, false, Fit{-0.05952380952380944, 295, 0.026099302626633625, -0.4009892578020664, 8})},
		{"sustained", 0, ramp, 11 * time.Minute, nil, nil, climb(Sustained, true, line)},
		{"sustained from below zero", 0, shifted(ramp, -135), 11 * time.Minute, nil, nil,
			with(climb(Sustained, true, line), func(c *Climb) { c.Base, c.Fit.Intercept = -35, -35 })},
		{"sustained at 1e15", 0, shifted(ramp, 1e15), 11 * time.Minute, nil, nil,
			with(climb(Sustained, true, line), func(c *Climb) { c.Base, c.Fit.Intercept = 1e15+100, 1e15+100 })},
		// 32 floors: rise 300, growth 1.5 over 2 2/3 h.
		{"longest window", 0, shifted(steps(32, 10), 100), 3 * time.Hour, nil, nil,
			with(climb(Sustained, true, line), func(c *Climb) {
				c.Window, c.Points, c.Rise, c.Growth, c.Fit.EffectivePoints = 160*time.Minute, 32, 300, 1.5, 32
			})},
		// A growth of 15 counts as 4: 10 2/3 h are earned.
		{"growth earns no more than 4 times", 0, shifted(steps(32, 100), 100), 11 * time.Hour, nil, nil,
			with(climb(TooRecent, true, slower(line, .1)), func(c *Climb) {
				c.Window, c.Points, c.Rise, c.Growth, c.Fit.EffectivePoints = 160*time.Minute, 32, 3000, 15, 32
			})},

		// Growth is .6 without the offset: .4 h are earned, and 60 of the 100 up to the ceiling are used.
		{"ceiling near", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 200 }, nil,
			with(climb(Sustained, true, line), func(c *Climb) { c.Growth = .6 })},
		{"ceiling far", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 230 }, nil,
			with(climb(TooRecent, false, Fit{}), func(c *Climb) { c.Growth = .6 })},
		{"ceiling near but little growth", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Ceiling = 200 }, nil, climb(TooRecent, false, Fit{})},
		{"ceiling already passed", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 90 }, nil,
			with(climb(TooRecent, false, Fit{}), func(c *Climb) { c.Growth = .6 })},

		// At 20 min the ramp earns .8 h. 24 h of history before it halve the patience.
		{"no history", 1, ramp, 90 * time.Minute, nil, nil,
			with(climb(TooRecent, true, slower(line, 4)), func(c *Climb) { c.Window, c.Width = 160*time.Minute, 20*time.Minute })},
		{"a day of history", 1, concat(constant(72, 100), ramp), 90 * time.Minute, nil, nil,
			with(climb(Sustained, true, slower(line, 4)), func(c *Climb) {
				c.Since, c.Window, c.Width = 24*60*minute, 160*time.Minute, 20*time.Minute
			})},
		{"history counts from the first value", 1, concat(constant(60, gap), constant(12, 100), ramp), 90 * time.Minute, nil, nil,
			with(climb(TooRecent, true, slower(line, 4)), func(c *Climb) {
				c.Since, c.Window, c.Width = 24*60*minute, 160*time.Minute, 20*time.Minute
			})},

		// At 6 h the ramp takes 48 h and earns 14.4 h. 18 h of history make .625 of the patience; eight times that passes below the 500
		// of the day before.
		{"long climb below what was seen", 3, concat([]float64{gap, 500, 500, 500}, ramp), 170 * time.Minute, nil, nil,
			with(climb(Sustained, true, slower(line, 72)), func(c *Climb) {
				c.Since, c.Window, c.Width = 24*60*minute, 48*time.Hour, 6*time.Hour
			})},
		{"long climb, not long enough", 3, concat([]float64{gap, 500, 500, 500}, ramp), 175 * time.Minute, nil, nil,
			with(climb(SeenBefore, false, Fit{}), func(c *Climb) {
				c.Since, c.Window, c.Width, c.Base, c.Rise, c.Growth = 24*60*minute, 48*time.Hour, 6*time.Hour, 500, -340, -1.7
			})},

		{"four days", 4, []float64{100, 120, 140, 160}, time.Hour, nil, nil, Climb{}},
		// Five days: rise 60 (160 - 100), 36 h earned.
		{"five days", 4, []float64{100, 120, 140, 160, 180}, 35 * time.Hour, nil, nil,
			with(climb(Sustained, true, slower(line, 144)), func(c *Climb) {
				c.Window, c.Width, c.Points, c.Fit.EffectivePoints = 120*time.Hour, 24*time.Hour, 5, 5
			})},
		{"five at 6 h", 3, []float64{100, 120, 140, 160, 180}, time.Hour, nil, nil, Climb{}},

		// Of a load of 10, 12, 12, 10, ... the ramp is independent: all of the pace remains, and half of the patience is asked.
		{"driving load steady", 0, ramp, 20 * time.Minute, func(p *Params) { p.LoadDrives = true }, filled(0, 10, 12, 12, 10, 10, 12, 12, 10),
			with(climb(Sustained, true, line), func(c *Climb) { c.Load, c.Kept = true, 1 })},
		{"load steady", 0, ramp, 20 * time.Minute, nil, filled(0, 10, 12, 12, 10, 10, 12, 12, 10),
			with(climb(TooRecent, true, line), func(c *Climb) { c.Load, c.Kept = true, 1 })},
		{"without that load", 0, ramp, 20 * time.Minute, nil, nil, climb(TooRecent, true, line)},
		// Where the load tells time, nothing remains, and twice the patience is asked.
		{"load grows along", 0, ramp, 7 * time.Minute, nil, filled(0, steps(8, 3)...),
			with(climb(TooRecent, true, line), func(c *Climb) { c.Load = true })},
		{"load grows along, patiently", 0, ramp, 5 * time.Minute, nil, filled(0, steps(8, 3)...),
			with(climb(Sustained, true, line), func(c *Climb) { c.Load = true })},
		// Most of the pace remains, but at a t of 1.03 (both made like the references of TestPartialReference).
		{"load grows along, nearly", 0, []float64{100, 112, 118, 131, 139, 152, 158, 170}, 7 * time.Minute, nil,
			filled(0, 0, 3, 6, 9, 12, 15, 18, 22), with(climb(TooRecent, true, Fit{}), func(c *Climb) {
				c.Load, c.Kept, c.Rise, c.Growth = true, 0.7771084337349099, 58, .29
				c.Fit = Fit{0.032936507936507944, 100.41666666666663, 0.9957734915238557, 37.59802509584881, 8}
			})},
		// Eight times the patience, and twice that.
		{"long climb with its load", 3, concat([]float64{gap, 500, 500, 500}, ramp), 170 * time.Minute, nil,
			filled(3, concat(constant(4, gap), steps(8, 3))...), with(climb(TooRecent, true, slower(line, 72)), func(c *Climb) {
				c.Since, c.Window, c.Width, c.Load = 24*60*minute, 48*time.Hour, 6*time.Hour, true
			})},
		{"load known too briefly", 0, ramp, 20 * time.Minute, nil, filled(0, gap, 12, 12, 10, 10, 12, 12, 10), climb(TooRecent, true, line)},
		{"load does not matter near the ceiling", 0, ramp, 1000 * time.Hour, func(p *Params) { p.Offset, p.Ceiling = 0, 200 },
			filled(0, steps(8, 3)...), with(climb(Sustained, true, line), func(c *Climb) { c.Growth = .6 })},
	} {
		p := Params{Patience: test.patience, LeastGrowth: .2, Offset: 100, Scale: 1}
		if test.change != nil {
			test.change(&p)
		}
		l := filled(test.width, test.values...)
		got := l.Judge(test.width, p, test.load)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, got.Reason, diff)
		}
	}
}

// The longer window is suspect (growth 1.1 over 2 h) and the shorter one nothing but a step: the suspicion must not be lost to the
// shorter window, though that passed more tests.
func TestJudgeKeepsSuspicion(t *testing.T) {
	values := shifted(steps(24, 10), 100)
	copy(values[16:], []float64{261, 262, 263, 264, 290, 305, 320, 340})
	l := filled(0, values...)
	p := Params{Patience: 140 * time.Minute, LeastGrowth: .2, Offset: 100, Scale: 1}
	type verdict struct {
		Reason  Reason
		Suspect bool
		Window  time.Duration
	}
	tell := func(c Climb) verdict { return verdict{c.Reason, c.Suspect, c.Window} }
	got := []verdict{tell(filled(0, values[16:]...).Judge(0, p, nil)), tell(l.Judge(0, p, nil))}
	want := []verdict{{Uneven, false, 40 * time.Minute}, {TooRecent, true, 2 * time.Hour}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

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
		c := l.Judge(0, Params{Patience: time.Minute, LeastGrowth: .2, Offset: 4, Scale: 1}, nil)
		if c.Level != test.want || c.Reason != Sustained || c.Points != len(ramp) {
			t.Errorf("%s: level %g, want %g: %+v", test.name, c.Level, test.want, c)
		}
	}
}

// After a gap longer than the memory a ladder judges as a new one would: neither the levels nor the history before it count.
func TestJudgeAfterLongGap(t *testing.T) {
	l := filled(0, constant(600, 1e6)...)
	at := 100 * l.Width(4)
	for i, v := range ramp {
		l.Add(at+int64(i)*l.finest, v, 100)
	}
	l.Advance(at+8*l.finest, 100)
	p := Params{Patience: 13 * time.Minute, LeastGrowth: .2, Offset: 100, Scale: 1} // with history half of it would do
	want := filled(0, ramp...).Judge(0, p, nil)
	want.Since = at
	if diff := cmp.Diff(want, l.Judge(0, p, nil)); diff != "" || want.Reason != TooRecent {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The instant of the start, the unit of the values and, for a ladder of another scale, the unit of time change no verdict.
func TestJudgeShape(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var reasons [Sustained + 1]int
	for range 60 {
		type point struct {
			at    int64
			value float64
		}
		var points []point
		pace, noise := math.Exp(random.NormFloat64()*2)*1e-3, 30*random.Float64()
		level := 200.
		at := int64(0)
		for i := range 3000 {
			level += pace * 60 * (random.Float64() + .5)
			if i%1500 == 700 {
				level += 300 * random.Float64() * float64(random.IntN(2))
			}
			points = append(points, point{at, level + noise*random.Float64()})
			at += 30*second + random.Int64N(60*second)
			if random.IntN(300) == 0 {
				at += random.Int64N(7200 * second)
			}
		}
		// The ladder, load and parameters of the series after a change of units. Powers of two keep the arithmetic exact.
		judge := func(epoch int64, k float64, s int64) (all [Widths]Climb) {
			l, load := NewLadder(epoch, float64(s)), NewLadder(epoch, float64(s))
			for _, p := range points {
				l.Add(epoch+p.at*s, p.value*k, 200*k)
				load.Add(epoch+p.at*s, 50+p.value/10+float64(p.at%7e9)/1e9, 0)
			}
			params := Params{Patience: 12 * time.Hour, LeastGrowth: .2, Offset: 4 * k, Ceiling: 4000 * k, Scale: float64(s)}
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
			got    [Widths]Climb
			adjust func(*Climb)
		}{
			"later": {judge(epoch, 1, 1), func(c *Climb) { c.Since += epoch }},
			"other unit": {judge(0, k, 1), func(c *Climb) {
				c.Level, c.Base, c.Rise, c.Fit.Slope, c.Fit.Intercept = c.Level*k, c.Base*k, c.Rise*k, c.Fit.Slope*k, c.Fit.Intercept*k
			}},
			"slower": {judge(0, 1, s), func(c *Climb) {
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
			c := l.Judge(w, Params{Patience: time.Nanosecond, LeastGrowth: 1e-3, Offset: 4, Scale: 1}, nil)
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
	want := []string{"no data", "not growing", "too small", "seen before", "too recent", "uneven", "not significant", "sustained"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkJudge(b *testing.B) {
	p := Params{Patience: 12 * time.Hour, LeastGrowth: .2, Offset: 4, Scale: 1}
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
