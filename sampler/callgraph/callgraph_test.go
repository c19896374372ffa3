package callgraph

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A library, and an application that uses it.

type library struct{ n int }

//go:noinline
func (l *library) create() { l.n++ }

//go:noinline
func (l *library) open() { l.create() }

func (l *library) openEasily() { l.open() } // is inlined where it is called

//go:noinline
func (l *library) later(f func()) { f() }

//go:noinline
func (l *library) subscribe() { l.later(func() { l.create() }) }

//go:noinline
func (l *library) report() { l.create() }

//go:noinline
func (l *library) hidden() { l.n++ }

//go:noinline
func (l *library) hide() { l.hidden() }

// hider hides what it calls.
type hider interface{ hide() }

//go:noinline
func appOpens(l *library) { l.open() }

//go:noinline
func appOpensEasily(l *library) { l.openEasily() }

//go:noinline
func appSubscribes(l *library) { l.subscribe() }

//go:noinline
func appLiteral(l *library) func() { return func() { l.open() } }

//go:noinline
func appReports(l *library) { l.report() }

//go:noinline
func appHides(h hider) { h.hide() }

const here = "github.com/mdzesseis/leaktrend/sampler/callgraph."

func isApplication(function, _ string) bool { return strings.HasPrefix(function, here+"app") }

func TestLeading(t *testing.T) {
	l := new(library)
	for _, f := range []func(*library){appOpens, appOpensEasily, appSubscribes, appReports, func(l *library) {
		appHides(l)
	}} {
		f(l)
	}
	appLiteral(l)()
	type line struct {
		Function, File, Callee string
		Depth                  int
	}
	graph, err := Read()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := func(functions []string, isPassed func(string) bool) (got []line, ends []string) {
		leads, err := graph.Leading(functions, isApplication, isPassed)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range leads.Lines {
			if a.Line == 0 {
				t.Errorf("no line: %+v", a)
			}
			got = append(got, line{strings.TrimPrefix(a.Function, here), filepath.Base(a.File),
				strings.TrimPrefix(a.Callee, here), a.Depth})
		}
		for _, f := range leads.Ends {
			ends = append(ends, strings.TrimPrefix(f, here))
		}
		return got, ends
	}
	const file = "callgraph_test.go"
	want := []line{
		{"appOpens", file, "(*library).open", 2}, {"appOpensEasily", file, "(*library).openEasily", 2},
		{"appLiteral.func1", file, "(*library).open", 2},
		{"appSubscribes", file, "(*library).subscribe", 2},
	}
	create := []string{here + "(*library).create"}
	got, ends := lines(create, func(function string) bool { return function == here+"(*library).report" })
	slices.SortFunc(want, func(a, b line) int { return strings.Compare(a.Function, b.Function) })
	slices.SortFunc(got, func(a, b line) int { return strings.Compare(a.Function, b.Function) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(ends) > 0 {
		t.Errorf("%v are called by way of an interface", ends)
	}
	if got, _ := lines(create, nil); len(got) != len(want)+1 {
		t.Errorf("%d lines with the one that reports: %v", len(got), got)
	}
	if got, _ := lines([]string{here + "(*library).subscribe.func1"}, nil); len(got) != 1 {
		t.Errorf("%v lead to a literal, want the one that calls the function it stands in", got)
	}
	if got, ends := lines([]string{here + "(*library).hidden"}, nil); len(got) > 0 || len(ends) != 1 ||
		ends[0] != "(*library).hide" {
		t.Errorf("%v lead to what is called by way of an interface, %v are its ends", got, ends)
	}
	if got, _ := lines([]string{here + "none", ""}, nil); len(got) > 0 {
		t.Errorf("%v lead to a function that is not there", got)
	}
	all := func(string, string) bool { return true }
	if got, err := graph.Leading([]string{"runtime.newobject"}, all, nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("%d lines allocate, %v", len(got.Lines), err)
	}
}

func TestEnclosing(t *testing.T) {
	for function, want := range map[string]string{
		"net/http.(*Transport).dialConn.gowrap2":                 "net/http.(*Transport).dialConn",
		"google.golang.org/grpc.newClientStreamWithParams.func4": "google.golang.org/grpc.newClientStreamWithParams",
		"a.F.func1.2":           "a.F.func1",
		"a.F.func1":             "a.F",
		"a.F.deferwrap1":        "a.F",
		"a.F-range1":            "a.F",
		"a.F.G-range1":          "a.F.G",
		"a.Read64":              "",
		"example.com/v2":        "",
		"example.com/x.v3.Call": "",
		"a.(*T).Run":            "",
		"":                      "",
	} {
		if got := Enclosing(function); got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
}

func BenchmarkLeading(b *testing.B) {
	for b.Loop() {
		graph, err := Read()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := graph.Leading([]string{here + "(*library).create"}, isApplication, nil); err != nil {
			b.Fatal(err)
		}
	}
}
