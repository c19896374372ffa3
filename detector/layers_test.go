package detector

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Resident memory is split by what was read beside it: never into more than there is, and the rest is named as that.
func TestMemoryLayers(t *testing.T) {
	bins := func(from int, values ...float64) (all []plot.Bin) {
		for i, v := range values {
			all = append(all, plot.Bin{First: int64(from + i), Last: int64(from + i), Value: v})
		}
		return all
	}
	resident := bins(10, 100, 200, 300)
	read := map[string][]plot.Bin{
		sampler.HeapLiveBytes:  bins(11, 40, 500), // not yet at first
		sampler.HeapInuseBytes: bins(10, 50, 60, 70),
		sampler.HeapFreeBytes:  bins(10, 10, 10, 400),
		sampler.StackBytes:     bins(10, 0, 0, 0),
	}
	of := func(resource string) []plot.Bin { return read[resource] }
	want := []plot.Layer{
		{Name: "live heap", Ink: plot.LiveLayer, Values: []float64{0, 40, 70}},
		{Name: "allocated since the last collection, or fragmentation", Ink: plot.NewerLayer,
			Values: []float64{50, 20, 0}},
		{Name: "freed, not returned", Ink: plot.FreedLayer, Values: []float64{10, 10, 230}},
		{Name: "other memory", Ink: plot.RestLayer, Values: []float64{40, 130, 0}},
	}
	if diff := cmp.Diff(want, memoryLayers(resident, of)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	read[sampler.HeapInuseBytes] = bins(11, 60, 70)
	if got := memoryLayers(resident, of)[0].Values; !cmp.Equal(got, []float64{math.NaN(), 40, 70},
		cmpopts.EquateNaNs()) {
		t.Errorf("where the heap was not read: %v", got)
	}
	read[sampler.HeapInuseBytes] = nil
	if got := memoryLayers(resident, of); got != nil {
		t.Errorf("of a process without a Go heap: %v", got)
	}
}
