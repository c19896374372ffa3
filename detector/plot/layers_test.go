package plot

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// areas is a canvas that keeps what is filled.
type areas struct {
	SVG
	filled map[Ink][][]Point
}

func (a *areas) Area(ink Ink, outline []Point) { a.filled[ink] = append(a.filled[ink], outline) }

// Layers lie one on the other, from zero up, and are interrupted where they are not known or samples are missing.
func TestLayers(t *testing.T) {
	resource, _ := sampler.Lookup(sampler.RSSBytes)
	c := Chart{Resource: resource}
	for i, v := range []float64{100, 110, 105, 90, 100, 100} {
		at := int64(i+1) * 1e9
		c.Bins = append(c.Bins, Bin{First: at, Last: at, Min: v, Max: v, MinAt: at, MaxAt: at, Value: v,
			Mean: math.NaN(), Gap: i == 4})
	}
	nan := math.NaN()
	c.Layers = []Layer{
		{Name: "live heap", Ink: LiveLayer, Values: []float64{40, 60, 40, 50, 40, 40}},
		{Name: "other memory", Ink: RestLayer, Values: []float64{nan, 50, 65, 40, 60, 60}},
	}
	on := &areas{filled: map[Ink][][]Point{}}
	c.Draw(on, Width, Height)
	f, _ := c.axes(Height)
	f.left, f.right, f.top, f.bottom = 0, Width, marginTop, Height-marginBottom
	if f.low != 0 {
		t.Errorf("the axis begins at %v", f.low)
	}
	outline := func(from int, upper, lower []float64) (all []Point) {
		for i, v := range upper {
			all = append(all, Point{f.x(c.Bins[from+i].Last), f.y(v)})
		}
		for i := len(lower) - 1; i >= 0; i-- {
			all = append(all,
				Point{f.x(c.Bins[from+len(upper)-1].Last - int64(len(lower)-1-i)*int64(len(upper)-1)*1e9/int64(max(1,
					len(lower)-1))), f.y(lower[i])})
		}
		return all
	}
	want := map[Ink][][]Point{
		LiveLayer: {outline(0, []float64{40, 60, 40, 50}, []float64{0, 0}), outline(4, []float64{40, 40},
			[]float64{0, 0})},
		RestLayer: {outline(1, []float64{110, 105, 90}, []float64{60, 40, 50}), outline(4, []float64{100, 100},
			[]float64{40, 40})},
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < .1 })
	if diff := cmp.Diff(want, on.filled, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if key := c.Key(); len(key) < 3 || key[1] != (KeyEntry{LiveLayer, "live heap"}) ||
		key[2] != (KeyEntry{RestLayer, "other memory"}) {
		t.Errorf("key: %v", key)
	}
}
