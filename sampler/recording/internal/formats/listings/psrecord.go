package listings

import (
	"bytes"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Psrecord is the log of psrecord.
var Psrecord = gathered.Format{Recognizes: isPsrecord, Read: readPsrecord}

const psrecordFormat = "log of psrecord"

func isPsrecord(start []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(start, "# "), []byte("Elapsed time")) &&
		bytes.Contains(tokens.FirstLine(start), []byte("Real (MB)"))
}

// readPsrecord reads the log of psrecord, whose first column counts seconds since it began.
func readPsrecord(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: psrecordFormat}
	for _, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		header := strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "Elapsed") {
			if s.Header == nil && header != "" {
				s.Header = wideCells(header)
				s.Header[0] = "elapsed_s"
			}
			continue
		}
		if line != "" {
			s.Put(t, strings.Fields(line))
		}
	}
	return s.Interpret(t, o)
}
