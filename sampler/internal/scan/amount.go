package scan

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Amount is a number as people and tools show it.
type Amount struct {
	Value float64
	Unit  string  // "bytes", "seconds", "percent"; "" where the cell names none
	Of    float64 // the whole that it is a part of, as in "45MiB / 7.6GiB"; 0 where none is named
	// Thousands is how often the value was multiplied by 1000 for a prefix without a unit: 1 for "12k", 2 for "12M".
	Thousands int
}

// Bytes returns the amount as one of bytes: a prefix alone stands for 1024, as in what top, free and sysstat write.
func (a Amount) Bytes() Amount {
	for ; a.Thousands > 0; a.Thousands-- {
		a.Value *= 1.024
		a.Of *= 1.024
	}
	a.Unit = "bytes"
	return a
}

// Commas says what a comma in a number is.
type Commas uint8

// The meanings of a comma.
const (
	Thousands Commas = iota
	Decimal
)

// units of amounts. Bytes are counted as the tools do that write them: MiB and Mi of 1024, MB and kB of 1000.
var units = map[string]struct {
	scale float64
	unit  string
}{
	"b": {1, "bytes"}, "byte": {1, "bytes"}, "bytes": {1, "bytes"},
	"kb": {1e3, "bytes"}, "mb": {1e6, "bytes"}, "gb": {1e9, "bytes"}, "tb": {1e12, "bytes"}, "pb": {1e15, "bytes"},
	"kib": {1 << 10, "bytes"}, "mib": {1 << 20, "bytes"}, "gib": {1 << 30, "bytes"}, "tib": {1 << 40, "bytes"},
	"pib": {1 << 50, "bytes"},
	"ki":  {1 << 10, "bytes"}, "mi": {1 << 20, "bytes"}, "gi": {1 << 30, "bytes"}, "ti": {1 << 40, "bytes"},
	"k": {1e3, ""}, "mil": {1e6, ""}, "bil": {1e9, ""}, "tri": {1e12, ""}, "m": {1e6, ""}, "g": {1e9, ""},
	"t": {1e12, ""},
	"o": {1, "bytes"}, "octets": {1, "bytes"}, "ko": {1e3, "bytes"}, "mo": {1e6, "bytes"}, "go": {1e9, "bytes"},
	"to":  {1e12, "bytes"},
	"kio": {1 << 10, "bytes"}, "mio": {1 << 20, "bytes"}, "gio": {1 << 30, "bytes"},
	"%": {1, "percent"}, "percent": {1, "percent"},
	"ns": {1e-9, "seconds"}, "us": {1e-6, "seconds"}, "µs": {1e-6, "seconds"}, "ms": {1e-3, "seconds"},
	"s": {1, "seconds"}, "sec": {1, "seconds"},
	"min": {60, "seconds"}, "mins": {60, "seconds"}, "h": {3600, "seconds"}, "hour": {3600, "seconds"},
	"hours": {3600, "seconds"},
	"day":   {86400, "seconds"}, "days": {86400, "seconds"},
}

// absent are the ways in which a cell says that nothing was read.
var absent = map[string]bool{
	"": true, "-": true, "--": true, "nan": true, "null": true, "nil": true, "none": true, "n/a": true, "na": true,
	"undefined": true, "no data": true, "?": true,
	"–": true, "—": true, ".": true, "*": true, "...": true, "missing": true, "<missing>": true, "<null>": true,
	"(null)": true, "<no value>": true, "<none>": true, `\n`: true, "n.a.": true, "k.a.": true,
	"#n/a": true, "#na": true, "#null!": true, "#div/0!": true, "#value!": true, "#ref!": true, "#num!": true,
	"#nv": true, "#wert!": true, "error": true, "err": true, "timeout": true, "unknown": true,
	"unavailable": true, "nodata": true, "no_data": true, "inf": true, "+inf": true, "-inf": true, "infinity": true,
	"-nan": true, "1.#qnan": true, "-1.#ind": true, "nan(ind)": true, "-nan(ind)": true,
}

// Absent reports whether a cell says that nothing was read.
func Absent(cell string) bool {
	part, total, both := strings.Cut(cell, "/")
	if both && strings.TrimSpace(total) == "--" { // of docker stats, where a container has just ended
		cell = part
	}
	return absent[strings.ToLower(strings.TrimSpace(cell))]
}

