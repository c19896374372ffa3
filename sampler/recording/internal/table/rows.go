package table

import (
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// Rows is a sheet whose columns come as they are named, cell by cell.
type Rows struct {
	Sheet
	index      map[string]int // of columns by their names
	maxColumns int            // columns
}

// NewRows returns rows without a column; format is as in "output of free".
func NewRows(t *input.Text, format string) *Rows {
	return &Rows{Sheet{Format: format, Header: []string{}}, map[string]int{}, t.Bounds.Columns}
}

// Set puts a value where its name has its column.
func (s *Rows) Set(row []string, key, value string) []string {
	col, known := s.index[key]
	if !known {
		if len(s.Header) >= s.maxColumns {
			s.Left++
			return row
		}
		col = len(s.Header)
		s.index[key] = col
		s.Header = append(s.Header, key)
	}
	for len(row) <= col {
		row = append(row, "")
	}
	if n := len(s.Rows); n > 0 && col < len(s.Rows[n-1]) && s.Rows[n-1][col] == value {
		value = s.Rows[n-1][col] // of which one in memory is enough
	}
	row[col] = value
	return row
}

// Finish interprets the rows; faults are those of the lines that they were made of. Its error says that nothing can be
// read of them.
func (s *Rows) Finish(t *input.Text, faults *input.FaultLog, o input.Options) (*gathered.File, error) {
	if len(s.Rows) == 0 {
		g := gathered.New(t, s.Format)
		g.FaultLog = *faults
		return nil, g.Empty()
	}
	return s.InterpretAfter(faults, t, o)
}
