package main

import (
	"fmt"
	"io"
	"runtime"
)

// What follows keeps memory alive by variables of goroutines that wait: each function with made in its name allocates
// it.

//go:noinline
func madeSlice() (all []*item) {
	for i := 0; i < n; i++ {
		all = append(all, new(item))
	}
	return all
}

func inSlice() {
	mine := madeSlice()
	<-never
	runtime.KeepAlive(mine)
}

//go:noinline
func madeParameter() *item { return new(item) }

//go:noinline
func inParameter(given *item) {
	<-never
	given.data[0]++
}

//go:noinline
func madeReceiver() *item { return new(item) }

//go:noinline
func (it *item) wait() {
	<-never
	it.data[0]++
}

//go:noinline
func madeMap() map[int]*item {
	m := map[int]*item{}
	for i := 0; i < n; i++ {
		m[i] = new(item)
	}
	return m
}

func inMap() {
	byNumber := madeMap()
	for v := range never {
		delete(byNumber, v)
	}
}

//go:noinline
func madeArray(to *[64]*item) {
	for i := range to {
		to[i] = new(item)
	}
}

func inArray() {
	var fixed [64]*item
	madeArray(&fixed)
	<-never
	madeArray(&fixed)
}

//go:noinline
func madeStruct() (all []*item) {
	for i := 0; i < n; i++ {
		all = append(all, new(item))
	}
	return all
}

//go:noinline
func fill(s *state) { s.all = madeStruct() }

func inStruct() {
	var own state
	fill(&own)
	<-never
	fill(&own)
}

//go:noinline
func madeInterface() any {
	all := make([]*item, n)
	for i := range all {
		all[i] = new(item)
	}
	return &all
}

func inInterface() {
	value := madeInterface()
	<-never
	fmt.Fprint(io.Discard, value)
}

//go:noinline
func madeCaptured() *item { return new(item) }

// inCaptured has a variable that a function of its own writes to: it is moved to the heap.
func inCaptured(later chan func()) {
	var seen []*item
	later <- func() { seen = append(seen, madeCaptured()) }
	<-never
	fmt.Fprint(io.Discard, seen)
}

//go:noinline
func madeInlined() (all []*item) {
	for i := 0; i < n; i++ {
		all = append(all, new(item))
	}
	return all
}

// inInlined is inlined where it is called: a line of it is told, and its variable.
func inInlined() int {
	found := madeInlined()
	<-never
	return len(found) + int(found[0].data[0])
}

//go:noinline
func callsInlined() { fmt.Fprint(io.Discard, inInlined()) }

//go:noinline
func madeGeneric() *item { return new(item) }

//go:noinline
func inGeneric[T any](make func() T, use func(T)) {
	kept := make()
	<-never
	use(kept)
}

//go:noinline
func madeBlock() (all []*item) {
	for i := 0; i < n; i++ {
		all = append(all, new(item))
	}
	return all
}

func inBlock(times int) {
	for i := 0; i < times; i++ {
		if part := madeBlock(); len(part) > i {
			<-never
			runtime.KeepAlive(part)
		}
	}
}

//go:noinline
func madeBuffer() []byte { return make([]byte, 256<<10) }

// inRead waits in a library that has the buffer too: by the name that it has here.
func inRead() {
	buf := madeBuffer()
	from, _ := io.Pipe()
	for {
		if _, err := io.ReadFull(from, buf); err != nil {
			return
		}
	}
}

//go:noinline
func madeTwice() *item { return new(item) }

// inTwice has it by two names: neither is told.
//
//go:noinline
func inTwice() {
	one := madeTwice()
	other := one
	<-never
	runtime.KeepAlive(one)
	runtime.KeepAlive(other)
}

var old = map[int]*item{}

//go:noinline
func madeOld() *item {
	x := new(item)
	old[len(old)] = x
	return x
}

//go:noinline
func look(x *item) int { return len(x.data) }

// inOld still has what it did with in its frame when it does it no more: the map holds that.
//
//go:noinline
func inOld(ready chan int) {
	x := madeOld()
	seen := look(x)
	seen += look(x)
	ready <- seen
	<-never
}

//go:noinline
func madeWide() []*item {
	all := make([]*item, 10*n)
	for i := range all[:n] {
		all[i] = new(item)
	}
	return all
}

func inWide() {
	wide := madeWide()
	<-never
	runtime.KeepAlive(wide)
}

var kept = map[int]*item{}

//go:noinline
func madeMixed() *item { return new(item) }

// intoMixed keeps little of what a line allocates, and then has it allocate much that is garbage at once.
func intoMixed(keep bool) {
	for i := 0; i < n; i++ {
		if x := madeMixed(); keep && i < 40 {
			kept[i] = x
		}
	}
}

// intoLocals has goroutines begin that hold memory by their variables.
func intoLocals() {
	go inSlice()
	go inWide()
	go inMap()
	go inArray()
	go inStruct()
	go inInterface()
	go callsInlined()
	go inBlock(2)
	later, ready := make(chan func()), make(chan int)
	go inCaptured(later)
	for i, add := 0, <-later; i < n; i++ {
		add()
	}
	for i := 0; i < 64; i++ {
		go inParameter(madeParameter())
		go madeReceiver().wait()
		go inGeneric(madeGeneric, func(x *item) { x.data[0]++ })
		go inTwice()
		go inOld(ready)
		<-ready
		if i%8 == 0 {
			go inRead()
		}
	}
}
