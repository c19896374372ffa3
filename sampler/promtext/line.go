package promtext

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// Label is one name and value of a series. Its bytes may belong to the line that it was read from.
type Label struct{ Name, Value []byte }

// Line is one sample line of the Prometheus text format or of OpenMetrics.
type Line struct {
	Name   []byte
	Labels []Label
	Value  float64 // may be NaN or infinite
	Stamp  []byte  // the timestamp as written; nil if there is none
}

var errMetricLine = errors.New("not a line of the Prometheus text format")

// Parse overwrites m with a line. What m then holds is valid until the line's memory is reused.
func (m *Line) Parse(line []byte) error {
	m.Name, m.Labels, m.Stamp = nil, m.Labels[:0], nil
	n := nameLength(line)
	m.Name, line = line[:n], scan.SkipBlanks(line[n:])
	if len(line) > 0 && line[0] == '{' {
		var err error
		if line, err = m.parseLabels(line[1:]); err != nil {
			return err
		}
	}
	if len(m.Name) == 0 { // promtool writes the name among the labels
		if i := slices.IndexFunc(m.Labels, func(l Label) bool { return string(l.Name) == "__name__" }); i >= 0 {
			m.Name = m.Labels[i].Value
			m.Labels = slices.Delete(m.Labels, i, i+1)
		}
	}
	if len(m.Name) == 0 {
		return errMetricLine
	}
	value, line := nextToken(line)
	v, err := scan.Number(value)
	if err != nil {
		return errMetricLine
	}
	m.Value = v
	token, line := nextToken(line)
	if len(token) > 0 && token[0] != '#' {
		if _, _, err := scan.Unix(bytes.TrimPrefix(token, []byte("-"))); err != nil {
			return errMetricLine
		}
		m.Stamp = token
		token, _ = nextToken(line)
	}
	if len(token) > 0 && token[0] != '#' { // after # comes an exemplar
		return errMetricLine
	}
	return nil
}

// parseLabels reads what follows an opening brace, and returns what follows the closing one. A quoted string without
// a value is the metric's name, for names that need quotes.
func (m *Line) parseLabels(line []byte) ([]byte, error) {
	for {
		line = scan.SkipBlanks(line)
		if len(line) == 0 {
			return nil, errMetricLine
		}
		if line[0] == '}' {
			return line[1:], nil
		}
		var l Label
		quoted := line[0] == '"'
		if quoted {
			var ok bool
			if l.Name, line, ok = quotedString(line); !ok {
				return nil, errMetricLine
			}
		} else {
			n := nameLength(line)
			if n == 0 {
				return nil, errMetricLine
			}
			l.Name, line = line[:n], line[n:]
		}
		line = scan.SkipBlanks(line)
		switch {
		case len(line) > 0 && line[0] == '=':
			var ok bool
			if l.Value, line, ok = quotedString(scan.SkipBlanks(line[1:])); !ok {
				return nil, errMetricLine
			}
			m.Labels = append(m.Labels, l)
		case quoted && len(m.Name) == 0:
			m.Name = l.Name
		default:
			return nil, errMetricLine
		}
		line = scan.SkipBlanks(line)
		if len(line) > 0 && line[0] == ',' {
			line = line[1:]
		} else if len(line) == 0 || line[0] != '}' {
			return nil, errMetricLine
		}
	}
}

// quotedString reads a string in double quotes with the escapes \\, \" and \n.
func quotedString(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	b = b[1:]
	end := bytes.IndexAny(b, `"\`)
	if end < 0 {
		return nil, nil, false
	}
	if b[end] == '"' {
		return b[:end], b[end+1:], true
	}
	text = slices.Clone(b[:end])
	for i := end; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return text, b[i+1:], true
		case c == '\\' && i+1 < len(b):
			i++
			switch b[i] {
			case 'n':
				text = append(text, '\n')
			case '"', '\\':
				text = append(text, b[i])
			default:
				text = append(text, '\\', b[i])
			}
		default:
			text = append(text, c)
		}
	}
	return nil, nil, false
}

// nameLength returns how many bytes at the start of b form a metric or label name.
func nameLength(b []byte) int {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':'
		if !letter && (i == 0 || c-'0' > 9) {
			return i
		}
	}
	return len(b)
}

func nextToken(b []byte) (token, rest []byte) {
	b = scan.SkipBlanks(b)
	if i := bytes.IndexAny(b, " \t"); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}

// ParseType reads a line like "# TYPE go_goroutines gauge".
func ParseType(line []byte) (metric, kind string, ok bool) {
	line, ok = bytes.CutPrefix(line, []byte("# TYPE "))
	if !ok {
		return "", "", false
	}
	var name []byte
	if line = scan.SkipBlanks(line); len(line) > 0 && line[0] == '"' {
		if name, line, ok = quotedString(line); !ok {
			return "", "", false
		}
	} else {
		name, line = nextToken(line)
	}
	word, rest := nextToken(line)
	if len(name) == 0 || len(scan.SkipBlanks(rest)) > 0 {
		return "", "", false
	}
	switch kind = string(word); kind {
	case "counter", "gauge", "histogram", "gaugehistogram", "summary", "untyped", "unknown", "info", "stateset":
		return string(name), kind, true
	}
	return "", "", false
}

// AppendLabels appends the labels in order of their names, as in {a="b",c="d"}; nothing if there are none. It sorts
// them.
func AppendLabels(b []byte, labels []Label) []byte {
	if len(labels) == 0 {
		return b
	}
	slices.SortFunc(labels, func(x, y Label) int { return bytes.Compare(x.Name, y.Name) })
	for i, l := range labels {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		if n := nameLength(l.Name); n == len(l.Name) && n > 0 {
			b = append(b, l.Name...)
		} else {
			b = strconv.AppendQuote(b, string(l.Name))
		}
		b = append(b, '=')
		b = strconv.AppendQuote(b, string(l.Value))
	}
	return append(b, '}')
}
