package generate

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/sampler"
)

var exactly = cmpopts.EquateNaNs()

func TestFamilies(t *testing.T) {
	var got []string
	for _, f := range Families() {
		kind := "healthy"
		switch {
		case f.Leaks && f.Ambiguous:
			t.Errorf("%s leaks and is ambiguous", f.Name)
		case f.Leaks:
			kind = "leaks"
		case f.Ambiguous:
			kind = "ambiguous"
		}
		if f.Sentence == "" {
			t.Errorf("%s has no sentence", f.Name)
		}
		name := kind + " " + f.Name
		if f.Later {
			name += ", later"
		}
		got = append(got, name)
	}
	want := []string{
		"healthy white_noise", "healthy ar_noise", "healthy bursts", "healthy gc_sawtooth", "healthy warm_up",
		"healthy day_cycle",
		"ambiguous day_cycle_from_minimum", "healthy week_cycle", "ambiguous load_ramp", "healthy step_up",
		"healthy step_down",
		"healthy staircase", "healthy slow_wander", "healthy pool_sawtooth", "ambiguous cache_fill",
		"healthy batch_jobs",
		"healthy small_counts", "healthy known_restarts", "healthy unknown_restarts", "healthy allocator_plateaus",
		"healthy connections", "ambiguous load_for_days",
		"ambiguous weekly_fall, later", "healthy few_readings, later", "healthy four_hourly_readings, later",
		"healthy zero_readings, later",
		"healthy nightly_restarts, later",
		"leaks constant_leak", "leaks load_leak", "leaks intermittent_leak", "leaks leak_under_sawtooth",
		"leaks leak_under_spikes",
		"leaks accelerating_leak", "leaks one_descriptor_an_hour", "leaks leak_in_warm_up", "leaks late_leak",
		"leaks leak_with_restarts", "leaks leak_behind_step_down", "leaks leak_under_day_cycle", "leaks leak_in_pool",
		"leaks leak_under_gc",
		"leaks leak_under_peaks, later", "leaks few_readings_leak, later", "leaks four_hourly_leak, later",
		"leaks zero_readings_leak, later", "leaks oom_saw, later", "leaks leak_from_start, later",
		"leaks sudden_leak, later",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
}

// The figures of earlier measurements hold only as long as the same seed gives the same series.
func TestSameSeedSameSeries(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors fuse multiplication and addition, which can move a rounded value by one")
	}
	want := map[string]uint64{
		"white_noise/0":         10055654340266674713,
		"load_for_days/3":       15340315958027830898,
		"known_restarts/1":      11121277733162251848,
		"intermittent_leak/2":   1628258912653626732,
		"leak_under_gc/7":       18205664909268168031,
		"leak_with_restarts/11": 8141606690953318146,
	}
	got := make(map[string]uint64)
	for name := range want {
		family, number, _ := strings.Cut(name, "/")
		var index int
		fmt.Sscan(number, &index)
		got[name] = hash(One(Options{Seed: 42, Load: true, Ceilings: true}, family, index))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hashes (-want +got):\n%s", diff)
	}
}

func hash(r *dataset.Recording) uint64 {
	h := fnv.New64a()
	put := func(v any) { _ = binary.Write(h, binary.LittleEndian, v) }
	put(r.Times)
	for _, s := range r.Series {
		put(s.Values)
		put([]int64{s.Truth.From, s.Truth.Doubled, s.Truth.Exhausted})
	}
	for _, m := range r.Starts {
		put([]int64{int64(m.From), m.Value.UnixNano()})
	}
	for _, m := range r.Ceilings {
		put(m.Value[0].Level)
	}
	return h.Sum64()
}

func TestOrderDoesNotMatter(t *testing.T) {
	o := Options{Seed: 7, PerFamily: 2, Interval: 5 * time.Minute, Load: true, Ceilings: true}
	want := slices.Collect(Generate(o))
	if len(want) != 2*len(families) {
		t.Fatalf("%d recordings, want %d", len(want), 2*len(families))
	}
	got := make([]*dataset.Recording, len(want))
	o.PerFamily = 0
	var wg sync.WaitGroup
	for i := len(want) - 1; i >= 0; i-- {
		wg.Add(1)
		go func() {
			defer wg.Done()
			got[i] = One(o, families[i/2].Name, i%2)
		}()
	}
	wg.Wait()
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("one after the other and on their own (-want +got):\n%s", diff)
	}
	for r := range Generate(Options{Seed: 7, PerFamily: 1, Interval: time.Hour}) {
		if r.Name != "white_noise/0" {
			t.Errorf("first recording is %s", r.Name)
		}
		break
	}
}

