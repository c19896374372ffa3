package rivals

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	begin  = 1_000_000 * hour
	second = int64(time.Second)
)

// record makes a recording of one resource in steps.
func record(resource string, step int64, values ...float64) *dataset.Recording {
	r := &dataset.Recording{Name: "r", Series: []dataset.Series{{Resource: resource, Values: values}}}
	for i := range values {
		r.Times = append(r.Times, begin+int64(i)*step)
	}
	return r
}

func withCeiling(r *dataset.Recording, value float64) *dataset.Recording {
	c := []sampler.Ceiling{{Resource: r.Series[0].Resource, Level: value, Source: "test"}}
	r.Ceilings = []dataset.Mark[[]sampler.Ceiling]{{From: 0, Value: c}}
	return r
}

func withRestart(r *dataset.Recording, at int) *dataset.Recording {
	r.Starts = []dataset.Mark[time.Time]{{From: 0, Value: time.Unix(0, begin-hour)},
		{From: at, Value: time.Unix(0, r.Times[at])}}
	return r
}

func course(n int, f func(i int) float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = f(i)
	}
	return values
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

func linear(start, slope float64) func(int) float64 {
	return func(i int) float64 { return start + slope*float64(i) }
}

func named(t testing.TB, name string) Rule {
	t.Helper()
	for _, r := range All() {
		if r.Name() == name {
			return r
		}
	}
	t.Fatalf("no rule %s", name)
	return Rule{}
}

