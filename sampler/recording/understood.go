package recording

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// NotJudged returns what the file holds that is not judged, each with its reason, as in "max_rss_kb: a maximum".
func (f *File) NotJudged() []string {
	var all []string
	for _, a := range f.notJudged() {
		all = append(all, a.What+": "+a.Why)
	}
	return all
}

func (f *File) notJudged() []gathered.Aside {
	if f.all != nil {
		return f.all.Aside
	}
	var all []gathered.Aside
	for _, d := range f.Recordings[0].described() {
		if d.Unjudged != "" {
			all = append(all, gathered.Aside{What: d.Name, Why: d.Unjudged})
		}
	}
	return all
}

// Understood describes on one line how a file was understood, once its recordings were read to the end, as in "144 rows
// of 144, 48h at 20m, 2 processes by pid, 2 columns judged, 1 not (max_rss_kb: a maximum)".
func (f *File) Understood() string {
	var parts []string
	rows, used, lost := 0, 0, 0
	var first, last time.Time
	var step time.Duration
	judged := map[string]bool{}
	gaps, absent := map[string]int{}, map[string]int{}
	for _, r := range f.Recordings {
		seen := &r.seen
		rows += seen.samples + r.faults
		used += seen.samples
		lost += r.notes.Lost
		if first.IsZero() || seen.first.Before(first) {
			first = seen.first
		}
		if at := time.Unix(0, r.last).UTC(); seen.samples > 0 && at.After(last) {
			last = at
		}
		if step == 0 {
			step = seen.step()
		}
		for _, d := range r.described() {
			if d.Unjudged == "" {
				judged[d.Name] = true
			}
		}
		for name, n := range r.gaps {
			gaps[name] += n
		}
		for name, n := range r.absent {
			absent[name] += n
		}
		if r.process != nil {
			for _, c := range r.process.Columns {
				if c.Gaps > 0 {
					gaps[c.Resource.Name] += c.Gaps
				}
				if c.Absent > 0 {
					absent[c.Resource.Name] += c.Absent
				}
			}
		}
	}
	what := "row"
	if f.all != nil {
		rows, used = f.all.Rows, f.all.Used
		if f.all.Values {
			what = "value"
		}
	}
	parts = append(parts, fmt.Sprintf("%s of %d", scan.Count(used, what), rows), span(first, last, step))
	if f.Format != "" {
		parts = append(parts, f.Format)
	}
	if n := len(f.Recordings); n > 1 {
		parts = append(parts, fmt.Sprintf("%d processes by %s", n, f.all.By))
	}
	parts = append(parts, scan.Count(len(judged), "column")+" judged")
	if list := f.notJudged(); len(list) > 0 {
		parts = append(parts, fmt.Sprintf("%d not (%s)", len(list), gathered.ListAside(list)))
	}
	for _, name := range slices.Sorted(maps.Keys(gaps)) {
		parts = append(parts, fmt.Sprintf("%s where %s is 0 or less", scan.Count(gaps[name], "gap"), name))
	}
	for _, name := range slices.Sorted(maps.Keys(absent)) {
		parts = append(parts, fmt.Sprintf("%s where %s is a number that stands for a failed reading",
			scan.Count(absent[name], "gap"), name))
	}
	if lost > 0 {
		parts = append(parts, scan.Count(lost, "sample")+" lost while it was recorded")
	}
	if f.by != "" {
		parts = append(parts, "not split by "+f.by+": a recording of leaktrend is of one process")
	}
	if f.all != nil {
		parts = append(parts, f.all.Notes...)
	} else if r := f.Recordings[0]; !r.notes.V1 && sampler.FormatInstant(last, "") != "" {
		parts = append(parts, table.CountsSeconds("time"))
	}
	return strings.Join(parts, ", ")
}

func span(first, last time.Time, step time.Duration) string {
	text := sampler.FormatDuration(last.Sub(first))
	if step > 0 {
		text += " at " + sampler.FormatDuration(step)
	}
	return text
}

// seen is what the samples of a recording were like.
type seen struct {
	samples     int
	first, last time.Time         // of the first ones
	steps       [64]time.Duration // between the first ones
}

// begin takes one of the first samples, which is counted already.
func (s *seen) begin(sample *sampler.Sample) {
	if s.samples == 1 {
		s.first = sample.Time
	} else {
		s.steps[s.samples-2] = sample.Time.Sub(s.last)
	}
	s.last = sample.Time
}

// step returns the usual time between two samples, 0 if there is only one.
func (s *seen) step() time.Duration {
	n := min(s.samples-1, len(s.steps))
	if n < 1 {
		return 0
	}
	steps := slices.Clone(s.steps[:n])
	slices.Sort(steps)
	return steps[n/2]
}
