package evidence

import (
	"math"
	"runtime/metrics"
	"time"
)

// processorWaits measures how long runnable goroutines of this process waited for a processor: where processors are
// short, late evidence is no fault of a source.
type processorWaits struct{ counts []uint64 }

// readWaits returns how many goroutines have waited how long since the program began.
func readWaits() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return nil
	}
	return sample[0].Value.Float64Histogram()
}

// begin starts the interval that is measured.
func (w *processorWaits) begin() {
	if h := readWaits(); h != nil {
		w.counts = append(w.counts[:0], h.Counts...)
	}
}

// longest returns the longest wait since begin, rounded down to the runtime's resolution; 0 where unknown.
func (w *processorWaits) longest() time.Duration {
	h := readWaits()
	if h == nil || len(h.Counts) != len(w.counts) {
		return 0
	}
	for i := len(h.Counts) - 1; i >= 0; i-- {
		if at := h.Buckets[i]; h.Counts[i] > w.counts[i] && !math.IsInf(at, 0) {
			return time.Duration(at * 1e9)
		}
	}
	return 0
}
