package trend

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// steps returns n instants, every so many seconds.
func steps(n int, every float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i) * every
	}
	return x
}

func shifted(v []float64, by float64) []float64 {
	return mapped(v, func(a float64) float64 { return a + by })
}
func scaled(v []float64, by float64) []float64 {
	return mapped(v, func(a float64) float64 { return a * by })
}

func mapped(v []float64, f func(float64) float64) []float64 {
	m := make([]float64, len(v))
	for i := range v {
		m[i] = f(v[i])
	}
	return m
}

var (
	drifting = []float64{100, 104, 103, 107, 112, 113, 111, 109, 115, 121, 124, 125}
	falling  = []float64{-5, -9, -7, -12, -14, -13, -18, -17, -21, -26, -24, -29}
	walking  = []float64{0, 1, 2, 3, 4, 5, 5, 5, 4, 4, 3, 3, 4, 5, 6, 7}
	spiked   = []float64{100, 110, 900, 130, 140, 150, 160, 170}
)

// Made by statsmodels 0.13.5 on numpy 1.24.2 (Python 3.11.2):
//
//	m = statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit()
//	r = min(max(statsmodels.tsa.stattools.acf(m.resid, nlags=1, fft=False)[1], 0), .95)
//	share = (1-r)/(1+r)
//	print(m.params[1], m.params[0], m.rsquared, m.tvalues[1]*share**.5, len(x)*share)
func TestRegressReference(t *testing.T) {
	for _, test := range []struct {
		name string
		x, y []float64
		want Fit
		tol  float64 // relative
	}{
		{"correlated residuals", steps(12, 300), drifting,
			Fit{0.007109557109557109, 100.26923076923077, 0.8935775762698839, 6.0499480887283745, 5.2310085054678},
			1e-12},
		{"falling below zero", steps(12, 300), falling,
			Fit{-0.00688811188811189, -4.884615384615376, 0.9507685774715747, -13.896845129199356, 12}, 1e-12},
		{"four uneven points", []float64{0, 1, 2, 4}, []float64{1, 3, 2, 5},
			Fit{0.8857142857142857, 1.2, 0.7844897959183673, 2.6982036673133165, 4}, 1e-12},
		{"wandering", steps(16, 60), walking,
			Fit{0.004681372549019607, 1.705882352941178, 0.5537912713472486, 1.7000479604719883, 2.661376081263394},
			1e-12},
		{"one spike", steps(8, 300), spiked,
			Fit{-0.05952380952380944, 295, 0.026099302626633625, -0.4009892578020664, 8}, 1e-12},
	} {
		got, ok := Regress(test.x, test.y)
		if !ok {
			t.Errorf("%s: not ok", test.name)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(test.tol, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// NIST Statistical Reference Datasets, linear regression, Norris: certified values (www.itl.nist.gov/div898/strd).
func TestRegressNorris(t *testing.T) {
	points := [][2]float64{ // y, x
		{0.1, 0.2}, {338.8, 337.4}, {118.1, 118.2}, {888.0, 884.6}, {9.2, 10.1}, {228.1, 226.5}, {668.5, 666.3},
		{998.5, 996.3}, {449.1, 448.6},
		{778.9, 777.0}, {559.2, 558.2}, {0.3, 0.4}, {0.1, 0.6}, {778.1, 775.5}, {668.8, 666.9}, {339.3, 338.0},
		{448.9, 447.5}, {10.8, 11.6},
		{557.7, 556.0}, {228.3, 228.1}, {998.0, 995.8}, {888.8, 887.6}, {119.6, 120.2}, {0.3, 0.3}, {0.6, 0.3},
		{557.6, 556.8}, {339.3, 339.1},
		{888.0, 887.2}, {998.5, 999.0}, {778.9, 779.0}, {10.2, 11.1}, {117.6, 118.3}, {228.9, 229.2}, {668.4, 669.1},
		{449.2, 448.9}, {0.2, 0.5},
	}
	slices.SortStableFunc(points, func(a, b [2]float64) int {
		if a[1] < b[1] {
			return -1
		}
		return 1
	})
	var x, y []float64
	for _, p := range points {
		y, x = append(y, p[0]), append(x, p[1])
	}
	got, ok := Regress(x, y)
	want := Fit{Intercept: -0.262323073774029, Slope: 1.00211681802045, R2: 0.999993745883712}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0),
		cmpopts.IgnoreFields(Fit{}, "T", "EffectivePoints")); diff != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, diff)
	}
}

