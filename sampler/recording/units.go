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
			a, ok := s.amount(col, s.cell(i, col))
			if ok && a.Unit != "" && a.Unit != "percent" {
				r.unit = a.Unit
				break
			}
			if ok && a.Thousands > 0 && r.unit == "" && hasWord(r.name, memoryWords...) {
				r.unit = "bytes" // no break: all that follows may have units of its own
			}
		}
		all[col] = r
	}
	return all
}

// memoryWords are of names of columns whose numbers, where they end with K, M or G, are sizes.
var memoryWords = []string{"rss", "res", "vsz", "virt", "shr", "mem", "memory", "heap", "used", "swap", "resident"}

// knowNode gives the columns of Node's process.memoryUsage their unit, where they are not shown in another.
func knowNode(s *sheet, shapes []shape) {
	const leastHeap = 1 << 20 // no Node has less
	parts := []string{"rss", "heapTotal", "heapUsed", "external", "arrayBuffers"}
	found := map[string]int{}
	for col, name := range s.header {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if slices.Contains(parts, last) && shapes[col].numeric() {
			found[last] = col
		}
	}
	used, ok := found["heapUsed"]
	if _, total := found["heapTotal"]; !ok || !total || shapes[used].min < leastHeap {
		return
	}
	if s.bases == nil {
		s.bases = map[string]base{}
	}
	for _, col := range found {
		s.bases[s.header[col]] = base{1, "bytes"}
	}
}

// headerUnit returns the unit that a name ends with or has in brackets, and the factor to it. Kilobytes of headers are
// those of ps and top, of 1024.
func headerUnit(name string) (factor float64, unit string) {
	list := words(name)
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case "bytes", "byte":
			return 1, "bytes"
		case "kb", "kib", "kbytes", "kilobytes", "ki", "ko", "kio":
			return 1 << 10, "bytes"
		case "mb", "mib", "mbytes", "megabytes", "mi", "mo", "mio":
			return 1 << 20, "bytes"
		case "gb", "gib", "gbytes", "gigabytes", "gi", "gio":
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
