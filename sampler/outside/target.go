package outside

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// target is a process whose memory is read, and what is known of its program and its runtime.
type target struct {
	reader   reader
	layout   layout
	waits    []string
	usesLink bool // of the architecture
	headers  bool // large objects with pointers begin with their type
	table    *lineTable
	module   module
	places   map[runtimeVariable]uint64 // of the runtime's variables that are known
	one      *[1]part                   // kept from one call to the next
	system   map[uint64]bool            // where goroutines begin: whether they are the runtime's own
}

// errTorn says that the process has changed what was read, too often.
var errTorn = errors.New("what was read is inconsistent: the process kept changing it")

var (
	errNoList    = errors.New("its list of goroutines was not found")
	errNotReady  = errors.New("its goroutines could not be read")
	errOtherForm = errors.New("its goroutines do not have the layout that is known for this release")
)

// newTarget finds the runtime in the memory of a process that runs the program of a file, built by a version of Go.
// entry is where it has the entry point.
func newTarget(r reader, file io.ReaderAt, entry uint64, version string) (*target, error) {
	image, err := openImage(file, entry)
	if err != nil {
		return nil, err
	}
	t := &target{reader: r, usesLink: image.arch == "arm64", system: make(map[uint64]bool)}
	row, known := rowOf(version, image.arch)
	if !known || !isPlain(version) {
		if offsets, err := debugged(image); err == nil {
			row.Offsets = offsets
		} else if !known {
			return nil, fmt.Errorf("its release %s for %s is not one that this version of leaktrend knows, and the "+
				"program has no debug information",
				redact.Printable(version), image.arch)
		}
	}
	if t.layout, err = layoutOf(row.Offsets); err != nil {
		return nil, err
	}
	t.waits = row.Waits
	t.headers = known && isPlain(version) && releaseOf(version) != "go1.21"
	symbols := image.symbols(symbolsOf()...)
	if t.table, t.module, err = openTable(image, r, &t.layout, symbols[string(moduleSymbol)]); err != nil {
		return nil, err
	}
	t.table.wrapper = uint8(t.layout.wrapper)
	t.places = locate(symbols, row, t.table, t.module)
	image.forget() // most of them are not needed again
	if t.places[allLength] == 0 || t.places[allPointer] == 0 {
		return nil, errNoList
	}
	return t, nil
}

// apart returns the same target for another goroutine: it shares nothing that changes.
func (t *target) apart(r reader) *target {
	c := *t
	c.reader, c.table, c.one, c.system = r, t.table.apart(), nil, make(map[uint64]bool)
	return &c
}

// debugged reads offsets from what debuggers read.
func debugged(m *image) (map[string]uint64, error) {
	data, err := m.debugInfo(nil)
	if err != nil {
		return nil, err
	}
	offsets, err := offsetsOf(data)
	if err == nil && len(offsets) == 0 {
		err = errNoModule
	}
	return offsets, err
}

// verify checks that the process is what it is taken for: that the stacks of goroutines end where they began.
func (t *target) verify() error {
	all, ok := t.list()
	if !ok || len(all) == 0 {
		return errNotReady
	}
	b := newBatch(t)
	b.read(all[:min(len(all), batch)])
	whole, odd := 0, 0
	for i := range b.goroutines {
		switch g := &b.goroutines[i]; {
		case g.state == running, g.state == dead, g.state == deadExtra:
		case b.ends[i] == walked:
			whole++
		default:
			odd++
		}
	}
	if whole == 0 || odd > whole {
		return errOtherForm
	}
	return nil
}

// rate returns for how many allocated bytes one object is sampled; ok is false where that is not known.
func (t *target) rate() (bytes uint64, ok bool) { return t.number(sampling, 0, 8) }

// collections returns how many garbage collections have completed; ok is false where that is not known.
func (t *target) collections() (n uint64, ok bool) {
	return t.number(memoryNumbers, t.layout.collections, 4)
}

// marked returns how many bytes the latest collection has left; ok is false where that is not known.
func (t *target) marked() (bytes uint64, ok bool) { return t.number(pacer, t.layout.marked, 8) }

// number reads a number of so many bytes, at an offset in a variable of the runtime; ok is false where that is not
// known.
func (t *target) number(variable runtimeVariable, offset uint64, size int) (value uint64, ok bool) {
	at := t.places[variable]
	if at == 0 {
		return 0, false
	}
	var b [8]byte
	ok = t.readSome(at+offset, b[:size])
	return binary.LittleEndian.Uint64(b[:]), ok
}

func (t *target) readSome(at uint64, to []byte) bool {
	if t.one == nil {
		t.one = new([1]part)
	}
	t.one[0] = part{at: at, to: to}
	t.reader.gather(t.one[:])
	return t.one[0].read
}
