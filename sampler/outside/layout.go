package outside

import (
	"debug/dwarf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// releases has what a stripped program does not tell of its runtime, for each release of Go and architecture. It is
// made from programs that each of them has built: see TestReleases.
//
//go:embed releases.json
var releases []byte

// release is a row of the table.
type release struct {
	// Sizes of types, as in "g", and offsets of their fields, as in "g.sched.sp".
	Offsets map[string]uint64 `json:"offsets"`
	// Variables are the places in the code of the runtime that lead to its variables.
	Variables map[string][]recipe `json:"variables"`
	// Waits are the runtime's words for what goroutines wait for.
	Waits []string `json:"waits"`
}

// layout is the sizes and offsets of a release, in bytes.
type layout struct {
	g, stackLow, stackHigh, schedSP, schedPC, syscallSP, syscallPC, stackTop, status, id, waitSince, waitReason, parent,
	creator, start, runs uint64
	bucket, nextBucket, bucketFrames,
	bucketSize uint64
	marked, allocated,
	collections uint64
	percent, memoryLimit, arenas, stats, delta, committed, inHeap, inStacks, inWork,
	inBits uint64
	sysStacks, sysSpans, sysCaches, sysBuckets, sysCollector,
	sysOther uint64
	spans, span, spanStart, spanPages, spanElement, spanClass, spanState, spanSpecials, spanType,
	spanMarks uint64
	special, nextSpecial, specialOffset,
	specialBucket uint64
	record, allocs, frees, allocBytes,
	freeBytes uint64
	finalizer, finalizerKind, finalizerType,
	isFinalizer uint64
	timers, timersHeap, timer, timerFunc,
	timerArg uint64
	module, funcNames, units, files, tables, functions, index, text, textEnd, inlined, sections, data,
	dataEnd uint64
	// kind of functions that the compiler makes to call others
	wrapper uint64
	values, valuesEnd, zeros, zerosEnd, types,
	typesEnd uint64
}

// errNoModule says that the program has none of the runtime's description of it, or none that holds together.
var errNoModule = errors.New("the runtime's description of the program was not found")

// nearBucket is how many bytes of a bucket of the memory profile are read at first.
const nearBucket = 512

// wrapperConstant has no field: it is the number itself.
const wrapperConstant = "internal/abi.FuncIDWrapper"

// fields names the offsets of a layout as the runtime does. A name without a field is that of a size.
func (l *layout) fields() map[string]*uint64 {
	return map[string]*uint64{
		wrapperConstant: &l.wrapper,
		"g":             &l.g, "g.stack.lo": &l.stackLow, "g.stack.hi": &l.stackHigh, "g.sched.sp": &l.schedSP,
		"g.sched.pc":  &l.schedPC,
		"g.syscallsp": &l.syscallSP, "g.syscallpc": &l.syscallPC, "g.stktopsp": &l.stackTop,
		"g.atomicstatus": &l.status, "g.goid": &l.id,
		"g.waitsince": &l.waitSince, "g.waitreason": &l.waitReason, "g.parentGoid": &l.parent, "g.gopc": &l.creator,
		"g.startpc": &l.start, "g.trackingSeq": &l.runs,
		"bucket": &l.bucket, "bucket.allnext": &l.nextBucket, "bucket.nstk": &l.bucketFrames,
		"bucket.size":                  &l.bucketSize,
		"gcControllerState.heapMarked": &l.marked, "gcControllerState.heapLive": &l.allocated,
		"mstats.numgc":                &l.collections,
		"gcControllerState.gcPercent": &l.percent, "gcControllerState.memoryLimit": &l.memoryLimit,
		"mheap.allArenas": &l.arenas, "mheap.heapArenas": &l.arenas,
		"mstats.heapStats.stats": &l.stats, "heapStatsDelta": &l.delta, "heapStatsDelta.committed": &l.committed,
		"heapStatsDelta.inHeap": &l.inHeap, "heapStatsDelta.inStacks": &l.inStacks,
		"heapStatsDelta.inWorkBufs":      &l.inWork,
		"heapStatsDelta.inPtrScalarBits": &l.inBits, "mstats.stacks_sys": &l.sysStacks, "mstats.mspan_sys": &l.sysSpans,
		"mstats.mcache_sys": &l.sysCaches, "mstats.buckhash_sys": &l.sysBuckets, "mstats.gcMiscSys": &l.sysCollector,
		"mstats.other_sys": &l.sysOther,
		"memRecord":        &l.record, "memRecord.active.allocs": &l.allocs, "memRecord.active.frees": &l.frees,
		"memRecord.active.alloc_bytes": &l.allocBytes, "memRecord.active.free_bytes": &l.freeBytes,
		"mheap.allspans": &l.spans, "mspan": &l.span, "mspan.startAddr": &l.spanStart, "mspan.npages": &l.spanPages,
		"mspan.elemsize":  &l.spanElement,
		"mspan.spanclass": &l.spanClass, "mspan.state": &l.spanState, "mspan.specials": &l.spanSpecials,
		"mspan.largeType": &l.spanType, "mspan.allocBits": &l.spanMarks,
		"specialprofile": &l.special, "specialprofile.special.next": &l.nextSpecial,
		"specialprofile.special.offset": &l.specialOffset,
		"specialprofile.b":              &l.specialBucket,
		"specialfinalizer":              &l.finalizer, "specialfinalizer.special.kind": &l.finalizerKind,
		"specialfinalizer.ot":   &l.finalizerType,
		"_KindSpecialFinalizer": &l.isFinalizer,
		"p.timers":              &l.timers, "timers.heap": &l.timersHeap, "timer": &l.timer, "timer.f": &l.timerFunc,
		"timer.arg":  &l.timerArg,
		"moduledata": &l.module, "moduledata.funcnametab": &l.funcNames, "moduledata.cutab": &l.units,
		"moduledata.filetab": &l.files,
		"moduledata.pctab":   &l.tables, "moduledata.pclntable": &l.functions, "moduledata.ftab": &l.index,
		"moduledata.text":  &l.text,
		"moduledata.etext": &l.textEnd, "moduledata.gofunc": &l.inlined, "moduledata.textsectmap": &l.sections,
		"moduledata.noptrdata": &l.data, "moduledata.end": &l.dataEnd,
		"moduledata.data": &l.values, "moduledata.edata": &l.valuesEnd, "moduledata.bss": &l.zeros,
		"moduledata.ebss":  &l.zerosEnd,
		"moduledata.types": &l.types, "moduledata.etypes": &l.typesEnd,
	}
}

// layoutOf makes a layout of offsets by name.
func layoutOf(offsets map[string]uint64) (l layout, err error) {
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
			return l, fmt.Errorf("its runtime has an odd %s", name)
		}
	}
	return l, nil
}