func TestSeedFamilyAndRangesMatter(t *testing.T) {
	seen := make(map[uint64]string)
	for _, family := range []string{"white_noise", "ar_noise"} {
		for index := range 2 {
			for seed := range uint64(2) {
				for _, ranges := range []Split{Tune, Report} {
					name := fmt.Sprint(family, index, seed, ranges)
					h := hash(One(Options{Seed: seed, Ranges: ranges}, family, index))
					if other, ok := seen[h]; ok {
						t.Errorf("%s and %s are the same", name, other)
					}
					seen[h] = name
				}
			}
		}
	}
}

// A measurement with a load or with ceilings is to be compared with one without.
func TestColumnsLeaveTheRestAsItIs(t *testing.T) {
	for _, f := range families {
		bare := One(Options{Seed: 5}, f.Name, 3)
		full := One(Options{Seed: 5, Load: true, Ceilings: true}, f.Name, 3)
		if columns, want := len(full.Series), map[column]int{asRequested: 2, always: 2,
			never: 1}[f.load]; columns != want {
			t.Errorf("%s: %d columns, want %d", f.Name, columns, want)
		}
		if got, want := len(full.Ceilings) > 0, slices.Contains(limited, full.Series[0].Resource); got != want {
			t.Errorf("%s: ceiling of %s: %v", f.Name, full.Series[0].Resource, got)
		}
		full.Ceilings = nil
		full.Series = full.Series[:len(bare.Series)]
		if diff := cmp.Diff(bare, full, exactly); diff != "" {
			t.Errorf("%s (-bare +full):\n%s", f.Name, diff)
		}
	}
}

func TestRecordings(t *testing.T) {
	options := []Options{
		{Seed: 1, Load: true, Ceilings: true},
		{Seed: 2, Load: true, Ceilings: true, Ranges: Report},
		{Seed: 3, Load: true, Ceilings: true, Interval: time.Second, Span: Range{20 * time.Minute, 20 * time.Minute}},
		{Seed: 4, Load: true, Ceilings: true, Interval: time.Hour, Span: Range{20 * time.Hour, 20 * time.Hour}},
	}
	for _, o := range options {
		for _, f := range families {
			for i := range 12 {
				r := One(o, f.Name, i)
				if r.Name != fmt.Sprintf("%s/%d", f.Name, i) || r.Program != r.Name || r.Family != f.Name || r.Unknown {
					t.Errorf("named %q of %q, %q", r.Name, r.Program, r.Family)
				}
				checkTimes(t, o, f, r)
				checkValues(t, f, r)
				checkLoad(t, r)
				checkTruth(t, f, r)
			}
		}
	}
}

func checkTimes(t *testing.T, o Options, f Family, r *dataset.Recording) {
	t.Helper()
	gap, maxDays := 70*time.Minute, o.span().Max.Hours()/24
	if f.interval != 0 {
		gap = 52 * time.Hour // a day of readings may be missed
	}
	if o.Span == (Range{}) {
		maxDays = max(maxDays, f.maxDays)
	}
	for i := 1; i < len(r.Times); i++ {
		if r.Times[i] <= r.Times[i-1] {
			t.Fatalf("%s: sample %d comes at %d, the one before at %d", r.Name, i, r.Times[i], r.Times[i-1])
		}
		if step := time.Duration(r.Times[i] - r.Times[i-1]); step > gap && o.Interval < time.Hour {
			t.Fatalf("%s: sample %d comes after a gap of %v", r.Name, i, step)
		}
	}
	if days := r.Days(); days > maxDays || len(r.Times) < 2 {
		t.Errorf("%s: %d samples, %.2f days", r.Name, len(r.Times), days)
	}
	for i, m := range r.Starts {
		at := r.Times[m.From]
		if start := m.Value.UnixNano(); start >= at || m.From > 0 && start <= r.Times[m.From-1] {
			t.Errorf("%s: started %v, first seen %v", r.Name, m.Value, time.Unix(0, at).UTC())
		}
		if i > 0 && (m.From <= r.Starts[i-1].From || !m.Value.After(r.Starts[i-1].Value)) {
			t.Errorf("%s: starts are out of order", r.Name)
		}
	}
}

