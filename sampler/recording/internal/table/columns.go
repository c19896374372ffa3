package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/unjudged"
)

// reading is a column that is read.
type reading struct {
	name   string
	series string // distinguishes it from an earlier column of the same name
	factor float64
	unit   string
}

func columnsOf(s *Sheet, g *gathered.File, shapes []shape, roles []role) []reading {
	all := make([]reading, len(roles))
	used := map[string]int{}
	values := 0
	for col := range roles {
		if roles[col] != isReading {
			continue
		}
		r := reading{factor: 1}
		if s.Header == nil {
			if r.name = "value"; values > 0 {
				r.name += fmt.Sprintf("_%d", values+1)
			}
			values++
		} else if r.name = s.Header[col]; r.name == "" {
			r.name = fmt.Sprintf("column %d", col+1)
		}
		if used[r.name]++; used[r.name] > 1 {
			r.series = fmt.Sprintf(" (%d)", used[r.name])
		}
		r.factor, r.unit = naming.Unit(r.name)
		if b, known := s.Bases[r.name]; known {
			r.factor, r.unit = b.factor, b.unit
		}
		for i := range min(len(s.Rows), 1000) {
			a, ok := s.amount(col, s.Cell(i, col))
			if ok && a.Unit != "" && a.Unit != "percent" {
				r.unit = a.Unit
				break
			}
			if ok && a.Thousands > 0 && r.unit == "" && naming.HasWord(r.name, naming.MemoryWords...) {
				r.unit = "bytes" // no break: all that follows may have units of its own
			}
		}
		all[col] = r
	}
	return all
}

// knowNode gives the columns of Node's process.memoryUsage their unit, where they are not shown in another.
func knowNode(s *Sheet, shapes []shape) {
	const minHeap = 1 << 20 // no Node has less
	parts := []string{"rss", "heapTotal", "heapUsed", "external", "arrayBuffers"}
	found := map[string]int{}
	for col, name := range s.Header {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if slices.Contains(parts, last) && shapes[col].numeric() {
			found[last] = col
		}
	}
	used, ok := found["heapUsed"]
	if _, total := found["heapTotal"]; !ok || !total || shapes[used].min < minHeap {
		return
	}
	if s.Bases == nil {
		s.Bases = map[string]Base{}
	}
	for _, col := range found {
		s.Bases[s.Header[col]] = Bytes
	}
}

// knowRuntimes sets the counters of runtimes aside.
func knowRuntimes(s *Sheet) {
	for _, name := range unjudged.RuntimeCounters(s.Header) {
		s.ignore(name, "a counter")
	}
}

// knowCloudWatch names the statistics of a CloudWatch metric by the metric, which is in the column beside them.
func knowCloudWatch(s *Sheet, shapes []shape) {
	label := slices.Index(s.Header, "Label")
	if label < 0 || !shapes[label].constant || shapes[label].numeric() {
		return
	}
	for col, name := range s.Header {
		if slices.Contains([]string{"Average", "Maximum", "Minimum", "Sum", "SampleCount"}, name) {
			s.Header[col] = s.firstCell(label) + " " + name
		}
	}
}

// knowMonitors gives the columns that name a metric in what dotnet-counters and Azure Monitor write a name that says
// so.
func knowMonitors(s *Sheet) {
	for by, column := range map[string]string{"counterType": "name", "timeseries.data.timeStamp": "name.value",
		"timeStamp": "name.value"} {
		if i := slices.Index(s.Header, column); i >= 0 && slices.Contains(s.Header, by) {
			s.Header[i] = "metric"
			s.ignore("counterType", "")
		}
	}
}
