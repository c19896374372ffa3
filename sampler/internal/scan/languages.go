package scan

import (
	"regexp"
	"slices"
	"strings"
)

// Dates of East Asia: 2026年3月2日 14时05分06秒, and halves of the day before the time.
var (
	easternDate = regexp.MustCompile(`^(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]\s*`)
	easternTime = regexp.MustCompile(`(\d{1,2})\s*[时時点點시]\s*(\d{1,2})\s*[分분]\s*(?:(\d{1,2})\s*[秒초])?`)
	easternHalf = regexp.MustCompile(`(上午|午前|오전|下午|午後|오후)\s*(\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?)`)
)

// Names of months and days of other languages, in small letters and without points, that dates are written with.
var (
	monthNames = map[string]string{
		"mär": "Mar", "mrz": "Mar", "märz": "Mar", "mai": "May", "okt": "Oct", "dez": "Dec", "januar": "Jan",
		"februar": "Feb", "juni": "Jun", "juli": "Jul", "oktober": "Oct", "dezember": "Dec",
		"janv": "Jan", "févr": "Feb", "fév": "Feb", "mars": "Mar", "avr": "Apr", "avril": "Apr", "juin": "Jun",
		"juil": "Jul", "juillet": "Jul", "août": "Aug", "sept": "Sep", "déc": "Dec", "janvier": "Jan", "février": "Feb",
		"septembre": "Sep", "octobre": "Oct", "novembre": "Nov", "décembre": "Dec",
		"ene": "Jan", "enero": "Jan", "febrero": "Feb", "marzo": "Mar", "abr": "Apr", "abril": "Apr", "mayo": "May",
		"junio": "Jun", "julio": "Jul", "ago": "Aug", "agosto": "Aug", "septiembre": "Sep", "octubre": "Oct",
		"noviembre": "Nov", "diciembre": "Dec",
		"dic": "Dec", "gen": "Jan", "giu": "Jun", "lug": "Jul", "set": "Sep", "ott": "Oct", "mag": "May",
		"gennaio": "Jan", "febbraio": "Feb", "aprile": "Apr", "maggio": "May", "giugno": "Jun", "luglio": "Jul",
		"settembre": "Sep", "ottobre": "Oct", "dicembre": "Dec",
		"fev": "Feb", "out": "Oct", "janeiro": "Jan", "fevereiro": "Feb", "março": "Mar", "maio": "May", "junho": "Jun",
		"julho": "Jul", "setembro": "Sep", "outubro": "Oct", "novembro": "Nov", "dezembro": "Dec",
	}
	dayNames = []string{
		"mo", "di", "mi", "do", "fr", "sa", "so", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag",
		"sonntag",
		"seg", "ter", "qua", "qui", "sex", "segunda", "terça", "quarta", "quinta", "sexta", "segunda-feira",
		"terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo",
		"lunes", "martes", "miércoles", "jueves", "viernes", "lundi", "mardi", "mercredi", "jeudi", "vendredi",
		"samedi", "dimanche",
		"lun", "mar", "mer", "jeu", "ven", "sam", "dim", "mié", "jue", "vie", "sáb", "dom", "gio", "sab",
	}
)

// inEnglish writes a date of another language as an English one; all else stays as it is.
func inEnglish(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x80
	}
	if !ascii {
		text = easternDate.ReplaceAllString(text, "$1-$2-$3 ")
		if m := easternTime.FindStringSubmatch(text); m != nil {
			clock := m[1] + ":" + m[2]
			if m[3] != "" {
				clock += ":" + m[3]
			}
			text = strings.Replace(text, m[0], clock, 1)
		}
		if m := easternHalf.FindStringSubmatch(text); m != nil {
			half := " AM"
			if m[1] == "下午" || m[1] == "午後" || m[1] == "오후" {
				half = " PM"
			}
			text = strings.Replace(text, m[0], m[2]+half, 1)
		}
		text = strings.TrimSpace(text)
	}
	if !strings.ContainsFunc(text, func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 0x80 }) {
		return text
	}
	words := strings.Fields(text)
	changed := false
	if len(words) > 3 && isDayName(strings.ToLower(strings.Trim(words[0], ".,"))) &&
		slices.ContainsFunc(words[1:], isMonthName) {
		// between the numbers in Spanish and Portuguese
		words = slices.DeleteFunc(words, func(w string) bool { return w == "de" || w == "del" })
		words, changed = words[1:], true
	}
	for i, word := range words {
		small := strings.ToLower(strings.Trim(word, ".,"))
		if month, ok := monthNames[small]; ok && !(!changed && i == 0 && len(words) > 2 && isDayName(small)) {
			words[i], changed = month, true
			if i > 0 {
				words[i-1] = strings.TrimSuffix(words[i-1], ".")
			}
		} else if changed && isMonthName(word) {
			words[i] = small
		}
	}
	if !changed {
		return text
	}
	return strings.Join(words, " ")
}

func isDayName(word string) bool {
	for _, name := range dayNames {
		if name == word {
			return true
		}
	}
	return false
}

// isMonthName reports whether a word is the name of a month, or its short form, also in English.
func isMonthName(word string) bool {
	small := strings.ToLower(strings.Trim(word, ".,"))
	_, known := monthNames[small]
	return known || slices.Contains([]string{"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "nov"}, small)
}
