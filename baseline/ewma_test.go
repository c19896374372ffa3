package baseline

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const second = int64(time.Second)

// state is all that an EWMA tells.
type state struct {
	Mean, Deviation float64
	OK              bool
}

func read(e *EWMA) state {
	mean, ok := e.Mean()
	return state{mean, e.Deviation(), ok}
}

// Made by statsmodels 0.13.5 on numpy 1.24.2 (Python 3.11.2), which weighs each value explicitly instead of updating a
// mean:
//
//	t, x = np.array(t, float), np.array(x, float)
//	dt = np.diff(t)
//	a = np.maximum(1 - 2**(-dt/H), dt/(dt[0] + t[1:] - t[0]))
//	w = np.append(1, a) * np.append(np.cumprod((1-a)[::-1])[::-1], 1)
//	d = statsmodels.stats.weightstats.DescrStatsW(x, weights=w)
//	print(d.mean, d.std)
func TestEWMAReference(t *testing.T) {
	at := []int64{0, 10, 20, 31, 40, 100, 110, 125, 300, 310, 311, 320, 335, 350, 1000, 1010}
	values := []float64{12, 15, 11, 19, 14, 13, 40, 17, 16, 12, 11, 18, 90, 21, 14, 13}
	for _, test := range []struct {
		halfLife time.Duration
		want     state
	}{
		{time.Minute, state{13.897034178687374, 0.6954980980997466, true}},
		{5 * time.Minute, state{15.10645750471005, 7.52439029441918, true}},
		// all of it young: the weights are the times between values
		{24 * time.Hour, state{15.821568627450981, 9.510753742742695, true}},
	} {
		e := NewEWMA(test.halfLife)
		for i := range at {
			e.Observe(at[i]*second, values[i])
		}
		if diff := cmp.Diff(test.want, read(&e), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("half-life %v (-want +got):\n%s", test.halfLife, diff)
		}
	}
}

