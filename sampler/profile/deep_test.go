package profile

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

// nested calls itself once for each element of a list, and then writes: the frames of the template engine are more than
// the runtime's records hold.
var nested = template.Must(template.New("n").Parse(`{{if .}}{{template "n" .Next}}{{else}}end{{end}}`))

// list is a list of some length.
type list struct{ Next *list }

func newList(n int) (l *list) {
	for range n {
		l = &list{l}
	}
	return l
}

func render(w io.Writer, data *list) error { return nested.Execute(w, data) } // line: render

// A stack is followed to the line of the application, however deep it lies.
func TestDeepGoroutines(t *testing.T) {
	reader, writer := io.Pipe()
	var ended sync.WaitGroup
	depths := []int{1, 10, 10, 10, 10, 10, 12}
	for _, depth := range depths {
		ended.Add(1)
		go func() { defer ended.Done(); _ = render(writer, newList(depth)) }()
	}
	defer func() { reader.Close(); ended.Wait() }()
	line := lineIn(t, "deep_test.go", "render")
	want := []found{{"render", "deep_test.go", line, "select", "func1", float64(len(depths))}}
	self := NewSelf()
	for range 2 { // the second one knows the stacks
		await.Until(t, func() string {
			p, err := self.Profile(t.Context(), Goroutine)
			if err != nil {
				t.Fatal(err)
			}
			if n := float64(runtime.NumGoroutine()); p.Count != n {
				return fmt.Sprintf("%v goroutines in the profile, %v exist", p.Count, n)
			}
			got := hereOf(p, ".render")
			for i := range got {
				got[i].WaitReason = "select" // one of them may wait for the mutex of the pipe
			}
			return cmp.Diff(want, got)
		})
	}
}

var decoded []any

//go:noinline
func decode(text []byte) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	decoded = append(decoded, v)
}

func TestDeepHeap(t *testing.T) {
	defer func() { decoded = nil }()
	const depth = 60
	text := []byte(strings.Repeat("[", depth) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("]", depth))
	for range 40 {
		decode(text)
	}
	runtime.GC()
	runtime.GC()
	self := NewSelf()
	for range 2 {
		p, err := self.Profile(t.Context(), Heap)
		if err != nil {
			t.Fatal(err)
		}
		got, all := 0., 0.
		for _, s := range p.Sites {
			all += s.Bytes
			if s.Application && strings.HasSuffix(s.Function, ".decode") {
				got += s.Bytes
			}
		}
		// 40 MB in 40 blocks, of which 86 % are sampled each.
		if got < 30<<20 || got > 55<<20 || all > 1.001*p.Bytes || all < .999*p.Bytes {
			t.Errorf("%v bytes at the line that decodes, %v at all lines, %v in all", got, all, p.Bytes)
		}
	}
}
