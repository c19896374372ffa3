package tune

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// BenchmarkSearch is the whole of a tuning run on labelled recordings, the published rules included: 400 recordings of
// 10,000 samples, and all settings of the grid.
func BenchmarkSearch(b *testing.B) {
	var recs []*dataset.Recording
	for i := range 400 {
		r := &dataset.Recording{Name: fmt.Sprint(i), Program: fmt.Sprint(i % 40)}
		s := dataset.Series{Resource: sampler.Goroutines}
		for k := range 10_000 {
			r.Times = append(r.Times, int64(1e18)+int64(k)*30e9)
			v := 100 + float64(20+i%50)*math.Sin(float64(k)/float64(40+i)) + float64((k*7919+i)%13)
			if i%2 == 1 {
				v += float64(k) / 20
			}
			s.Values = append(s.Values, math.Floor(v))
		}
		if i%2 == 1 {
			s.Truth = dataset.Truth{Leaks: true, From: r.Times[0], Kind: "made"}
		}
		r.Series = []dataset.Series{s}
		recs = append(recs, r)
	}
	budget, err := stats.ParseBudget("1/30d")
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Config: detector.DefaultConfig(), Search: Of(recs), Budget: budget, Workers: runtime.GOMAXPROCS(0)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(b.Context(), o, &Meter{}); err != nil {
			b.Fatal(err)
		}
	}
}
