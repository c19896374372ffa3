// Package goruntime is the view of the runtime of a process: its variables, goroutines with their stacks, and counts of
// its memory. Everything is read while the process runs on, and dropped where it is inconsistent.
package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Target is a process whose memory is read, with what is known about its program and its runtime.
type Target struct {
	Reader   procmem.Reader
	Layout   releases.Layout
	waits    []string
	UsesLink bool // of the architecture
	Headers  bool // large objects with pointers begin with their type
	Table    *linetable.Table
	Module   linetable.Module
	Places   map[Variable]uint64 // of the runtime's variables that are known
	one      *[1]procmem.Part    // kept from one call to the next
	system   map[uint64]bool     // by the function that a goroutine starts with: whether it is the runtime's own
}

// ErrTorn says that the process changed the data too often while it was read.
var ErrTorn = errors.New("what was read is inconsistent: the process kept changing it")

var (
	errNoList   = errors.New("its list of goroutines was not found")
	errNotReady = errors.New("its goroutines could not be read")
	errLayout   = errors.New("its goroutines do not have the layout that is known for this release")
)

// New finds the runtime in the memory of a process that runs the program of a file, built by a version of Go.
// entry is where it has the entry point.
func New(r procmem.Reader, file io.ReaderAt, entry uint64, version string) (*Target, error) {
	image, err := objfile.Open(file, entry)
	if err != nil {
		return nil, err
	}
	t := &Target{Reader: r, UsesLink: image.Arch == "arm64", system: make(map[uint64]bool)}
	row, known := releases.RowOf(version, image.Arch)
	if !known || !releases.IsPlain(version) {
		if offsets, err := debugged(image); err == nil {
			row.Offsets = offsets
		} else if !known {
			return nil, fmt.Errorf("its release %s for %s is not one that this version of leaktrend knows, and the "+
				"program has no debug information",
				redact.Printable(version), image.Arch)
		}
	}
	if t.Layout, err = releases.LayoutOf(row.Offsets); err != nil {
		return nil, err
	}
	t.waits = row.Waits
	t.Headers = known && releases.IsPlain(version) && releases.ReleaseOf(version) != "go1.21"
	symbols := image.Symbols(symbolsOf()...)
	if t.Table, t.Module, err = linetable.Open(image, r, &t.Layout, symbols[string(moduleSymbol)]); err != nil {
		return nil, err
	}
	t.Table.Wrapper = uint8(t.Layout.Wrapper)
	t.Places = locate(symbols, row, t.Table, t.Module)
	image.Forget() // most of them are not needed again
	if t.Places[allLength] == 0 || t.Places[allPointer] == 0 {
		return nil, errNoList
	}
	return t, nil
}

// Clone returns the same target for another goroutine: it shares nothing that changes.
func (t *Target) Clone(r procmem.Reader) *Target {
	c := *t
	c.Reader, c.Table, c.one, c.system = r, t.Table.Clone(), nil, make(map[uint64]bool)
	return &c
}

// debugged reads offsets from the debug information.
func debugged(m *objfile.Image) (map[string]uint64, error) {
	data, err := m.DebugInfo(nil)
	if err != nil {
		return nil, err
	}
	offsets, err := releases.OffsetsOf(data)
	if err == nil && len(offsets) == 0 {
		err = releases.ErrNoModule
	}
	return offsets, err
}

// Verify checks the assumptions about the process: that the stacks of goroutines end where they began.
func (t *Target) Verify() error {
	all, ok := t.List()
	if !ok || len(all) == 0 {
		return errNotReady
	}
	b := NewBatch(t)
	b.Read(all[:min(len(all), BatchSize)])
	whole, odd := 0, 0
	for i := range b.Goroutines {
		switch g := &b.Goroutines[i]; {
		case g.State == running, g.State == dead, g.State == deadExtra:
		case b.Ends[i] == linetable.Walked:
			whole++
		default:
			odd++
		}
	}
	if whole == 0 || odd > whole {
		return errLayout
	}
	return nil
}

// Rate returns for how many allocated bytes one object is sampled; ok is false where that is not known.
func (t *Target) Rate() (bytes uint64, ok bool) { return t.Number(sampling, 0, 8) }

// Collections returns how many garbage collections have completed; ok is false where that is not known.
func (t *Target) Collections() (n uint64, ok bool) {
	return t.Number(memoryNumbers, t.Layout.Collections, 4)
}

// Marked returns how many bytes the latest collection has left; ok is false where that is not known.
func (t *Target) Marked() (bytes uint64, ok bool) { return t.Number(Pacer, t.Layout.Marked, 8) }

// Number reads a number of size bytes at an offset in a variable of the runtime; ok is false where it is not known.
func (t *Target) Number(variable Variable, offset uint64, size int) (value uint64, ok bool) {
	at := t.Places[variable]
	if at == 0 {
		return 0, false
	}
	var b [8]byte
	ok = t.ReadAt(at+offset, b[:size])
	return binary.LittleEndian.Uint64(b[:]), ok
}

// ReadAt reads a place of the memory; false where not all of it can be read.
func (t *Target) ReadAt(at uint64, to []byte) bool {
	if t.one == nil {
		t.one = new([1]procmem.Part)
	}
	t.one[0] = procmem.Part{At: at, To: to}
	t.Reader.Gather(t.one[:])
	return t.one[0].Read
}
