package profile

import (
	"bytes"
	"runtime"
	"runtime/pprof"
)

const (
	// shallow is how many frames of a stack the runtime's records hold. Recursive decoders, regular expressions and
	// mappers fill them before the line of the application is reached.
	shallow = len(runtime.StackRecord{}.Stack0)
	// minCut is how many goroutines, and minCutSamples how many samples of the heap, are worth a closer reading of what
	// is deeper, and maxDeep how many goroutines it is taken for at most: it costs some microseconds each.
	minCut        = 5
	minCutSamples = 2
	maxDeep       = 20_000
)

// isCut reports whether a stack may go on where the runtime's record of it ends, as no line of the application is on
// it.
func (r *reader) isCut(pcs []uintptr) bool {
	return len(pcs) >= shallow && !r.placeOf(pcs[:shallow]).site.Application
}

// deepStack is a stack with all of its frames, and what is there.
type deepStack struct {
	pcs         []uintptr
	count, size float64
}

// readDeep reads the stacks of a profile that are cut off in the runtime's records, from pprof, which has up to 128 of
// their frames.
func (r *reader) readDeep() (all []deepStack, ok bool) {
	p := pprof.Lookup(string(r.kind))
	if p == nil {
		return nil, false
	}
	var heads headWriter
	if p.WriteTo(&heads, 1) != nil {
		return nil, false
	}
	err := readCounts(&heads.kept, "", func(pcs []uintptr, count, size float64) {
		if count > 0 && r.isCut(pcs) {
			all = append(all, deepStack{pcs, count, size})
		}
	})
	return all, err == nil
}

// headWriter keeps of a profile as text the lines with counts and stacks, and leaves out what explains them.
type headWriter struct {
	line []byte
	kept bytes.Buffer
}

// Write implements io.Writer.
func (w *headWriter) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		w.line = append(w.line, line...)
		if w.line[len(w.line)-1] != '\n' {
			continue
		}
		if '0' <= w.line[0] && w.line[0] <= '9' {
			w.kept.Write(w.line)
		}
		w.line = w.line[:0]
	}
	return len(text), nil
}

// addGoroutines adds records of goroutines, with all of their frames where they are cut off.
func addGoroutines(r *reader, records []runtime.StackRecord) {
	cut := 0
	for i := range records {
		if r.isCut(records[i].Stack()) {
			cut++
		}
	}
	var deep []deepStack
	known := false
	if cut >= minCut && len(records) <= maxDeep {
		deep, known = r.readDeep()
	}
	for i := range records {
		if stack := records[i].Stack(); !known || !r.isCut(stack) {
			r.add(stack, 1, 0)
		}
	}
	for _, d := range deep {
		r.add(d.pcs, d.count, 0)
	}
}

// addHeap adds what is live of records of memory, with all of their frames where they are cut off.
func addHeap(r *reader, records []runtime.MemProfileRecord, rate float64) {
	cut := 0.
	for i := range records {
		if m := &records[i]; m.InUseBytes() > 0 && r.isCut(m.Stack()) {
			_, size := Scaled(float64(m.InUseObjects()), float64(m.InUseBytes()), rate)
			cut += size
		}
	}
	var deep []deepStack
	known := false
	if cut >= minCutSamples*rate {
		deep, known = r.readDeep()
	}
	for i := range records {
		m := &records[i]
		if stack := m.Stack(); !known || !r.isCut(stack) {
			count, size := Scaled(float64(m.InUseObjects()), float64(m.InUseBytes()), rate)
			r.add(stack, count, size)
		}
	}
	for _, d := range deep {
		count, size := Scaled(d.count, d.size, rate)
		r.add(d.pcs, count, size)
	}
}

// addAllocs adds all that records of memory have seen allocated.
func addAllocs(r *reader, records []runtime.MemProfileRecord, rate float64) {
	for i := range records {
		m := &records[i]
		count, size := Scaled(float64(m.AllocObjects), float64(m.AllocBytes), rate)
		r.add(m.Stack(), count, size)
	}
}
