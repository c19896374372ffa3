package scan

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Form is a way in which instants are written.
type Form uint8

// The forms of instants.
const (
	NoTime  Form = iota
	Text         // a date and a time of day
	Day          // a date alone
	Seconds      // unix time, by its magnitude
	Millis
	Micros
	Nanos
)

// Unix times of these years are told from other numbers: 2001 to 2100.
const minUnix, maxUnix = 1_000_000_000, 4_102_444_800

// layouts of dates with names, after a comma and the blanks around it were made one blank.
var layouts = []string{
	"Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 MST 2006", "Mon Jan 2 15:04:05 -0700 2006", // ctime, date
	"Mon Jan 2 2006 15:04:05 GMT-0700",                                                        // JavaScript
	"Mon 2 Jan 2006 15:04:05", "Mon 2 Jan 2006 15:04:05 MST", "Mon 2 Jan 2006 15:04:05 -0700", // RFC 1123
	// date, of other locales
	"Mon 2 Jan 2006 15:04:05 PM", "Mon 2 Jan 2006 03:04:05 PM MST", "Mon Jan 2 03:04:05 PM 2006",
	"Mon Jan 2 03:04:05 PM MST 2006",
	"2 January 2006 15:04:05", "2 January 2006 15:04", "January 2 2006 15:04:05", "January 2 2006 15:04",
	"January 2 2006 3:04 PM",
	"2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04",
	// the latter of Oracle and SQL Server
	"2-Jan-2006 15:04:05", "2-Jan-2006 15:04", "2-Jan-06 15:04:05", "2-Jan-06 3:04:05 PM", "Jan 2 2006 3:04PM",
	"2/Jan/2006:15:04:05 -0700",
	"Jan 2 2006 15:04:05", "Jan 2 2006 15:04", "Jan 2 2006 3:04:05 PM", "Jan 2 2006 3:04 PM",
	"Monday 02-Jan-06 15:04:05 MST", "2 Jan 06 15:04 MST", "2 Jan 06 15:04 -0700", // RFC 850, RFC 822
	"Mon Jan 2 03:04:05 PM -0700 2006", "Mon 2 Jan 2006 03:04:05 PM -0700", "Mon Jan 2 15:04:05 -0700 2006",
	"2 Jan 2006 03:04:05 PM -0700", "2 Jan 2006 03:04:05 PM MST",
	"Mon 2 Jan 2006 15:04", "Mon Jan 2 2006 15:04:05", "Mon Jan 2 2006 15:04", "2 Jan 15:04:05 MST 2006",
	"2 Jan 2006 3:04:05 PM", "2 Jan 2006 3:04 PM", "2-Jan-2006 3:04:05 PM",
	// of PowerShell
	"Monday January 2 2006 3:04:05 PM", "Monday January 2 2006 15:04:05", "Monday 2 January 2006 15:04:05",
}

// days are layouts of dates with names alone.
var days = []string{"2-Jan-2006", "2-Jan-06", "2/Jan/2006", "2 Jan 2006", "Jan 2 2006", "2 January 2006",
	"January 2 2006", "Mon 2 Jan 2006", "Mon Jan 2 2006"}

// Order says how the numbers of a date like 03/02/2026 are to be read.
type Order uint8

// The orders of a date.
const (
	MonthFirst Order = iota
	DayFirst
)

