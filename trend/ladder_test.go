package trend

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const second = int64(1e9)

// reading is one call of Add, or of Advance where it has no value.
type reading struct {
	at           int64
	value, level float64
	none         bool
}

// memory is all that a ladder knows of its closed buckets.
type memory struct {
	Began int64
	Count [Widths]int64
	Kept  [Widths][]bucket // oldest first
}

func remembered(l *Ladder) (m memory) {
	m.Began = l.start
	for w := range l.rings {
		r := &l.rings[w]
		m.Count[w] = r.count
		for i := r.oldest(); i < r.count; i++ {
			m.Kept[w] = append(m.Kept[w], *r.at(i))
		}
	}
	return m
}

// naive works out from all readings what a ladder must know of them.
func naive(epoch, finest int64, readings []reading) memory {
	number := func(r reading) int64 { return (r.at - epoch) / finest }
	start := 0 // after the latest gap as long as the memory
	open := int64(0)
	for i, r := range readings {
		if number(r)-open >= 288*33 {
			start = i
		}
		open = max(open, number(r))
	}
	m := memory{Began: -1}
	type fine struct {
		number, n    int64
		minimum, sum float64
	}
	var finer []fine // those in which something was read
	for _, r := range readings[start:] {
		if r.none {
			continue
		}
		if m.Began < 0 {
			m.Began = r.at - epoch
		}
		if n := len(finer); n == 0 || finer[n-1].number != number(r) {
			finer = append(finer, fine{number: number(r), minimum: r.value})
		}
		f := &finer[len(finer)-1]
		f.minimum, f.sum, f.n = min(f.minimum, r.value), f.sum+r.value, f.n+1
	}
	for w, width := range []int64{1, 4, 16, 72, 288} {
		m.Count[w] = open / width
		kept := map[int64]bucket{}
		next := start // first reading past the bucket: the one that closed it
		full := 0
		for rest := finer; len(rest) > 0 && rest[0].number/width < m.Count[w]; {
			i := rest[0].number / width
			b := bucket{minimum: math.Inf(1)}
			n := 0
			for n < len(rest) && rest[n].number/width == i {
				b.minimum = min(b.minimum, rest[n].minimum)
				b.mean += rest[n].sum / float64(rest[n].n)
				n++
			}
			rest = rest[n:]
			for number(readings[next])/width <= i {
				next++
			}
			full = max(full, n)
			if n*2 >= full || int64(full)*8 <= width { // of sparse values each counts
				b.mean /= float64(n)
				b.level = readings[next].level
				kept[i] = b
			} else {
				full -= (full + 3) / 4
			}
		}
		for i := max(0, m.Count[w]-32); i < m.Count[w]; i++ {
			b, ok := kept[i]
			if !ok {
				b = bucket{math.NaN(), math.NaN(), math.NaN()}
			}
			m.Kept[w] = append(m.Kept[w], b)
		}
	}
	return m
}

// replay feeds readings to a ladder and checks on the way what Closes and the results say.
func replay(t *testing.T, l *Ladder, epoch, finest int64, readings []reading) {
	t.Helper()
	last := epoch + l.open*finest
	for i, r := range readings {
		want := uint8(0)
		for w, width := range []int64{1, 4, 16, 72, 288} {
			if (r.at-epoch)/(width*finest) > (last-epoch)/(width*finest) {
				want |= 1 << w
			}
		}
		if got := l.Closes(r.at); got != (want != 0) {
			t.Fatalf("reading %d: Closes is %v, want %v", i, got, want != 0)
		}
		var got uint8
		if r.none {
			got = l.Advance(r.at, r.level)
		} else {
			got = l.Add(r.at, r.value, r.level)
		}
		if got != want {
			t.Fatalf("reading %d closes %05b, want %05b", i, got, want)
		}
		last = r.at
	}
}

func checkMemory(t *testing.T, name string, l *Ladder, epoch, finest int64, readings []reading) {
	t.Helper()
	diff := cmp.Diff(naive(epoch, finest, readings), remembered(l), cmp.AllowUnexported(bucket{}), cmpopts.EquateNaNs())
	if diff != "" {
		t.Fatalf("%s, %d readings (-want +got):\n%s", name, len(readings), diff)
	}
}

