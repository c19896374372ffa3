package fleet

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// BenchmarkJudge gives what it costs to judge a value that was read: of a week of every healthy family, and of every
// one that leaks.
func BenchmarkJudge(b *testing.B) {
	for name, leaking := range map[string]bool{"healthy": false, "leaking": true} {
		b.Run(name, func(b *testing.B) {
			type series struct {
				p *process
				g prom.Grid
			}
			var all []series
			values := 0
			for _, family := range scores.Families(leaking) {
				for index := range 2 {
					o := generate.Options{Seed: 1, Interval: calibration.Step,
						Span: generate.Range{Min: watched, Max: watched}, Load: true}
					r := generate.One(o, family, index)
					p, g := seriesOf(r, nil, time.Unix(0, r.Times[0]).Add(watched))
					all = append(all, series{p, g})
					values += g.N
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range all {
					s.p.judge(s.g, calibration.Judgment())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*values), "ns/value")
		})
	}
}
