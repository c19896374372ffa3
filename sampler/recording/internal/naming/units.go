package naming

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

// MemoryWords are of names of columns whose numbers, where they end with K, M or G, are sizes.
var MemoryWords = []string{"rss", "res", "vsz", "virt", "shr", "mem", "memory", "heap", "used", "swap", "resident"}

// Unit returns the unit that a name ends with or has in brackets, and the factor to it. Kilobytes of headers are
// those of ps and top, of 1024.
func Unit(name string) (factor float64, unit string) {
	list := Words(name)
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
		case "by": // of OpenTelemetry
			if strings.Contains(name, "(By)") {
				return 1, "bytes"
			}
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

// BaseName is the name of a column in a recording of our own, which holds bytes where the file holds rss_kb.
func BaseName(name, unit string) string {
	factor, _ := Unit(name)
	if unit != "bytes" || strings.HasSuffix(name, "_bytes") {
		return name
	}
	if strings.ContainsAny(name, "{=") { // a series with its labels
		return name
	}
	list := Words(name)
	if factor != 1 {
		list = slices.DeleteFunc(list, func(w string) bool {
			f, _ := Unit("x_" + w)
			return f != 1
		})
	}
	list = slices.DeleteFunc(list, func(w string) bool { return w == "bytes" })
	if list = append(list, "bytes"); len(list) == 1 {
		return name
	}
	return strings.Join(list, "_")
}

// Recordable makes a column's header a name that a recording can hold.
func Recordable(header string) string {
	if scan.Recordable(header) {
		return header
	}
	return promtext.ResourceName(header)
}
