// Package scan reads cells, numbers and times, as recordings and metrics hold them, exactly and without allocating.
// What a format is made of belongs to the package that reads it.
package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Samples may lie in the years 1970 to 2200.
const EndOfTime = 7_289_654_400 // 2201-01-01T00:00:00Z in unix seconds

// Unix times from here on are milliseconds: as seconds they would lie in the year 5138.
const unixMillis = 100_000_000_000

// What is wrong with a cell.
var (
	ErrTime      = errors.New("neither RFC 3339 nor unix seconds")
	ErrTimeRange = errors.New("not between the years 1970 and 2200")
	ErrNumber    = errors.New("not a number")
)

// Powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	1e18, 1e19}

var nanosPerDigit = [...]int64{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1}

// eightDigits converts eight ASCII digits at once. Source: D. Lemire, "Quickly parsing eight digits", 2018.
func eightDigits(v uint64) (n uint64, ok bool) {
	const high = 0xf0f0f0f0f0f0f0f0
	if v&high|(v+0x0606060606060606)&high>>4 != 0x3333333333333333 {
		return 0, false
	}
	v -= 0x3030303030303030
	v = v*10 + v>>8
	return (v&0x000000ff000000ff*0x000f424000000064 + v>>16&0x000000ff000000ff*0x0000271000000001) >> 32, true
}

// PlainNumber reads a plain decimal number at b[i:] and returns the index of the first byte after it. It is exact: ok
// is false for a number that needs strconv.
func PlainNumber(b []byte, i int) (v float64, next int, ok bool) {
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	var m uint64
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	digits := i - first
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for i < len(b) && b[i]-'0' <= 9 {
			m = m*10 + uint64(b[i]-'0')
			i++
		}
		fraction := i - point
		digits += fraction
		// Both operands are exact, so the division is rounded once (Clinger 1990).
		if digits == 0 || digits > 19 || m > 1<<53 {
			return 0, i, false
		}
		v = float64(m) / pow10[fraction]
	} else {
		if digits == 0 || digits > 19 {
			return 0, i, false
		}
		v = float64(m)
	}
	if negative {
		v = -v
	}
	return v, i, true
}

// Number reads a whole cell as strconv.ParseFloat does, infinities and NaN included.
func Number(cell []byte) (float64, error) {
	if v, next, ok := PlainNumber(cell, 0); ok && next == len(cell) {
		return v, nil
	}
	v, err := strconv.ParseFloat(string(cell), 64)
	if err != nil {
		return 0, ErrNumber
	}
	return v, nil
}

// Finite reads a whole cell as a number that a Reading may hold.
func Finite(cell []byte) (float64, error) {
	v, err := Number(cell)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return 0, ErrNumber
	}
	return v, err
}

// Times reads the times of a recording. It remembers the last date, because the date seldom changes.
type Times struct {
	date    string
	dateSec int64
}

// Plain reads a time at b[i:] in one of the two common forms and returns the index of the first byte after it. ok is
// false for all that needs parse.
func (p *Times) Plain(b []byte, i int) (sec, nsec int64, next int, ok bool) {
	first := i
	var m uint64
	if len(b)-i >= 8 {
		if v, all := eightDigits(binary.LittleEndian.Uint64(b[i:])); all {
			m = v
			i += 8
		}
	}
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	switch n := i - first; {
	case n == 4 && i < len(b) && b[i] == '-':
		return p.scanRFC3339(b, first)
	case n == 0 || n > 12 || m >= EndOfTime:
		return 0, 0, i, false
	}
	if i < len(b) && b[i] == '.' {
		if nsec, i, ok = scanFraction(b, i+1); !ok {
			return 0, 0, i, false
		}
	}
	return int64(m), nsec, i, true
}

func scanFraction(b []byte, i int) (nsec int64, next int, ok bool) {
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		nsec = nsec*10 + int64(b[i]-'0')
		i++
	}
	if n := i - first; n >= 1 && n <= 9 {
		return nsec * nanosPerDigit[n], i, true
	}
	return 0, i, false
}