func checkValues(t *testing.T, f Family, r *dataset.Recording) {
	t.Helper()
	s, unread := r.Series[0], 0
	asZero := strings.HasPrefix(f.Name, "zero_readings")
	ceiling := math.Inf(1)
	if len(r.Ceilings) > 0 {
		ceiling = r.Ceilings[0].Value[0].Level
	}
	for i, v := range s.Values {
		if math.IsNaN(v) || v == 0 && asZero {
			unread++
			continue
		}
		unit := unitOf(s.Resource)
		if v < unit || math.Mod(v, unit) != 0 || v > 1e13 {
			t.Fatalf("%s: %s is %v", r.Name, s.Resource, v)
		}
		if !s.Truth.Leaks && v > ceiling*.7 || v > ceiling && i < len(s.Values)-1 {
			t.Fatalf("%s: %s is %v under a ceiling of %v", r.Name, s.Resource, v, ceiling)
		}
	}
	if unread > max(4, len(s.Values)/50) {
		t.Errorf("%s: %d of %d not read", r.Name, unread, len(s.Values))
	}
}

func checkLoad(t *testing.T, r *dataset.Recording) {
	t.Helper()
	if len(r.Series) == 1 {
		return
	}
	if r.Series[1].Resource != sampler.CPUSeconds || r.Series[1].Truth != (dataset.Truth{}) {
		t.Fatalf("%s: second column %s: %+v", r.Name, r.Series[1].Resource, r.Series[1].Truth)
	}
	cpu := r.Series[1].Values
	restarted := make(map[int]bool)
	for _, m := range r.Starts {
		restarted[m.From] = true
	}
	for i := 1; i < len(cpu); i++ {
		elapsed := float64(r.Times[i]-r.Times[i-1]) / 1e9
		switch {
		case restarted[i]:
			if cpu[i] >= cpu[i-1] && cpu[i-1] > 100 {
				t.Fatalf("%s: processor time goes from %v to %v at a restart", r.Name, cpu[i-1], cpu[i])
			}
		case cpu[i] < cpu[i-1] || cpu[i]-cpu[i-1] > 30*1.2*elapsed:
			t.Fatalf("%s: processor time goes from %v to %v in %v s", r.Name, cpu[i-1], cpu[i], elapsed)
		}
	}
}

func checkTruth(t *testing.T, f Family, r *dataset.Recording) {
	t.Helper()
	truth, first, last := r.Series[0].Truth, r.Times[0], r.Times[len(r.Times)-1]
	if !f.Leaks {
		if truth != (dataset.Truth{}) {
			t.Errorf("%s: healthy, but %+v", r.Name, truth)
		}
		return
	}
	if !truth.Leaks || truth.Kind != f.Name || truth.Consequence || truth.From < first || truth.From > last {
		t.Errorf("%s: %+v in a recording from %d to %d", r.Name, truth, first, last)
	}
	if truth.Doubled != 0 && (truth.Doubled < truth.From || truth.Doubled > last) {
		t.Errorf("%s: doubled at %d, leaks from %d to %d", r.Name, truth.Doubled, truth.From, last)
	}
	if truth.Exhausted != 0 && truth.Exhausted < truth.From {
		t.Errorf("%s: exhausted at %d, leaks from %d", r.Name, truth.Exhausted, truth.From)
	}
}

// Healthy families end where their sentence says. Levels are means of parts of the recordings over the normal state.
func TestHealthyFamiliesDoNotGrow(t *testing.T) {
	type claim struct {
		from, to  [2]float64 // parts of the recording that are compared
		tolerance float64    // of the mean over all recordings
	}
	var (
		halves  = claim{[2]float64{0, .5}, [2]float64{.5, 1}, .06}
		settled = claim{[2]float64{.7, .85}, [2]float64{.85, 1}, .03}
		returns = claim{[2]float64{0, .05}, [2]float64{.95, 1}, .25}
	)
	claims := map[string]claim{
		"white_noise": halves, "ar_noise": halves, "bursts": halves, "gc_sawtooth": halves, "day_cycle": halves,
		"day_cycle_from_minimum": halves, "week_cycle": halves, "slow_wander": halves, "pool_sawtooth": halves,
		"batch_jobs": halves, "small_counts": halves, "known_restarts": halves, "unknown_restarts": halves,
		"connections": halves,
		"warm_up":     settled, "step_down": {}, "staircase": settled, "cache_fill": settled,
		"allocator_plateaus": settled,
		"load_ramp":          returns, "load_for_days": returns,
		"weekly_fall": {halves.from, halves.to, .15}, "few_readings": halves, "four_hourly_readings": halves,
		"zero_readings":    halves,
		"nightly_restarts": halves,
	}
	const recordings = 40
	for i := range families {
		f := &families[i]
		if f.Leaks {
			continue
		}
		if f.Name == "step_up" || f.Name == "step_down" {
			continue // TestSteps
		}
		c, ok := claims[f.Name]
		if !ok {
			t.Errorf("%s: no claim", f.Name)
		}
		var change float64
		for index := range recordings {
			p := newProcess(Options{Seed: 13, Span: Range{4 * 24 * time.Hour, 14 * 24 * time.Hour}}, f, index)
			f.draw(p)
			n := float64(len(p.healthy))
			change += mean(p.healthy[int(c.to[0]*n):int(c.to[1]*n)]) - mean(
				p.healthy[int(c.from[0]*n):int(c.from[1]*n)])
		}
		if change /= recordings; math.Abs(change) > c.tolerance {
			t.Errorf("%s: changes by %+.3f of the level", f.Name, change)
		}
	}
}

