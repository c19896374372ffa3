package evaluate

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Report is what one method did on a set of recordings. Tally sums it up.
type Report struct {
	Method   string
	Outcomes []Outcome // in the order of the recordings
}

// Outcome is what a method did on one recording.
type Outcome struct {
	Recording, Program, Family string
	Unknown                    bool  // the recording is not labelled
	Leaking                    bool  // something leaks in it
	Noticed                    bool  // something true was alarmed from the begin of the first leak on
	Healthy                    int64 // milliseconds before the first leak; the whole recording where nothing leaks
	Series                     []SeriesOutcome
}

// SeriesOutcome is what a method did on one series.
type SeriesOutcome struct {
	Resource string
	Healthy  int64   // milliseconds in which an alarm is false
	False    []int64 // instants of the false alarms, unix nanoseconds
	// BesideLeak is how many of the false alarms came while another resource leaked.
	BesideLeak int
	Leak       *Leak // nil where the resource does not leak by itself
}

// Leak is one leak, and whether it was found. Its instants are unix nanoseconds.
type Leak struct {
	Recording, Program, Family, Resource, Kind string

	From      int64 // begin
	At        int64 // first alarm at or after the begin; 0 = missed
	Exhausted int64 // when the limit is reached; 0 = unknown
	Due       bool  // it exhausted its limit or doubled the level within the recording
	// Level before the leak and Value at the alarm, both medians of a few readings, in the unit of the resource.
	// Measured says that both are known and the level is above zero.
	Level, Value float64
	Measured     bool
}

// ScoreOptions say how a set is worked through.
type ScoreOptions struct {
	Workers int           // recordings at a time; 0 = 1
	Done    *atomic.Int64 // counts the recordings, for a progress display; may be nil
}

// Score runs methods over recordings and returns a report for each, in their order. How many workers there are does not
// change the reports. A recording is let go once it is scored, so a sequence that makes them one by one needs no more
// memory than the workers hold. When ctx ends, the reports are on what was done by then, and the error is ctx's.
//
// The rules of counting: every alarm on healthy time is false, also one that takes itself back. An alarm before the
// begin of the leak is false, and if it still stands when the leak begins, it has not found it. On a recording that
// leaks, an alarm of a resource that neither leaks nor grows as a consequence is false at any time; one of a
// consequence is true from the begin of the leak on, and its absence is no miss. The first alarm at or after the begin
// in the leaking resource finds the leak; later ones are not counted.
func Score(ctx context.Context, recs iter.Seq[*dataset.Recording], methods []Method, o ScoreOptions) ([]Report, error) {
	type job struct {
		index int
		rec   *dataset.Recording
	}
	var (
		mu   sync.Mutex
		rows [][]Outcome // of each recording, one a method
		wg   sync.WaitGroup
		jobs = make(chan job)
	)
	for range max(1, o.Workers) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				row := make([]Outcome, 0, len(methods))
				for _, m := range methods {
					if ctx.Err() != nil {
						break
					}
					row = append(row, outcome(j.rec, m.Run(j.rec)))
				}
				if len(row) < len(methods) {
					continue
				}
				if o.Done != nil {
					o.Done.Add(1)
				}
				mu.Lock()
				rows[j.index] = row
				mu.Unlock()
			}
		}()
	}
	n := 0
	for r := range recs {
		if ctx.Err() != nil {
			break
		}
		mu.Lock()
		rows = append(rows, nil)
		mu.Unlock()
		jobs <- job{n, r}
		n++
	}
	close(jobs)
	wg.Wait()
	reports := make([]Report, len(methods))
	for i, m := range methods {
		reports[i].Method = m.Name()
		for _, row := range rows {
			if row != nil {
				reports[i].Outcomes = append(reports[i].Outcomes, row[i])
			}
		}
	}
	return reports, ctx.Err()
}

// outcome counts the alarms of one recording by the rules of Score.
func outcome(r *dataset.Recording, firings []Firing) Outcome {
	o := Outcome{Recording: r.Name, Program: r.Program, Family: r.Family, Unknown: r.Unknown}
	if len(r.Times) == 0 {
		return o
	}
	first, last := r.Times[0], r.Times[len(r.Times)-1]
	begin := last
	var series []*dataset.Series
	judged := r.Judged()
	for i := range r.Series {
		s := &r.Series[i]
		if s.Truth.Leaks || s.Truth.Consequence {
			begin = min(begin, s.Truth.From)
			o.Leaking = o.Leaking || s.Truth.Own()
		}
		alarmed := slices.ContainsFunc(firings, func(f Firing) bool { return f.Resource == s.Resource })
		if s.Truth.Leaks || s.Truth.Consequence || alarmed || slices.Contains(judged, s) {
			series = append(series, s)
		}
	}
	o.Healthy = millis(first, begin)
	for _, s := range series {
		truthful := s.Truth.Leaks || s.Truth.Consequence
		out := SeriesOutcome{Resource: s.Resource, Healthy: millis(first, last)}
		if truthful {
			out.Healthy = millis(first, s.Truth.From)
		}
		if s.Truth.Own() {
			out.Leak = leakOf(r, s)
		}
		for _, f := range firings {
			switch {
			case f.Resource != s.Resource:
			case !truthful || f.At < s.Truth.From:
				out.False = append(out.False, f.At)
				if o.Leaking && f.At >= begin {
					out.BesideLeak++
				}
			default:
				o.Noticed = true
				if out.Leak != nil && out.Leak.At == 0 {
					out.Leak.found(r, s, f.At)
				}
			}
		}
		o.Series = append(o.Series, out)
	}
	return o
}

