// Package scores measures the scores of generated series, by which a scan is calibrated. The table that comes of it
// is kept and read by fleet/calibration.
package scores

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Options say which generated series are measured.
type Options struct {
	Seed      uint64
	Ranges    generate.Split
	PerFamily int    // of each family
	Leaking   bool   // the leaking families, else the healthy ones
	Family    string // only this one; "" = all
	Joined    bool   // the healthy families that joined the table later, and the lives of healthy services
}

// part is the marks after from and up to to, and the length of the series by which they are measured.
type part struct{ from, to, span time.Duration }

// Beyond a week there are fewer series, as they take longer.
const (
	endOfWeek   = 168 * time.Hour
	fortnight   = 332 * time.Hour
	beyondAWeek = .6 // of PerFamily
)

// Healthy series go on for half as long again as they are watched: a scan may end while the load climbs, where a series
// of just its length would have shown the return. A leak begins within the first half of what is watched.
var (
	healthyParts = []part{
		{0, 12 * time.Hour, 18 * time.Hour},
		{12 * time.Hour, 48 * time.Hour, 72 * time.Hour},
		{48 * time.Hour, endOfWeek, endOfWeek * 3 / 2},
		{endOfWeek, fortnight, fortnight * 3 / 2},
	}
	leakingParts = []part{
		{0, endOfWeek, endOfWeek + time.Hour},
		{endOfWeek, fortnight, fortnight + time.Hour},
	}
)

// joined are the families of one process that joined the table later: those that differ from the others where they are
// read each minute.
var joined = []string{"weekly_fall", "zero_readings", "nightly_restarts"}

// Families returns the names of the families by which a scan is calibrated, healthy or leaking ones. Those with
// restarts of known time are left out, as a scan judges each life by itself, and those that joined after the table was
// made: with others it says something else, and is to be made anew.
func Families(leaking bool) []string {
	var names []string
	for _, f := range generate.Families() {
		if f.Leaks == leaking && !f.Later && f.Name != "known_restarts" && f.Name != "leak_with_restarts" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Measure generates series, judges them as a scan does, and counts their scores at all marks. The series come without
// processor time and ceilings, which a scan often knows: of 12,600 healthy ones watched for five days 7 score 2,000 or
// more, with ceilings 7 too, with processor time 5.
func Measure(ctx context.Context, o Options) (calibration.Sample, error) {
	parts := healthyParts
	if o.Leaking {
		parts = leakingParts
	}
	total := calibration.NewSample()
	if o.Joined {
		sample, err := o.measureServices(ctx)
		if err != nil {
			return nil, err
		}
		total = sample
	}
	for _, p := range parts {
		of := o
		if p.from == endOfWeek {
			of.PerFamily = max(int(beyondAWeek*float64(o.PerFamily)), 1)
		}
		sample, err := of.measure(ctx, p)
		if err != nil {
			return nil, err
		}
		total = total.And(sample)
	}
	return total, nil
}

func (o *Options) measure(ctx context.Context, p part) (calibration.Sample, error) {
	families := Families(o.Leaking)
	if o.Joined {
		families = joined
	}
	g := generate.Options{
		Seed: o.Seed, PerFamily: o.PerFamily, Ranges: o.Ranges,
		Interval: time.Minute, Span: generate.Range{Min: p.span, Max: p.span},
	}
	return o.each(ctx, families, func(family string, index int, into calibration.Sample) {
		scoreAtMarks(generate.One(g, family, index), p, o.Leaking, into)
	})
}

// measureServices judges each life of healthy services by itself, as a scan does. They are read each 5 minutes.
func (o *Options) measureServices(ctx context.Context) (calibration.Sample, error) {
	var families []string
	for _, f := range generate.Services() {
		if !f.Leaks {
			families = append(families, f.Name)
		}
	}
	g := generate.Options{
		Seed: o.Seed, PerFamily: o.PerFamily, Ranges: o.Ranges,
		Interval: calibration.Step, Span: generate.Range{Min: fortnight * 3 / 2, Max: fortnight * 3 / 2},
	}
	whole := part{0, fortnight, 0}
	return o.each(ctx, families, func(family string, index int, into calibration.Sample) {
		r, lives := generate.Service(g, family, index)
		for _, l := range lives {
			if l.To <= l.From {
				continue
			}
			series := dataset.Series{Resource: r.Series[0].Resource, Values: r.Series[0].Values[l.From:l.To]}
			scoreAtMarks(&dataset.Recording{Times: r.Times[l.From:l.To], Series: []dataset.Series{series}},
				whole, false, into)
		}
	})
}

// each counts o.PerFamily recordings of each family, all cores at once.
func (o *Options) each(ctx context.Context, families []string,
	count func(family string, index int, into calibration.Sample)) (calibration.Sample, error) {
	type job struct {
		family string
		index  int
	}
	jobs := make(chan job)
	total := calibration.NewSample()
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own := calibration.NewSample()
			for j := range jobs {
				count(j.family, j.index, own)
			}
			mu.Lock()
			defer mu.Unlock()
			total = total.And(own)
		}()
	}
	for _, family := range families {
		if o.Family != "" && family != o.Family {
			continue
		}
		for i := range o.PerFamily {
			if ctx.Err() != nil {
				break
			}
			jobs <- job{family, i}
		}
	}
	close(jobs)
	wg.Wait()
	return total, ctx.Err()
}

// scoreAtMarks judges one recording and counts its score at each mark that it reaches. A leak that ends its process
// before counts at none of the later ones, and none counts at marks before its begin.
func scoreAtMarks(r *dataset.Recording, p part, leaking bool, into calibration.Sample) {
	d, err := detector.New(calibration.Judgment())
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
	for mark < len(calibration.Marks) && calibration.Marks[mark] <= p.from {
		mark++
	}
	for i, at := range r.Times {
		if mark == len(calibration.Marks) || calibration.Marks[mark] > p.to {
			return
		}
		if now := (at - begin) / int64(calibration.Step); now != step {
			if !math.IsInf(low, 1) {
				out.Reset(time.Unix(0, begin+(step+1)*int64(calibration.Step)).UTC())
				out.Add(series.Resource, low)
				d.Observe(&out)
			}
			low, step = math.Inf(1), now
			for mark < len(calibration.Marks) && calibration.Marks[mark] <= p.to &&
				time.Duration(at-begin) >= calibration.Marks[mark] {
				if !leaking || begin+int64(calibration.Marks[mark]) > series.Truth.From {
					score := 0.
					if all := d.Status(); len(all) > 0 {
						score = calibration.Score(&all[0])
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
