package dataset

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

func TestSourceLeavesOutWhatCannotBe(t *testing.T) {
	r := &Recording{Times: []int64{0, int64(time.Minute), int64(2 * time.Minute)}, Series: []Series{
		{Resource: sampler.OpenFDs, Values: []float64{12, 0, -1}},
		{Resource: "queue_length", Values: []float64{3, 0, -1}},
	}}
	var got [][]sampler.Reading
	var s sampler.Sample
	for source := r.Source(); source.Sample(t.Context(), &s) == nil; {
		got = append(got, slices.Clone(s.Readings))
	}
	want := [][]sampler.Reading{
		{{Resource: sampler.OpenFDs, Value: 12}, {Resource: "queue_length", Value: 3}},
		{{Resource: "queue_length", Value: 0}},
		{{Resource: "queue_length", Value: -1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}