// maxSizes has the types that are read as a whole, and the most bytes that they may have, several times those of a
// release: what debuggers read of a program may be anybody's. A field lies within its type.
var maxSizes = map[string]uint64{
	"g": 4096, "mspan": 4096, "specialprofile": 512, "specialfinalizer": 512, "timer": 512, "bucket": nearBucket / 2,
	"memRecord":      nearBucket / 2,
	"heapStatsDelta": pageSize, "moduledata": 4096,
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

// isOptional reports whether what is read can do without: releases have it or have it not, a holder is named by it, or
// it tells what of the memory is what.
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

// releaseOf names the release of a version of Go, as in "go1.26" for "go1.26.8"; "" where it is none, as in a
// development version.
func releaseOf(version string) string { return releasePattern.FindString(version) }

var releasePattern = regexp.MustCompile(`^go1\.[0-9]+`)

// isPlain reports whether a version of Go is a release as it was published, without experiments and patches.
func isPlain(version string) bool { return plainPattern.MatchString(version) }

var plainPattern = regexp.MustCompile(`^go1\.[0-9]+(\.[0-9]+)?$`)

// rows reads the table.
func rows() (map[string]release, error) {
	table := make(map[string]release)
	err := json.Unmarshal(releases, &table)
	return table, err
}

// rowOf returns the row of a release and architecture.
func rowOf(version, arch string) (r release, ok bool) {
	table, err := rows()
	if err != nil {
		return r, false
	}
	r, ok = table[releaseOf(version)+" "+arch]
	return r, ok
}

// offsetsOf reads the offsets of a layout from what debuggers read, where a program has it.
func offsetsOf(info debugInfo) (map[string]uint64, error) {
	var l layout
	wanted := l.fields()
	offsets := make(map[string]uint64)
	types := map[string]bool{wrapperConstant: true}
	for name := range wanted {
		if kind, _, _ := strings.Cut(name, "."); name != wrapperConstant {
			types["runtime."+kind] = true
		}
	}
	all := info.from(0)
	for len(types) > 0 {
		entry, ok := info.next(all)
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
				kind, ok := info.typeAt(entry.Offset)
				if !ok {
					return nil, errNoModule
				}
				offsets[short] = kind.size
				for path := range wanted {
					if of, field, found := strings.Cut(path, "."); found && of == short {
						if at, ok := info.offsetIn(entry.Offset, field); ok {
							offsets[path] = at
						}
					}
				}
			}
		}
		if entry.Tag != dwarf.TagCompileUnit {
			info.skip(all, entry)
		}
	}
	return offsets, nil
}

// recipe says where the code of the runtime has the address of a variable: in one of the operands of a function that
// lie in memory. It is there in every program, also without a symbol table.
type recipe struct {
	Function string `json:"function"`
	Operand  int    `json:"operand"` // counted from 0
	Of       int    `json:"of"`      // so many that there are
	Less     int64  `json:"less"`    // bytes from the variable to what the operand is
}
