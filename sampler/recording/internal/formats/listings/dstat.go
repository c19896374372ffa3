package listings

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Dstat is the CSV of dstat.
var Dstat = gathered.Format{Recognizes: isDstat, Read: readDstat}

const dstatFormat = "CSV of dstat"

var (
	dstatBanner = regexp.MustCompile(`(?i)^"(?:pcp-)?dstat [^"]* CSV output"`)
	dstatDate   = regexp.MustCompile(`\b(\d{4})\b`)
	dstatTime   = regexp.MustCompile(`^(\d\d)-(\d\d) (\d\d:\d\d:\d\d)$`)
)

func isDstat(start []byte) bool { return dstatBanner.Match(start) }

// readDstat reads a table under two lines of names: groups, and what is in each. Its times have no year: the banner
// has.
func readDstat(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: dstatFormat, Bases: map[string]table.Base{}, Ignore: map[string]string{}}
	var groups []string
	year, month := 0, 0
	for _, raw := range t.Lines() {
		line := bytes.TrimSpace(raw)
		if len(line) == 0 || dstatBanner.Match(line) {
			continue
		}
		cells := tokens.Split(line, ',')
		switch {
		case strings.HasSuffix(cells[0], ":"): // of the banner
			if i := slices.Index(cells, "Date:"); i >= 0 && i+1 < len(cells) {
				year, _ = strconv.Atoi(dstatDate.FindString(cells[i+1]))
			}
		case groups == nil:
			groups = cells
		case s.Header == nil:
			nameDstat(s, groups, cells)
		default:
			for i, cell := range cells {
				if m := dstatTime.FindStringSubmatch(cell); m != nil && year > 0 {
					now, _ := strconv.Atoi(m[2])
					if now < month { // the new year
						year++
					}
					month = now
					cells[i] = fmt.Sprintf("%d-%s-%s %s", year, m[2], m[1], m[3])
				}
			}
			s.Put(t, cells)
		}
	}
	if year == 0 && slices.ContainsFunc(s.Rows, func(row []string) bool { return dstatTime.MatchString(row[0]) }) {
		return nil, gathered.New(t, dstatFormat).Refuse(fmt.Sprintf("its times, as in %s, have no year",
			scan.Shown([]byte(s.Rows[0][0]))),
			"keep the banner, or record with dstat --epoch")
	}
	return s.Interpret(t, o)
}

// nameDstat makes the header from the two lines of names: a group is named above the first of its columns.
func nameDstat(s *table.Sheet, groups, names []string) {
	group := ""
	for i, name := range names {
		if i < len(groups) && groups[i] != "" {
			group = groups[i]
		}
		switch {
		case name == "time" || name == "epoch":
			name = "time"
		case strings.HasPrefix(group, "memory usage"), strings.HasPrefix(group, "swap"):
			name = group + " " + name
			s.Bases[name] = table.Bytes
			if strings.HasSuffix(name, "cach") || strings.HasSuffix(name, "buff") {
				s.Ignore[name] = "page cache"
			}
		case group != "":
			name = group + " " + name
		}
		s.Header = append(s.Header, name)
	}
}
