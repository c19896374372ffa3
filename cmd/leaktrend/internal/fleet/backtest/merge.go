package backtest

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
