package trend

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// groups of points.
type groups [][][2]float64

func fitPanel(all groups) (PanelFit, bool) {
	var p Panel
	for _, group := range all {
		for _, point := range group {
			p.Add(point[0], point[1])
		}
		p.Close()
	}
	return p.Fit()
}

func TestPanel(t *testing.T) {
	for _, test := range []struct {
		name string
		of   groups
		want PanelFit
		ok   bool
	}{
		{"empty", nil, PanelFit{}, false},
		{"one group", groups{{{0, 1}, {1, 2}}}, PanelFit{Groups: 1}, false},
		{"equal x", groups{{{1, 1}, {1, 2}}, {{3, 1}, {3, 2}}}, PanelFit{Groups: 2}, false},
		{"flat at two levels", groups{{{0, 5}, {1, 5}, {2, 5}}, {{0, 9}, {1, 9}, {2, 9}}}, PanelFit{Groups: 2}, true},
		// One slope of 3 from two levels: the levels tell nothing of it.
		{"a line from two levels", groups{{{0, 100}, {1, 103}, {2, 106}}, {{0, -50}, {1, -47}, {2, -44}}},
			PanelFit{Groups: 2, Slope: 3, T: MaxT, R2: 1}, true},
		// Slopes of 1 and 3 over the same x: b = 2. What is left of each is -1 and +1 times the distance from the
		// middle, so that sum z e = -2 and +2, var = 2/1 (4+4)/(2+2)^2 = 1 and t = 2. SSE = 4 of SST = 2 + 18.
		{"two slopes", groups{{{0, 0}, {1, 1}, {2, 2}}, {{0, 0}, {1, 3}, {2, 6}}},
			PanelFit{Groups: 2, Slope: 2, T: 2, R2: .8}, true},
		// y = 2x + .5 (x-1)^2 in both.
		{"bends up", groups{{{0, .5}, {1, 2}, {2, 4.5}}, {{0, 7.5}, {1, 9}, {2, 11.5}}},
			PanelFit{Groups: 2, Slope: 2, T: MaxT, R2: 16 / (16 + 1./3), Bend: .5, BendT: MaxT}, true},
	} {
		got, ok := fitPanel(test.of)
		if ok != test.ok {
			t.Errorf("%s: ok is %v", test.name, ok)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 1e-12)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Neither the levels of the groups nor the units matter, and what was added before Reset is gone.
func TestPanelShape(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	var plain, moved groups
	for k := range 6 {
		var a, b [][2]float64
		for i := range 20 {
			x, y := float64(i), float64(i)*.7-.01*float64(i*i)+r.NormFloat64()
			a = append(a, [2]float64{x, y})
			b = append(b, [2]float64{24 * x, 1024*y + float64(k)*1e6})
		}
		plain, moved = append(plain, a), append(moved, b)
	}
	want, _ := fitPanel(plain)
	got, _ := fitPanel(moved)
	got.Slope *= 24. / 1024
	got.Bend *= 24. * 24 / 1024
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-6, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var p Panel
	p.Add(0, 1)
	p.Add(5, 1e9)
	p.Close()
	p.Reset()
	for _, group := range plain {
		for _, point := range group {
			p.Add(point[0], point[1])
		}
		p.Close()
	}
	again, _ := p.Fit()
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("after Reset (-want +got):\n%s", diff)
	}
	if math.IsNaN(want.T) || want.Bend >= 0 {
		t.Errorf("fit %+v", want)
	}
}
