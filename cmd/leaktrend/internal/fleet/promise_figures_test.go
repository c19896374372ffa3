package fleet

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// figures are those of fleets of one kind.
type figures struct {
	wrong, expected       []float64 // by fleet: the share false, and what the chances say
	found, due, suspected int
	foundAt, dueAt        [4]int
	reported              int
	seeds                 []int                         // fleets up to the end of each seed
	told                  [tenths]struct{ n, leak int } // findings and suspects by their chance
	healthy               map[string]map[string]int     // false findings by family and series
}

const tenths = 10

var ageNames = [4]string{"below 1 d", "1 to 2 d", "2 to 4 d", "above 4 d"}

func ageClass(age time.Duration) int {
	switch {
	case age < aDay:
		return 0
	case age < 2*aDay:
		return 1
	case age < 4*aDay:
		return 2
	}
	return 3
}

func (f *figures) add(r *Report, members map[string]*judgedSeries) {
	wrong := 0
	lacking := 0.
	seen := map[string]bool{}
	for i := range r.Findings {
		x := &r.Findings[i]
		s := members[x.Group[0].Value]
		seen[x.Group[0].Value] = true
		lacking += 1 - x.Chance.Mean
		if !s.leaks {
			wrong++
			f.blame(s, x.Lives != nil)
		}
	}
	f.reported += len(r.Findings)
	n := float64(max(len(r.Findings), 1))
	f.wrong, f.expected = append(f.wrong, float64(wrong)/n), append(f.expected, lacking/n)
	suspected := map[string]bool{}
	for _, list := range [][]Finding{r.Findings, r.Suspects} {
		for i := range list {
			told := &f.told[min(int(tenths*list[i].Chance.Mean), tenths-1)]
			told.n++
			if members[list[i].Group[0].Value].leaks {
				told.leak++
			}
		}
	}
	for i := range r.Suspects {
		suspected[r.Suspects[i].Group[0].Value] = true
	}
	for job, s := range members {
		if !s.due {
			continue
		}
		f.due++
		f.dueAt[ageClass(s.age)]++
		if seen[job] {
			f.found++
			f.foundAt[ageClass(s.age)]++
		} else if suspected[job] {
			f.suspected++
		}
	}
}

// blame counts a series as a false finding, of one life or over several.
func (f *figures) blame(s *judgedSeries, overLives bool) {
	of := s.family
	if overLives {
		of += " over lives"
	}
	if f.healthy == nil {
		f.healthy = map[string]map[string]int{}
	}
	if f.healthy[of] == nil {
		f.healthy[of] = map[string]int{}
	}
	f.healthy[of][s.p.labels["instance"]]++
}

// falseShare returns the mean share of false findings over the fleets, and its error at 95 %: of several seeds by what
// they differ, as fleets of one seed share their series.
func (f *figures) falseShare() (mean, error95 float64) {
	of := f.wrong
	if len(f.seeds) > 1 {
		of = nil
		from := 0
		for _, to := range f.seeds {
			of = append(of, stat.Mean(f.wrong[from:to], nil))
			from = to
		}
	}
	mean, deviation := stat.MeanStdDev(of, nil)
	return mean, distuv.StudentsT{Sigma: 1, Nu: float64(len(of) - 1)}.Quantile(.975) * deviation / math.Sqrt(
		float64(len(of)))
}

func (f *figures) String() string {
	mean, error95 := f.falseShare()
	share := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	text := fmt.Sprintf("%d findings, false %.1f %% +- %.1f, said %.1f %%; of %d due leaks %.0f %% found, %.0f %% "+
		"suspects;", f.reported, 100*mean, 100*error95,
		100*stat.Mean(f.expected, nil), f.due, share(f.found, f.due), share(f.suspected, f.due))
	for i, n := range f.dueAt {
		text += fmt.Sprintf(" %s %.0f %%,", ageNames[i], share(f.foundAt[i], n))
	}
	text += " leaks by the tenth of the chance that was said:"
	for _, told := range f.told {
		text += fmt.Sprintf(" %d of %d,", told.leak, told.n)
	}
	text += " false ones:"
	for _, family := range slices.Sorted(maps.Keys(f.healthy)) {
		n := 0
		for _, times := range f.healthy[family] {
			n += times
		}
		text += fmt.Sprintf(" %s %d of %d series,", family, n, len(f.healthy[family]))
	}
	return text
}
