package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
)

// journalLine is one row of the journal.
type journalLine struct {
	head, word, text string
	tint             terminal.Tint
}

const journalIndent = len("15:04:05  critical  ")

// wrap folds the journal to a width. All of an alert is to be read.
func wrap(lines []line, width int) []journalLine {
	var all []journalLine
	for _, l := range lines {
		for i, text := range terminal.Fold(l.text, max(width-journalIndent, 20), 20) {
			row := journalLine{text: strings.Repeat(" ", journalIndent) + text}
			if i == 0 {
				row = journalLine{l.at.Local().Format(time.TimeOnly) + "  ", fmt.Sprintf("%-8s", l.word), "  " + text,
					l.tint}
			}
			all = append(all, row)
		}
	}
	return all
}

// newest returns the latest news that have room in so many rows: whole ones if possible.
func newest(lines []line, width, rows int) (news []journalLine) {
	for _, l := range slices.Backward(lines) {
		if l.quiet {
			continue
		}
		one := wrap([]line{l}, width)
		if len(news)+len(one) > rows {
			if len(news) > 0 || rows == 0 {
				break
			}
			one = one[:rows]
			one[rows-1].text = terminal.Cut(one[rows-1].text+" …", width)
		}
		news = append(one, news...)
	}
	return news
}

func tail(lines []journalLine, n int) []journalLine { return lines[max(len(lines)-n, 0):] }

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

func lead(text string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0)) + text
}
