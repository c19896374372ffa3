package table

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// metricWords name the column of a long table that has the name of each value.
var metricWords = []string{"metric", "measurement", "field", "variable", "counter", "series", "key", "item"}

// metricColumn finds the column that names what the value of its row is: beside it stands one column of values.
func metricColumn(s *Sheet, texts []int, readings int) (col int, ok bool) {
	if readings != 1 || s.Header == nil {
		return 0, false
	}
	for _, col := range texts {
		if naming.HasWord(s.name(col), metricWords...) &&
			!strings.EqualFold(s.name(col), "Counter Type") {
			return col, true
		}
	}
	return 0, false
}

func splitBy(s *Sheet, g *gathered.File, roles []role, by string) error {
	for _, one := range strings.Split(by, ",") {
		col := -1
		for i := range roles {
			if strings.EqualFold(s.name(i), strings.TrimSpace(one)) {
				col = i
			}
		}
		if col < 0 {
			var names []string
			for i := range roles {
				names = append(names, s.name(i))
			}
			return g.Refuse(fmt.Sprintf("--by %s: it has no such column", one),
				"its columns are "+strings.Join(names, ", "))
		}
		roles[col] = isProcess
	}
	for col := range roles {
		if roles[col] == isReading && s.Header != nil {
			if sh := s.shapeOf(col); naming.IsIdentifier(s.name(col)) {
				roles[col] = isLeft
				g.SetAside(s.name(col), "an identifier")
			} else if !sh.numeric() && sh.numbers*2 <= sh.filled {
				roles[col] = isLeft
			}
		}
	}
	g.By = by
	return nil
}

// split finds the columns that distinguish processes: with them no time occurs twice. Columns of text and identifiers
// that do not are left out.
func splitProcesses(s *Sheet, g *gathered.File, shapes []shape, roles []role, texts, ids []int, times []int64) error {
	keys := append(slices.Clone(ids), texts...)
	keys = slices.DeleteFunc(keys, func(col int) bool {
		// A text that is another one in every row names no process, unless it is called so.
		return shapes[col].constant || shapes[col].distinct > len(s.Rows)/2 &&
			naming.KeyRank(s.name(col)) == naming.Unnamed
	})
	slices.SortStableFunc(keys, func(a, b int) int { return naming.KeyRank(s.name(a)) - naming.KeyRank(s.name(b)) })
	const maxKeys = 16 // each pair of them is tried
	keys = keys[:min(len(keys), maxKeys)]
	var chosen []int
	if !unique(s, roles, nil, times) {
		if chosen = distinguishing(s, roles, keys, times); chosen == nil {
			chosen = distinguishing(s, roles, numbered(s, shapes, roles), times)
		}
		if chosen == nil && len(keys) > 0 && sharedTimes(s, times) {
			return g.Refuse("most times appear in it several times, and no column tells which process or series a "+
				"row is", "name the columns that do with --by COLUMN")
		}
	} else {
		// rows of one process come between those of another
		for _, col := range append(keys, numbered(s, shapes, roles)...) {
			if overlaps(s, roles, []int{col}, times) &&
				(naming.HasWord(s.name(col), "pid", "tid", "pod", "container", "instance", "host") ||
					calms(s, shapes, roles, col)) {
				chosen = []int{col}
				break
			}
		}
	}
	var names []string
	for _, col := range chosen {
		roles[col] = isProcess
		names = append(names, s.name(col))
	}
	g.By = strings.Join(names, ", ")
	for _, col := range ids {
		if roles[col] == isReading {
			roles[col] = isLeft
			g.SetAside(s.name(col), "an identifier")
		}
	}
	for _, col := range texts {
		if roles[col] == isReading {
			roles[col] = isLeft
			if shapes[col].constant {
				continue
			}
			g.SetAside(s.name(col), "text")
			if example, ok := amountsIn(s, col); ok {
				g.Unread("%s: its cells, as %s, hold numbers that were not read: give them a column of their own",
					s.name(col), scan.Shown([]byte(example)))
			}
		}
	}
	return nil
}

