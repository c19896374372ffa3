package recording

import (
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// rows is a sheet whose columns come as they are named, cell by cell.
type rows struct {
	sheet
	index map[string]int // of columns by their names
	most  int            // columns
}

// newRows returns rows without a column; format is as in "output of free".
func newRows(t *input.Text, format string) *rows {
	return &rows{sheet{format: format, header: []string{}}, map[string]int{}, t.Bounds.Columns}
}

// cell puts a value where its name has its column.
func (s *rows) cell(row []string, key, value string) []string {
	col, known := s.index[key]
	if !known {
		if len(s.header) >= s.most {
			s.left++
			return row
		}
		col = len(s.header)
		s.index[key] = col
		s.header = append(s.header, key)
	}
	for len(row) <= col {
		row = append(row, "")
	}
	if n := len(s.rows); n > 0 && col < len(s.rows[n-1]) && s.rows[n-1][col] == value {
		value = s.rows[n-1][col] // of which one in memory is enough
	}
	row[col] = value
	return row
}

func (s *rows) finish(t *input.Text, faults *input.FaultLog, o input.Options) (*gathered.File, error) {
	if len(s.rows) == 0 {
		g := gathered.New(t, s.format)
		g.FaultLog = *faults
		return nil, g.Empty()
	}
	return s.interpretAfter(faults, t, o)
}
