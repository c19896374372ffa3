package tune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Month is what one setting would give this process in a month, by the extended recordings.
type Month struct {
	Setting
	InForce bool `json:"in_force"`
	Chosen  bool `json:"chosen"`
	// Alarms are the false alarms a month. The interval is that of the simulation: what the recordings themselves miss
	// is not in it.
	Alarms *Interval `json:"alarms_per_month"`
	Figures
}

const (
	minMonths = 12 // of extended recordings, all together
	// maxValues bounds the readings in one extended recording, and with them time and memory. What would have more is
	// cut short of a month.
	maxValues = 4 << 20
)

// extension measures a run's recordings extended by the bootstrap.
type extension struct{ *run }

// replicates returns how many months each recording is extended to.
func (u extension) replicates() int {
	return max(1, (minMonths+u.o.Search.Count-1)/max(1, u.o.Search.Count))
}

// measure runs the settings of the line on the recordings, each extended to a month several times.
func (u extension) measure(ctx context.Context) ([]evaluate.Report, error) {
	var longest, recorded float64
	sequence := func(yield func(*dataset.Recording) bool) {
		for r := range u.prepared(u.o.Search.All) {
			if r.Soak > 0 {
				continue // it has no months
			}
			const enough = 1000 // samples that a short recording keeps
			interval := min(u.o.Config.CheckInterval, time.Duration(r.Days()*24*float64(time.Hour)/enough))
			thin := thinned(r, interval, u.o.Config.Adaptive.Load)
			longest, recorded = max(longest, r.Days()), recorded+r.Days()
			span := month
			if values := float64(month) / max(1, meanStep(thin)) * float64(len(thin.Series)+1); values > maxValues {
				span = time.Duration(float64(month) * maxValues / values)
			}
			for i := range u.replicates() {
				long, err := dataset.Extend(thin, max(span, time.Duration(r.Days()*24*float64(time.Hour))),
					u.o.Seed+uint64(i))
				if err != nil {
					u.result.Skipped = append(u.result.Skipped, err.Error())
					break
				}
				if !yield(long) {
					return
				}
			}
		}
	}
	methods := u.trials(u.line())
	reports, err := evaluate.Score(ctx, sequence, methods,
		evaluate.ScoreOptions{Workers: u.o.Workers, Done: u.meter.pass(len(methods))})
	if err != nil {
		return nil, err
	}
	if longest > 0 {
		u.result.Extension = fmt.Sprintf("%.3g recorded process-days, the longest recording %s", recorded,
			sampler.FormatDuration(time.Duration(longest*24*float64(time.Hour))))
	}
	return reports, nil
}

// thinned returns what the monitor would have seen at its own interval: the judged series and the load.
func thinned(r *dataset.Recording, interval time.Duration, load string) *dataset.Recording {
	out := *r
	out.Times, out.Starts, out.Ceilings, out.Series = nil, nil, nil, nil
	kept := make([]int, len(r.Times)+1) // samples kept before each
	var from []int
	for i, at := range r.Times {
		kept[i] = len(from)
		// A little jitter must not cost every second sample.
		if len(from) == 0 || at-r.Times[from[len(from)-1]] >= int64(interval-interval/20) {
			from = append(from, i)
		}
	}
	for _, i := range from {
		out.Times = append(out.Times, r.Times[i])
	}
	out.Starts, out.Ceilings = moved(r.Starts, kept, len(from)), moved(r.Ceilings, kept, len(from))
	judged := r.Judged()
	for k := range r.Series {
		s := &r.Series[k]
		if !slices.Contains(judged, s) && s.Resource != load && s.Resource != sampler.CPUSeconds || r.Unknown &&
			s.Truth.Leaks {
			continue // what looks like a leak tells nothing of a healthy month
		}
		values := make([]float64, len(from))
		for n, i := range from {
			values[n] = s.Values[i]
		}
		out.Series = append(out.Series, dataset.Series{Resource: s.Resource, Values: values, Truth: s.Truth})
	}
	return &out
}

// moved shifts marks to the samples that were kept. Of several on one sample the last holds.
func moved[T any](marks []dataset.Mark[T], kept []int, n int) []dataset.Mark[T] {
	var out []dataset.Mark[T]
	for _, m := range marks {
		m.From = kept[m.From]
		if m.From >= n {
			break
		}
		if k := len(out); k > 0 && out[k-1].From == m.From {
			out = out[:k-1]
		}
		out = append(out, m)
	}
	return out
}

func meanStep(r *dataset.Recording) float64 {
	n := len(r.Times)
	if n < 2 {
		return float64(month)
	}
	return math.Abs(float64(r.Times[n-1]-r.Times[0])) / float64(n-1)
}

// months puts what the extended recordings gave into the result.
func (u extension) months(reports []evaluate.Report) []Figures {
	var all []Figures
	for i, s := range u.line() {
		f := figuresOf(reports[i].Tally("", nil), 0)
		all = append(all, f)
		if f.Rate != nil {
			const days = 30
			u.result.Months = append(u.result.Months, Month{
				Setting: s, InForce: s == u.result.InForce,
				Alarms:  &Interval{days * f.Rate.Value, days * f.Rate.Low, days * f.Rate.High},
				Figures: f,
			})
		}
	}
	return all
}