// ParseAmount reads a number, with separators of thousands and with a unit. ok is false for all else, and for what is
// not finite.
func ParseAmount(cell string, commas Commas) (a Amount, ok bool) {
	if v, err := Finite([]byte(cell)); err == nil {
		return Amount{Value: v}, true
	}
	if part, total, both := strings.Cut(cell, "/"); both {
		a, ok1 := ParseAmount(part, commas)
		of, ok2 := ParseAmount(total, commas)
		if !ok1 || !ok2 || a.Unit != of.Unit || of.Of != 0 {
			return Amount{}, false
		}
		switch {
		case a.Thousands == of.Thousands:
		case a.Thousands > 0 && of.Thousands > 0: // "197M / 7.6G": only sizes are written so
			a, of = a.Bytes(), of.Bytes()
		default:
			a.Thousands = 0
		}
		a.Of = of.Value
		return a, true
	}
	cell = strings.TrimLeft(cell, "~≈ ")
	if amount, _, note := strings.Cut(cell, " ("); note && strings.HasSuffix(cell, "%)") { // "197 MB (12 %)"
		cell = amount
	}
	cell = strings.TrimSpace(cell)
	end := 0
	for end < len(cell) {
		r, size := utf8.DecodeRuneInString(cell[end:])
		digit := r >= '0' && r <= '9'
		sign := (r == '-' || r == '+') && (end == 0 || cell[end-1]|0x20 == 'e')
		exponent := r|0x20 == 'e' && end > 0 && isExponent(cell[end+1:])
		if !digit && !sign && !exponent && !strings.ContainsRune(".,'\u00a0\u202f\u2009 ", r) {
			break
		}
		end += size
	}
	number, unit := strings.TrimSpace(cell[:end]), strings.TrimSpace(cell[end:])
	number, ok = plainNumber(number, commas)
	if !ok {
		return Amount{}, false
	}
	v, err := Finite([]byte(number))
	if err != nil {
		return Amount{}, false
	}
	a.Value = v
	if unit == "" {
		return a, true
	}
	u, known := units[strings.ToLower(unit)]
	switch unit { // as top writes sizes
	case "g":
		u.scale, u.unit = 1<<30, "bytes"
	case "t":
		u.scale, u.unit = 1<<40, "bytes"
	}
	if !known {
		return Amount{}, false
	}
	a = Amount{Value: v * u.scale, Unit: u.unit}
	if u.unit == "" {
		a.Thousands = int(math.Round(math.Log10(u.scale) / 3))
	}
	return a, true
}

func isExponent(rest string) bool {
	rest = strings.TrimLeft(rest, "+-")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// plainNumber takes the separators of thousands out of a number, and writes its decimals behind a point.
func plainNumber(number string, commas Commas) (plain string, ok bool) {
	for _, blank := range []string{"\u00a0", "\u202f", "\u2009", " ", "'"} {
		if strings.Contains(number, blank) {
			if !grouped(number, blank, ".,") {
				return "", false
			}
			number = strings.ReplaceAll(number, blank, "")
		}
	}
	points, commaCount := strings.Count(number, "."), strings.Count(number, ",")
	switch {
	case commaCount == 0 && points < 2:
		return number, number != ""
	case commas == Decimal && commaCount == 1: // 1.234,5
		if points > 0 && !grouped(number, ".", ",") {
			return "", false
		}
		return strings.Replace(strings.ReplaceAll(number, ".", ""), ",", ".", 1), true
	case commaCount > 0 && points < 2 && grouped(number, ",", "."):
		return strings.ReplaceAll(number, ",", ""), true
	case commaCount == 0 && grouped(number, ".", ","): // 1.234.567
		return strings.ReplaceAll(number, ".", ""), true
	}
	return "", false
}

// grouped reports whether a separator stands before each three digits of what is before the decimals.
func grouped(number, separator, decimals string) bool {
	if i := strings.LastIndexAny(number, decimals); i >= 0 {
		number = number[:i]
	}
	parts := strings.Split(strings.TrimLeft(number, "+-"), separator)
	for i, part := range parts {
		if i > 0 && len(part) != 3 || i == 0 && (part == "" || len(part) > 3) {
			return false
		}
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return len(parts) > 1
}

// DecimalComma reports whether the comma of a cell can only be that of decimals.
func DecimalComma(cell string) bool {
	i := strings.IndexByte(cell, ',')
	if i < 0 || strings.Count(cell, ",") > 1 {
		return false
	}
	digits := 0
	for _, c := range []byte(cell[i+1:]) {
		if c < '0' || c > '9' {
			break
		}
		digits++
	}
	return digits > 0 && digits != 3 || strings.HasPrefix(strings.TrimLeft(cell, "-+"), "0,")
}
