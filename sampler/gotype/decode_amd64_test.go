package gotype

import (
	"encoding/hex"
	"strings"
	"testing"
)

const (
	leaAX   = "48 8d 05 f9 0f 00 00 " // LEAQ 0xff9(IP), AX: to its beginning + 0x1000
	leaCX   = "48 8d 0d f9 0f 00 00 "
	callFar = "e8 fb 1f 00 00 " // CALL to its beginning + 0x2000
	ret     = "c3 "
)

func TestDecode(t *testing.T) {
	const base = 0x400000
	for _, test := range []struct {
		name     string
		code     string // the call is the last before the mark |
		argument int
		want     uint64 // 0: not certain
	}{
		{"the load before the call", leaAX + callFar + "|" + ret, 0, base + 0x1000},
		{"other registers between", leaAX + "48 89 d9 48 83 c2 08 44 0f b6 05 01 00 00 00 " + callFar + "|" + ret, 0,
			base + 0x1000},
		{"another argument", leaCX + callFar + "|" + ret, 2, base + 0x1000},
		{"through a register", leaCX + "48 89 c8 " + callFar + "|" + ret, 0, base + 0x1000},
		{"through half a register", leaCX + "89 c8 " + callFar + "|" + ret, 0, 0},
		{"a conditional jump away", leaAX + "74 05 " + callFar + "|" + ret, 0, base + 0x1000},
		{"nil", leaAX + "31 c0 " + callFar + "|" + ret, 0, 0},
		{"from memory", "48 8b 44 24 08 " + callFar + "|" + ret, 0, 0},
		{"computed", leaAX + "48 01 d8 " + callFar + "|" + ret, 0, 0},
		{"a part of it written", leaAX + "b0 01 " + callFar + "|" + ret, 0, 0},
		{"the high part of it written", leaAX + "b4 01 " + callFar + "|" + ret, 0, 0},
		{"another call between", leaAX + callFar + callFar + "|" + ret, 0, 0},
		{"an unknown effect between", leaAX + "0f a2 " + callFar + "|" + ret, 0, 0},
		{"a multiplication between", leaAX + "f7 e1 " + callFar + "|" + ret, 0, 0},
		{"an exchange between", leaAX + "48 87 c1 " + callFar + "|" + ret, 0, 0},
		{"a vector instruction between", leaAX + "c4 e2 f8 f2 c3 " + callFar + "|" + ret, 0, 0},
		{"a vector instruction elsewhere", "c4 e2 f8 f2 c3 " + leaAX + callFar + "|" + "c5 f8 77 " + ret, 0,
			base + 5 + 0x1000},
		{"a jump in from below", leaAX + callFar + "|" + "eb f9 " + ret, 0, 0},
		{"a jump to the load", leaAX + callFar + "|" + "eb f2 " + ret, 0, base + 0x1000},
		{"after a jump away", leaAX + "eb 05 " + callFar + "|" + ret, 0, 0},
		{"a jump table", leaAX + callFar + "|" + "ff 24 c8 ", 0, 0},
		{"nothing before", callFar + "|" + ret, 0, 0},
		{"an index", "48 8d 04 0d f9 0f 00 00 " + callFar + "|" + ret, 0, 0},
		{"no call", leaAX + "|" + ret, 0, 0},
		{"an indirect call", leaAX + "ff d1 " + "|" + ret, 0, 0},
		{"no code behind it", leaAX + callFar + "|" + "ff ff ff", 0, 0},
	} {
		before, after, _ := strings.Cut(test.code, "|")
		code := unhex(t, before+after)
		end := len(unhex(t, before))
		var got uint64
		if c, ok := decode(code, base, end); ok {
			if want := uint64(base + end - 5 + 0x2000); c.target != want {
				t.Errorf("%s: calls %#x, want %#x", test.name, c.target, want)
			}
			got, ok = c.argument(test.argument)
			if ok == (got == 0) {
				t.Errorf("%s: %#x, %v", test.name, got, ok)
			}
		}
		if got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, got, test.want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Encodings as the GNU assembler makes them.
func TestLengthOfVector(t *testing.T) {
	for code, name := range map[string]string{
		"c5 f8 77":                         "vzeroupper",
		"c4 e2 f8 f2 c3":                   "andn %rbx,%rax,%rax",
		"c4 e2 e1 f7 c1":                   "shlx %rbx,%rcx,%rax",
		"c4 e2 f1 b8 c2":                   "vfmadd231sd %xmm2,%xmm1,%xmm0",
		"c4 e2 7d 78 44 24 08":             "vpbroadcastb 0x8(%rsp),%ymm0",
		"c5 fe 6f 05 10 00 00 00":          "vmovdqu 0x10(%rip),%ymm0",
		"c5 fe 6f 84 c8 00 01 00 00":       "vmovdqu 0x100(%rax,%rcx,8),%ymm0",
		"c5 fe 6f 04 8d 00 01 00 00":       "vmovdqu 0x100(,%rcx,4),%ymm0",
		"c4 e3 7d 38 c1 01":                "vinserti128 $1,%xmm1,%ymm0,%ymm0",
		"c5 f9 70 c1 1b":                   "vpshufd $0x1b,%xmm1,%xmm0",
		"c4 e3 fb f0 c3 07":                "rorx $7,%rbx,%rax",
		"c4 e3 7d 39 84 24 00 01 00 00 01": "vextracti128 $1,%ymm0,0x100(%rsp)",
	} {
		data := unhex(t, code)
		if got := lengthOfVector(append(data, 0x90, 0x90, 0x90, 0x90)); got != len(data) {
			t.Errorf("%s: %d bytes, want %d", name, got, len(data))
		}
		for n := range len(data) {
			if got := lengthOfVector(data[:n]); got != 0 && got > n {
				t.Errorf("%s, cut to %d bytes: %d", name, n, got)
			}
		}
	}
	for _, code := range []string{"48 8d 05 f9 0f 00 00", "62 f1 7c 48 10 00", "c4 e4 f8 f2 c3 00", ""} {
		if got := lengthOfVector(unhex(t, code)); got != 0 {
			t.Errorf("%s: %d bytes", code, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, code := range []string{leaAX + callFar + ret, leaAX + "74 05 " + callFar + ret, "c4 e2 f8 f2 c3 " + leaAX +
		callFar} {
		data, _ := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
		f.Add(data, 12)
	}
	f.Fuzz(func(t *testing.T, code []byte, end int) {
		c, ok := decode(code, 0x400000, end)
		if !ok {
			return
		}
		if end > len(code) || c.call >= end {
			t.Errorf("a call at %d that ends at %d, of %d bytes", c.call, end, len(code))
		}
		for argument := range argumentRegisters {
			c.argument(argument)
		}
	})
}
