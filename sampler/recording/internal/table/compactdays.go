package table

import (
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

var (
	compactDay   = regexp.MustCompile(`^(?:19[7-9]\d|2[01]\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$`)
	compactClock = regexp.MustCompile(`^(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?$`)
)

// spreadDays writes the dates of a column as 2026-03-02 that stand there as 20260302, and the times of day beside them
// as 14:05:06 that stand there as 140506.
func spreadDays(s *Sheet) {
	for col := range s.Header {
		if !naming.HasWord(s.Header[col], "date", "day", "datum", "fecha", "data") || !allAre(s, col, compactDay) {
			continue
		}
		rewrite(s, col, func(text string) string { return text[:4] + "-" + text[4:6] + "-" + text[6:] })
		for beside := range s.Header {
			if naming.HasWord(s.Header[beside], naming.TimeWords...) && allAre(s, beside, compactClock) {
				rewrite(s, beside, func(text string) string {
					return strings.TrimSuffix(text[:2]+":"+text[2:4]+":"+text[4:], ":")
				})
			}
		}
	}
}

// allAre reports whether all cells of a column that are there are of a form, and there are some.
func allAre(s *Sheet, col int, form *regexp.Regexp) bool {
	some := false
	for i := range s.Rows {
		text := s.Cell(i, col)
		if scan.Absent(text) {
			continue
		}
		if some = form.MatchString(text); !some {
			return false
		}
	}
	return some
}

func rewrite(s *Sheet, col int, form func(text string) string) {
	for i := range s.Rows {
		if text := s.Cell(i, col); !scan.Absent(text) {
			s.Rows[i][col] = form(text)
		}
	}
}