// millis returns a length of time exactly: sums of integers do not depend on their order.
func millis(from, to int64) int64 { return max(0, to-from) / int64(time.Millisecond) }

func leakOf(r *dataset.Recording, s *dataset.Series) *Leak {
	last := r.Times[len(r.Times)-1]
	passed := func(at int64) bool { return at != 0 && at <= last }
	return &Leak{
		Recording: r.Name, Program: r.Program, Family: r.Family, Resource: s.Resource, Kind: s.Truth.Kind,
		From: s.Truth.From, Exhausted: s.Truth.Exhausted,
		Due: passed(s.Truth.Exhausted) || passed(s.Truth.Doubled),
	}
}

// found notes the first alarm.
func (l *Leak) found(r *dataset.Recording, s *dataset.Series, at int64) {
	l.At = at
	level, ok1 := r.LevelBefore(s)
	value, ok2 := r.LevelAt(s, at)
	if ok1 && ok2 && level > 0 {
		l.Level, l.Value, l.Measured = level, value, true
	}
}

// Merge returns the report on all recordings of several reports on one method, in their order.
func Merge(reports ...Report) Report {
	var all Report
	for _, r := range reports {
		all.Method = r.Method
		all.Outcomes = append(all.Outcomes, r.Outcomes...)
	}
	return all
}

// Resources returns the resources of the report: the known ones in the order of the table, then the others by name.
func (r *Report) Resources() []string {
	rank := make(map[string]int)
	known := sampler.Resources()
	for i := range known {
		rank[known[i].Name] = i - len(known)
	}
	seen := make(map[string]bool)
	var names []string
	for i := range r.Outcomes {
		for _, s := range r.Outcomes[i].Series {
			if !seen[s.Resource] {
				seen[s.Resource] = true
				names = append(names, s.Resource)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b)) })
	return names
}

// Tally is the sum over recordings, of one resource or of all. All figures are derived from it. Its intervals take the
// recordings as independent: with several of one program they are too narrow.
type Tally struct {
	Recordings  int   // that count here
	Healthy     int   // of them those in which nothing leaks
	Alarmed     int   // of the healthy ones those with a false alarm
	Leaking     int   // those in which something leaks
	Noticed     int   // of the leaking ones those with a true alarm of any resource
	Time        int64 // healthy time in milliseconds
	FalseAlarms int
	// BesideLeak is how many of the false alarms came while another resource leaked. That time is in the healthy time
	// of the resource, but not in that of all together, whose rate therefore errs on the high side.
	BesideLeak int
	Leaks      []Leak
}

// Tally sums up the outcomes that keep selects, all if it is nil, for one resource, or for all with "".
func (r *Report) Tally(resource string, keep func(*Outcome) bool) Tally {
	var t Tally
	for i := range r.Outcomes {
		if o := &r.Outcomes[i]; keep == nil || keep(o) {
			t.add(o, resource)
		}
	}
	return t
}

// Labelled selects the recordings of which the truth is known.
func Labelled(o *Outcome) bool { return !o.Unknown }

// Unlabelled selects the recordings that are only taken as healthy.
func Unlabelled(o *Outcome) bool { return o.Unknown }

func (t *Tally) add(o *Outcome, resource string) {
	all := resource == ""
	healthy, leaking, alarms, holds := o.Healthy, o.Leaking, 0, all
	for i := range o.Series {
		s := &o.Series[i]
		if !all {
			if s.Resource != resource {
				continue
			}
			healthy, leaking, holds = s.Healthy, s.Leak != nil, true
		}
		alarms += len(s.False)
		t.BesideLeak += s.BesideLeak
		if s.Leak != nil {
			t.Leaks = append(t.Leaks, *s.Leak)
		}
	}
	if !holds {
		return
	}
	t.Recordings++
	t.Time += healthy
	t.FalseAlarms += alarms
	if !o.Leaking {
		t.Healthy++
		if alarms > 0 {
			t.Alarmed++
		}
	}
	if leaking {
		t.Leaking++
		if o.Noticed {
			t.Noticed++
		}
	}
}

const millisPerDay = 24 * 3600 * 1000

// Days returns the healthy time in process-days.
func (t *Tally) Days() float64 { return float64(t.Time) / millisPerDay }

// Rate returns the false alarms per process-day.
func (t *Tally) Rate() stats.Estimate { return stats.PoissonRate(t.FalseAlarms, t.Days()) }