// Instant reads an instant in any common form: RFC 3339 and its variants (a slash or a point in the date, a blank for
// the T, no seconds, a decimal comma, an offset without a colon, UTC or GMT for a zone, none for UTC, AM and PM), Go's
// time.String, ctime and the like, or unix time in seconds, milliseconds, microseconds or nanoseconds of the years 2001
// to 2100. Another name of a zone is not read: it is ambiguous.
func Instant(text string, order Order) (t time.Time, form Form) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 96 {
		return t, NoTime
	}
	// of java.time, behind the offset
	if i := strings.IndexByte(text, '['); i > 0 && text[len(text)-1] == ']' &&
		(strings.ContainsAny(text[max(i-6, 0):i], "+-")) {
		text = text[:i]
	}
	// the zone's name, behind its offset
	if i := strings.Index(text, " ("); i > 0 && strings.Contains(text, " GMT") && text[len(text)-1] == ')' {
		text = text[:i]
	}
	if text[0] == '[' && text[len(text)-1] == ']' { // of the logs of web servers
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	if inner, ok := strings.CutPrefix(text, "/Date("); ok { // of .NET
		text = strings.TrimSuffix(inner, ")/")
	}
	if text == "" {
		return t, NoTime
	}
	if n := len(text); n > 10 && strings.ContainsAny(text[n-4:], "mM") {
		text = half.ReplaceAllString(text, "$1 ${2}M")
	} else if n == len("2006-01-02-15-04-05") && text[13] != ':' {
		text = dashed.ReplaceAllString(text, "$1 $2:$3:$4")
	}
	if t, form = unixInstant(text); form != NoTime {
		return t, form
	}
	if t, form = compactDate(text); form != NoTime {
		return t, form
	}
	if c := text[0]; c >= '0' && c <= '9' {
		if t, form = numericDate(text, order); form != NoTime {
			return t, form
		}
	}
	clock := strings.IndexByte(text, ':') > 0
	if named := strings.ContainsFunc(text, func(c rune) bool { return c >= 'A' }); !named && !clock {
		return t, NoTime // a number
	} else if !named {
		if m := dateLast.FindStringSubmatch(text); m != nil {
			return numericDate(m[2]+" "+m[1], order)
		}
		return t, NoTime
	}
	if m := dayAndNumbers.FindStringSubmatch(text); clock && m != nil {
		return numericDate(m[1], order)
	}
	if english := inEnglish(text); english != text && english != "" {
		if text = english; text[0] >= '0' && text[0] <= '9' {
			if t, form = numericDate(text, order); form != NoTime {
				return t, form
			}
		}
	}
	if oracleTime.MatchString(text) {
		text = oracleTime.ReplaceAllString(text, " $1:$2:$3 ")
	}
	if m := dateLast.FindStringSubmatch(text); m != nil {
		return numericDate(m[2]+" "+m[1], order)
	}
	dated := days
	if strings.Contains(text, ":") {
		dated = nil
	} else if !strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz") {
		return t, NoTime
	}
	// the latter two of Kibana and of the United States
	words := strings.Fields(strings.NewReplacer(",", " ", " @ ", " ", " at ", " ").Replace(text))
	text = hoursOff.ReplaceAllString(strings.Join(words, " "), "${1}00$2")
	for _, layout := range dated {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 && at.Year() <= 2200 {
			return at, Day
		}
	}
	if dated != nil {
		return t, NoTime
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 && at.Year() <= 2200 {
			if name, _ := at.Zone(); !strings.Contains(layout, "MST") || name == "UTC" || name == "GMT" {
				return at.UTC(), Text
			}
		}
	}
	return t, NoTime
}

