package fleet

import (
	"cmp"
	"slices"
)

// Keep has suspects that stood as findings before, and are near to being some, go on as findings, so that what is at
// the border does not come and go. stood tells by the key of a finding whether it did.
func (r *Report) Keep(stood func(key string) bool) {
	r.Suspects = slices.DeleteFunc(r.Suspects, func(f Finding) bool {
		keep := f.Near && !f.Ended && stood(f.Key())
		if keep {
			r.Findings = append(r.Findings, f)
		}
		return keep
	})
	slices.SortStableFunc(r.Findings, compareFindings)
}

// compareFindings puts what holds first, then the likeliest.
func compareFindings(a, b Finding) int {
	ended := func(f *Finding) int {
		if f.Ended {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(ended(&a), ended(&b)), cmp.Compare(b.Chance.Mean, a.Chance.Mean),
		cmp.Compare(b.Worst.Severity, a.Worst.Severity),
		cmp.Compare(b.Growing, a.Growing),
	)
}
