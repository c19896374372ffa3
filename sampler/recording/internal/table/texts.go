package table

import (
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// amountsIn reports whether a column of text holds numbers that change from row to row as readings do: an amount at the
// beginning of each cell with something behind it, a size, or names and values. It returns a cell as an example.
func amountsIn(s *Sheet, col int) (example string, ok bool) {
	const maxCells = 200
	filled, with := 0, 0
	seen := map[string]bool{}
	for i := range min(len(s.Rows), maxCells) {
		text := s.Cell(i, col)
		if scan.Absent(text) {
			continue
		}
		filled++
		if amount := tokens.Amount(text); amount != "" {
			seen[amount] = true
			if with++; with == 1 {
				example = text
			}
		}
	}
	return example, filled > 2 && with*2 > filled && len(seen)*2 > with && len(seen) > 2
}

// messageWords are names of columns that hold a line of a log.
var messageWords = []string{"message", "msg", "log", "raw", "line", "text", "body", "event"}

// unfold gives the names and values in the lines of a log that stand in a column of text columns of their own, as many
// as a table may have.
func unfold(t *input.Text, s *Sheet, shapes []shape) []shape {
	for col := range shapes {
		if s.Header == nil || !naming.HasWord(s.name(col), messageWords...) && s.name(col) != "value" ||
			shapes[col].numeric() || shapes[col].timed() {
			continue
		}
		if _, ok := amountsIn(s, col); !ok {
			continue
		}
		index := map[string]int{}
		for i, row := range s.Rows {
			if col >= len(row) {
				continue
			}
			for _, p := range tokens.Values(row[col]) {
				at, known := index[p[0]]
				if !known {
					if !s.HasRoom(t, len(s.Header)+1) {
						s.Left++
						continue
					}
					if slices.Contains(s.Header, p[0]) {
						continue
					}
					at = len(s.Header)
					index[p[0]] = at
					s.Header = append(s.Header, p[0])
				}
				for len(s.Rows[i]) <= at {
					s.Rows[i] = append(s.Rows[i], "")
				}
				s.Rows[i][at] = p[1]
			}
		}
		if len(index) == 0 {
			continue
		}
		if s.Ignore == nil {
			s.Ignore = map[string]string{}
		}
		s.Ignore[s.name(col)] = ""
		for at := len(shapes); at < len(s.Header); at++ {
			s.points = append(s.points, s.partsThousands(at))
			shapes = append(shapes, s.shapeOf(at))
		}
	}
	return shapes
}