// half is a half of the day with points, as Windows writes it in Spanish and Portuguese; dashed a time with dashes, as
// in names of files; hoursOff an offset without minutes, as date writes it where a zone has no name.
var (
	half     = regexp.MustCompile(`(:\d\d)[\s\x{a0}\x{202f}]*([aApP])\.[\s\x{a0}\x{202f}]?[mM]\.?`)
	dashed   = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[-_T ](\d\d)[-.](\d\d)[-.](\d\d)$`)
	hoursOff = regexp.MustCompile(`( [+-]\d\d)( \d{4}$|$)`)
)

// dateLast is a time of day with the date behind it, as VisualVM writes it.
var dateLast = regexp.MustCompile(`^(\d\d?:\d\d:\d\d(?: [AaPp][Mm])?) (\d\d?[/.]\d\d?[/.]\d{4})$`)

// dayAndNumbers is a date of numbers behind the day of the week, as cmd.exe writes it.
var dayAndNumbers = regexp.MustCompile(`^[A-Za-z]{2,3}\.?,? (\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4} .*)$`)

// oracleTime is a time of day as Oracle writes it, with points.
var oracleTime = regexp.MustCompile(` (\d\d)\.(\d\d)\.(\d\d)(?:\.\d+)? `)

// AmbiguousOrder reports whether a date begins with two numbers of which either may be the month.
func AmbiguousOrder(text string) bool {
	text = strings.TrimSpace(text)
	day, dayForm := Instant(text, DayFirst)
	month, monthForm := Instant(text, MonthFirst)
	return dayForm != NoTime && monthForm != NoTime && !day.Equal(month)
}

func unixInstant(text string) (t time.Time, form Form) {
	if strings.ContainsAny(text, "eE") {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v < minUnix || v >= maxUnix*1e9 {
			return t, NoTime
		}
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	whole, _, _ := strings.Cut(text, ".")
	scale, form := 0, NoTime
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return t, NoTime
	}
	for i, f := range []Form{Seconds, Millis, Micros, Nanos} {
		unit := uint64(math.Pow10(3 * i))
		if n >= minUnix*unit && n < maxUnix*unit {
			scale, form = 3*i, f
		}
	}
	if form == NoTime {
		return t, NoTime
	}
	sec, nsec, err := Unix([]byte(text + "e-" + strconv.Itoa(scale)))
	if err != nil {
		return t, NoTime
	}
	return time.Unix(sec, nsec).UTC(), form
}

// compactDate reads 20260302T140506Z, 20260302 14:05:06 and 20260302140506.
func compactDate(text string) (t time.Time, form Form) {
	const digits = len("20060102")
	if len(text) < digits+len("1504") || strings.Trim(text[:digits], "0123456789") != "" {
		return t, NoTime
	}
	day, err := time.Parse("20060102", text[:digits])
	if err != nil || day.Year() < 1970 || day.Year() > 2200 {
		return t, NoTime
	}
	clock := strings.TrimLeft(text[digits:], "Tt _-")
	if n := len(clock) - len(strings.TrimLeft(clock, "0123456789")); n == 4 || n == 6 {
		spread := clock[:2] + ":" + clock[2:4]
		if n == 6 {
			spread += ":" + clock[4:6]
		}
		clock = spread + clock[n:]
	} else if n != 2 {
		return t, NoTime
	}
	since, offset, ok := timeOfDay(clock)
	if !ok {
		return t, NoTime
	}
	return day.Add(since - offset), Text
}

// numericDate reads a date of three numbers, and a time of day behind it.
func numericDate(text string, order Order) (t time.Time, form Form) {
	var numbers [3]int
	var digits [3]int
	rest := text
	var separator byte
	for i := range numbers {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 0 || n > 4 {
			return t, NoTime
		}
		numbers[i], _ = strconv.Atoi(rest[:n])
		digits[i] = n
		rest = rest[n:]
		if i == 2 {
			break
		}
		if rest == "" || !strings.ContainsRune("-/.", rune(rest[0])) || i > 0 && rest[0] != separator {
			return t, NoTime
		}
		separator, rest = rest[0], rest[1:]
	}
	year, month, day := numbers[0], numbers[1], numbers[2]
	switch {
	case digits[0] == 4 && digits[2] <= 2:
	case digits[0] <= 2 && (digits[2] == 4 || digits[2] == 2 && separator != '-' && rest != ""):
		if digits[2] == 2 {
			numbers[2] += 2000
		}
		year, month, day = numbers[2], numbers[0], numbers[1]
		if separator == '.' || order == DayFirst && separator == '/' || month > 12 && day <= 12 || separator == '-' &&
			order == DayFirst {
			month, day = day, month
		}
	default:
		return t, NoTime
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || year < 1970 || year > 2200 {
		return t, NoTime
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return t, NoTime
	}
	if rest == "" {
		return date, Day
	}
	if c := rest[0]; c != 'T' && c != 't' && c != ' ' && c != '_' && c != ',' && c != ':' && c != '-' {
		return t, NoTime
	}
	since, offset, ok := timeOfDay(strings.TrimLeft(rest[1:], " "))
	if !ok {
		return t, NoTime
	}
	return date.Add(since - offset), Text
}

// TimeOfDay reads a time like 14:05, 14:05:06.789 or 02:05:06 PM as the time since midnight.
func TimeOfDay(text string) (since time.Duration, ok bool) {
	since, offset, ok := timeOfDay(strings.TrimSpace(text))
	return since, ok && offset == 0
}

func timeOfDay(text string) (since, offset time.Duration, ok bool) {
	number := func(max int) (n int, ok bool) {
		i := 0
		for i < len(text) && i < 2 && text[i] >= '0' && text[i] <= '9' {
			n = n*10 + int(text[i]-'0')
			i++
		}
		text = text[i:]
		return n, i > 0 && n <= max
	}
	hour, ok := number(24)
	if !ok || text == "" || text[0] != ':' {
		return 0, 0, false
	}
	text = text[1:]
	minute, ok := number(59)
	if !ok {
		return 0, 0, false
	}
	second, fraction := 0, time.Duration(0)
	if text != "" && text[0] == ':' {
		text = text[1:]
		if second, ok = number(60); !ok { // 60: a leap second
			return 0, 0, false
		}
		if text != "" && (text[0] == '.' || text[0] == ',') {
			n := 1
			for unit := time.Second / 10; n < len(text) && text[n] >= '0' && text[n] <= '9'; n++ {
				fraction += time.Duration(text[n]-'0') * unit
				unit /= 10
			}
			if n == 1 {
				return 0, 0, false
			}
			text = text[n:]
		}
	}
	text = strings.TrimSpace(text)
	if half, rest, _ := strings.Cut(text, " "); strings.EqualFold(half, "AM") || strings.EqualFold(half, "PM") {
		if hour < 1 || hour > 12 {
			return 0, 0, false
		}
		if hour %= 12; strings.EqualFold(half, "PM") {
			hour += 12
		}
		text = strings.TrimSpace(rest)
	}
	if hour == 24 && (minute > 0 || second > 0) {
		return 0, 0, false
	}
	if offset, ok = zone(text); !ok {
		return 0, 0, false
	}
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second +
		fraction, offset, true
}

// zoneName is what Go writes behind an offset: CET, or the offset again where the zone has no name.
var zoneName = regexp.MustCompile(`^([A-Za-z]{1,5}|[+-]\d{2,4})?$`)

// zone reads what follows a time of day: nothing, Z, UTC, GMT, an offset, or an offset with a name as Go writes it.
func zone(text string) (offset time.Duration, ok bool) {
	if i := strings.Index(text, " m="); i >= 0 { // Go's monotonic clock
		text = text[:i]
	}
	switch strings.ToUpper(text) {
	case "", "Z", "UTC", "GMT", "[UTC]", "Z[UTC]":
		return 0, true
	}
	if rest, ok := strings.CutPrefix(text, "UTC"); ok && rest != "" {
		text = rest
	}
	sign := time.Duration(1)
	switch text[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	digits, name, _ := strings.Cut(text[1:], " ")
	if !zoneName.MatchString(name) { // what is one adds nothing to the offset
		return 0, false
	}
	digits = strings.Replace(digits, ":", "", 1)
	if len(digits) == 1 || len(digits) == 2 {
		digits = strings.Repeat("0", 2-len(digits)) + digits + "00"
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) != 4 || n/100 > 14 || n%100 > 59 {
		return 0, false
	}
	return sign * (time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute), true
}
