// Package naming knows what the name of a column means: a time, a process, a unit. Only words are examined here, never
// values.
package naming

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Words splits the name of a column into words in small letters, also at a change from small letters to capitals.
func Words(name string) []string {
	var b strings.Builder
	before := rune(0)
	for _, c := range name {
		if unicode.IsUpper(c) && unicode.IsLower(before) && !endsUnit(b.String(), c) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
		before = c
	}
	return strings.FieldsFunc(b.String(), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '%' && c != 'µ'
	})
}

// endsUnit reports whether a capital ends a unit like kB or MiB, which is one word; before is in small letters.
func endsUnit(before string, c rune) bool {
	if c != 'B' {
		return false
	}
	unit := before[strings.LastIndexFunc(before, func(c rune) bool { return !unicode.IsLetter(c) })+1:]
	return slices.Contains([]string{"k", "ki", "mi", "gi", "ti"}, unit)
}

// HasWord reports whether one of the words of a name is in a list.
func HasWord(name string, list ...string) bool {
	return slices.ContainsFunc(Words(name), func(w string) bool { return slices.Contains(list, w) })
}

// Words of names of columns that hold instants, of when a process began, of row numbers, and of identifiers.
var (
	TimeWords = []string{"time", "timestamp", "ts", "date", "datetime", "at", "when", "epoch", "clock", "unixtime",
		"zeit", "zeitpunkt", "uhrzeit", "datum", "zeitstempel", "hora", "fecha", "data", "heure", "horodatage", "дата",
		"время", "日時", "日付", "時刻", "时间", "日期", "時間", "시간", "날짜", "t"}
	startWords = []string{"start", "started", "starttime", "create", "began", "begin", "boot", "since", "birth"}
	RowWords   = []string{"n", "no", "nr", "num", "number", "row", "index", "idx", "i", "id", "sample", "seq", "line",
		"unnamed"}
	idWords = []string{"pid", "ppid", "tid", "tgid", "uid", "gid", "id", "pgid", "sid", "itemid", "hostid"}
)

// totalRows are what a row that sums up the others has in place of a time.
var totalRows = []string{
	"total", "totals", "grand total", "sum", "summe", "gesamt", "average", "avg", "mean", "durchschnitt", "mittelwert",
	"mittel", "max", "maximum", "min", "minimum", "median", "count", "moyenne", "somme",
	"promedio", "media", "итого", "среднее", "合計", "平均", "总计", "合计", "평균", "합계",
}

// IsTotal reports whether a cell in place of a time shows that its row sums up others.
func IsTotal(cell string) bool {
	return slices.Contains(totalRows, strings.ToLower(strings.Trim(cell, " :*=-")))
}

// IsStart reports whether a column is the start time of the process.
func IsStart(name string) bool {
	return HasWord(name, startWords...) && (HasWord(name, "time", "at", "seconds", "ts", "timestamp", "ms", "date") ||
		len(Words(name)) == 1) && !HasWord(name, "created")
}

// ElapsedUnit returns the unit of a column of elapsed times, by its name. named is false where the name is none of
// elapsed time.
func ElapsedUnit(name string) (unit time.Duration, named bool) {
	rest := 0
	for _, w := range Words(name) {
		switch w {
		case "ns", "nanoseconds", "nsec", "nanos":
			unit = time.Nanosecond
		case "us", "µs", "usec", "microseconds", "micros":
			unit = time.Microsecond
		case "ms", "msec", "millis", "milliseconds", "millisecond":
			unit = time.Millisecond
		case "s", "sec", "secs", "second", "seconds", "segundos", "sekunden", "secondes":
			unit = time.Second
		case "m", "min", "mins", "minute", "minutes", "minutos", "minuten":
			unit = time.Minute
		case "h", "hr", "hrs", "hour", "hours", "horas", "stunden", "std", "heures":
			unit = time.Hour
		case "d", "day", "days", "dias", "días", "tage", "jours":
			unit = 24 * time.Hour
		case "week", "weeks":
			unit = 7 * 24 * time.Hour
		case "elapsed", "timedelta", "time", "t", "since", "start", "relative", "offset", "runtime", "run", "uptime",
			"age", "in", "after", "of", "test", "rel", "x", "from", "begin", "delta", "dt", "laufzeit",
			"dauer", "vergangen", "zeit", "tempo", "decorrido", "tiempo", "transcurrido", "temps", "écoulé":
			named = true
		default:
			rest++
		}
	}
	return unit, rest == 0 && (named || unit > 0)
}

// IsIdentifier reports whether a column holds identifiers: its name ends so.
func IsIdentifier(name string) bool {
	list := Words(name)
	return len(list) > 0 && slices.Contains(idWords, list[len(list)-1])
}

// NumbersProcesses reports whether a column numbers processes, or parts of one, by its name.
func NumbersProcesses(name string) bool {
	list := Words(name)
	return len(list) > 0 && slices.Contains([]string{
		"worker", "shard", "node", "core", "thread", "replica", "partition", "rank", "slot", "task", "job", "process",
		"proc", "instance", "container", "child", "unit", "index", "gpu", "device",
	}, list[len(list)-1])
}

// KeyRank orders columns by how well their names identify processes.
func KeyRank(name string) int {
	for i, list := range [][]string{
		{"pid"}, {"pod"}, {"instance"}, {"process", "proc"}, {"name", "names"}, {"container", "containers"},
		{"service"}, {"command", "cmd", "comm", "args"}, {"host", "hostname", "node", "server"},
		{"id", "tid"}, {"series", "metric", "legend"},
	} {
		if HasWord(name, list...) {
			return i
		}
	}
	return Unnamed
}

// Unnamed is the rank of a column whose name is none of a process.
const Unnamed = 100
