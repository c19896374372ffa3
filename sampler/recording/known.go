package recording

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// knowSysstat gives a table that sadf wrote what its header does not say: sizes are in kilobytes, and -p writes no
// header.
func knowSysstat(s *sheet) {
	if s.header == nil && s.width() == 6 && s.cell(0, 3) == "-" {
		if _, form := scan.Instant(s.cell(0, 2), s.dates); form == scan.Text {
			s.header = []string{"hostname", "interval", "timestamp", "device", "metric", "value"}
		}
	}
	if !slices.Contains(s.header, "hostname") || !slices.Contains(s.header, "interval") ||
		!slices.Contains(s.header, "timestamp") {
		return
	}
	s.format = "table of sysstat (sadf)"
	s.ignore = map[string]string{"interval": ""}
	s.bases = map[string]base{}
	for _, name := range s.header {
		if strings.HasPrefix(name, "kb") {
			s.bases[name] = kib
		}
	}
}

// knowJstat gives a table that jstat wrote what its header does not say.
func knowJstat(s *sheet) {
	sizes := slices.Contains(s.header, "OU") && slices.Contains(s.header, "OC")
	if !slices.Contains(s.header, "YGC") || !slices.Contains(s.header, "GCT") || !sizes &&
		!slices.Contains(s.header, "O") {
		return
	}
	s.format = "table of jstat"
	if s.header[0] == "Timestamp" { // jstat -t
		s.header[0] = "elapsed_s"
	}
	s.ignore = map[string]string{}
	for _, name := range jstatCounted {
		s.ignore[name] = "a counter"
	}
	if sizes {
		s.bases = map[string]base{}
		for _, name := range jstatSizes {
			s.bases[name] = kib
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