// scanRFC3339 reads the UTC form, as in 2026-11-23T08:15:48.123Z.
func (p *Times) scanRFC3339(b []byte, i int) (sec, nsec int64, next int, ok bool) {
	if len(b)-i < len("2006-01-02T15:04:05Z") {
		return 0, 0, i, false
	}
	c := b[i : i+20]
	if string(c[:10]) != p.date {
		day, err := time.Parse(time.DateOnly, string(c[:10]))
		if err != nil || day.Unix() < 0 || day.Unix() >= EndOfTime {
			return 0, 0, i, false
		}
		p.date, p.dateSec = string(c[:10]), day.Unix()
	}
	hour, ok1 := twoDigits(c[11], c[12])
	minute, ok2 := twoDigits(c[14], c[15])
	second, ok3 := twoDigits(c[17], c[18])
	if !ok1 || !ok2 || !ok3 || c[10] != 'T' || c[13] != ':' || c[16] != ':' || hour > 23 || minute > 59 || second > 59 {
		return 0, 0, i, false
	}
	sec = p.dateSec + hour*3600 + minute*60 + second
	if i += 19; c[19] == '.' {
		if nsec, i, ok = scanFraction(b, i+1); !ok || i == len(b) {
			return 0, 0, i, false
		}
	}
	if b[i] != 'Z' {
		return 0, 0, i, false
	}
	return sec, nsec, i + 1, true
}

func twoDigits(a, b byte) (n int64, ok bool) {
	a, b = a-'0', b-'0'
	return int64(a)*10 + int64(b), a <= 9 && b <= 9
}

// Parse reads a whole cell: RFC 3339, where the letters may be small, a space may stand for the T, and the zone may be
// missing for UTC; or unix time in decimal with any number of digits, of which those past the nanosecond are cut off.
func (p *Times) Parse(cell []byte) (sec, nsec int64, err error) {
	if sec, nsec, next, ok := p.Plain(cell, 0); ok && next == len(cell) {
		return sec, nsec, nil
	}
	if len(cell) > 10 && cell[4] == '-' {
		if c := cell[10]; c != 'T' && c != 't' && c != ' ' {
			return 0, 0, ErrTime
		}
		clock := strings.ToUpper(string(cell[11:]))
		if !strings.ContainsAny(clock, "Z+-") {
			clock += "Z"
		}
		t, err := time.Parse(time.RFC3339, string(cell[:10])+"T"+clock)
		if err != nil {
			return 0, 0, ErrTime
		}
		sec, nsec = t.Unix(), int64(t.Nanosecond())
	} else if sec, nsec, err = Unix(cell); err != nil {
		return 0, 0, err
	}
	if sec < 0 || sec >= EndOfTime {
		return 0, 0, ErrTimeRange
	}
	return sec, nsec, nil
}

// Unix reads seconds, or milliseconds where the magnitude says so, in plain or exponent form, exactly.
func Unix(cell []byte) (sec, nsec int64, err error) {
	cell = bytes.TrimPrefix(cell, []byte("+"))
	mantissa, exponent := cell, 0
	if e := bytes.IndexAny(cell, "eE"); e >= 0 {
		mantissa = cell[:e]
		if exponent, err = strconv.Atoi(string(cell[e+1:])); err != nil || exponent < -100 || exponent > 100 {
			return 0, 0, ErrTime
		}
	}
	integer, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := append(append(make([]byte, 0, 64), integer...), fraction...)
	if len(digits) == 0 {
		return 0, 0, ErrTime
	}
	for _, c := range digits {
		if c-'0' > 9 {
			if cell[0] == '-' && len(cell) > 1 && cell[1]-'0' <= 9 {
				return 0, 0, ErrTimeRange
			}
			return 0, 0, ErrTime
		}
	}
	point := len(integer) + exponent
	// at returns the digits in [from, to), counted from the decimal point, as one number.
	at := func(from, to int) (n int64) {
		for i := from; i < to; i++ {
			n *= 10
			if k := point + i; k >= 0 && k < len(digits) {
				n += int64(digits[k] - '0')
			}
		}
		return n
	}
	for i := range max(0, min(point-18, len(digits))) {
		if digits[i] != '0' {
			return 0, 0, ErrTimeRange
		}
	}
	if at(-18, 0) >= unixMillis {
		point -= 3
	}
	return at(-18, 0), at(0, 9), nil
}

// SkipBlanks returns what follows leading spaces and tabs.
func SkipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// Count writes a number of things: 1 line, 2 lines.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Shown quotes a piece of the input, cut to a readable length.
func Shown(b []byte) string {
	if len(b) > 40 {
		return strconv.Quote(string(b[:40])) + "..."
	}
	return strconv.Quote(string(b))
}

// Recordable reports whether a resource's name survives being written and read, and does nothing to who shows it: a
// terminal obeys control characters, and others turn the text around them.
func Recordable(name string) bool {
	return name != "" && utf8.ValidString(name) && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, unprintable)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Printable returns a text in which what is not printed is escaped, as in \x1b.
func Printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}
