package input

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// FaultLog counts what could not be used, and keeps the first faults.
type FaultLog struct {
	Name   string // of the file
	Faults int
	Errs   []error
	run    FaultRun
}

// Fault counts a line that cannot be used.
func (f *FaultLog) Fault(line int, format string, args ...any) {
	f.Faults++
	f.Explain(line, format, args...)
}

// Explain records what is wrong with a line, unless the same was recorded of many already. It counts nothing.
func (f *FaultLog) Explain(line int, format string, args ...any) {
	f.Errs = f.run.Add(f.Errs, KindOf(format, args), line, func() error {
		for i := range args {
			if text, isText := args[i].([]byte); isText {
				args[i] = scan.Printable(string(text))
			}
		}
		return fmt.Errorf("%s:%d: %w", f.Name, line, fmt.Errorf(format, args...))
	})
}

// MaxFaults is how many faults of a file are reported.
const MaxFaults = 20

// maxAlone is how many faults of one kind are reported each by itself where they are those of lines that follow
// each other; more of them are reported as one.
const maxAlone = 3

// lineFaults is what is wrong with several lines that follow each other.
type lineFaults struct {
	error     // of the first of them
	n     int // of lines
}

// Error says what is wrong with the first, and of how many others the same.
func (f *lineFaults) Error() string {
	const skipped = ": skipped"
	text, isSkipped := strings.CutSuffix(f.error.Error(), skipped)
	text += fmt.Sprintf(" (the same for the %d lines after it)", f.n-1)
	if isSkipped {
		text += skipped
	}
	return text
}

// Unwrap returns what is wrong with the first.
func (f *lineFaults) Unwrap() error { return f.error }

// Lines returns how many lines have this fault.
func (f *lineFaults) Lines() int { return f.n }

// KindOf returns what faults of one kind have in common: how they are worded, and the errors behind them.
func KindOf(format string, args []any) string {
	kind := format
	for _, arg := range args {
		if err, isError := arg.(error); isError {
			kind += "\x00" + err.Error()
		}
	}
	return kind
}

// FaultRun is the latest run of faults of one kind in lines that follow each other.
type FaultRun struct {
	kind  string // as KindOf returns it
	line  int    // of the latest
	n     int    // how many they are
	first int    // place among the faults that are kept
	end   int    // how many were kept after the latest
}

// Add adds a fault of a line to those kept, MaxFaults at most; more than maxAlone in a run become one.
func (r *FaultRun) Add(kept []error, kind string, line int, fault func() error) []error {
	if r.n > 0 && r.kind == kind && line == r.line+1 && len(kept) == r.end {
		r.n, r.line = r.n+1, line
	} else {
		*r = FaultRun{kind: kind, line: line, n: 1, first: len(kept)}
	}
	switch {
	case r.n > maxAlone && r.first < len(kept):
		first := kept[r.first]
		if run, ok := first.(*lineFaults); ok {
			first = run.error
		}
		kept = append(slices.Clip(kept[:r.first]), &lineFaults{first, r.n})
	case len(kept) < MaxFaults:
		kept = append(kept, fault())
	}
	r.end = len(kept)
	return kept
}
