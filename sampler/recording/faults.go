package recording

import (
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// faultLog counts what could not be used, and keeps the first faults.
type faultLog struct {
	name   string // of the file
	faults int
	errs   []error
}

// fault counts a line that cannot be used.
func (f *faultLog) fault(line int, format string, args ...any) {
	f.faults++
	f.explain(line, format, args...)
}

// explain says what is wrong with a line, unless that was said of many already. It counts nothing.
func (f *faultLog) explain(line int, format string, args ...any) {
	if len(f.errs) < maxFaults {
		for i := range args {
			if text, isText := args[i].([]byte); isText {
				args[i] = scan.Printable(string(text))
			}
		}
		f.errs = append(f.errs, fmt.Errorf("%s:%d: %w", f.name, line, fmt.Errorf(format, args...)))
	}
}

// maxFaults is how many faults of a file are told.
const maxFaults = 20
