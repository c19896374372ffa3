package goruntime

import (
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/instructions"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// Variable is one of the runtime's, by its name.
type Variable string

// The variables of the runtime that are read.
const (
	moduleSymbol  Variable = "runtime.firstmoduledata" // its description of the program
	allLength     Variable = "runtime.allglen"         // the most goroutines that there have been at a time
	allPointer    Variable = "runtime.allgptr"
	BucketSymbol  Variable = "runtime.mbuckets"       // of the memory profile
	sampling      Variable = "runtime.MemProfileRate" // bytes of allocations per sampled object
	Pacer         Variable = "runtime.gcController"
	memoryNumbers Variable = "runtime.memstats"
	HeapSymbol    Variable = "runtime.mheap_"
	Processors    Variable = "runtime.allp"
)

// variables are those that the code of the runtime leads to.
var variables = []Variable{allLength, allPointer, BucketSymbol, sampling, Pacer, memoryNumbers, HeapSymbol,
	Processors}

// find follows recipes for one variable. The variable is where most of them lead, at least minCount.
func find(recipes []releases.Recipe, functions map[string]instructions.Code, arch string, minCount int) (uint64, bool) {
	votes := make(map[uint64]int)
	for _, r := range recipes {
		c, ok := functions[r.Function]
		if !ok {
			continue
		}
		if all := instructions.Operands(c, arch); r.Operand < len(all) && len(all) == r.Of {
			votes[all[r.Operand]-uint64(r.Less)]++
		}
	}
	var best uint64
	highest, second := 0, 0
	for at, n := range votes {
		if n > highest {
			best, highest, second = at, n, highest
		} else {
			second = max(second, n)
		}
	}
	return best, highest > second && highest >= minCount
}

// locate finds the variables: by their symbols, else through the code. Those that are not certain are missing.
func locate(symbols map[string]uint64, row releases.Release, t *linetable.Table,
	of linetable.Module) map[Variable]uint64 {
	places := make(map[Variable]uint64)
	var functions map[string]instructions.Code
	for _, name := range variables {
		at, ok := symbols[string(name)]
		if !ok && functions == nil {
			functions = t.Lookup(functionsOf(row.Variables)...)
		}
		if !ok {
			minCount := 2
			if name == allLength || name == allPointer {
				minCount = 1 // where they are not, there are no goroutines
			}
			at, ok = find(row.Variables[string(name)], functions, t.Image.Arch, minCount)
		}
		if ok && at >= of.Data && at < of.DataEnd && at%4 == 0 {
			places[name] = at
		}
	}
	return places
}

// symbolsOf lists the names of the variables, and of the runtime's description of the program.
func symbolsOf() []string {
	names := []string{string(moduleSymbol)}
	for _, v := range variables {
		names = append(names, string(v))
	}
	return names
}

// functionsOf lists the functions that recipes need.
func functionsOf(all map[string][]releases.Recipe) (names []string) {
	for _, list := range all {
		for _, r := range list {
			if !slices.Contains(names, r.Function) {
				names = append(names, r.Function)
			}
		}
	}
	return names
}