// TestRules gives the instants of the alarms, in steps from the begin, each worked out by hand.
func TestRules(t *testing.T) {
	t.Parallel()
	// at40 goes 10, 11, ... and holds still from the 40th sample on.
	at40 := func(i int) float64 { return 10 + float64(min(i, 40)) }
	tests := []struct {
		rule, name string
		rec        *dataset.Recording
		want       []float64 // in steps
	}{
		// 10 + 51 is the first to exceed the start by more than 50.
		{"fixed delta", "goroutines", record("goroutines", minute, course(100, linear(10, 1))...), []float64{51}},
		{"fixed delta", "again after the cooldown", record("goroutines", minute, 0, 51, 52, 50, 51, 50, 50, 50, 50, 50,
			51), []float64{1, 10}},
		{"fixed delta", "a new start after a restart", withRestart(record("goroutines", minute, 0, 51, 51, 100, 102),
			2), []float64{1, 4}},
		{"fixed delta", "descriptors", record("open_fds", minute, 0, 100, 101), []float64{2}},
		{"fixed delta", "memory", record("rss_bytes", minute, 7, 7+100*mb, 8+100*mb), []float64{2}},
		{"fixed delta", "knows no threads", record("threads", minute, 0, 1e6), nil},

		// All in integers. 126: the mean is 1026/10 = 102, and 102*125/100 = 127. 132: the ten are seven of 100, 126,
		// 100, 132, their mean 105, and 105*125/100 = 131.
		{"holmes", "jump", record("goroutines", minute, append(course(10, constant(100)), 126, 100, 132)...),
			[]float64{12}},
		{"holmes", "least", record("goroutines", minute, append(course(10, constant(4)), 9)...), nil},
		{"holmes", "absolute", record("goroutines", minute, append(course(10, constant(1990)), 2000, 2001)...),
			[]float64{11}},
		{"holmes", "most", record("goroutines", minute, append(course(10, constant(1990)), 10000)...), nil},
		{"holmes", "warm-up of nine", record("goroutines", minute, course(12, constant(3000))...), []float64{9}},
		{"holmes", "one sample in five seconds", record("goroutines", second, course(60, constant(3000))...),
			[]float64{45}},
		{"holmes", "share of the limit",
			withCeiling(record("rss_bytes", minute, append(course(10, constant(300)), 450)...), 1000), []float64{10}},
		{"holmes", "memory without a limit", record("rss_bytes", minute, append(course(10, constant(300)), 450)...),
			nil},
		{"holmes", "restart", withRestart(record("goroutines", minute, course(24, constant(3000))...), 12),
			[]float64{9, 21}},

		// Slope > 0 from the second sample on, for an hour.
		{"deriv", "growth", record("goroutines", minute, course(100, linear(10, 1))...), []float64{61}},
		{"deriv", "flat", record("goroutines", minute, course(300, constant(1e9/3))...), nil},
		{"deriv", "fall", record("goroutines", minute, course(300, linear(1000, -1))...), nil},
		// It holds still from 40 on, so the last hour is flat from 100 on: that ends the alarm.
		{"deriv", "still", record("goroutines", minute, course(300, at40)...), []float64{61}},

		// From 0 by 1 a minute: in 24 h it grows by 1440, and t + 1440 > 1500.5 from t = 61 on, for an hour.
		{"predict_linear", "reaches", withCeiling(record("open_fds", minute, course(200, linear(0, 1))...), 1500.5),
			[]float64{121}},
		{"predict_linear", "not yet", withCeiling(record("open_fds", minute, course(121, linear(0, 1))...), 1500.5),
			nil},
		{"predict_linear", "no limit", record("open_fds", minute, course(1000, linear(0, 1))...), nil},

		// The window is covered, but for a twentieth, after 5.7 h: 68.4 steps. It grows from the first on.
		{"Mann-Kendall", "growth", record("goroutines", 5*minute, course(100, linear(0, 1))...), []float64{68.4}},
		{"Mann-Kendall", "flat", record("goroutines", 5*minute, course(200, constant(7))...), nil},
		{"Mann-Kendall", "fall", record("goroutines", 5*minute, course(200, linear(7, -1))...), nil},
		{"OLS t-test", "growth", record("goroutines", 5*minute, course(100, linear(0, 1))...), []float64{68.4}},
		{"OLS t-test", "flat", record("goroutines", 5*minute, course(200, constant(7))...), nil},

		// 2 an hour: with 20 minimums, after 40 steps, the line rises by 46 in 23 hours, above a fifth of where it
		// would begin 24 hours ago, 92.
		{"OLS on minimums", "growth", record("goroutines", hour/2, course(100, linear(100, 1))...), []float64{40}},
		{"OLS on minimums", "too little", record("goroutines", hour/2, course(100, linear(1000, 1))...), nil},
		{"OLS on minimums", "too few", record("goroutines", hour/2, course(40, linear(100, 1))...), nil},

		// 60 medians of 5 minutes end at 300. By 1 a minute it is 10,080 in 7 days.
		{"LBR", "reaches", withCeiling(record("open_fds", minute, course(400, linear(0, 1))...), 10_000),
			[]float64{300}},
		{"LBR", "later", withCeiling(record("open_fds", minute, course(400, linear(0, 1))...), 11_000), nil},
		{"LBR", "no limit", record("open_fds", minute, course(400, linear(0, 1))...), nil},

		// The first 60 are 99 and 101: deviation about 1.008. Then 111 adds (11-0)/1.008-.5 = 10.41 a minute: over 50
		// with the fifth, which is known at minute 65.
		{"CUSUM", "step", record("goroutines", minute, append(course(60, func(i int) float64 {
			return 99 + float64(i%2)*2
		}),
			course(20, constant(111))...)...), []float64{65}},
		{"CUSUM", "in control", record("goroutines", minute, course(500, func(i int) float64 {
			return 99 + float64(i%2)*2
		})...), nil},

		// 80 % of the hour are 48 samples, at minute 47. Then 240 MB an hour, over what the line had an hour before,
		// are more than 10 %: for 15 minutes.
		{"coroot", "growth", record("rss_bytes", minute, course(100, linear(1000*mb, 4*mb))...), []float64{62}},
		{"coroot", "less than 50 MB", record("rss_bytes", minute, course(100, linear(100*mb, mb/2))...), nil},
		{"coroot", "less than 10 %", record("rss_bytes", minute, course(100, linear(3000*mb, 4*mb))...), nil},
		{"coroot", "5 % of the limit", withCeiling(record("rss_bytes", minute, course(100, linear(100*mb, mb/2))...),
			500*mb), []float64{62}},
		{"coroot", "came to rest", record("rss_bytes", minute, course(100, func(i int) float64 {
			return 1000*mb + 10*mb*float64(min(i, 40))
		})...), nil},
		{"coroot", "bytes only", record("goroutines", minute, course(100, linear(1e9, 4*mb))...), nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			step := tt.rec.Times[1] - tt.rec.Times[0]
			var got []float64
			for _, f := range named(t, tt.rule).Run(tt.rec) {
				if f.Resource != tt.rec.Series[0].Resource {
					t.Errorf("alarm of %s", f.Resource)
				}
				got = append(got, float64(f.At-begin)/float64(step))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestAlarm walks through hold and keep.
func TestAlarm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		hold, keep int64
		holds      string // one character a step
		want       []int64
	}{
		{0, 0, "-++-+", []int64{1, 4}},
		{2, 0, "++-+++-+++", []int64{5, 9}},
		{0, 2, "+-+--+", []int64{0, 5}},
		{0, 3, "+--+--+", []int64{0}},
	}
	for _, tt := range tests {
		a := alarm{hold: tt.hold, keep: tt.keep}
		for at, c := range tt.holds {
			a.step(int64(at), c == '+')
		}
		if diff := cmp.Diff(tt.want, a.edges); diff != "" {
			t.Errorf("%d %d %s: (-want +got)\n%s", tt.hold, tt.keep, tt.holds, diff)
		}
	}
}

// Reference: scipy 1.10.1. stats.kendalltau(range(20), y, method='asymptotic') has the p value of z =
// 1.3116516715679059, which is S = 40 over the square root of the variance 930; with the correction for continuity it
// is 39 over that.
func TestMannKendall(t *testing.T) {
	t.Parallel()
	y := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4}
	k := newPairs(append([]float64{100, 5, 9}, y...))
	for i := range 23 {
		k.add(i)
	}
	for i := range 3 { // what left the window must leave nothing behind
		k.drop(i)
	}
	if got, want := k.z(), 1.2788603797787081; math.Abs(got-want) > 1e-12 {
		t.Errorf("z = %v, want %v", got, want)
	}
	if got := float64(k.s) / math.Sqrt(930); math.Abs(got-1.3116516715679059) > 1e-12 {
		t.Errorf("without correction z = %v", got)
	}
}

// TestMannKendallSlides compares the running score with one that looks at all pairs.
func TestMannKendallSlides(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	values := course(300, func(i int) float64 { return math.Floor(10*random.Float64() + float64(i)/50) })
	k := newPairs(values)
	const width = 40
	for i := range values {
		k.add(i)
		if i < width {
			continue
		}
		k.drop(i - width)
		in := values[i-width+1 : i+1]
		s, ties := 0, make(map[float64]int)
		for a := range in {
			ties[in[a]]++
			for b := a + 1; b < width; b++ {
				switch {
				case in[b] > in[a]:
					s++
				case in[b] < in[a]:
					s--
				}
			}
		}
		variance := float64(width * (width - 1) * (2*width + 5))
		for _, n := range ties {
			variance -= float64(n * (n - 1) * (2*n + 5))
		}
		want := 0.0
		if s != 0 {
			want = (float64(s) - math.Copysign(1, float64(s))) / math.Sqrt(variance/18)
		}
		if got := k.z(); math.Abs(got-want) > 1e-12 {
			t.Fatalf("at %d: z = %v, want %v", i, got, want)
		}
	}
}

// Reference: scipy 1.10.1, stats.linregress(60*arange(20), y): slope, rvalue**2 and the value at 1200.
func TestWindowFit(t *testing.T) {
	t.Parallel()
	y := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4}
	before := []float64{50, -20, 33.3}
	s := newSeries(recordAndSeries(append(before, y...)))
	w := &window{s: s, span: 20 * minute}
	for i := range s.times {
		w.to(s.times[i])
	}
	got, ok := w.fit(s.last() + minute)
	want := line{slope: 0.0021929824561403503, value: 6.23157894736842, r2: 0.08309749472924459}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{}), cmpopts.EquateApprox(1e-8, 0)); !ok || diff != "" {
		t.Errorf("ok %v (-want +got)\n%s", ok, diff)
	}
}

