package detector

import (
	"math"

	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// memoryLayers splits the resident memory that some bins hold by what else was read of a Go process: live heap, what
// was allocated since the last collection or is unused, what was freed and not returned, stacks, and the rest, which is
// the runtime's own, mapped, or of C. What was not read is in the rest. There are none where nothing was read of the
// heap. of returns the bins of a resource.
func memoryLayers(resident []plot.Bin, of func(resource string) []plot.Bin) []plot.Layer {
	inUse := of(sampler.HeapInuseBytes)
	if len(inUse) == 0 || len(resident) == 0 {
		return nil
	}
	layers := []plot.Layer{
		{Name: "live heap", Ink: plot.LiveLayer}, {Name: "allocated since the last collection, or fragmentation",
			Ink: plot.NewerLayer},
		{Name: "freed, not returned", Ink: plot.FreedLayer}, {Name: "stacks", Ink: plot.StackLayer},
		{Name: "other memory", Ink: plot.RestLayer},
	}
	live, heap := along(resident, of(sampler.HeapLiveBytes)), along(resident, inUse)
	free, stacks := along(resident, of(sampler.HeapFreeBytes)), along(resident, of(sampler.StackBytes))
	for i := range resident {
		left := resident[i].Value
		if math.IsNaN(heap[i]) {
			left = math.NaN()
		}
		addLayer := func(layer int, bytes float64) {
			bytes = min(max(bytes, 0), left)
			left -= bytes
			layers[layer].Values = append(layers[layer].Values, bytes)
		}
		alive := min(orNone(live[i]), heap[i])
		addLayer(0, alive)
		addLayer(1, heap[i]-alive)
		addLayer(2, orNone(free[i]))
		addLayer(3, orNone(stacks[i]))
		addLayer(4, left)
	}
	shown := layers[:0]
	for _, l := range layers {
		for _, v := range l.Values {
			if v > 0 {
				shown = append(shown, l)
				break
			}
		}
	}
	return shown
}

// along returns what a resource had at the end of each bin of another; NaN where that is not known.
func along(bins, of []plot.Bin) []float64 {
	values := make([]float64, len(bins))
	at := -1
	for i := range bins {
		for at+1 < len(of) && of[at+1].First <= bins[i].Last {
			at++
		}
		values[i] = math.NaN()
		if at >= 0 {
			values[i] = of[at].Value
		}
	}
	return values
}

// orNone takes what is not known for nothing.
func orNone(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
