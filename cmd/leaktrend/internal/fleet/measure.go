package fleet

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/generate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Step is the time between two values of a scan, each the lowest since the one before, for which scores are calibrated.
const Step = 5 * time.Minute

// Judgment returns the configuration by which the series of a fleet are judged. Only what is calibrated may differ from the default: no
// soak mode and no limit that would alert by itself.
func Judgment() detector.Config {
	c := detector.DefaultConfig()
	c.AlertOnThreshold = false
	return c
}

// MeasureOptions say which generated series are measured.
type MeasureOptions struct {
	Seed      uint64
	Ranges    generate.Split
	PerFamily int           // of each family
	Span      time.Duration // of each series
	Leaking   bool          // the leaking families, else the healthy ones
}

// Measure generates series, judges them as a scan does, and counts their scores at the marks that lie after from and within their span.
// Families with restarts of known time are left out: a scan judges each life by itself.
func Measure(ctx context.Context, o MeasureOptions, from time.Duration) (Sample, error) {
	type job struct {
		family string
		index  int
	}
	jobs := make(chan job)
	total := NewSample()
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	g := generate.Options{
		Seed: o.Seed, PerFamily: o.PerFamily, Ranges: o.Ranges,
		Interval: time.Minute, Span: generate.Range{Min: o.Span, Max: o.Span},
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own := NewSample()
			for j := range jobs {
				scoreAtMarks(generate.One(g, j.family, j.index), from, o.Leaking, own)
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range own {
				total[i].N += own[i].N
				for k, n := range own[i].Reached {
					total[i].Reached[k] += n
				}
			}
		}()
	}
	for _, f := range generate.Families() {
		if f.Leaks != o.Leaking || slices.Contains([]string{"known_restarts", "leak_with_restarts"}, f.Name) {
			continue
		}
		for i := range o.PerFamily {
			if ctx.Err() != nil {
				break
			}
			jobs <- job{f.Name, i}
		}
	}
	close(jobs)
	wg.Wait()
	return total, ctx.Err()
}

// scoreAtMarks judges one recording and counts its score at each mark that it reaches. A leak that ends its process before counts at none
// of the later ones; leaking says that only marks after the begin of the leak count.
func scoreAtMarks(r *evaluate.Recording, from time.Duration, leaking bool, into Sample) {
	d, err := detector.New(Judgment())
	if err != nil {
		panic(err) // the configuration is this package's
	}
	var (
		series = &r.Series[0]
		begin  = r.Times[0]
		out    sampler.Sample
		low    = math.Inf(1)
		mark   = 0
		step   = int64(0)
	)
	for mark < len(Marks) && Marks[mark] <= from {
		mark++
	}
	for i, at := range r.Times {
		if now := (at - begin) / int64(Step); now != step {
			if !math.IsInf(low, 1) {
				out.Reset(time.Unix(0, begin+(step+1)*int64(Step)).UTC())
				out.Add(series.Resource, low)
				d.Observe(&out)
			}
			low, step = math.Inf(1), now
			for mark < len(Marks) && time.Duration(at-begin) >= Marks[mark] {
				if !leaking || begin+int64(Marks[mark]) > series.Truth.From {
					score := 0.
					if all := d.Status(); len(all) > 0 {
						score = Score(&all[0])
					}
					into[mark].Add(score)
				}
				mark++
			}
		}
		if v := series.Values[i]; v < low { // false for NaN
			low = v
		}
	}
}
