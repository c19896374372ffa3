package delimited

import (
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// isOtherHeader reports whether a row without numbers within a table is the header of what follows: it begins with a
// name of the first one.
func isOtherHeader(cells, first []string) bool {
	return len(cells) > 1 && cells[0] != "" && slices.Contains(first, cells[0]) && !slices.Contains(cells, "")
}

// placesOf returns where the cells under another header belong in the rows of a sheet, whose first row is its header;
// names that are new are put behind the others, and have the place -1 where there is no room.
func placesOf(t *input.Text, s *table.Sheet, header []string) []int {
	places := make([]int, len(header))
	for i, name := range header {
		at := slices.Index(s.Rows[0], name)
		switch {
		case at >= 0:
		case s.HasRoom(t, len(s.Rows[0])+1):
			at = len(s.Rows[0])
			s.Rows[0] = append(slices.Clone(s.Rows[0]), name)
		default:
			s.Left++
		}
		places[i] = at
	}
	return places
}

// relaidAt is where another header has added names to the first one: before which row, and how wide it was until then.
type relaidAt struct{ row, width int }

// widen brings the rows before other headers to the width of the table.
func widen(s *table.Sheet, relaid []relaidAt) {
	from := 1
	for _, r := range relaid {
		for i, row := range s.Rows[from:r.row] {
			if len(row) == r.width {
				s.Rows[from+i] = append(slices.Clone(row), make([]string, len(s.Rows[0])-len(row))...)
			}
		}
		from = r.row
	}
}

// placed puts cells where they belong in a row of a width.
func placed(cells []string, places []int, width int) []string {
	row := make([]string, width)
	for i, cell := range cells {
		if places[i] >= 0 {
			row[places[i]] = cell
		}
	}
	return row
}
