package backtest

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var near = cmpopts.EquateApprox(0, 1e-3)

// oneOver is the chance of an e-value under Markov's inequality.
func oneOver(e float64) float64 { return min(1/e, 1) }

func TestCall(t *testing.T) {
	var table Table
	table.Judged("goroutines", 18)
	table.Judged("open_fds", 4)
	table.Call("goroutines", 0, FellBack, 1) // only just found
	table.Call("goroutines", 5, FellBack, 2.5)
	table.Call("goroutines", 5, Leveled, 1)
	table.Call("goroutines", 10, WentOn, 1)
	table.Call("open_fds", 2, CutOff, 1)
	table.Call("open_fds", 2, Open, 1)
	all := table.All()
	want := Counts{Instants: 22}
	want.Reached[0] = Case{False: 4.5, WentOn: 1, CutOff: 1}
	want.Reached[1] = Case{False: 3.5, WentOn: 1, CutOff: 1}
	want.Reached[2] = Case{False: 3.5, WentOn: 1}
	want.Reached[3] = Case{WentOn: 1}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExpected(t *testing.T) {
	for _, test := range []struct {
		name string
		of   Case
		want float64
	}{
		{"nothing", Case{}, 0},
		{"false ones", Case{False: 6}, 6},
		{"what went on speaks for nothing else", Case{False: 6, WentOn: 3}, 6},
		{"cut off, and nothing is known", Case{CutOff: 10}, 5},
		{"cut off, where half were false", Case{False: 100, WentOn: 100, CutOff: 10}, 105},
		{"cut off, where all went on", Case{WentOn: 99, CutOff: 10}, .05},
	} {
		if got := test.of.Expected(); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestChances(t *testing.T) {
	past := func(instants, wrong float64, strength float64) *Table {
		var table Table
		table.Judged("goroutines", instants)
		for range int(wrong) {
			table.Call("goroutines", strength, FellBack, 1)
		}
		return &table
	}
	calls := func(strengths ...float64) (all []Candidate) {
		for _, s := range strengths {
			all = append(all, Candidate{Resource: "goroutines", Strength: s})
		}
		return all
	}
	for _, test := range []struct {
		name       string
		past       *Table
		candidates []Candidate
		want       []float64
	}{
		{"none", &Table{}, nil, []float64{}},
		// A thousand groups, and one in a thousand has it by the prior: one false call is expected.
		{"no past", &Table{}, calls(1000), []float64{0}},
		{"no past, ten calls", &Table{}, calls(1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000),
			[]float64{.9, .9, .9, .9, .9, .9, .9, .9, .9, .9}},
		// 18 instants of each group are 1,500 units beside the 100 of the prior.
		{"a past without false calls", past(18000, 0, 0), calls(1000), []float64{.938}},
		// One unit of them stands for four; with the tenth of the prior that is 2.6 of a thousand groups.
		{"a past with false calls as strong", past(18000, 12, 3000), calls(1000, 1000, 1000, 1000),
			[]float64{.359, .359, .359, .359}},
		// They are no stronger than what was only just found.
		{"a past with false calls that were only just found", past(18000, 12, 0), calls(1000, 1000, 0, 0, 0),
			[]float64{.969, .969, .110, .110, .110}},
		{"a past with weaker false calls", past(18000, 240, 10), calls(1000, 1000, 10), []float64{.969, .969, 0}},
		// The stronger one is never less likely.
		{"many weak ones", past(18000, 0, 0), calls(3000, 100, 100, 100, 100, 100, 100),
			[]float64{.991, .991, .991, .991, .991, .991, .991}},
		{"its own came to nothing", past(18000, 0, 0), []Candidate{{Resource: "goroutines", Strength: 1000, Own: 1},
			{Resource: "goroutines", Strength: 1000}, {Resource: "goroutines", Strength: 1000, Own: 8}},
			[]float64{.156, .938, .023}},
		// A leak or a cache: half of them, however often.
		{"restarts took it back", past(18000, 0, 0), []Candidate{{Resource: "goroutines", Strength: 1000, Cut: 1},
			{Resource: "goroutines", Strength: 1000},
			{Resource: "goroutines", Strength: 1000, Cut: 50}},
			[]float64{.573, .938, .501}},
		{"its own came to nothing, and there is no other", past(18000, 0, 0),
			[]Candidate{{Resource: "goroutines", Strength: 1000, Own: 1}},
			[]float64{.156}},
	} {
		chances := test.past.Chances(test.candidates, map[string]int{"goroutines": 1000}, oneOver, nil)
		got := make([]float64, len(chances))
		for i, c := range chances {
			got[i] = c.Mean
			if !(c.Low <= c.Mean && c.Mean <= c.High) {
				t.Errorf("%s: %+v", test.name, c)
			}
		}
		if diff := cmp.Diff(test.want, got, near); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// What a past of weeks seldom has is expected as if one false call of it had been seen, less where the load is known.
func TestChancesOfRareGrowth(t *testing.T) {
	var table Table
	table.Judged("goroutines", 18000)
	calls := func(loaded bool) (all []Candidate) {
		for _, strength := range []float64{1000, 1000, 1000, 1000, 10, 10} {
			all = append(all, Candidate{Resource: "goroutines", Strength: strength, Loaded: loaded})
		}
		return all
	}
	for _, test := range []struct {
		name   string
		loaded bool
		want   []float64
	}{
		// Of a thousand groups .063 and .067 in all by the prior, and .4 and .662 of what is rare.
		{"at a load that is not known", false, []float64{.884, .884, .884, .884, .867, .867}},
		// .067 and .166, of six.
		{"at a load that is known", true, []float64{.961, .961, .961, .961, .961, .961}},
	} {
		var got []float64
		for _, c := range table.Chances(calls(test.loaded), map[string]int{"goroutines": 1000}, oneOver, oneOver) {
			got = append(got, c.Mean)
		}
		if diff := cmp.Diff(test.want, got, near); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// What one resource does falsely speaks against that resource most.
func TestChancesByResource(t *testing.T) {
	var table Table
	table.Judged("goroutines", 9000)
	table.Judged("rss_bytes", 9000)
	for range 12 {
		table.Call("rss_bytes", 3000, Leveled, 1)
	}
	chances := table.Chances([]Candidate{{Resource: "goroutines", Strength: 1000},
		{Resource: "rss_bytes", Strength: 1000},
		{Resource: "goroutines", Strength: 1000}, {Resource: "rss_bytes", Strength: 1000}},
		map[string]int{"goroutines": 500, "rss_bytes": 500}, oneOver, nil)
	if !(chances[0].Mean > chances[1].Mean+.2) || chances[0] != chances[2] || chances[1] != chances[3] {
		t.Errorf("%+v", chances)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		chances []float64
		share   float64
		want    int
	}{
		{nil, .05, 0},
		{[]float64{.95}, .05, 1},
		{[]float64{.94}, .05, 0},
		{[]float64{.99, .97, .92, .9, .5}, .05, 3},
		{[]float64{.99, .97, .92, .9, .5}, .2, 5},
	} {
		if got := Cut(test.chances, test.share+1e-9); got != test.want {
			t.Errorf("%v at %v: %d, want %d", test.chances, test.share, got, test.want)
		}
	}
}
