package linetable

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// The lines of a program that was installed by its version are its own.
func TestOwnFile(t *testing.T) {
	const module = "example.com/a/b/v2"
	for _, test := range []struct{ Function, file, module, want string }{
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
		if got := ownFile(Frame{Function: test.Function, File: test.file}, test.module); got != test.want {
			t.Errorf("%s in %s: %s, want %s", test.Function, test.file, got, test.want)
		}
	}
}

// A segment that is larger than any file is not gone through for the table of lines.
func TestTableIsNotLookedForWithoutEnd(t *testing.T) {
	for name, file := range map[string]io.ReaderAt{"a file that ends": strings.NewReader(""),
		"one without an end": zeros{}} {
		m := &objfile.Image{
			File: file, Elf: new(elf.File), Work: 1 << 16,
			Segments: []objfile.Segment{{At: objfile.PageSize, End: 1 << 46}},
		}
		if at, ok := findTable(m); ok || !m.Exhausted() {
			t.Errorf("%s: %#x, %v", name, at, ok)
		}
	}
}

// Tables of lines that lead nowhere take bounded work, and the next reading has its own.
func TestTablesAreBounded(t *testing.T) {
	m := &objfile.Image{
		File:     strings.NewReader(strings.Repeat("\x02", maxTable)),
		Segments: []objfile.Segment{{At: objfile.PageSize, End: objfile.PageSize + maxTable}},
		Work:     1000,
	}
	table := &Table{Image: m, tables: span{objfile.PageSize - 1, maxTable}, quantum: 1}
	if value, ok := table.value(1, 0, 1000); ok || !m.Exhausted() {
		t.Errorf("%d, %v with %d of the work left", value, ok, m.Work)
	}
	m.ResetWork()
	if value, ok := table.value(1, 0, 1000); !ok || value != 500 {
		t.Errorf("%d, %v", value, ok)
	}
}

// everywhere is a memory that has a word at every place.
type everywhere struct {
	word  uint64
	reads int
}

func (e *everywhere) Gather(parts []procmem.Part) {
	for i := range parts {
		e.reads++
		parts[i].Read = true
		for to := parts[i].To; len(to) >= 8; to = to[8:] {
			binary.LittleEndian.PutUint64(to, e.word)
		}
	}
}

// A memory that has the address of the table of lines everywhere is not taken for the runtime's description of the
// program at each place.
func TestModuleIsNotLookedForWithoutEnd(t *testing.T) {
	l := someLayout(t)
	head := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	m := &objfile.Image{
		File: strings.NewReader(string(head) + strings.Repeat("\x00", objfile.PageSize)),
		Work: objfile.MaxWork,
		Segments: []objfile.Segment{{At: objfile.PageSize, End: objfile.PageSize + 8},
			{At: 1 << 20, End: 1<<20 + maxData, Writable: true}},
		Elf: new(elf.File),
	}
	memory := &everywhere{word: objfile.PageSize}
	if _, _, err := Open(m, memory, &l, 0); !errors.Is(err, releases.ErrNoModule) || memory.reads > 2*maxCandidates {
		t.Errorf("%v after %d reads", err, memory.reads)
	}
}

// Variables of a terabyte are none: bits are kept of each word of them.
func TestVariablesAreBounded(t *testing.T) {
	l := someLayout(t)
	description := make([]byte, l.Module)
	put := func(offset, value uint64) { binary.LittleEndian.PutUint64(description[offset:], value) }
	for _, at := range []uint64{0, l.Index, l.Functions, l.FuncNames} {
		put(at, objfile.PageSize)
	}
	put(l.Index+8, 2)
	put(l.FuncNames+8, 1)
	put(l.TextEnd, 1)
	m := &objfile.Image{File: zeros{}, Segments: []objfile.Segment{{At: objfile.PageSize, End: 2 * objfile.PageSize}},
		Work: objfile.MaxWork}
	for size, want := range map[uint64]error{maxVariables: nil, maxVariables + 1: releases.ErrNoModule} {
		put(l.DataEnd, size)
		if _, _, err := tableOf(m, same(description), &l, 0, objfile.PageSize); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// same is a memory that has the same wherever it is read.
type same []byte

func (s same) Gather(parts []procmem.Part) {
	for i := range parts {
		copy(parts[i].To, s)
		parts[i].Read = true
	}
}

// Zeros is a file without an end, in which there is nothing.
type zeros struct{}

func (zeros) ReadAt(to []byte, _ int64) (int, error) { clear(to); return len(to), nil }

// someLayout returns the layout of one release.
func someLayout(t *testing.T) releases.Layout {
	t.Helper()
	row, ok := releases.RowOf("go1.26", "amd64")
	if !ok {
		t.Fatal("no row")
	}
	l, err := releases.LayoutOf(row.Offsets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
