// Package releases has the table of what cannot be read from a stripped program about its runtime, for each release of
// Go and architecture: sizes and offsets in its structs, and where code leads to its variables. Debug information gives
// the same for releases that are not in the table.
package releases

import (
	"debug/dwarf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
)

// releases has what cannot be read from a stripped program about its runtime, for each release of Go and architecture.
// It is made from programs that each of them has built: see TestReleases.
//
//go:embed releases.json
var releases []byte

// Release is a row of the table.
type Release struct {
	// Sizes of types, as in "g", and offsets of their fields, as in "g.sched.sp".
	Offsets map[string]uint64 `json:"offsets"`
	// Variables are the places in the code of the runtime that lead to its variables.
	Variables map[string][]Recipe `json:"variables"`
	// Waits are the runtime's words for what goroutines wait for.
	Waits []string `json:"waits"`
}

// Layout is the sizes and offsets of a release, in bytes.
type Layout struct {
	G, StackLow, StackHigh, SchedSP, SchedPC, SyscallSP, SyscallPC, StackTop, Status, ID, WaitSince, WaitReason, Parent,
	Creator, Start, Runs uint64
	Bucket, NextBucket, BucketFrames,
	BucketSize uint64
	Marked, Allocated,
	Collections uint64
	Percent, MemoryLimit, Arenas, Stats, Delta, Committed, InHeap, InStacks, InWork,
	InBits uint64
	SysStacks, SysSpans, SysCaches, SysBuckets, SysCollector,
	SysOther uint64
	Spans, Span, SpanStart, SpanPages, SpanElement, SpanClass, SpanState, SpanSpecials, SpanType,
	SpanMarks uint64
	Special, NextSpecial, SpecialOffset,
	SpecialBucket uint64
	Record, Allocs, Frees, AllocBytes,
	FreeBytes uint64
	Finalizer, FinalizerKind, FinalizerType,
	IsFinalizer uint64
	Timers, TimersHeap, Timer, TimerFunc,
	TimerArg uint64
	Module, FuncNames, Units, Files, Tables, Functions, Index, Text, TextEnd, Inlined, Sections, Data,
	DataEnd uint64
	// kind of functions that the compiler makes to call others
	Wrapper uint64
	Values, ValuesEnd, Zeros, ZerosEnd, Types,
	TypesEnd uint64
}

// ErrNoModule says that the program has none of the runtime's description of it, or none that holds together.
var ErrNoModule = errors.New("the runtime's description of the program was not found")

// NearBucket is how many bytes of a bucket of the memory profile are read at first.
const NearBucket = 512

// wrapperConstant has no field: it is the number itself.
const wrapperConstant = "internal/abi.FuncIDWrapper"

