package debuginfo

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo/debugtest"
)

// Where expressions have variables on the stack.
func TestOnStack(t *testing.T) {
	for name, test := range map[string]struct {
		expression []byte
		want       []located
	}{
		"at the end of the frame": {[]byte{opCallFrame}, []located{{}}},
		"below it":                {[]byte{opFrameBase, 0x50}, []located{{offset: -48}}},
		"far below it":            {[]byte{opFrameBase, 0x80, 0x7f}, []located{{offset: -128}}},
		"an argument":             {[]byte{opFrameBase, 0x18}, []located{{offset: 24}}},
		"in a register":           {[]byte{opRegister}, nil},
		"nowhere":                 {nil, nil},
		"a slice": {[]byte{opFrameBase, 0x50, opPiece, 8, opFrameBase, 0x58, opPiece, 8,
			opRegister + 1, opPiece, 8}, []located{{0, 8, -48}, {8, 8, -40}}},
		"the end of a string": {[]byte{opRegisterAt, 40, opPiece, 8, opCallFrame, opPiece, 8},
			[]located{{8, 8, 0}}},
		"a part that is not there":   {[]byte{opPiece, 8, opFrameBase, 0x78, opPiece, 8}, []located{{8, 8, -8}}},
		"something else":             {[]byte{0x03, 1, 2, 3, 4, 5, 6, 7, 8}, nil},
		"what is pointed to":         {[]byte{opFrameBase, 0x50, 0x06}, nil},
		"an end in a number":         {[]byte{opFrameBase, 0xff}, nil},
		"a number without an end":    {append([]byte{opFrameBase}, bytes.Repeat([]byte{0xff}, 20)...), nil},
		"a part without a size":      {[]byte{opCallFrame, opPiece, 0}, nil},
		"a part larger than a stack": {[]byte{opCallFrame, opPiece, 0xff, 0xff, 0xff, 0x7f}, nil},
	} {
		if d := cmp.Diff(test.want, onStack(test.expression), cmp.AllowUnexported(located{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What is in a register while a function calls, and on the stack where that returns to, was there as well.
func TestLocalsOfCalls(t *testing.T) {
	d, err := Open(debugtest.Forms, debugtest.Unit(8, "main.f", debugtest.Words(0), 10, "listed", uint32(0), uint32(0),
		0), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Locations[0] = listsOf(slices.Concat(
		debugtest.Words(^uint64(0), 0, 2, 4), []byte{1, 0, opRegister}, debugtest.Words(4, 8),
		[]byte{2, 0, opFrameBase, 0x68},
		debugtest.Words(8, 10),
		[]byte{10, 0, opRegister, opPiece, 8, opFrameBase, 0x68, opPiece, 8, opRegister, opPiece, 8},
		debugtest.Words(0, 0),
	))
	for _, test := range []struct {
		pc, after uint64
		want      []located
	}{
		{3, 4, []located{{offset: -24}}},
		{3, 0, nil}, // stopped there
		{2, 3, nil},
		{5, 6, []located{{offset: -24}}},
		{7, 8, []located{{8, 8, -24}, {offset: -24}}}, // two things: neither is certain
		{9, 10, []located{{8, 8, -24}}},
	} {
		var got []located
		for _, l := range (FunctionInfo{d}).Locals("main.f", 0, test.pc, test.after) {
			got = append(got, l.pieces...)
		}
		if d := cmp.Diff(test.want, got, cmp.AllowUnexported(located{})); d != "" {
			t.Errorf("at %d, which returns to %d (-want +got):\n%s", test.pc, test.after, d)
		}
	}
}

// Lists are the same in both forms.
func TestLists(t *testing.T) {
	five := slices.Concat(
		[]byte{listBaseIndex, 7, listOffsets, 4, 8, 2, opFrameBase, 0x68},
		[]byte{listBase + 1}, debugtest.Words(0x1000), []byte{listOffsets, 0, 4, 1, opCallFrame},
		[]byte{listAddresses + 1}, debugtest.Words(0x2000, 0x2008), []byte{0},
		[]byte{listLength + 1}, debugtest.Words(0x3000), []byte{16, 0, listEnd},
	)
	four := slices.Concat(
		debugtest.Words(^uint64(0), 0x100), debugtest.Words(4, 8), []byte{2, 0, opFrameBase, 0x68},
		debugtest.Words(^uint64(0), 0x1000), debugtest.Words(0, 4),
		[]byte{1, 0, opCallFrame},
		debugtest.Words(^uint64(0), 0), debugtest.Words(0x2000, 0x2008), []byte{0, 0}, debugtest.Words(0x3000, 0x3010),
		[]byte{0, 0}, debugtest.Words(0, 0),
	)
	type part struct {
		Start, End uint64
		Expression string
	}
	want := []part{{0x104, 0x108, "\x91\x68"}, {0x1000, 0x1004, "\x9c"}, {0x2000, 0x2008, ""}, {0x3000, 0x3010, ""}}
	for name, isFive := range map[string]bool{"version 4": false, "version 5": true} {
		all := four
		if isFive {
			all = five
		}
		for _, skip := range []int{0, 3, listWindow + 5} {
			d := FunctionInfo{Info{spent: new(spent)}}
			section := listsOf(append(make([]byte, skip), all...))
			for range 2 { // the second time from the window
				var got []part
				d.listed([2]*Lists{section, section}, int64(skip), 0x100, isFive, true,
					func(start, end uint64, expression []byte) {
						got = append(got, part{start, end, string(expression)})
					})
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s from %d (-want +got):\n%s", name, skip, d)
				}
			}
		}
	}
}

// A section without an end, as a packed one may be, is read as far as there is time, and not kept.
func TestListsWithoutEnd(t *testing.T) {
	l := &Lists{Open: func() io.Reader { return io.NewSectionReader(zeros{}, 0, 1<<62) }}
	s := new(spent)
	for i := range uint64(2 * maxWindows) {
		if got := l.from(i*4*listWindow, s); len(got) > listWindow || i >= maxWindows && got != nil {
			t.Fatalf("%d bytes of window %d", len(got), i)
		}
	}
	s.time = 2 * maxDebug
	if got := (&Lists{Open: l.Open}).from(1<<62, s); got != nil {
		t.Errorf("%d bytes after more time than there is", len(got))
	}
}

// listsOf has the lists of some bytes.
func listsOf(all []byte) *Lists {
	return &Lists{Open: func() io.Reader { return bytes.NewReader(all) }}
}

// A method value has a receiver of a type that one name is for.
func TestTypeNamed(t *testing.T) {
	d, err := Open(debugtest.Forms, debugtest.Unit(
		3, "main.T", 16, 0, 2, "main.T", uint32(debugtest.FirstEntry), 2, "main.twice", uint32(debugtest.FirstEntry), 2,
		"main.twice",
		uint32(debugtest.FirstEntry), 3, "main.only", 8, 0,
	), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"main.T": true, "main.twice": false, "main.only": false, "main.": false,
		"": false} {
		if got := (ClosureInfo{FunctionInfo{d}}).TypeNamed(name); (got != 0) != want {
			t.Errorf("%q: at %d", name, got)
		}
	}
}

// zeros is a file without an end, in which there is nothing.
type zeros struct{}

func (zeros) ReadAt(to []byte, _ int64) (int, error) { clear(to); return len(to), nil }
