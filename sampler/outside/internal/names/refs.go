package names

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/instructions"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

const (
	maxUsers    = 2  // functions that are named for a variable
	prefixBytes = 24 // of the name of a function: enough to recognize the runtime's
	wordBits    = 64
)

// References are the variables that the code of a program without symbols refers to: by them it is known whose they
// are.
type References struct {
	*goruntime.Target
	ctx            context.Context
	pause          func()
	low, high      uint64   // where variables are
	ours, runtimes []uint64 // bits of the words there that the code of the program, and of the runtime, refers to
	block          []byte   // of code...
	blockAt        uint64   // ...from here on
	isARM          bool
}

// ReadReferences goes through the code of the program.
func ReadReferences(ctx context.Context, t *goruntime.Target, pause func()) *References {
	r := &References{Target: t, ctx: ctx, pause: pause, low: t.Module.Data &^ 7, high: t.Module.DataEnd,
		isARM: t.Table.Image.Arch == "arm64"}
	r.ours = make([]uint64, (r.high-r.low)/8/wordBits+1)
	r.runtimes = make([]uint64, len(r.ours))
	r.functions(func(entry, end uint64, name uint32) bool {
		c, ok := r.code(entry, end)
		switch {
		case !ok:
		case r.isRuntimes(name):
			for _, at := range r.operands(c) {
				r.mark(r.runtimes, at)
			}
		case r.isARM:
			for _, at := range instructions.AdjacentARM(c) {
				r.mark(r.ours, at)
			}
		default:
			r.near(c, func(at uint64) { r.mark(r.ours, at) })
		}
		return true
	})
	return r
}

// operands returns the addresses that the code of a function refers to.
func (r *References) operands(c instructions.Code) []uint64 {
	if r.isARM {
		return instructions.AdjacentARM(c)
	}
	return instructions.Operands(c, r.Table.Image.Arch)
}

// near calls visit for possible operands relative to the instruction pointer, which all have the same bits before them.
// Some candidates are not operands; these nearly always point outside of the variables.
func (r *References) near(c instructions.Code, visit func(at uint64)) {
	for i := 1; i+4 <= len(c.Bytes); i++ {
		if c.Bytes[i-1]&0xc7 == 0x05 {
			visit(c.Base + uint64(i) + 4 + uint64(int32(binary.LittleEndian.Uint32(c.Bytes[i:]))))
		}
	}
}

func (r *References) mark(in []uint64, at uint64) {
	if at >= r.low && at < r.high {
		word := (at - r.low) / 8
		in[word/wordBits] |= 1 << (word % wordBits)
	}
}

// isRuntimes reports whether a function is the runtime's, by the offset of its name.
func (r *References) isRuntimes(name uint32) bool {
	var b [prefixBytes]byte
	if !r.Table.NameBegins(name, b[:]) {
		return false
	}
	return strings.HasPrefix(string(b[:]), "runtime.") || strings.HasPrefix(string(b[:]), "internal/runtime/")
}

// functions calls visit with the bounds of each function and the offset of its name, by address, until visit returns
// false.
func (r *References) functions(visit func(entry, end uint64, name uint32) bool) {
	for i := range r.Table.Count() {
		entry, end, name, ok := r.Table.Bounds(i)
		if !ok {
			return
		}
		if i%wordBits == 0 {
			if r.ctx.Err() != nil {
				return
			}
			if r.pause != nil {
				r.pause()
			}
		}
		if entry < end && !visit(entry, end, name) {
			return
		}
	}
}

// code reads a function, with what follows it.
func (r *References) code(entry, end uint64) (c instructions.Code, ok bool) {
	if end-entry > procmem.Chunk || end > r.Table.End {
		return c, false
	}
	if entry < r.blockAt || end > r.blockAt+uint64(len(r.block)) {
		if r.block == nil {
			r.block = make([]byte, procmem.Chunk)
		}
		r.blockAt = entry
		r.block = r.block[:min(procmem.Chunk, r.Table.End-entry)]
		if !r.Table.Image.ReadDirect(entry, r.block) {
			r.block = r.block[:0]
			return c, false
		}
	}
	return instructions.Code{Base: entry, Bytes: r.block[entry-r.blockAt : end-r.blockAt]}, true
}

// owner returns the address at or before one that code refers to, and whether the runtime does; 0 where there is none.
func (r *References) owner(at uint64) (from uint64, isRuntimes bool) {
	if at < r.low || at >= r.high {
		return 0, false
	}
	word := (at - r.low) / 8
	mask := uint64(1)<<(word%wordBits) | (uint64(1)<<(word%wordBits) - 1)
	for i := int(word / wordBits); i >= 0; i-- {
		if found := (r.ours[i] | r.runtimes[i]) & mask; found != 0 {
			bit := bits.Len64(found) - 1
			return r.low + uint64(i*wordBits+bit)*8, r.runtimes[i]&(1<<bit) != 0
		}
		mask = ^uint64(0)
	}
	return 0, false
}

// users names the first functions whose code refers to an address, preferring those that are not made by the compiler
// and do not initialize the program.
func (r *References) users(of uint64) []string {
	var all []string
	r.functions(func(entry, end uint64, name uint32) bool {
		c, ok := r.code(entry, end)
		if !ok {
			return true
		}
		refers := r.isARM
		if !refers {
			r.near(c, func(at uint64) { refers = refers || at == of })
		}
		if refers && slices.Contains(r.operands(c), of) {
			if text, ok := r.Table.Name(name); ok {
				all = append(all, redact.Printable(text))
			}
		}
		return true
	})
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return slices.Compact(all[:min(len(all), maxUsers)])
}

// rank orders the functions that may be named for a variable.
func rank(function string) int {
	switch {
	case strings.HasSuffix(function, ".init") || strings.Contains(function, ".init."):
		return 2
	case strings.Contains(function, ".func") || strings.Contains(function, "[...]"):
		return 1
	}
	return 0
}