// With weights 1, 1 and 9 (seconds since the value before) the mean is (3 + 5 + 9*8)/11 and the mean square distance
// from it (1*(47/11)^2 + 1*(25/11)^2 + 9*(8/11)^2)/11.
func TestEWMAYoung(t *testing.T) {
	e := NewEWMA(time.Hour)
	got := []state{read(&e)}
	for _, v := range []struct{ at, value float64 }{{0, 3}, {1, 5}, {10, 8}} {
		e.Observe(int64(v.at*1e9), v.value)
		got = append(got, read(&e))
	}
	want := []state{{}, {3, 0, true}, {4, 1, true}, {80. / 11, math.Sqrt((47.*47 + 25*25 + 9*8*8) / 11 / 11 / 11),
		true}}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-14, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Two half-lives after a unit step 3/4 of the weight lies on 1, and the deviation of such a mix is sqrt(3/4 * 1/4),
// however often one looks.
func TestEWMAStep(t *testing.T) {
	for _, every := range []int64{1, 10, 30, 60, 120} {
		e := NewEWMA(time.Minute)
		for at := int64(-1200); at <= 120; at += every {
			e.Observe(at*second, map[bool]float64{true: 1}[at > 0])
		}
		want := state{0.75, math.Sqrt(3. / 16), true}
		if diff := cmp.Diff(want, read(&e), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("every %d s (-want +got):\n%s", every, diff)
		}
	}
}

func TestEWMAForgets(t *testing.T) {
	const halfLife = 100
	e := NewEWMA(halfLife * time.Second)
	at := int64(0)
	observe := func(v float64) float64 {
		e.Observe(at*second, v)
		at += 10
		mean, _ := e.Mean()
		return mean - 50
	}
	for range 100 {
		observe(50)
	}
	excess := observe(1e9)
	if want := (1e9 - 50) * (1 - math.Exp2(-10./halfLife)); math.Abs(excess-want) > 1e-9*want {
		t.Fatalf("one huge reading lifts the mean by %g, want %g", excess, want)
	}
	for i := 1; i <= 400; i++ {
		now := observe(50)
		want := excess * math.Exp2(-float64(i)*10/halfLife)
		if math.Abs(now-want) > 1e-9*want+1e-12 {
			t.Fatalf("%d s after it %g is left, want %g", i*10, now, want)
		}
	}
	if d := e.Deviation(); d > 1e3 { // sqrt(a) * 1e9 * 2^-20
		t.Errorf("40 half-lives after it the deviation is %g", d)
	}
}

func TestEWMADecaysMonotonely(t *testing.T) {
	e := NewEWMA(time.Minute)
	at := int64(0)
	for range 100 {
		e.Observe(at, 7)
		at += 13 * second
	}
	last := read(&e)
	for i := range int64(60) {
		at += (i%5 + 1) * 4 * second
		e.Observe(at, -3)
		now := read(&e)
		if now.Mean >= last.Mean || now.Mean < -3 {
			t.Fatalf("step %d: mean went from %g to %g on its way from 7 to -3", i, last.Mean, now.Mean)
		}
		last = now
	}
}

func TestEWMAFlatIsExact(t *testing.T) {
	for _, v := range []float64{0, 0.1, -0.7, 1e15 / 3, 1e100, 5e-324} {
		e := NewEWMA(time.Minute)
		for i := range int64(1000) {
			e.Observe(i*(i%7+1)*second, v)
		}
		if diff := cmp.Diff(state{v, 0, true}, read(&e)); diff != "" {
			t.Errorf("%g (-want +got):\n%s", v, diff)
		}
	}
}

// Neither the instant of the start nor the unit of the values matters.
func TestEWMAShape(t *testing.T) {
	const shift, scale, offset = 1_700_000_000_123_456_789, 1024, 1e6
	a, b := NewEWMA(time.Minute), NewEWMA(time.Minute)
	at, v := int64(0), 100.
	for i := range 500 {
		at += int64(1+i*i%37) * second
		v += math.Sin(float64(i * i))
		a.Observe(at, v)
		b.Observe(at+shift, v*scale+offset)
		want := read(&a)
		want.Mean, want.Deviation = want.Mean*scale+offset, want.Deviation*scale
		if diff := cmp.Diff(want, read(&b), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Fatalf("value %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestEWMAFreeze(t *testing.T) {
	e := NewEWMA(time.Minute)
	at := int64(0)
	for range 1000 {
		at += 10 * second
		e.Observe(at, 1)
	}
	before := read(&e)
	e.Freeze(true)
	for range 1000 {
		at += 10 * second
		e.Observe(at, 1e6)
	}
	if diff := cmp.Diff(before, read(&e)); diff != "" {
		t.Errorf("frozen, it learned (-want +got):\n%s", diff)
	}
	// The time spent frozen does not count as time since the last value: one value does not take the mean over.
	e.Freeze(false)
	e.Observe(at+10*second, 2)
	mean, _ := e.Mean()
	if want := 2 - math.Exp2(-1./6); math.Abs(mean-want) > 1e-12 {
		t.Errorf("10 s after the thaw the mean is %g, want %g", mean, want)
	}
}

// A series that was frozen when young is still young afterwards: 1 s was learned of 4, then 1 s of 8 and no more.
func TestEWMAFrozenYoung(t *testing.T) {
	e := NewEWMA(time.Hour)
	e.Observe(0, 4)
	e.Observe(second, 4)
	e.Freeze(true)
	e.Observe(600*second, 100)
	e.Freeze(false)
	e.Observe(602*second, 10)
	if mean, _ := e.Mean(); math.Abs(mean-7) > 1e-12 { // 2 s of 4 and 2 s of 10
		t.Errorf("mean is %g, want 7", mean)
	}
}

func TestEWMAIgnoresOldInstants(t *testing.T) {
	e := NewEWMA(time.Minute)
	e.Observe(100, 1)
	e.Observe(200, 3)
	before := read(&e)
	e.Observe(200, 50)
	e.Observe(150, 50)
	if diff := cmp.Diff(before, read(&e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was learned stays; only the forgetting changes: after one new half-life of 0 half of the 8 is left.
func TestEWMASetHalfLife(t *testing.T) {
	e := NewEWMA(time.Minute)
	for at := int64(0); at <= 10_000; at += 100 {
		e.Observe(at*second, 8)
	}
	e.SetHalfLife(100 * time.Second)
	e.Observe(10_100*second, 0)
	if diff := cmp.Diff(state{4, 4, true}, read(&e), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEWMAMisuse(t *testing.T) {
	e := NewEWMA(time.Second)
	for name, misuse := range map[string]func(){
		"NewEWMA":     func() { NewEWMA(0) },
		"SetHalfLife": func() { e.SetHalfLife(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s takes a half-life that is not positive", name)
				}
			}()
			misuse()
		}()
	}
}

// Any finite value at any instant leaves a finite mean between the least and the greatest value, and a finite
// deviation.
func FuzzEWMA(f *testing.F) {
	f.Add(int64(60e9), int64(0), 1., int64(10e9), 2., int64(1e9), 1e308)
	f.Add(int64(1), int64(1<<62), math.MaxFloat64, int64(1), -math.MaxFloat64, int64(1<<61), math.MaxFloat64)
	f.Add(int64(1<<62), int64(-5), 5e-324, int64(1), -5e-324, int64(0), 0.)
	f.Fuzz(func(t *testing.T, halfLife, at int64, v0 float64, d1 int64, v1 float64, d2 int64, v2 float64) {
		if halfLife <= 0 {
			t.Skip()
		}
		e := NewEWMA(time.Duration(halfLife))
		lo, hi := math.Inf(1), math.Inf(-1)
		for i, v := range []float64{v0, v1, v2, v0, v2, v1} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Skip()
			}
			bounded := min(max(v, -maxMagnitude), maxMagnitude)
			lo, hi = min(lo, bounded), max(hi, bounded)
			e.Observe(at, v)
			got := read(&e)
			slack := 1e-12 * max(math.Abs(lo), math.Abs(hi))
			if !(got.OK && got.Mean >= lo-slack && got.Mean <= hi+slack && got.Deviation >= 0 && got.Deviation <= hi-lo+
				slack) {
				t.Fatalf("after value %d: %+v with values from %g to %g", i, got, lo, hi)
			}
			at += []int64{d1, d2}[i%2] / 8
		}
	})
}

func BenchmarkEWMA(b *testing.B) {
	b.ReportAllocs()
	e := NewEWMA(6 * time.Hour)
	at := int64(0)
	for b.Loop() {
		at += 30 * second
		e.Observe(at, float64(at&1023))
	}
}