func TestLadderAgainstNaive(t *testing.T) {
	const day = 24 * 3600 * second
	random := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct {
		name     string
		every    int64 // between readings, plus or minus half
		n        int
		gap      float64 // chance that one follows
		gapRange [2]int64
		scale    float64
	}{
		{"a second, two hours", second, 7200, 0, [2]int64{}, 1},
		{"half a minute with gaps of hours", 30 * second, 4000, .01, [2]int64{60 * second, 10 * 3600 * second}, 1},
		{"as long as the finest bucket", 300 * second, 4000, .02, [2]int64{300 * second, 6000 * second}, 1},
		{"longer than the finest bucket", 700 * second, 4000, .01, [2]int64{3600 * second, day}, 1},
		{"longer than the second width", 2000 * second, 3000, .01, [2]int64{3600 * second, 3 * day}, 1},
		{"rarer than the coarsest bucket", 2 * day, 100, .05, [2]int64{day, 5 * day}, 1},
		{"gaps about as long as the memory", 3600 * second, 600, .02, [2]int64{20 * day, 40 * day}, 1},
		{"gaps of months", 600 * second, 1000, .01, [2]int64{60 * day, 400 * day}, 1},
		{"soak of 20 minutes", second, 4000, .01, [2]int64{second, 2000 * second}, 1. / 144},
		{"stretched", 3600 * second, 3000, .02, [2]int64{day, 30 * day}, 12.5},
	} {
		epoch := 1_700_000_000*second + random.Int64N(day)
		finest := int64(300e9 * test.scale)
		at := epoch + random.Int64N(2*day)*int64(random.IntN(2)) // appears at once, or late
		var readings []reading
		for i := range test.n {
			r := reading{at: at, value: 100 * random.NormFloat64(), level: float64(i), none: random.IntN(50) == 0}
			readings = append(readings, r)
			at += test.every/2 + random.Int64N(test.every+1)
			if random.Float64() < test.gap {
				at += test.gapRange[0] + random.Int64N(test.gapRange[1]-test.gapRange[0])
			}
		}
		l := NewLadder(epoch, test.scale)
		for from := 0; from < len(readings); {
			to := min(len(readings), from+1+random.IntN(test.n/5))
			replay(t, l, epoch, finest, readings[from:to])
			checkMemory(t, test.name, l, epoch, finest, readings[:to])
			from = to
		}
	}
}

