package recording

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
)

// reading is a column that is read.
type reading struct {
	name   string
	series string // tells it from an earlier column of the same name
	factor float64
	unit   string
}

func columnsOf(s *sheet, g *gathered, shapes []shape, roles []role) []reading {
	all := make([]reading, len(roles))
	taken := map[string]int{}
	values := 0
	for col := range roles {
		if roles[col] != isReading {
			continue
		}
		r := reading{factor: 1}
		if s.header == nil {
			if r.name = "value"; values > 0 {
				r.name += fmt.Sprintf("_%d", values+1)
			}
			values++
		} else if r.name = s.header[col]; r.name == "" {
			r.name = fmt.Sprintf("column %d", col+1)
		}
		if taken[r.name]++; taken[r.name] > 1 {
			r.series = fmt.Sprintf(" (%d)", taken[r.name])
		}
		r.factor, r.unit = headerUnit(r.name)
		if b, known := s.bases[r.name]; known {
			r.factor, r.unit = b.factor, b.unit
		}
		for i := range min(len(s.rows), 1000) {
			if a, ok := s.amount(col, s.cell(i, col)); ok && a.Unit != "" && a.Unit != "percent" {
				r.unit = a.Unit
				break
			}
		}
		all[col] = r
	}
	return all
}

// headerUnit returns the unit that a name ends with or has in brackets, and the factor to it. Kilobytes of headers are
// those of ps and top, of 1024.
func headerUnit(name string) (factor float64, unit string) {
	list := words(name)
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case "bytes", "byte":
			return 1, "bytes"
		case "kb", "kib", "kbytes", "kilobytes", "ki":
			return 1 << 10, "bytes"
		case "mb", "mib", "mbytes", "megabytes", "mi":
			return 1 << 20, "bytes"
		case "gb", "gib", "gbytes", "gigabytes", "gi":
			return 1 << 30, "bytes"
		case "tb", "tib":
			return 1 << 40, "bytes"
		case "b":
			if i == len(list)-1 && i > 0 {
				return 1, "bytes"
			}
		case "per", "s": // a rate
			if list[i] == "per" || i > 0 && strings.Contains(name, "/s") {
				return 1, ""
			}
		}
	}
	if r, _ := sampler.Lookup(name); r.Unit != "" {
		return 1, r.Unit
	}
	return 1, ""
}

// baseName is the name of a column in a recording of our own, which holds bytes where the file holds rss_kb.
func baseName(name, unit string) string {
	factor, _ := headerUnit(name)
	if unit != "bytes" || strings.HasSuffix(name, "_bytes") {
		return name
	}
	if strings.ContainsAny(name, "{=") { // a series with its labels
		return name
	}
	list := words(name)
	if factor != 1 {
		list = slices.DeleteFunc(list, func(w string) bool {
			f, _ := headerUnit("x_" + w)
			return f != 1
		})
	}
	list = slices.DeleteFunc(list, func(w string) bool { return w == "bytes" })
	if list = append(list, "bytes"); len(list) == 1 {
		return name
	}
	return strings.Join(list, "_")
}
