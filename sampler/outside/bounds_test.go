package outside

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"unsafe"
)

const (
	firstBucket = 1 << 20 // where it is
	manyBuckets = 1000
)

// manyStacks is a memory of one bucket of the heap's profile after another, each with as many functions as there may
// be.
type manyStacks struct{ layout layout }

func (e manyStacks) gather(parts []part) {
	for i := range parts {
		p := &parts[i]
		p.read = true
		clear(p.to)
		if len(p.to) < int(e.layout.bucket) {
			binary.LittleEndian.PutUint64(p.to, firstBucket)
			continue
		}
		for at := e.layout.bucket; at+8 <= uint64(len(p.to)); at += 8 {
			binary.LittleEndian.PutUint64(p.to[at:], 1001)
		}
		next := p.at + 8
		if next == firstBucket+8*manyBuckets {
			next = 0
		}
		binary.LittleEndian.PutUint64(p.to[e.layout.nextBucket:], next)
		binary.LittleEndian.PutUint64(p.to[e.layout.bucketFrames:], maxHeapPath)
		binary.LittleEndian.PutUint64(p.to[e.layout.bucketSize:], 8)
	}
}

// someLayout returns the layout of one release.
func someLayout(t *testing.T) layout {
	t.Helper()
	row, ok := rowOf("go1.26", "amd64")
	if !ok {
		t.Fatal("no row")
	}
	l, err := layoutOf(row.Offsets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What a process says of its stacks does not fill the memory of this one.
func TestStacksAreBounded(t *testing.T) {
	l := someLayout(t)
	long := []Frame{{Function: strings.Repeat("f", maxName), File: strings.Repeat("g", maxName)}}
	table := &lineTable{places: map[uint64]place{1000: {long, true}}}
	h := heap{target: &target{reader: manyStacks{l}, layout: l, table: table,
		places: map[string]uint64{bucketSymbol: 8}}}
	if !h.addBuckets(t.Context()) || len(h.buckets) != manyBuckets {
		t.Fatalf("%d buckets", len(h.buckets))
	}
	size, of := 0, 0
	for _, b := range h.buckets {
		size += sizeOf(b.stack)
		if len(b.stack) > 0 {
			of++
		}
	}
	if each := maxHeapPath * sizeOf(long); of != maxKept/each+1 || size > maxKept+each {
		t.Errorf("%d stacks are kept, of %d bytes", of, size)
	}

	var g groups
	pcs := make([]uint64, maxDepth)
	for i := range pcs {
		pcs[i] = 1000
	}
	added := 0
	for n := range uint64(manyBuckets) {
		table.places[n] = place{long, true}
		pcs[0] = n
		if g.add(table, pcs) {
			added++
		}
	}
	if each := 8*maxDepth + maxDepth*sizeOf(long); added != maxKept/each+1 || len(g.all) != added {
		t.Errorf("%d groups of goroutines are kept", added)
	}
	var listed groups
	few := 0
	for n := range uint64(1 << 20) {
		if pcs[0] = n % 4; listed.addOne(table, pcs[:1]) {
			few++
		}
	}
	if each := int(unsafe.Sizeof(Goroutine{})); few < maxOneByOne/each/2 || few > maxOneByOne/each+1 {
		t.Errorf("%d goroutines are listed", few)
	}
	if pcs[0] = 0; !g.add(table, pcs) || g.all[0].Count != 2 {
		t.Error("a stack that is known is not counted any more")
	}
}

// A program whose symbols unpack to more than any has is not unpacked.
func TestSectionsAreBounded(t *testing.T) {
	var head bytes.Buffer
	sections := []elf.Section64{
		{},
		{Type: uint32(elf.SHT_STRTAB), Name: 1, Size: 32},
		{Type: uint32(elf.SHT_SYMTAB), Name: 11, Link: 1, Flags: uint64(elf.SHF_COMPRESSED), Size: 32},
		{Type: uint32(elf.SHT_PROGBITS), Name: 19, Flags: uint64(elf.SHF_COMPRESSED), Size: 32},
	}
	const headSize, sectionSize = 64, 64
	names := headSize + uint64(sectionSize*len(sections))
	sections[1].Off, sections[2].Off, sections[3].Off = names, names+32, names+32
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	text := [32]byte{}
	copy(text[:], "\x00.shstrtab\x00.symtab\x00.debug_info\x00")
	for _, part := range []any{
		elf.Header64{
			Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Ehsize: headSize,
			Shoff:  headSize, Shentsize: sectionSize, Shnum: uint16(len(sections)), Shstrndx: 1,
		},
		sections, text, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: 1 << 40, Addralign: 1}, [8]byte{},
	} {
		if err := binary.Write(&head, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	m, err := openImage(bytes.NewReader(head.Bytes()), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.symbolTable(nil, nil); !errors.Is(err, errTooLarge) {
		t.Errorf("symbols: %v", err)
	}
	if _, err := m.debugInfo(nil); !errors.Is(err, errTooLarge) {
		t.Errorf("debug information: %v", err)
	}
}

// zeros is a file without an end, in which there is nothing.
type zeros struct{}

func (zeros) ReadAt(to []byte, _ int64) (int, error) { clear(to); return len(to), nil }

// A segment that is larger than any file is not gone through for the table of lines.
func TestTableIsNotLookedForWithoutEnd(t *testing.T) {
	for name, file := range map[string]io.ReaderAt{"a file that ends": strings.NewReader(""),
		"one without an end": zeros{}} {
		m := &image{
			file: file, pages: make(map[uint64][]byte), elf: new(elf.File), work: 1 << 16,
			segments: []segment{{at: pageSize, end: 1 << 46}},
		}
		if at, ok := findTable(m); ok || !m.tired() {
			t.Errorf("%s: %#x, %v", name, at, ok)
		}
	}
}

// Tables of lines that lead nowhere take bounded work, and the next reading has its own.
func TestTablesAreBounded(t *testing.T) {
	m := &image{
		file: strings.NewReader(strings.Repeat("\x02", maxTable)), pages: make(map[uint64][]byte),
		segments: []segment{{at: pageSize, end: pageSize + maxTable}},
		work:     1000,
	}
	table := &lineTable{image: m, tables: span{pageSize - 1, maxTable}, quantum: 1}
	if value, ok := table.value(1, 0, 1000); ok || !m.tired() {
		t.Errorf("%d, %v with %d of the work left", value, ok, m.work)
	}
	m.begin()
	if value, ok := table.value(1, 0, 1000); !ok || value != 500 {
		t.Errorf("%d, %v", value, ok)
	}
}

// everywhere is a memory that has a word at every place.
type everywhere struct {
	word  uint64
	reads int
}

func (e *everywhere) gather(parts []part) {
	for i := range parts {
		e.reads++
		parts[i].read = true
		for to := parts[i].to; len(to) >= 8; to = to[8:] {
			binary.LittleEndian.PutUint64(to, e.word)
		}
	}
}

// A memory that has the address of the table of lines everywhere is not taken for the runtime's description of the
// program at each place.
func TestModuleIsNotLookedForWithoutEnd(t *testing.T) {
	l := someLayout(t)
	head := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	m := &image{
		file: strings.NewReader(string(head) + strings.Repeat("\x00", pageSize)), pages: make(map[uint64][]byte),
		work:     maxWork,
		segments: []segment{{at: pageSize, end: pageSize + 8}, {at: 1 << 20, end: 1<<20 + maxData, writable: true}},
		elf:      new(elf.File),
	}
	memory := &everywhere{word: pageSize}
	if _, _, err := openTable(m, memory, &l, 0); !errors.Is(err, errNoModule) || memory.reads > 2*maxCandidates {
		t.Errorf("%v after %d reads", err, memory.reads)
	}
}

// Variables of a terabyte are none: bits are kept of each word of them.
func TestVariablesAreBounded(t *testing.T) {
	l := someLayout(t)
	description := make([]byte, l.module)
	put := func(offset, value uint64) { binary.LittleEndian.PutUint64(description[offset:], value) }
	for _, at := range []uint64{0, l.index, l.functions, l.funcNames} {
		put(at, pageSize)
	}
	put(l.index+8, 2)
	put(l.funcNames+8, 1)
	put(l.textEnd, 1)
	m := &image{file: zeros{}, pages: make(map[uint64][]byte), segments: []segment{{at: pageSize, end: 2 * pageSize}},
		work: maxWork}
	for size, want := range map[uint64]error{maxVariables: nil, maxVariables + 1: errNoModule} {
		put(l.dataEnd, size)
		if _, _, err := tableOf(m, same(description), &l, 0, pageSize); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// same is a memory that has the same wherever it is read.
type same []byte

func (s same) gather(parts []part) {
	for i := range parts {
		copy(parts[i].to, s)
		parts[i].read = true
	}
}

// Names that go on for megabytes are cut, wherever they are kept.
func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	if got := nameIn([]byte(long), 1); len(got) != maxName {
		t.Errorf("a symbol has a name of %d bytes", len(got))
	}
	step := new(Step)
	f := follower{step: step}
	for range maxTypes {
		f.append(long)
	}
	if len(step.Reference) > 3*maxShown {
		t.Errorf("a reference has %d bytes", len(step.Reference))
	}
	p := path{steps: make([]Step, 1000), owner: make([]int, 1000)}
	for i := range p.steps {
		p.steps[i], p.owner[i] = Step{Size: uint64(i)}, i
	}
	if got := p.collapse(); len(got.steps) != maxSteps+1 || cap(got.steps) > 2*maxSteps {
		t.Errorf("%d of 1000 steps are kept", len(got.steps))
	}
}

// What debuggers read is not searched any more once it has taken too long.
func TestDebugSearchIsBounded(t *testing.T) {
	of := unit(2, "main.T", uint32(firstEntry), 6, "main.v", uint32(firstEntry))
	d, err := openDebugInfo(forms, of, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.variable("main.v") == 0 {
		t.Error("main.v is not found")
	}
	if d.spent.time = maxDebug + 1; d.index(0, []byte("main.v")) >= 0 || d.variable("main.v") != 0 {
		t.Error("it is searched on")
	}
}

// Fields are kept with as much of their names as a name has.
func TestFieldNamesAreBounded(t *testing.T) {
	d, err := openDebugInfo(forms, unit(3, "main.T", 16, 4, strings.Repeat("f", maxText), 0, uint32(firstEntry), 0),
		nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	kind, ok := d.typeAt(firstEntry)
	if !ok || len(kind.fields) != 1 || len(kind.fields[0].name) != maxName {
		t.Errorf("%d fields, %v", len(kind.fields), ok)
	}
}

// Where the runtime's description of the program has variables beyond its end, they are nobody's.
func TestVariablesBeyondTheEnd(t *testing.T) {
	const low, high = 1 << 20, 1<<20 + 4096
	r := &references{low: low, high: high, ours: make([]uint64, 9), runtimes: make([]uint64, 9)}
	r.mark(r.ours, low+8)
	n := &names{target: &target{module: module{values: 0, valuesEnd: 1 << 63}}, code: r}
	for at, want := range map[uint64]bool{low + 8: true, low: false, high: false, 1 << 62: false, 0: false} {
		if n.isRoot(at) != want {
			t.Errorf("%#x: %v", at, !want)
		}
	}
}
