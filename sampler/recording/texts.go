package recording

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// amountsIn reports whether a column of text holds numbers that change from row to row as readings do: an amount at the
// beginning of each cell with something behind it, a size, or names and values. It returns a cell as an example.
func amountsIn(s *sheet, col int) (example string, ok bool) {
	const looked = 200
	filled, with := 0, 0
	seen := map[string]bool{}
	for i := range min(len(s.rows), looked) {
		text := s.cell(i, col)
		if scan.Absent(text) {
			continue
		}
		filled++
		if amount := amountWithin(text); amount != "" {
			seen[amount] = true
			if with++; with == 1 {
				example = text
			}
		}
	}
	return example, filled > 2 && with*2 > filled && len(seen)*2 > with && len(seen) > 2
}

// amountWithin returns the amount that a text begins with, or its first size or value with a name; "" where it has
// none.
func amountWithin(text string) string {
	if _, form := scan.Instant(text, scan.MonthFirst); form != scan.NoTime {
		return ""
	}
	if cells := strings.Fields(text); len(cells) > 1 && strings.ContainsAny(cells[0][:1], "0123456789~") {
		if _, ok := scan.ParseAmount(cells[0], scan.Thousands); ok && !isMonth(cells[1]) {
			return cells[0]
		}
	}
	for _, m := range pair.FindAllStringSubmatch(text, -1) {
		if _, ok := scan.ParseAmount(m[2], scan.Thousands); ok {
			return m[0]
		}
	}
	if m := spaced.FindStringSubmatch(text); m != nil {
		return m[0]
	}
	return sizeWithin.FindString(text)
}

// sizeWithin is a size within a text, as in "heap is 90 MB of 1024 MB".
var sizeWithin = regexp.MustCompile(`\b\d[\d.,]* ?(?:[KMGTkm]i?[Bb]|bytes)\b`)

// isMonth reports whether a word begins as the name of a month.
func isMonth(word string) bool {
	return len(word) >= 3 && slices.Contains([]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
		"oct", "nov", "dec"}, strings.ToLower(word[:3]))
}

// messageWords are names of columns that hold a line of a log.
var messageWords = []string{"message", "msg", "log", "raw", "line", "text", "body", "event"}

// unfold gives the names and values in the lines of a log that stand in a column of text columns of their own, as many
// as a table may have.
func unfold(t *input, s *sheet, shapes []shape) []shape {
	for col := range shapes {
		if s.header == nil || !hasWord(s.name(col), messageWords...) && s.name(col) != "value" ||
			shapes[col].numeric() || shapes[col].timed() {
			continue
		}
		if _, ok := amountsIn(s, col); !ok {
			continue
		}
		index := map[string]int{}
		for i, row := range s.rows {
			if col >= len(row) {
				continue
			}
			for _, p := range valuesIn(row[col]) {
				at, known := index[p[0]]
				if !known {
					if !t.hasRoom(s, len(s.header)+1) {
						s.left++
						continue
					}
					if slices.Contains(s.header, p[0]) {
						continue
					}
					at = len(s.header)
					index[p[0]] = at
					s.header = append(s.header, p[0])
				}
				for len(s.rows[i]) <= at {
					s.rows[i] = append(s.rows[i], "")
				}
				s.rows[i][at] = p[1]
			}
		}
		if len(index) == 0 {
			continue
		}
		if s.ignore == nil {
			s.ignore = map[string]string{}
		}
		s.ignore[s.name(col)] = ""
		for at := len(shapes); at < len(s.header); at++ {
			s.points = append(s.points, s.partsThousands(at))
			shapes = append(shapes, s.shapeOf(at))
		}
	}
	return shapes
}