// A bucket that is mostly gap has no minimum: half of the most that its width ever held is the least.
func TestLadderGaps(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name     string
		minutes  []int64 // at which something is read; its value is the minute
		until    int64
		minimums []float64 // of the 20 min buckets
	}{
		{"whole", []int64{0, 5, 10, 15, 20, 25, 30, 35}, 40, []float64{0, 20}},
		{"half read", []int64{0, 5, 10, 15, 20, 35}, 40, []float64{0, 20}},
		{"mostly gap", []int64{0, 5, 10, 15, 39}, 40, []float64{0, nan}},
		{"appears late", []int64{38, 40, 45, 50, 55, 60}, 80, []float64{nan, 38, 40, nan}},
		{"sampled every 10 minutes", []int64{0, 10, 20, 30, 45, 60}, 80, []float64{0, 20, 45, 60}},
		{"sampled every 20 minutes", []int64{1, 21, 39, 65}, 80, []float64{1, 21, nan, 65}},
		{"gap from edge to edge", []int64{0, 5, 10, 15, 40, 45, 50, 55}, 60, []float64{0, nan, 40}},
		{"gap across an edge", []int64{0, 5, 25, 30, 35}, 40, []float64{0, 25}},
	} {
		l := NewLadder(0, 1)
		for _, minute := range test.minutes {
			l.Add(minute*60*second, float64(minute), 0)
		}
		l.Advance(test.until*60*second, 0)
		var got []float64
		for _, b := range remembered(l).Kept[1] {
			got = append(got, b.minimum)
		}
		if diff := cmp.Diff(test.minimums, got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLadderFloor(t *testing.T) {
	type minimum struct {
		Floor float64
		OK    bool
	}
	l := NewLadder(0, 1)
	tell := func() (f minimum) {
		f.Floor, f.OK = l.Minimum(0)
		if math.IsNaN(f.Floor) {
			f.Floor = 0
		}
		return f
	}
	got := []minimum{tell()}
	for _, v := range []float64{7, -3, 5} {
		l.Add(100*second, v, 0)
	}
	got = append(got, tell()) // still open
	l.Advance(300*second, 0)
	got = append(got, tell())
	l.Advance(600*second, 0) // an empty one
	got = append(got, tell())
	if diff := cmp.Diff([]minimum{{}, {}, {-3, true}, {}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLadderWidths(t *testing.T) {
	for _, test := range []struct {
		scale float64
		want  [Widths]int64 // seconds
	}{
		{1, [Widths]int64{300, 1200, 4800, 6 * 3600, 24 * 3600}},
		{2, [Widths]int64{600, 2400, 9600, 12 * 3600, 48 * 3600}},
	} {
		var got [Widths]int64
		for w := range got {
			got[w] = NewLadder(0, test.scale).Width(w) / second
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("scale %g (-want +got):\n%s", test.scale, diff)
		}
	}
	for _, scale := range []float64{0, -1, 1e-12, 1.2e5, math.NaN(), math.Inf(1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("scale %g does not panic", scale)
				}
			}()
			NewLadder(0, scale)
		}()
	}
}

func TestPace(t *testing.T) {
	type rate struct {
		Slope float64
		OK    bool
	}
	for _, test := range []struct {
		name   string
		values []float64 // one every 5 min; NaN = not read
		want   rate
	}{
		{"three floors", []float64{1, 2, 3}, rate{}},
		{"four floors", []float64{3, 6, 9, 12}, rate{0.01, true}},
		{"with a gap", []float64{3, math.NaN(), 9, 12, math.NaN(), 18}, rate{0.01, true}},
		{"flat", []float64{.1, .1, .1, .1, .1, .1}, rate{0, true}},
		{"the latest twelve", []float64{1e6, -1e6, 1e6, 0, -3, -6, -9, -12, -15, -18, -21, -24, -27, -30, -33},
			rate{-0.01, true}},
	} {
		l := NewLadder(0, 1)
		for i, v := range test.values {
			if !math.IsNaN(v) {
				l.Add(int64(i)*300*second, v, 0)
			}
		}
		l.Advance(int64(len(test.values))*300*second, 0)
		var got rate
		got.Slope, got.OK = l.Rate()
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLadderCost(t *testing.T) {
	if size := unsafe.Sizeof(Ladder{}); size > 5<<10 {
		t.Errorf("a ladder takes %d bytes", size)
	}
	l, load := leaking(), leaking()
	at := l.epoch + l.open*l.finest
	params := Params{Required: 12 * 3600e9, MinGrowth: .2, Offset: 4, Scale: 1}
	if n := testing.AllocsPerRun(1000, func() { at += 100 * second; l.Add(at, 1, 1); load.Add(at, 1, 1) }); n != 0 {
		t.Errorf("Add allocates %g times", n)
	}
	l, load = leaking(), leaking()
	var sustained int
	n := testing.AllocsPerRun(10, func() {
		for w := range Widths {
			if l.Judge(w, params, load).Reason == Sustained {
				sustained++
			}
		}
		l.Rate()
	})
	if n != 0 || sustained == 0 {
		t.Errorf("Judge allocates %g times, with %d sustained climbs", n, sustained)
	}
}

// leaking returns a ladder with 40 days of a leak under noise, sampled every 100 s.
func leaking() *Ladder {
	random := rand.New(rand.NewPCG(5, 6))
	l := NewLadder(1_700_000_000*second, 1)
	for i := range int64(40 * 864) {
		l.Add(l.epoch+i*100*second, 100+float64(i)/50+10*random.Float64(), 100)
	}
	return l
}

// FuzzLadder turns bytes into readings, ten for each: eight of value, two of distance. The distance's top bits choose
// between seconds, minutes, hours and days.
func FuzzLadder(f *testing.F) {
	steady := []byte{}
	for i := range 60 {
		steady = binary.LittleEndian.AppendUint64(steady, math.Float64bits(100+10*float64(i)))
		steady = append(steady, 5, 0x40) // minutes
	}
	f.Add(steady, 1., true)
	f.Add(steady, 1./144, false)
	extreme := []byte{}
	for i := range 40 {
		v := []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, 0, 1e15}[i%5]
		extreme = binary.LittleEndian.AppendUint64(extreme, math.Float64bits(v))
		extreme = append(extreme, byte(i), byte(i*37))
	}
	f.Add(extreme, 1., true)
	f.Fuzz(func(t *testing.T, data []byte, scale float64, withLoad bool) {
		if !(scale >= 1e-6 && scale <= 1e3) || len(data) > 1000 {
			t.Skip()
		}
		const epoch = 1_000_000_000_000_000_000
		l, load := NewLadder(epoch, scale), NewLadder(epoch, scale)
		finest := int64(300e9 * scale)
		at := int64(epoch)
		var readings []reading
		for ; len(data) >= 10; data = data[10:] {
			value := math.Float64frombits(binary.LittleEndian.Uint64(data))
			if math.IsNaN(value) || math.IsInf(value, 0) {
				continue
			}
			code := binary.LittleEndian.Uint16(data[8:])
			unit := float64(second) * []float64{1, 60, 3600, 86400}[code>>14]
			at += int64(float64(code&0x3ff) * unit * min(scale, 1))
			if at < 0 || at > math.MaxInt64/2 {
				break
			}
			value = min(max(value, -maxMagnitude), maxMagnitude)
			readings = append(readings, reading{at: at, value: value, level: value / 2})
			if code&1 == 0 {
				load.Add(at, value/3, 0)
			}
		}
		replay(t, l, epoch, finest, readings)
		if len(readings) > 0 {
			checkMemory(t, "fuzz", l, epoch, finest, readings)
		}
		if !withLoad {
			load = nil
		}
		params := Params{Required: 3600e9, MinGrowth: .01, Offset: 4, Ceiling: 1000, Scale: scale}
		for w := range Widths {
			c := l.Judge(w, params, load)
			for name, v := range map[string]float64{"level": c.Level, "base": c.Base, "rise": c.Rise,
				"growth": c.Growth, "kept": c.Kept} {
				if !finite(v) {
					t.Errorf("width %d: %s is %g in %+v", w, name, v, c)
				}
			}
			if c.Fit != (Fit{}) {
				checkFit(t, c.Fit, true, c.Points)
			}
			if c.Reason == Sustained && !(c.Suspect && c.Rise > 0 && c.Fit.Slope > 0 && c.Fit.T >= 4 &&
				c.Growth >= params.MinGrowth) {
				t.Errorf("width %d: sustained by %+v", w, c)
			}
		}
		if slope, _ := l.Rate(); !finite(slope) {
			t.Errorf("rate is %g", slope)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	l := NewLadder(0, 1)
	at := int64(0)
	for b.Loop() {
		at += 30 * second
		l.Add(at, float64(at&1023), 500)
	}
}

// Values that come more rarely than before are a gap for some buckets only.
func TestLadderOfRarerValues(t *testing.T) {
	l := NewLadder(0, 1)
	missing := func(w int, from, to, every time.Duration) (n int) {
		for at := from; at < to; at += every {
			if closed := l.Add(int64(at), 1, 1); closed&(1<<w) != 0 {
				if _, ok := l.Minimum(w); !ok {
					n++
				}
			}
		}
		return n
	}
	const day = 24 * time.Hour
	got := []int{missing(1, 0, day, 5*time.Minute), missing(1, day, 2*day, 20*time.Minute),
		missing(3, 2*day, 9*day, 2*time.Hour)}
	// 20 min have four values, then one, which is less than half of 4 and 3, but not of 2. 6 h have 72, later 18, for
	// which 54, 40 and 30 are expected, and then 3, for which it is 22, 16 and 12, and 9, which is an eighth of 72: so
	// few are sparse.
	if want := []int{0, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("buckets without a floor: %v, want %v", got, want)
	}
}
