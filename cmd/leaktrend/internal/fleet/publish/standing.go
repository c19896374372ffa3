package publish

import (
	"maps"
	"slices"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

// standing are the findings that hold after the latest report, by key.
type standing map[string]fleet.Finding

// update takes the next report and returns the findings that hold no more, in order of key: not those of what could not
// be read, as they may be there.
func (s standing) update(r *fleet.Report) (ended []fleet.Finding) {
	found := make(map[string]bool)
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		key := x.Key()
		found[key] = !x.Ended
		if _, stood := s[key]; stood || !x.Ended {
			s[key] = x
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if x := s[key]; !found[key] && r.Covers(&x) {
			ended = append(ended, x)
			delete(s, key)
		}
	}
	return ended
}
