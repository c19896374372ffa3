package main

import (
	"fmt"
	"io"
	"time"
)

// What follows keeps memory alive by variables of other functions that closures have: each function with caught in its
// name allocates it.

var (
	callbacks = map[int]func() int{}
	handlers  []handler
	generic   []func(int)
	finished  []func() int
)

type handler interface{ serve() }

type handlerFunc func()

func (f handlerFunc) serve() { f() }

//go:noinline
func caughtValue() *item { return new(item) }

// intoCallbacks has closures with a pointer behind another one and a number.
//
//go:noinline
func intoCallbacks() {
	other := new(int)
	for i := 0; i < n; i++ {
		sum, x := i, caughtValue()
		callbacks[i] = func() int { sum++; *other++; return sum + len(x.data) + int(x.data[0]) }
	}
}

//go:noinline
func caughtSlice() *item { return new(item) }

// intoAppender has one closure that writes to its variable: it has a pointer to it.
//
//go:noinline
func intoAppender() func() {
	var seen []*item
	return func() { seen = append(seen, caughtSlice()) }
}

//go:noinline
func caughtMap() *item { return new(item) }

//go:noinline
func intoMemoized() handlerFunc {
	known := map[int]*item{}
	return func() { known[len(known)] = caughtMap() }
}

//go:noinline
func caughtArray() *item { return new(item) }

// intoArrays has closures that have an array as it is, which is too large for a register.
//
//go:noinline
func intoArrays() {
	for i := 0; i < n; i++ {
		var six [6]*item
		for j := range six {
			six[j] = caughtArray()
		}
		number := i
		finished = append(finished, func() int { return int(six[number%6].data[0]) + number })
	}
}

//go:noinline
func caughtPair() *item { return new(item) }

// intoPairs has closures of which the layout does not tell whether they have the pair itself or a pointer to it.
//
//go:noinline
func intoPairs() {
	for i := 0; i < n; i++ {
		pair := [2]*item{1: caughtPair()}
		number := i%1 + 1
		handlers = append(handlers, handlerFunc(func() { pair[number].data[0]++ }))
	}
}

//go:noinline
func caughtNested() *item { return new(item) }

// intoNestedClosures has closures that have closures.
//
//go:noinline
func intoNestedClosures() {
	for i := 0; i < n; i++ {
		x := caughtNested()
		inner := func() int { x.data[0]++; return len(x.data) }
		finished = append(finished, func() int { return inner() + 1 })
	}
}

//go:noinline
func caughtInterface() *item { return new(item) }

//go:noinline
func intoInterfaces() {
	for i := 0; i < n; i++ {
		var value any = caughtInterface()
		text := fmt.Sprint(i)
		finished = append(finished, func() int { c, _ := fmt.Fprint(io.Discard, text, value); return c })
	}
}

//go:noinline
func caughtGeneric() *item { return new(item) }

//go:noinline
func intoGeneric[T any](make func() T, use func(T)) {
	for i := 0; i < n; i++ {
		one := make()
		generic = append(generic, func(int) { use(one) })
	}
}

//go:noinline
func caughtMethod() *item { return new(item) }

//go:noinline
func intoMethodValues() {
	for i := 0; i < n; i++ {
		first, second := &page{i, caughtMethod()}, page{i, caughtReceiver()}
		finished = append(finished, first.count, second.number)
	}
}

//go:noinline
func caughtReceiver() *item { return new(item) }

// page has a small type: objects of it do not tell it.
type page struct {
	at      int
	content *item
}

func (p *page) count() int { return p.at + int(p.content.data[0]) }

func (p page) number() int { return p.at + int(p.content.data[0]) }

//go:noinline
func caughtTimer() *item { return new(item) }

//go:noinline
func intoCallbackTimers() {
	for i := 0; i < n; i++ {
		session := caughtTimer()
		time.AfterFunc(time.Hour, func() { session.data[0]++ })
	}
}

//go:noinline
func caughtParameter() *item { return new(item) }

//go:noinline
func waitFor(callback func()) {
	<-never
	callback()
}

//go:noinline
func caughtOwn() *item { return new(item) }

//go:noinline
func caughtOwnArray() *item { return new(item) }

//go:noinline
func caughtOwnMap() map[int]*item {
	m := map[int]*item{}
	for i := 0; i < n; i++ {
		m[i] = new(item)
	}
	return m
}

// intoClosureGoroutines has goroutines that have what they keep by their closure.
//
//go:noinline
func intoClosureGoroutines() {
	for i := 0; i < 64; i++ {
		own := caughtOwn()
		go func() {
			<-never
			own.data[0]++
		}()
		var six [6]*item
		for j := range six {
			six[j] = caughtOwnArray()
		}
		number := i
		go func() {
			<-never
			six[number%6].data[0]++
		}()
		x := caughtParameter()
		go waitFor(func() { x.data[0]++ })
	}
	byKey, key := caughtOwnMap(), n
	go func() {
		for range never {
			byKey[key] = nil
			key++
		}
	}()
	key++
}

func intoCaught() {
	intoCallbacks()
	add := intoAppender()
	memoized := intoMemoized()
	for i := 0; i < n; i++ {
		add()
		memoized()
	}
	generic = append(generic, func(int) { add() })
	handlers = append(handlers, memoized)
	intoArrays()
	intoPairs()
	intoNestedClosures()
	intoInterfaces()
	intoGeneric(caughtGeneric, func(x *item) { x.data[0]++ })
	intoMethodValues()
	intoCallbackTimers()
	intoClosureGoroutines()
}
