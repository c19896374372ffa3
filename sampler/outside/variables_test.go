package outside

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The operands of handmade code, assembled by go tool asm.
func TestOperands(t *testing.T) {
	amd64 := []byte{
		0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00, // MOVQ 0x10(IP), AX
		0x48, 0x8b, 0x44, 0x24, 0x08, // MOVQ 8(SP), AX
		0xe8, 0x00, 0x00, 0x00, 0x00, // CALL
		0x48, 0x8d, 0x1d, 0xf0, 0xff, 0xff, 0xff, // LEAQ -0x10(IP), BX
		0x83, 0x3d, 0x20, 0x00, 0x00, 0x00, 0x00, // CMPL 0x20(IP), $0
		0xc4, 0xe2, 0x71, 0xf7, 0xc0, // SHLX: the decoder does not know it, and what is behind is not read
		0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00,
	}
	var arm64 []byte
	for _, word := range []uint32{
		0x90000000, // ADRP 0, R0
		0xf9400c01, // LDR [R0, #24], R1
		0x91004002, // ADD R0, #16, R2: R0 holds the page still
		0xb0000003, // ADRP 1 page, R3
		0xb9000863, // STR W3, [R3, #8]
		0xf94007e4, // LDR [RSP, #8], R4
	} {
		arm64 = binary.LittleEndian.AppendUint32(arm64, word)
	}
	for _, test := range []struct {
		arch string
		code []byte
		want []uint64
	}{
		{"amd64", amd64, []uint64{0x1000 + 7 + 0x10, 0x1000 + 24 - 0x10, 0x1000 + 31 + 0x20}},
		{"arm64", arm64, []uint64{0x1000 + 24, 0x1000 + 16, 0x2000 + 8}},
		{"amd64", nil, nil},
		{"arm64", arm64[:3], nil},
	} {
		if d := cmp.Diff(test.want, operands(code{0x1000, test.code}, test.arch)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.arch, d)
		}
	}
}

// Go uses a page right where a register is loaded with it: what else the register has later leads nowhere.
func TestAdjacentOperands(t *testing.T) {
	var all []byte
	for _, word := range []uint32{
		0x9000001b, // ADRP 0, R27
		0xf9400f61, // LDR [R27, #24], R1
		0x9140041b, // ADD R0, #1<<12, R27
		0x3949c360, // LDRB [R27, #624], R0
		0xb0000003, // ADRP 1 page, R3
		0x91004063, // ADD R3, #16, R3
		0xb0000003, // ADRP 1 page, R3
		0xf9400c01, // LDR [R0, #24], R1
		0xb0000003, // ADRP 1 page, R3, at the end
	} {
		all = binary.LittleEndian.AppendUint32(all, word)
	}
	if d := cmp.Diff([]uint64{0x1000 + 24, 0x2000 + 16}, adjacentARM(code{0x1000, all})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A variable is where most recipes lead; where they contradict each other, or the code is another one, it is nowhere.
func TestFind(t *testing.T) {
	load := func(at int32) code { // MOVQ at(IP), AX
		return code{0x1000, binary.LittleEndian.AppendUint32([]byte{0x48, 0x8b, 0x05}, uint32(at))}
	}
	recipes := []recipe{{"a", 0, 1, 0}, {"b", 0, 1, 8}, {"c", 0, 1, 0}}
	for _, test := range []struct {
		name      string
		functions map[string]code
		minCount  int
		want      uint64
		ok        bool
	}{
		{"all", map[string]code{"a": load(0x100), "b": load(0x108), "c": load(0x100)}, 2, 0x1107, true},
		{"two of three", map[string]code{"a": load(0x100), "b": load(0x108), "c": load(0x500)}, 2, 0x1107, true},
		{"two, one is not there", map[string]code{"a": load(0x100), "b": load(0x108)}, 2, 0x1107, true},
		{"contradiction", map[string]code{"a": load(0x100), "b": load(0x100)}, 1, 0, false},
		{"one", map[string]code{"a": load(0x100)}, 2, 0, false},
		{"one is enough", map[string]code{"a": load(0x100)}, 1, 0x1107, true},
		{"other code", map[string]code{"a": {0x1000, append(load(1).bytes, load(2).bytes...)}}, 1, 0, false},
		{"none", nil, 1, 0, false},
	} {
		got, ok := find(recipes, test.functions, "amd64", test.minCount)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %#x, %v, want %#x, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		version, release string
		plain            bool
	}{
		{"go1.26.8", "go1.26", true},
		{"go1.21", "go1.21", true},
		{"go1.22.5 (Red Hat 1.22.5-1.el9_4)", "go1.22", false},
		{"go1.24.1 X:boringcrypto", "go1.24", false},
		{"devel go1.28-3bd1c3a", "", false},
		{"", "", false},
	} {
		if got := releaseOf(test.version); got != test.release || isPlain(test.version) != test.plain {
			t.Errorf("%q is of %q, plain %v; want %q, %v", test.version, got, isPlain(test.version), test.release,
				test.plain)
		}
	}
}

// nothing is a memory of which nothing can be read.
type nothing struct{}

func (nothing) gather([]part) {}

func TestUnknown(t *testing.T) {
	needsRow(t)
	file, err := os.Open(buildProgram(t, stripped))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, err = newTarget(nothing{}, file, 0, "go1.99.1\x1b[2J")
	if err == nil || !strings.Contains(err.Error(), "its release go1.99.1\ufffd[2J for ") ||
		!strings.Contains(err.Error(), "no debug information") {
		t.Errorf("unknown release: %v", err)
	}
	row := needsRow(t)
	if _, err := newTarget(nothing{}, file, 0, row); !errors.Is(err, errNoModule) {
		t.Errorf("unreadable memory: %v", err)
	}
	if _, err := newTarget(nothing{}, strings.NewReader("#!/bin/sh\n"), 0, row); !errors.Is(err, errNotELF) {
		t.Errorf("a script: %v", err)
	}
}

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