// Slope, t and effective points of time in a regression on time and load together, by the script of
// TestRegressReference with X = statsmodels.api.add_constant(np.column_stack([x, z])): regressing what the load leaves
// of both must give the same.
func TestPartialReference(t *testing.T) {
	for _, test := range []struct {
		name    string
		x, y, z []float64
		want    Fit
		ok      bool
		tol     float64 // relative
	}{
		{"grows by itself", steps(10, 60), []float64{210, 232, 225, 251, 262, 249, 280, 301, 290, 312},
			[]float64{5, 9, 6, 10, 11, 7, 12, 15, 11, 14},
			Fit{Slope: 0.11315155497152707, T: 24.461307386584146, EffectivePoints: 8.464858944061639}, true, 1e-12},
		{"follows the load", steps(10, 60), []float64{11, 21, 20, 32, 29, 41, 50, 52, 59, 62},
			[]float64{1, 2, 2, 3, 3, 4, 5, 5, 6, 6},
			Fit{Slope: 0.0025, T: 0.16982023612419014, EffectivePoints: 10}, true, 1e-11},
		{"constant load", steps(12, 300), drifting, make([]float64, 12), // as without it
			Fit{0.007109557109557109, 100.26923076923077, 0.8935775762698839, 6.0499480887283745, 5.2310085054678},
			true, 1e-12},
		{"load tells time", steps(12, 300), drifting, steps(12, 7), Fit{}, false, 0},
		{"too few points", steps(4, 300), drifting[:4], []float64{1, 5, 2, 3}, Fit{}, false, 0},
	} {
		got, ok := new(fitter).partial(test.x, test.y, test.z)
		if ok != test.ok {
			t.Errorf("%s: ok is %v", test.name, ok)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(test.tol, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Shifting and scaling either axis changes the line and nothing else.
func TestRegressShape(t *testing.T) {
	x := steps(12, 300)
	want, _ := Regress(x, drifting)
	for _, test := range []struct {
		name string
		x, y []float64
		want Fit
		tol  float64 // relative
	}{
		{"later", shifted(x, 1.7e9), drifting, Fit{want.Slope, want.Intercept - 1.7e9*want.Slope, want.R2, want.T,
			want.EffectivePoints}, 1e-12},
		{"higher", x, shifted(drifting, 1e15), Fit{want.Slope, want.Intercept + 1e15, want.R2, want.T,
			want.EffectivePoints}, 1e-12},
		{"other unit", x, scaled(drifting, 1e-9), Fit{want.Slope * 1e-9, want.Intercept * 1e-9, want.R2, want.T,
			want.EffectivePoints}, 1e-12},
		{"huge", x, scaled(drifting, 1e97), Fit{want.Slope * 1e97, want.Intercept * 1e97, want.R2, want.T,
			want.EffectivePoints}, 1e-12},
		{"upside down", x, scaled(drifting, -1), Fit{-want.Slope, -want.Intercept, want.R2, -want.T,
			want.EffectivePoints}, 1e-12},
		{"slower", scaled(x, 144), drifting, Fit{want.Slope / 144, want.Intercept, want.R2, want.T,
			want.EffectivePoints}, 1e-12},
	} {
		got, ok := Regress(test.x, test.y)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(test.tol, 0)); diff != "" || !ok {
			t.Errorf("%s: ok %v (-want +got):\n%s", test.name, ok, diff)
		}
	}
}

// Worked by hand: 2.61550425 ln(1/0.10642242) = 5.859616, 16 ln(1e9) = 331.572, 5 ln(2) = 3.465736.
func TestNats(t *testing.T) {
	regressed := func(y []float64) Fit {
		f, ok := Regress(steps(len(y), 300), y)
		if !ok {
			t.Fatal("no fit")
		}
		return f
	}
	for _, test := range []struct {
		name string
		fit  Fit
		want float64
	}{
		{"no fit", Fit{}, 0},
		{"half of the variance", Fit{Slope: 1, R2: .5, EffectivePoints: 10}, 3.465736},
		{"correlated residuals", regressed(drifting), 5.859616},
		{"other unit", regressed(scaled(drifting, 1e-9)), 5.859616},
		{"falling", regressed(falling), 0},
		{"flat", regressed(make([]float64, 12)), 0},
		{"exact", regressed(steps(Buckets, 7)), 331.572},
	} {
		if got := test.fit.Nats(); math.Abs(got-test.want) > 1e-5*test.want {
			t.Errorf("%s: %.7g nats, want %.7g", test.name, got, test.want)
		}
	}
}

func TestRegressEdges(t *testing.T) {
	flat := func(v float64, n int) []float64 { return shifted(make([]float64, n), v) }
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		name string
		x, y []float64
		want Fit
		ok   bool
	}{
		{"nothing", nil, nil, Fit{}, false},
		{"three points", steps(3, 1), []float64{1, 2, 3}, Fit{}, false},
		{"one instant", flat(7, 5), drifting[:5], Fit{}, false},
		{"not a number", steps(5, 1), []float64{1, 2, nan, 4, 5}, Fit{}, false},
		{"not a number first", steps(5, 1), []float64{nan, 2, 3, 4, 5}, Fit{}, false},
		{"infinite", steps(5, 1), []float64{1, 2, 3, 4, inf}, Fit{}, false},
		{"instant not a number", []float64{0, 1, nan, 3, 4}, drifting[:5], Fit{}, false},
		{"overflows", steps(4, 1), []float64{1e308, -1e308, 1e308, -1e308}, Fit{}, false},
		{"flat", steps(32, 300), flat(0.1, 32), Fit{Intercept: 0.1, EffectivePoints: 32}, true},
		{"flat and odd", steps(11, 300), flat(0.7, 11), Fit{Intercept: 0.7, EffectivePoints: 11}, true},
		{"flat and huge", steps(10, 300), flat(1e15/3, 10), Fit{Intercept: 1e15 / 3, EffectivePoints: 10}, true},
		{"flat below zero", steps(10, 300), flat(-0.1, 10), Fit{Intercept: -0.1, EffectivePoints: 10}, true},
		{"too small to square", steps(4, 1), []float64{0, 5e-324, 1e-320, 2e-320}, Fit{EffectivePoints: 4}, true},
		{"exact line", steps(8, 4), []float64{3, 4, 5, 6, 7, 8, 9, 10}, Fit{0.25, 3, 1, MaxT, 8}, true},
		{"exact fall", steps(8, 4), []float64{3, 2, 1, 0, -1, -2, -3, -4}, Fit{-0.25, 3, 1, -MaxT, 8}, true},
		{"symmetric", steps(5, 1), []float64{0, 1, 3, 1, 0}, Fit{Intercept: 1, EffectivePoints: 5}, true},
	} {
		got, ok := Regress(test.x, test.y)
		if ok != test.ok {
			t.Errorf("%s: ok is %v", test.name, ok)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-15, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestRegressMisuse(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("x and y of different lengths do not panic")
		}
	}()
	Regress(steps(5, 1), steps(4, 1))
}

// floats reads values from raw bytes, so that the fuzzer reaches every bit pattern.
func floats(raw []byte) (v []float64) {
	for ; len(raw) >= 8; raw = raw[8:] {
		v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
	}
	return v
}

func raw(v ...float64) (b []byte) {
	for _, a := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(a))
	}
	return b
}

// Whatever goes in, what comes out is finite and within its range.
func FuzzRegress(f *testing.F) {
	f.Add(raw(steps(12, 300)...), raw(drifting...), raw(walking...))
	f.Add(raw(steps(8, 1e-300)...), raw(spiked...), raw(1e308, -1e308, 1, 2, 3, 4, 5, 6))
	f.Add(raw(0, 1, math.Inf(1), 3, 4), raw(math.NaN(), 1e308, -1e308, 5e-324, 0), raw(1, 1, 1, 1, 1))
	f.Fuzz(func(t *testing.T, rawX, rawY, rawZ []byte) {
		x, y, z := floats(rawX), floats(rawY), floats(rawZ)
		n := min(len(x), len(y), len(z))
		x, y, z = x[:n], y[:n], z[:n]
		fit, ok := Regress(x, y)
		checkFit(t, fit, ok, n)
		fit, ok = new(fitter).partial(x, y, z)
		checkFit(t, fit, ok, n)
	})
}

func checkFit(t *testing.T, f Fit, ok bool, n int) {
	t.Helper()
	if !ok {
		return
	}
	signs := f.Slope == 0 && f.T == 0 || f.Slope > 0 && f.T >= 0 || f.Slope < 0 && f.T <= 0
	points := f.EffectivePoints >= float64(n)*0.999/39 && f.EffectivePoints <= float64(n)
	if !(finite(f.Slope) && finite(f.Intercept) && f.R2 >= 0 && f.R2 <= 1 && math.Abs(f.T) <= MaxT && points && signs) {
		t.Errorf("%+v of %d points", f, n)
	}
}
