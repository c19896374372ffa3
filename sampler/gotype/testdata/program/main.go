// Command program allocates in every way that the language has, and writes which type gotype names for each, one "way:
// type" a line.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/gotype"
)

type small struct{ a, b *small }

type noPointers struct{ a, b, c uint64 }

type large struct{ data [40]*small }

type shape interface{ area() int }

func (l large) area() int { return len(l.data) }

type number int

func (n number) area() int { return int(n) }

type pair[K comparable, V any] struct {
	key   K
	value *V
}

// Kept, so that nothing is allocated on a stack or left out.
var (
	any1   any
	shape1 shape
	small1 *small
	slice1 []small
	texts  []string
	other  int
	ints   map[string]*small
	bytes  []byte
	text   string
	call1  func() int
	sink   []any
	n      = len(os.Args) + 7 // not known to the compiler
	keys   []string
	block  = make([]byte, 64)
)

//go:noinline
func newSmall() { small1 = &small{small1, nil} }

//go:noinline
func newLarge() { any1 = new(large) }

//go:noinline
func newNoPointers() { any1 = &noPointers{1, 2, uint64(n)} }

//go:noinline
func newInt() { any1 = new(int) }

//go:noinline
func newArray() { any1 = new([100]small) }

//go:noinline
func makeSlice() { slice1 = make([]small, n) }

//go:noinline
func makeBytes() { bytes = make([]byte, n*10) }

//go:noinline
func makeCopy() { copied := make([]string, len(texts)); copy(copied, texts); texts = copied }

//go:noinline
func appendSlice() { slice1 = append(slice1[:len(slice1):len(slice1)], small{}) }

//go:noinline
func appendStrings() { texts = append(texts[:len(texts):len(texts)], "a", "b") }

//go:noinline
func makeMap() { ints = make(map[string]*small, n*10) }

//go:noinline
func makeMapSmall() { any1 = make(map[int]int) }

//go:noinline
func growMap() {
	for _, key := range keys {
		ints[key] = small1
	}
}

//go:noinline
func assignMap(m map[uint64]small) {
	for i := range uint64(100) {
		m[i] = small{}
	}
	any1 = m
}

//go:noinline
func makeChan() { any1 = make(chan *large, n) }

//go:noinline
func concat() { text = text + "-" + os.Args[0] }

//go:noinline
func toString() { text = string(block) }

//go:noinline
func toBytes() { bytes = []byte(text) }

//go:noinline
func closure() { x := n; p := small1; call1 = func() int { _ = *p; return x } }

//go:noinline
func escaping() { x := n; call1 = func() int { x++; return x } }

//go:noinline
func interfaceOfStruct() { shape1 = large{[40]*small{small1}} }

//go:noinline
func interfaceOfNumber() { shape1 = number(n * 1000) }

//go:noinline
func interfaceOfString() { any1 = text[1:] }

//go:noinline
func genericNew() { any1 = newPair("a", small1) }

//go:noinline
func newPair[K comparable, V any](k K, v *V) any { return &pair[K, V]{k, v} }

//go:noinline
func reflected() { any1 = reflect.New(reflect.TypeFor[small]()).Interface() }

//go:noinline
func branches(i int) {
	if i%2 == 0 {
		any1 = &small{nil, small1}
	} else {
		any1 = &noPointers{a: uint64(i)}
	}
}

// table has a jump table.
//
//go:noinline
func table(i int) {
	switch i % 12 {
	case 0:
		other++
	case 1:
		other += 2
	case 2:
		other ^= 3
	case 3:
		other -= 4
	case 4:
		other |= 5
	case 5:
		other += 6
	case 6:
		other &= 0xffff
	case 7:
		other += 7
	case 8:
		other ^= 8
	case 9:
		other += 9
	}
	any1 = new(small)
}

//go:noinline
func variadic() { sink = []any{small1, 1} }

//go:noinline
func builder() {
	var b strings.Builder
	for range n {
		b.WriteString(text)
	}
	text = b.String()[:len(text)]
}

//go:noinline
func grown() {
	var b strings.Builder
	b.Grow(n * 100)
	b.WriteString(text)
	text = b.String()
}

//go:noinline
func anonymous() { any1 = &struct{ X, Y *small }{small1, small1} }

var ways = map[string]func(){
	"newSmall": newSmall, "newLarge": newLarge, "newNoPointers": newNoPointers, "newInt": newInt, "newArray": newArray,
	"makeSlice": makeSlice, "makeBytes": makeBytes, "makeCopy": makeCopy, "appendSlice": appendSlice,
	"appendStrings": appendStrings,
	"makeMap":       makeMap, "makeMapSmall": makeMapSmall, "growMap": growMap, "assignMap": func() {
		assignMap(map[uint64]small{})
	},
	"makeChan": makeChan, "concat": concat, "toString": toString, "toBytes": toBytes, "closure": closure,
	"escaping":          escaping,
	"interfaceOfStruct": interfaceOfStruct, "interfaceOfNumber": interfaceOfNumber,
	"interfaceOfString": interfaceOfString,
	"genericNew":        genericNew, "newPair[...]": func() {}, "reflected": reflected, "branches": func() {
		branches(n)
		branches(n + 1)
	},
	"table": func() { table(n) }, "variadic": variadic, "anonymous": anonymous, "builder": builder, "grown": grown,
}

func main() {
	runtime.MemProfileRate = 1
	texts = []string{"x", "y", "z"}
	text = "text " + os.Args[0] + " longer than what fits without an allocation"
	for i := range 300 {
		keys = append(keys, fmt.Sprint(i))
	}
	for range 20 {
		newSmall()
		makeMap()
		for _, f := range ways {
			f()
		}
	}
	reader, err := gotype.New()
	if err != nil {
		fmt.Println("none:", err)
	}
	records := make([]runtime.MemProfileRecord, 10000)
	runtime.GC()
	runtime.GC()
	m, _ := runtime.MemProfile(records, true)
	found := map[string]map[string]bool{}
	for _, r := range records[:m] {
		if way := wayOf(r.Stack()); way != "" && err == nil {
			if found[way] == nil {
				found[way] = map[string]bool{}
			}
			found[way][reader.Allocated(r.Stack())] = true
		}
	}
	var lines []string
	for way, types := range found {
		var names []string
		for name := range types {
			names = append(names, name)
		}
		sort.Strings(names)
		lines = append(lines, fmt.Sprintf("%s: %s", way, strings.Join(names, " | ")))
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	fmt.Println("done")
}

// wayOf returns the innermost function of this program on a stack, if it is one of the ways.
func wayOf(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if name, ok := strings.CutPrefix(f.Function, "main."); ok {
			if _, way := ways[name]; way {
				return name
			}
			return ""
		}
		if !more {
			return ""
		}
	}
}