// fields names the offsets of a layout as the runtime does. A name without a field is that of a size.
func (l *Layout) fields() map[string]*uint64 {
	return map[string]*uint64{
		wrapperConstant: &l.Wrapper,
		"g":             &l.G, "g.stack.lo": &l.StackLow, "g.stack.hi": &l.StackHigh, "g.sched.sp": &l.SchedSP,
		"g.sched.pc":  &l.SchedPC,
		"g.syscallsp": &l.SyscallSP, "g.syscallpc": &l.SyscallPC, "g.stktopsp": &l.StackTop,
		"g.atomicstatus": &l.Status, "g.goid": &l.ID,
		"g.waitsince": &l.WaitSince, "g.waitreason": &l.WaitReason, "g.parentGoid": &l.Parent, "g.gopc": &l.Creator,
		"g.startpc": &l.Start, "g.trackingSeq": &l.Runs,
		"bucket": &l.Bucket, "bucket.allnext": &l.NextBucket, "bucket.nstk": &l.BucketFrames,
		"bucket.size":                  &l.BucketSize,
		"gcControllerState.heapMarked": &l.Marked, "gcControllerState.heapLive": &l.Allocated,
		"mstats.numgc":                &l.Collections,
		"gcControllerState.gcPercent": &l.Percent, "gcControllerState.memoryLimit": &l.MemoryLimit,
		"mheap.allArenas": &l.Arenas, "mheap.heapArenas": &l.Arenas,
		"mstats.heapStats.stats": &l.Stats, "heapStatsDelta": &l.Delta, "heapStatsDelta.committed": &l.Committed,
		"heapStatsDelta.inHeap": &l.InHeap, "heapStatsDelta.inStacks": &l.InStacks,
		"heapStatsDelta.inWorkBufs":      &l.InWork,
		"heapStatsDelta.inPtrScalarBits": &l.InBits, "mstats.stacks_sys": &l.SysStacks, "mstats.mspan_sys": &l.SysSpans,
		"mstats.mcache_sys": &l.SysCaches, "mstats.buckhash_sys": &l.SysBuckets, "mstats.gcMiscSys": &l.SysCollector,
		"mstats.other_sys": &l.SysOther,
		"memRecord":        &l.Record, "memRecord.active.allocs": &l.Allocs, "memRecord.active.frees": &l.Frees,
		"memRecord.active.alloc_bytes": &l.AllocBytes, "memRecord.active.free_bytes": &l.FreeBytes,
		"mheap.allspans": &l.Spans, "mspan": &l.Span, "mspan.startAddr": &l.SpanStart, "mspan.npages": &l.SpanPages,
		"mspan.elemsize":  &l.SpanElement,
		"mspan.spanclass": &l.SpanClass, "mspan.state": &l.SpanState, "mspan.specials": &l.SpanSpecials,
		"mspan.largeType": &l.SpanType, "mspan.allocBits": &l.SpanMarks,
		"specialprofile": &l.Special, "specialprofile.special.next": &l.NextSpecial,
		"specialprofile.special.offset": &l.SpecialOffset,
		"specialprofile.b":              &l.SpecialBucket,
		"specialfinalizer":              &l.Finalizer, "specialfinalizer.special.kind": &l.FinalizerKind,
		"specialfinalizer.ot":   &l.FinalizerType,
		"_KindSpecialFinalizer": &l.IsFinalizer,
		"p.timers":              &l.Timers, "timers.heap": &l.TimersHeap, "timer": &l.Timer, "timer.f": &l.TimerFunc,
		"timer.arg":  &l.TimerArg,
		"moduledata": &l.Module, "moduledata.funcnametab": &l.FuncNames, "moduledata.cutab": &l.Units,
		"moduledata.filetab": &l.Files,
		"moduledata.pctab":   &l.Tables, "moduledata.pclntable": &l.Functions, "moduledata.ftab": &l.Index,
		"moduledata.text":  &l.Text,
		"moduledata.etext": &l.TextEnd, "moduledata.gofunc": &l.Inlined, "moduledata.textsectmap": &l.Sections,
		"moduledata.noptrdata": &l.Data, "moduledata.end": &l.DataEnd,
		"moduledata.data": &l.Values, "moduledata.edata": &l.ValuesEnd, "moduledata.bss": &l.Zeros,
		"moduledata.ebss":  &l.ZerosEnd,
		"moduledata.types": &l.Types, "moduledata.etypes": &l.TypesEnd,
	}
}

// LayoutOf makes a layout of offsets by name.
func LayoutOf(offsets map[string]uint64) (l Layout, err error) {
	for name, field := range l.fields() {
		offset, ok := offsets[name]
		if !ok && isOptional(name) {
			continue
		}
		if !ok || offset > 1<<20 {
			return l, fmt.Errorf("its runtime has no %s", name)
		}
		*field = offset
	}
	for name, offset := range offsets {
		kind, field, _ := strings.Cut(name, ".")
		limit, ok := maxSizes[kind]
		if !ok {
			continue
		}
		end := offset
		if field != "" {
			end, limit = offset+widthOf(name), offsets[kind]
		}
		if end > limit {
			return l, fmt.Errorf("its runtime has an implausible %s", name)
		}
	}
	return l, nil
}

// maxSizes has the types that are read as a whole, and the most bytes that they may have, several times those of a
// release: the debug information of a program is not trusted. A field lies within its type.
var maxSizes = map[string]uint64{
	"g": 4096, "mspan": 4096, "specialprofile": 512, "specialfinalizer": 512, "timer": 512, "bucket": NearBucket / 2,
	"memRecord":      NearBucket / 2,
	"heapStatsDelta": objfile.PageSize, "moduledata": 4096,
}