// numbered returns the columns of whole numbers, few of them, whose names show that they number processes.
func numbered(s *Sheet, shapes []shape, roles []role) (cols []int) {
	const few = 256
	for col := range shapes {
		sh := &shapes[col]
		if s.Header != nil && roles[col] == isReading && sh.numeric() && sh.whole && sh.distinct > 1 &&
			sh.distinct <= few && sh.distinct*3 <= sh.filled && naming.NumbersProcesses(s.name(col)) {
			cols = append(cols, col)
		}
	}
	return cols
}

// calms reports whether a column takes its rows apart: where they are taken by themselves some reading moves from row
// to row by a fraction of what it does where all are taken together. What only describes the rows of one process, as a
// level or a state, does not.
func calms(s *Sheet, shapes []shape, roles []role, key int) bool {
	const maxRows, much = 5000, 4
	for col := range shapes {
		if roles[col] != isReading || col == key || !shapes[col].numeric() {
			continue
		}
		together, apart, before := 0.0, 0.0, math.NaN()
		last := map[string]float64{}
		for row := range min(len(s.Rows), maxRows) {
			a, ok := s.amount(col, s.Cell(row, col))
			if !ok {
				continue
			}
			if !math.IsNaN(before) {
				together += math.Abs(a.Value - before)
			}
			before = a.Value
			of := s.Cell(row, key)
			if v, known := last[of]; known {
				apart += math.Abs(a.Value - v)
			}
			last[of] = a.Value
		}
		if together > much*apart {
			return true
		}
	}
	return false
}

// keyOf returns the values of the key columns in a row, with the name of the metric.
func keyOf(s *Sheet, roles []role, key []int, row int) string {
	var b strings.Builder
	for _, col := range key {
		b.WriteString(s.Cell(row, col))
		b.WriteByte(0)
	}
	if metric := slices.Index(roles, isMetric); metric >= 0 {
		b.WriteString(s.Cell(row, metric))
	}
	return b.String()
}

// unique reports whether no time occurs twice under one key, except for a few.
func unique(s *Sheet, roles []role, key []int, times []int64) bool {
	type at struct {
		t   int64
		key string
	}
	seen := make(map[at]bool, len(times))
	twice := 0
	for i, t := range times {
		k := at{t, keyOf(s, roles, key, i)}
		if t >= 0 && seen[k] {
			twice++
		}
		seen[k] = true
	}
	return twice <= len(times)/50
}

// sharedTimes reports whether times occur several times.
func sharedTimes(s *Sheet, times []int64) bool {
	seen := make(map[int64]bool, len(times))
	for _, t := range times {
		seen[t] = true
	}
	return len(seen) < len(times)*3/4
}

// distinguishing returns the fewest columns under which no time occurs twice, nil if there are none.
func distinguishing(s *Sheet, roles []role, keys []int, times []int64) []int {
	for _, a := range keys {
		if unique(s, roles, []int{a}, times) {
			return []int{a}
		}
	}
	for i, a := range keys {
		for _, b := range keys[i+1:] {
			if unique(s, roles, []int{a, b}, times) {
				return []int{a, b}
			}
		}
	}
	if len(keys) > 2 && unique(s, roles, keys, times) {
		return keys
	}
	return nil
}

// overlaps reports whether rows of one key come between rows of another: they live at the same time.
func overlaps(s *Sheet, roles []role, key []int, times []int64) bool {
	current := ""
	ended := map[string]bool{}
	returns := 0
	for i := range times {
		k := keyOf(s, roles, key, i)
		if k != current {
			if ended[k] {
				returns++
			}
			ended[current], current = true, k
		}
	}
	return returns > len(times)/20
}

// restartColumn returns a column of process ids that change a few times only, each time because the process is another
// one; -1 if there is none.
func restartColumn(s *Sheet, shapes []shape, roles []role) int {
	const fewest = 10 // rows of one process
	for col := range roles {
		if roles[col] == isLeft && s.Header != nil && naming.HasWord(s.name(col), "pid") && !shapes[col].constant &&
			shapes[col].distinct*fewest <= shapes[col].filled {
			return col
		}
	}
	return -1
}
