package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
)

// candidatesOf are candidates of jobs 0, 1, ... with some chances.
func candidatesOf(chances ...float64) (all []Finding) {
	for i, chance := range chances {
		all = append(all, Finding{Group: []Label{{"job", fmt.Sprint(i)}}, Chance: backtest.Chance{Mean: chance}})
	}
	return all
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		name    string
		chances []float64
		top     int
		want    string // F finding, n near, . neither
	}{
		{"none", nil, 0, ""},
		{"none is likely enough", []float64{.9, .8}, 0, ".."},
		{"one is near", []float64{.93, .8}, 0, "n."},
		{"5 % are asked, and 7.5 % are near", []float64{.99, .98, .93, .92, .9, .87, .7}, 0, "FFFFnn."},
		{"what restarts took back is no finding", append(slices.Repeat([]float64{.999}, 20), .65, .58), 0,
			strings.Repeat("F", 21) + "n"},
		{"the two likeliest", []float64{.9, .6, .5, .4}, 2, "FFn."},
		{"more than there are", []float64{.9, .6}, 5, "FF"},
	} {
		all := candidatesOf(test.chances...)
		n, got := cut(all, nil, .05, test.top), ""
		for i := range all {
			switch {
			case i < n:
				got += "F"
			case all[i].Near:
				got += "n"
			default:
				got += "."
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// Only what stood, is near to being found and runs goes on as a finding.
func TestKeep(t *testing.T) {
	all := candidatesOf(.99, .9, .8, .85, .6, .95)
	for i := range 5 {
		all[i].Near = i > 0
	}
	all[3].Ended = true
	r := &Report{Findings: all[:1:1], Suspects: all[1:]}
	r.Keep(func(key string) bool { return key != all[2].Key() })
	jobs := func(list []Finding) (names []string) {
		for i := range list {
			names = append(names, list[i].Group[0].Value)
		}
		return names
	}
	if diff := cmp.Diff([][]string{{"0", "1", "4"}, {"2", "3", "5"}},
		[][]string{jobs(r.Findings), jobs(r.Suspects)}); diff != "" {
		t.Errorf("findings and suspects (-want +got):\n%s", diff)
	}
}