// widthOf returns how many bytes are read of a field.
func widthOf(name string) uint64 {
	switch name {
	case "g.waitreason", "g.trackingSeq", "mspan.spanclass", "mspan.state", "specialfinalizer.special.kind":
		return 1
	case "g.atomicstatus":
		return 4
	case "timer.arg": // an interface
		return 16
	}
	return 8
}

// isOptional reports whether an offset may be missing: some releases do not have it, or it is needed only to name
// holders or to split the memory by use.
func isOptional(name string) bool {
	switch kind, field, _ := strings.Cut(name, "."); kind {
	case "memRecord": // since Go 1.27 bytes are the number of objects times their size
		return strings.HasSuffix(field, "_bytes")
	case "timers", "p", "timer", "specialfinalizer", "_KindSpecialFinalizer", "heapStatsDelta":
		return true
	case "gcControllerState":
		return field != "" && field != "heapMarked"
	case "mstats":
		return field != "" && field != "numgc"
	}
	switch name {
	// the first since Go 1.22, the last in its place since Go 1.25
	case "mspan.largeType", "mspan.allocBits", "mheap.allArenas", "mheap.heapArenas":
		return true
	}
	return false
}

// ReleaseOf names the release of a version of Go, as in "go1.26" for "go1.26.8"; "" where it is none, as in a
// development version.
func ReleaseOf(version string) string { return releasePattern.FindString(version) }

var releasePattern = regexp.MustCompile(`^go1\.[0-9]+`)

// IsPlain reports whether a version of Go is a release as it was published, without experiments and patches.
func IsPlain(version string) bool { return plainPattern.MatchString(version) }

var plainPattern = regexp.MustCompile(`^go1\.[0-9]+(\.[0-9]+)?$`)

// Rows reads the table.
func Rows() (map[string]Release, error) {
	table := make(map[string]Release)
	err := json.Unmarshal(releases, &table)
	return table, err
}

// RowOf returns the row of a release and architecture.
func RowOf(version, arch string) (r Release, ok bool) {
	table, err := Rows()
	if err != nil {
		return r, false
	}
	r, ok = table[ReleaseOf(version)+" "+arch]
	return r, ok
}

// OffsetsOf reads the offsets of a layout from debug information.
func OffsetsOf(info debuginfo.Info) (map[string]uint64, error) {
	var l Layout
	wanted := l.fields()
	offsets := make(map[string]uint64)
	types := map[string]bool{wrapperConstant: true}
	for name := range wanted {
		if kind, _, _ := strings.Cut(name, "."); name != wrapperConstant {
			types["runtime."+kind] = true
		}
	}
	all := info.From(0)
	for len(types) > 0 {
		entry, ok := info.Next(all)
		if !ok {
			break
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		if types[name] {
			short := strings.TrimPrefix(name, "runtime.")
			switch entry.Tag {
			case dwarf.TagConstant:
				if value, ok := entry.Val(dwarf.AttrConstValue).(int64); ok && value >= 0 {
					offsets[short] = uint64(value)
					delete(types, name)
				}
			case dwarf.TagStructType:
				delete(types, name)
				kind, ok := info.TypeAt(entry.Offset)
				if !ok {
					return nil, ErrNoModule
				}
				offsets[short] = kind.Size
				for path := range wanted {
					if of, field, found := strings.Cut(path, "."); found && of == short {
						if at, ok := info.OffsetIn(entry.Offset, field); ok {
							offsets[path] = at
						}
					}
				}
			}
		}
		if entry.Tag != dwarf.TagCompileUnit {
			info.Skip(all, entry)
		}
	}
	return offsets, nil
}

// Recipe says where the code of the runtime has the address of a variable: in one of the operands of a function that
// lie in memory. It is there in every program, also without a symbol table.
type Recipe struct {
	Function string `json:"function"`
	Operand  int    `json:"operand"` // counted from 0
	Of       int    `json:"of"`      // the number of operands in memory
	Less     int64  `json:"less"`    // bytes from the variable to what the operand is
}