// AlarmedShare returns the share of the healthy recordings with any false alarm.
func (t *Tally) AlarmedShare() stats.Estimate { return stats.Proportion(t.Alarmed, t.Healthy) }

// NoticedShare returns the share of the leaking recordings with a true alarm of any resource.
func (t *Tally) NoticedShare() stats.Estimate { return stats.Proportion(t.Noticed, t.Leaking) }

// Recall returns the share of the leaks that were found.
func (t *Tally) Recall() stats.Estimate { return recall(t.Leaks, func(*Leak) bool { return true }) }

// DueRecall returns the share found of the leaks that exhausted their limit or doubled the level within the recording.
func (t *Tally) DueRecall() stats.Estimate { return recall(t.Leaks, due) }

func due(l *Leak) bool { return l.Due }

func recall(leaks []Leak, keep func(*Leak) bool) stats.Estimate {
	found, n := 0, 0
	for i := range leaks {
		if l := &leaks[i]; keep(l) {
			n++
			if l.At != 0 {
				found++
			}
		}
	}
	return stats.Proportion(found, n)
}

// Group is the recall of leaks that have something in common.
type Group struct {
	Name        string // "" where it is not known
	Leaks       int
	Recall, Due stats.Estimate
}

// ByKind groups the leaks by mechanism, in order of name.
func (t *Tally) ByKind() []Group { return t.by(func(l *Leak) string { return l.Kind }) }

// ByFamily groups the leaks by the family of their recording, in order of name.
func (t *Tally) ByFamily() []Group { return t.by(func(l *Leak) string { return l.Family }) }

func (t *Tally) by(key func(*Leak) string) []Group {
	var names []string
	for i := range t.Leaks {
		names = append(names, key(&t.Leaks[i]))
	}
	slices.Sort(names)
	var groups []Group
	for _, name := range slices.Compact(names) {
		n := 0
		in := func(l *Leak) bool { return key(l) == name }
		for i := range t.Leaks {
			if in(&t.Leaks[i]) {
				n++
			}
		}
		groups = append(groups, Group{
			Name: name, Leaks: n, Recall: recall(t.Leaks, in),
			Due: recall(t.Leaks, func(l *Leak) bool { return in(l) && l.Due }),
		})
	}
	return groups
}

// Delay returns the hours from the begin of a leak to its alarm, of the leaks that were found; so do the three below. A
// method that finds only the quick ones has short delays: compare them together with the recall.
func (t *Tally) Delay() stats.Spread {
	return t.found(func(l *Leak) (float64, bool) { return time.Duration(l.At - l.From).Hours(), true })
}

// DelayShare returns the delay as a share of the time from the begin to the exhaustion of the limit, where that is
// known. Above 1 the alarm came too late.
func (t *Tally) DelayShare() stats.Spread {
	return t.found(func(l *Leak) (float64, bool) {
		return float64(l.At-l.From) / float64(l.Exhausted-l.From), l.Exhausted > l.From
	})
}

// Leaked returns the amount that had leaked at the alarm, relative to the level before.
func (t *Tally) Leaked() stats.Spread {
	return t.found(func(l *Leak) (float64, bool) {
		if !l.Measured {
			return 0, false
		}
		return (l.Value - l.Level) / l.Level, true
	})
}

// Lead returns the hours from the alarm to the exhaustion of the limit, where that is known; below 0 the alarm came too
// late. Its P90 is the lead that nine of ten alarms exceed.
func (t *Tally) Lead() stats.Spread {
	s := t.found(func(l *Leak) (float64, bool) { return -time.Duration(l.Exhausted - l.At).Hours(), l.Exhausted != 0 })
	s.Median, s.P90 = 0-s.Median, 0-s.P90
	return s
}

func (t *Tally) found(measure func(*Leak) (float64, bool)) stats.Spread {
	var values []float64
	for i := range t.Leaks {
		if l := &t.Leaks[i]; l.At != 0 {
			if v, ok := measure(l); ok {
				values = append(values, v)
			}
		}
	}
	return stats.SpreadOf(values)
}

// Precision returns the share of true alarms among all that come from a fleet within a time, when a share of its
// processes leaks once in that time: prevalence*recall / (prevalence*recall + false alarms of a process in that time).
// Low and High take both figures at their unfavourable and at their favourable limits. For one resource it is about the
// alarms of that resource.
func (t *Tally) Precision(prevalence float64, horizon time.Duration) stats.Estimate {
	found, rate := t.Recall(), t.Rate()
	if !found.Known || !rate.Known {
		return stats.Estimate{}
	}
	precision := func(recall, rate float64) (float64, bool) {
		trueAlarms := prevalence * recall
		all := trueAlarms + rate*horizon.Hours()/24
		return trueAlarms / all, all > 0
	}
	value, ok := precision(found.Value, rate.Value)
	if !ok {
		return stats.Estimate{}
	}
	low, _ := precision(found.Low, rate.High)
	high, _ := precision(found.High, rate.Low)
	return stats.Estimate{Value: value, Low: low, High: high, Known: true}
}