func TestSteps(t *testing.T) {
	for name, sign := range map[string]float64{"step_up": 1, "step_down": -1} {
		i := slices.IndexFunc(families, func(f Family) bool { return f.Name == name })
		for index := range 20 {
			p := newProcess(Options{Seed: 17}, &families[i], index)
			p.family.draw(p)
			tenth := len(p.healthy) / 10
			if change := sign * (mean(p.healthy[9*tenth:]) - mean(p.healthy[:tenth])); change < .1 || change > 2.1 {
				t.Errorf("%s/%d: changes by %+.2f", name, index, sign*change)
			}
		}
	}
}

// What only time tells from a leak must follow the load that the recording shows.
func TestLoadExplainsLoadForDays(t *testing.T) {
	for i := range 10 {
		r := One(Options{Seed: 1}, "load_for_days", i)
		rate := func(from, to int) float64 {
			cpu := r.Series[1].Values
			return (cpu[to] - cpu[from]) / float64(r.Times[to]-r.Times[from])
		}
		var x, y []float64
		const step = 500
		for from := 0; from+step < len(r.Times); from += step {
			x = append(x, rate(from, from+step))
			var sum, n float64
			for _, v := range r.Series[0].Values[from : from+step] {
				if !math.IsNaN(v) {
					sum, n = sum+v, n+1
				}
			}
			y = append(y, sum/n)
		}
		mx, my := mean(x), mean(y)
		var xx, yy, xy float64
		for k := range x {
			xx, yy, xy = xx+(x[k]-mx)*(x[k]-mx), yy+(y[k]-my)*(y[k]-my), xy+(x[k]-mx)*(y[k]-my)
		}
		if correlation := xy / math.Sqrt(xx*yy); correlation < .9 {
			t.Errorf("%s: processor time and %s correlate by %.2f", r.Name, r.Series[0].Resource, correlation)
		}
	}
}

func TestSplitSharesNoValue(t *testing.T) {
	var seen [2][8]int
	for _, ranges := range []Split{Tune, Report} {
		p := newProcess(Options{Seed: 1, Ranges: ranges}, &families[0], 0)
		var sum float64
		const n = 4000
		for range n {
			v := p.uniform(10, 18)
			sum += v
			seen[ranges][int(v-10)]++
		}
		if m := sum / n; math.Abs(m-14) > .2 {
			t.Errorf("ranges %d: mean %v, want 14", ranges, m)
		}
	}
	for cell := range 8 {
		if (seen[Tune][cell] == 0) == (seen[Report][cell] == 0) {
			t.Errorf("cell %d: %d times in one half, %d in the other", cell, seen[Tune][cell], seen[Report][cell])
		}
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []Options{{},
		{PerFamily: 3, Interval: 10 * time.Millisecond, Span: Range{time.Second, time.Second}, Ranges: Report}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	err := Options{PerFamily: -1, Interval: time.Millisecond, Span: Range{2 * time.Hour, time.Hour},
		Ranges: 2}.Validate()
	want := "recordings of each family: -1: must not be negative\n" +
		"interval: 1ms: must be 0 or at least 10ms\n" +
		"span: 2h0m0s to 1h0m0s: must not fall\n" +
		"ranges: 2: must be Tune or Report"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	err = Options{Span: Range{time.Minute, time.Hour}}.Validate()
	if want := "span: 1m0s: must be at least 20 intervals of 1m0s"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestUnknownFamilyPanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "generate: no family flat" {
			t.Errorf("got %v", got)
		}
	}()
	One(Options{}, "flat", 0)
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	samples, index := 0, 0
	for b.Loop() {
		for _, f := range families {
			samples += len(One(Options{Seed: 1}, f.Name, index).Times)
		}
		index++
	}
	b.ReportMetric(float64(samples)/b.Elapsed().Seconds(), "samples/s")
}
