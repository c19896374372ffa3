package outside

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// The lines of a program that was installed by its version are its own.
func TestOwnFile(t *testing.T) {
	const module = "example.com/a/b/v2"
	for _, test := range []struct{ function, file, module, want string }{
		{"example.com/a/b/v2.Run", "/go/pkg/mod/example.com/a/b/v2@v2.1.0/run.go", module,
			"/go/pkg/mod/example.com/a/b/v2/run.go"},
		{"example.com/a/b/v2/c.(*T).Run", "example.com/a/b/v2@v2.1.0-rc.1/c/run.go", module,
			"example.com/a/b/v2/c/run.go"},
		{"example.com/a/b/v2/c.(*T).Run", "/src/c/run.go", module, "/src/c/run.go"},
		{"example.com/a/b/v22.Run", "/go/pkg/mod/example.com/a/b/v22@v22.1.0/run.go", module,
			"/go/pkg/mod/example.com/a/b/v22@v22.1.0/run.go"},
		{"example.com/d.Run", "/go/pkg/mod/example.com/d@v1.0.0/run.go", module,
			"/go/pkg/mod/example.com/d@v1.0.0/run.go"},
		{"example.com/d.Run", "/go/pkg/mod/example.com/d@v1.0.0/run.go", "", "/go/pkg/mod/example.com/d@v1.0.0/run.go"},
		{"example.com/a/b/v2.Run", "odd@v1", module, "odd@v1"},
	} {
		if got := ownFile(Frame{Function: test.function, File: test.file}, test.module); got != test.want {
			t.Errorf("%s in %s: %s, want %s", test.function, test.file, got, test.want)
		}
	}
}

// A segment that is larger than any file is not gone through for the table of lines.
func TestTableIsNotLookedForWithoutEnd(t *testing.T) {
	for name, file := range map[string]io.ReaderAt{"a file that ends": strings.NewReader(""),
		"one without an end": zeros{}} {
		m := &image{
			file: file, elf: new(elf.File), work: 1 << 16,
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
		file:     strings.NewReader(strings.Repeat("\x02", maxTable)),
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
		file:     strings.NewReader(string(head) + strings.Repeat("\x00", pageSize)),
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
	m := &image{file: zeros{}, segments: []segment{{at: pageSize, end: 2 * pageSize}},
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

// zeros is a file without an end, in which there is nothing.
type zeros struct{}

func (zeros) ReadAt(to []byte, _ int64) (int, error) { clear(to); return len(to), nil }