func recordAndSeries(values []float64) (*dataset.Recording, *dataset.Series) {
	r := record("goroutines", minute, values...)
	return r, &r.Series[0]
}

// TestWindowStaysExact slides over many readings of large values and compares with a fresh fit.
func TestWindowStaysExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	s := newSeries(recordAndSeries(course(5000, func(i int) float64 {
		return 3e10 + 1e7*random.Float64() + float64(i)
	})))
	w := &window{s: s, span: hour}
	for i := range s.times {
		w.to(s.times[i])
		if i < 2 || i%97 != 0 {
			continue
		}
		fresh := &window{s: s, span: hour, lo: w.lo, hi: w.hi, same: w.same}
		fresh.refresh()
		got, _ := w.fit(s.times[i])
		want, _ := fresh.fit(s.times[i])
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{}), cmpopts.EquateApprox(1e-6, 1e-9)); diff != "" {
			t.Fatalf("at %d: (-want +got)\n%s", i, diff)
		}
	}
}

func TestLongestPiece(t *testing.T) {
	t.Parallel()
	tests := []struct {
		values []float64
		lo, hi int
	}{
		{[]float64{1, 2, 3}, 0, 3},
		{[]float64{10, 4, 5, 6}, 1, 4},
		{[]float64{10, 11, 5, 6}, 0, 2}, // as long as the second: the first
		{[]float64{10, 5, 5}, 0, 3},     // half is no fall
		{[]float64{0, 0, -1}, 0, 3},
	}
	for _, tt := range tests {
		if lo, hi := longestPiece(tt.values, 0, len(tt.values)); lo != tt.lo || hi != tt.hi {
			t.Errorf("%v: %d to %d, want %d to %d", tt.values, lo, hi, tt.lo, tt.hi)
		}
	}
}

