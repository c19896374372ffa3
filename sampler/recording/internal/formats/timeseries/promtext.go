package timeseries

import (
	"bytes"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// PromText is the Prometheus text format, OpenMetrics and what promtool dumps.
var PromText = gathered.Format{Recognizes: looksLikeMetrics, Read: readMetrics}

const promTextFormat = "Prometheus text"

// looksLikeMetrics reports whether a text is in the Prometheus text format, by its first line that is no comment.
func looksLikeMetrics(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if line[0] == '#' {
			if _, _, ok := promtext.ParseType(line); ok {
				return true
			}
			continue
		}
		// the date before a scrape
		if _, form := scan.Instant(tokens.Undecorated(line), scan.MonthFirst); form != scan.NoTime {
			continue
		}
		var m promtext.Line
		return m.Parse(line) == nil
	}
	return false
}

// readMetrics reads the Prometheus text format, OpenMetrics and what promtool dumps. Without timestamps it is a loop of
// scrapes: each metric that comes again begins the next, and their distance has to be given.
func readMetrics(in *input.Text, o input.Options) (*gathered.File, error) {
	m := gathered.NewMetrics(in, promTextFormat)
	var (
		line          promtext.Line
		times         scan.Times
		seen          = map[string]bool{}
		scrape        int
		stamped, bare bool  // whether the first value has a timestamp, or none
		at            int64 // of the date before a scrape
	)
	for number, raw := range in.Lines() {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		if raw[0] == '#' {
			m.Declare(raw)
			// a date written before each scrape
			if t, form := scan.Instant(tokens.Undecorated(raw), scan.MonthFirst); form != scan.NoTime {
				at, _ = gathered.Nanos(t)
				scrape++
				clear(seen)
			}
			continue
		}
		if err := line.Parse(raw); err != nil {
			if t, form := scan.Instant(tokens.Undecorated(raw), scan.MonthFirst); form != scan.NoTime {
				at, _ = gathered.Nanos(t)
				scrape++
				clear(seen)
				continue
			}
			m.Fault(number, "%s: %w", scan.Shown(raw), err)
			continue
		}
		if !bare && !stamped {
			stamped = line.Stamp != nil
			bare = !stamped && at == 0
		}
		t := at
		switch {
		case line.Stamp != nil && !bare:
			sec, nsec, err := times.Parse(line.Stamp)
			if err != nil {
				m.Fault(number, "%s at %s: %w", line.Name, scan.Shown(line.Stamp), err)
				continue
			}
			t = sec*1e9 + nsec
		case stamped:
			m.Fault(number, "%s: no timestamp: skipped", line.Name)
			continue
		case at == 0:
			key := string(promtext.AppendLabels(bytes.Clone(line.Name), line.Labels))
			if seen[key] {
				scrape++
				clear(seen)
			}
			seen[key] = true
			t = int64(scrape) * max(int64(o.Interval), 1)
		}
		m.Add(&line, t)
	}
	if bare && o.Interval <= 0 {
		return nil, m.Refuse("its values have no timestamps", table.WayOutInterval)
	}
	if bare {
		m.Notes = append(m.Notes, "scrapes "+sampler.ShortDuration(o.Interval)+" apart")
	}
	return m.File, m.Finish()
}
