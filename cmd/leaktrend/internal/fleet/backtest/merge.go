package backtest

import "slices"

// Sums are what a fleet, or a part of it, tells of its calls, and what adds up over its parts.
type Sums struct {
	Judged map[string]int // how many groups are, now, by resource or what else calls are counted by
	Calls  []Candidate    // of now
	Table  Table          // what became of earlier ones
}

// With returns what both tell. Neither is changed.
func (s *Sums) With(other *Sums) Sums {
	both := Sums{Judged: map[string]int{}, Calls: slices.Concat(s.Calls, other.Calls),
		Table: *s.Table.With(&other.Table)}
	for _, judged := range []map[string]int{s.Judged, other.Judged} {
		for by, n := range judged {
			both.Judged[by] += n
		}
	}
	return both
}

// With returns what the pasts of two parts of a fleet tell together. Neither is changed.
func (t *Table) With(other *Table) *Table {
	both := &Table{}
	for _, part := range []*Table{t, other} {
		for resource, c := range part.Resources {
			sum := both.of(resource)
			sum.Instants += c.Instants
			for k := range c.Reached {
				sum.Reached[k].add(&c.Reached[k])
			}
		}
	}
	return both
}
