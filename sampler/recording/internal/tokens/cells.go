package tokens

import (
	"bytes"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// Split parts a line into cells, without the blanks around them. A quoted cell keeps what is between its quotes.
func Split(line []byte, separator byte) []string { return SplitLike(nil, line, separator) }

// SplitLike parts a line into cells as split does. A cell like that in the row above shares its memory.
func SplitLike(above []string, line []byte, separator byte) []string {
	cells := make([]string, 0, len(above))
	put := func(cell []byte) {
		if i := len(cells); i < len(above) && above[i] == string(cell) {
			cells = append(cells, above[i])
			return
		}
		cells = append(cells, string(cell))
	}
	if separator == ' ' {
		for _, cell := range bytes.Fields(line) {
			put(bytes.Trim(cell, `"`))
		}
		return JoinParts(cells)
	}
	if separator == ',' {
		for _, cell := range SplitCSV(nil, line) {
			put(cell)
		}
		return cells
	}
	for {
		line = bytes.Trim(line, " ")
		if len(line) > 0 && line[0] == '"' {
			if cell, rest := quotedCell(line[1:]); len(bytes.TrimSpace(rest)) == 0 ||
				bytes.TrimSpace(rest)[0] == separator || separator == '\t' && rest[0] == '\t' {
				put(cell)
				i := bytes.IndexByte(rest, separator)
				if i < 0 {
					return cells
				}
				line = rest[i+1:]
				continue
			}
		}
		i := bytes.IndexByte(line, separator)
		if i < 0 {
			put(bytes.TrimSpace(line))
			return cells
		}
		put(bytes.TrimSpace(line[:i]))
		line = line[i+1:]
	}
}

// JoinParts puts cells like "45MiB / 7.6GiB" together again.
func JoinParts(cells []string) []string {
	joined := cells[:0]
	for i := 0; i < len(cells); i++ {
		if i+2 < len(cells) && cells[i+1] == "/" {
			joined = append(joined, strings.Join(cells[i:i+3], " "))
			i += 2
			continue
		}
		joined = append(joined, cells[i])
	}
	return joined
}

// SplitCSV appends the cells of a CSV line to dst, without the blanks around them. A quoted cell keeps all that is
// between its quotes.
func SplitCSV(dst [][]byte, line []byte) [][]byte {
	for {
		line = scan.SkipBlanks(line)
		if len(line) > 0 && line[0] == '"' && bytes.IndexByte(line[1:], '"') >= 0 {
			var cell []byte
			cell, line = quotedCell(line[1:])
			dst = append(dst, cell)
			line = scan.SkipBlanks(line)
			if len(line) == 0 {
				return dst
			}
			if line[0] == ',' {
				line = line[1:]
				continue
			}
			dst = dst[:len(dst)-1] // text after the closing quote: no quoted cell
			line = append(append([]byte{'"'}, cell...), line...)
		}
		i := bytes.IndexByte(line, ',')
		if i < 0 {
			return append(dst, bytes.TrimSpace(line))
		}
		dst = append(dst, bytes.TrimSpace(line[:i]))
		line = line[i+1:]
	}
}

// quotedCell reads up to the closing quote; two quotes are one of the cell's own.
func quotedCell(b []byte) (cell, rest []byte) {
	i := bytes.IndexByte(b, '"')
	if i < 0 {
		return b, nil
	}
	if i+1 == len(b) || b[i+1] != '"' {
		return b[:i], b[i+1:]
	}
	for {
		cell = append(cell, b[:i+1]...)
		b = b[i+2:]
		if i = bytes.IndexByte(b, '"'); i < 0 {
			return append(cell, b...), nil
		}
		if i+1 == len(b) || b[i+1] != '"' {
			return append(cell, b[:i]...), b[i+1:]
		}
	}
}
