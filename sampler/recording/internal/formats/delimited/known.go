package delimited

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// knowSysstat gives a table that sadf wrote what its header does not say: sizes are in kilobytes, and -p writes no
// header.
func knowSysstat(s *table.Sheet) {
	if s.Header == nil && s.Width() == 6 && s.Cell(0, 3) == "-" {
		if _, form := scan.Instant(s.Cell(0, 2), s.Dates); form == scan.Text {
			s.Header = []string{"hostname", "interval", "timestamp", "device", "metric", "value"}
		}
	}
	if !slices.Contains(s.Header, "hostname") || !slices.Contains(s.Header, "interval") ||
		!slices.Contains(s.Header, "timestamp") {
		return
	}
	s.Format = "table of sysstat (sadf)"
	s.Ignore = map[string]string{"interval": ""}
	s.Bases = map[string]table.Base{}
	for _, name := range s.Header {
		if strings.HasPrefix(name, "kb") {
			s.Bases[name] = table.KiB
		}
	}
}

// knowJstat gives a table that jstat wrote what its header does not say.
func knowJstat(s *table.Sheet) {
	sizes := slices.Contains(s.Header, "OU") && slices.Contains(s.Header, "OC")
	if !slices.Contains(s.Header, "YGC") || !slices.Contains(s.Header, "GCT") || !sizes &&
		!slices.Contains(s.Header, "O") {
		return
	}
	s.Format = "table of jstat"
	if s.Header[0] == "Timestamp" { // jstat -t
		s.Header[0] = "elapsed_s"
	}
	s.Ignore = map[string]string{}
	for _, name := range jstatCounted {
		s.Ignore[name] = "a counter"
	}
	if sizes {
		s.Bases = map[string]table.Base{}
		for _, name := range jstatSizes {
			s.Bases[name] = table.KiB
		}
	}
}

// jstatSizes are the columns of jstat -gc, in KiB: what the parts of the heap have and use. jstatCounted are events,
// and how long they took, since the JVM began.
var (
	jstatSizes = []string{"S0C", "S1C", "S0U", "S1U", "EC", "EU", "OC", "OU", "PC", "PU", "MC", "MU", "CCSC", "CCSU",
		"NGC", "OGC"}
	jstatCounted = []string{"YGC", "YGCT", "FGC", "FGCT", "CGC", "CGCT", "GCT"}
)
