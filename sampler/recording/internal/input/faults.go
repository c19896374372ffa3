package input

import (
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// FaultLog counts what could not be used, and keeps the first faults.
type FaultLog struct {
	Name   string // of the file
	Faults int
	Errs   []error
}

// Fault counts a line that cannot be used.
func (f *FaultLog) Fault(line int, format string, args ...any) {
	f.Faults++
	f.Explain(line, format, args...)
}

// Explain says what is wrong with a line, unless that was said of many already. It counts nothing.
func (f *FaultLog) Explain(line int, format string, args ...any) {
	if len(f.Errs) < MaxFaults {
		for i := range args {
			if text, isText := args[i].([]byte); isText {
				args[i] = scan.Printable(string(text))
			}
		}
		f.Errs = append(f.Errs, fmt.Errorf("%s:%d: %w", f.Name, line, fmt.Errorf(format, args...)))
	}
}

// MaxFaults is how many faults of a file are told.
const MaxFaults = 20