// TestNoRuleFailsOn hard input: gaps, few samples, equal times of the day missing, extreme values.
func TestNoRuleFailsOn(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	gaps := record("goroutines", minute, course(3000, func(i int) float64 {
		if i%3 == 0 || i > 1000 && i < 2500 {
			return nan
		}
		return float64(i)
	})...)
	recs := map[string]*dataset.Recording{
		"nothing read": record("goroutines", minute, nan, nan),
		"one sample":   withCeiling(record("rss_bytes", minute, 5), 10),
		"two samples":  withCeiling(record("rss_bytes", day, 5, 6), 10),
		"gaps":         withCeiling(gaps, 5000),
		"extreme": withCeiling(record("rss_bytes", minute, course(2000, func(i int) float64 {
			return 1e150 * float64(i%7-3)
		})...), 1e151),
		"no ceiling": withCeiling(record("open_fds", minute, course(2000, linear(1, 1))...), 0),
	}
	for name, rec := range recs {
		for _, rule := range All() {
			t.Run(name+"/"+rule.Name(), func(t *testing.T) {
				firings := rule.Run(rec)
				for i, f := range firings {
					if f.At < rec.Times[0] || f.At > rec.Times[len(rec.Times)-1] || i > 0 && f.At < firings[i-1].At {
						t.Errorf("alarm %d of %v is out of order or out of the recording", i, firings)
					}
				}
			})
		}
	}
}

func TestAllAreNamed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, r := range All() {
		if r.Name() == "" || r.Source() == "" || seen[r.Name()] {
			t.Errorf("rule %q from %q", r.Name(), r.Source())
		}
		seen[r.Name()] = true
	}
}

func BenchmarkRule(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 6))
	rec := withCeiling(record("rss_bytes", 30*second, course(10_000, func(i int) float64 {
		return 1e8 + 1e7*math.Sin(float64(i)/500) + 1e6*random.NormFloat64() + 1e3*float64(i)
	})...), 1e9)
	for _, rule := range All() {
		b.Run(rule.Name(), func(b *testing.B) {
			for b.Loop() {
				rule.Run(rec)
			}
		})
	}
}

func ExampleRule_Source() {
	fmt.Println(All()[4].Name(), "-", All()[4].Source())
	// Output: deriv - Prometheus deriv(x[1h]) > 0 for 1h
}
