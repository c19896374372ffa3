package evidence

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// client is a process whose service dials by a library, at one line and again at another, and does not hang up: the
// library's goroutines wait, and what they keep was allocated by themselves.
type client struct {
	dialed, called float64 // so far, at the two lines
	allocs         bool    // whether the process has such a profile
}

const libraryDir = "/m/example.com/rpc@v1.2.3"

func (c *client) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	b := profile.NewBuilder(kind)
	switch {
	case kind == profile.Goroutine:
		b.Add([]profile.Frame{
			{Function: "runtime.selectgo", File: "/go/src/runtime/select.go", Line: 1},
			{Function: "example.com/rpc/internal/transport.(*conn).read", File: libraryDir + "/internal/transport/" +
				"conn.go", Line: 7},
		}, 1+c.dialed, 0)
	case kind == profile.Heap:
		b.Add([]profile.Frame{{Function: "example.com/rpc/internal/transport.newConn",
			File: libraryDir + "/internal/transport/conn.go", Line: 3}}, 1, 64<<10*(1+c.dialed))
	case kind == profile.Allocs && c.allocs:
		add := func(line int, bytes float64, inner ...profile.Frame) {
			b.Add(append(inner, profile.Frame{Function: "main.fetch", File: "/src/main.go", Line: line}), 1, bytes)
		}
		dial := profile.Frame{Function: "example.com/rpc.Dial", File: libraryDir + "/dial.go", Line: 5}
		add(10, 64<<10*c.dialed, profile.Frame{Function: "bufio.NewReader", File: "/go/src/bufio/bufio.go", Line: 2},
			dial)
		add(11, 16<<10*c.called, profile.Frame{Function: "example.com/rpc.(*Client).Call",
			File: libraryDir + "/client.go", Line: 6})
		add(12, 500<<20, dial) // long ago
		add(13, 900<<20*(1+c.dialed), profile.Frame{Function: "fmt.Sprintf", File: "/go/src/fmt/print.go", Line: 4})
		add(14, 100*c.dialed, dial) // less than a sample
	default:
		return nil, profile.ErrUnsupported
	}
	p := b.Profile(time.Now())
	p.Resolution = 512 << 10
	return p, nil
}

func (*client) Raw(context.Context, profile.Kind) ([]byte, error) { return nil, profile.ErrUnsupported }

// Goroutines of a library are traced to the lines that called into it while they came, whoever allocated what they
// keep.
func TestCalledFrom(t *testing.T) {
	type listed struct {
		Line            int
		Via, CalledFrom string
		Share           float64
	}
	waits := listed{Line: 7, Share: 1}
	for _, test := range []struct {
		name   string
		allocs bool
		dials  float64
		want   []listed
		clause string
	}{
		{"known", true, 2000, []listed{
			{10, "example.com/rpc.Dial", "", .8}, {11, "example.com/rpc.(*Client).Call", "", .2},
			{Line: 7, CalledFrom: "main.fetch /src/main.go:10"},
		}, "; main.go:10 called rpc.Dial meanwhile, as its allocations show as far as they are sampled"},
		{"another line may have called without being sampled", true, 400, []listed{
			waits, {10, "example.com/rpc.Dial", "", 0}, {11, "example.com/rpc.(*Client).Call", "", 0},
		}, "; conn.go:7 accounts for 400 of the 400 new goroutines, called from one of main.go:10, main.go:11"},
		{"no such profile", false, 400, []listed{waits}, "; conn.go:7 accounts for 400 of the 400 new goroutines"},
	} {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		source := &client{allocs: test.allocs}
		l := NewLines(source, atRest(config.Default()), logger)
		l.Work(t.Context())
		source.dialed, source.called = test.dials, test.dials
		l.profiler.watched[goroutineSites].last, l.profiler.watched[heapSites].last = time.Time{}, time.Time{}
		a := alerting.Alert{ID: "1", Event: alerting.Event{
			Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.Goroutines, Since: partsStart,
			Value: 1 + test.dials, Baseline: 1,
		}}
		if err := l.Add(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		var got []listed
		for _, s := range a.Sites {
			got = append(got, listed{s.Line, s.Via, s.CalledFrom, s.Share})
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if a.Summary != test.clause {
			t.Errorf("%s: summary %q, want %q", test.name, a.Summary, test.clause)
		}
	}
}

// The profile of the heap is of the latest collection: where a limit was passed since, it says so.
func TestHeapBehind(t *testing.T) {
	for _, test := range []struct {
		name  string
		value float64
		want  []alerting.Missing
	}{
		{"passed by what is live", 36e6, nil},
		{"passed since", 436e6,
			[]alerting.Missing{{What: "sites", Why: "the heap profile is of the latest collection and shows 7 % of " +
				"the growth of 406 MB: " +
				"the rest is newer, garbage or not live heap"}}},
	} {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		source := &client{}
		l := NewLines(source, atRest(config.Default()), logger)
		l.Work(t.Context())
		source.dialed = 450 // 29 MB
		l.profiler.watched[heapSites].last = time.Time{}
		a := alerting.Alert{Event: alerting.Event{
			Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.HeapInuseBytes, Since: partsStart,
			Value: test.value, Baseline: 10e6,
		}}
		if err := l.Add(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, a.Missing); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// connections is a process that keeps connections: what stands for them is allocated by goroutines of the standard
// library, but for a little.
type connections struct{ n float64 }

func (c *connections) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	if kind != profile.Heap {
		return nil, profile.ErrUnsupported
	}
	b := profile.NewBuilder(kind)
	b.Add([]profile.Frame{{Function: "bufio.NewReaderSize", File: "/go/src/bufio/bufio.go", Line: 57}}, 1, 8<<10*c.n)
	b.Add([]profile.Frame{{Function: "main.open", File: "/src/main.go", Line: 42}}, 1, 2<<10*c.n)
	b.Add([]profile.Frame{{Function: "runtime.malg", File: "/go/src/runtime/proc.go", Line: 5274}}, 1, 4<<10*c.n)
	b.Add([]profile.Frame{{Function: "example.com/rpc.newBuffer", File: libraryDir + "/buffer.go", Line: 3}},
		1, 1<<10*c.n)
	p := b.Profile(time.Now())
	p.Resolution = 1 << 10
	return p, nil
}

func (*connections) Raw(context.Context, profile.Kind) ([]byte, error) {
	return nil, profile.ErrUnsupported
}

// No line of the runtime or the standard library is blamed for memory before one of the application or of a library.
func TestNoLineOfTheRuntimeFirst(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	source := &connections{n: 10}
	l := NewLines(source, atRest(config.Default()), logger)
	l.Work(t.Context())
	source.n = 10_000
	l.profiler.watched[heapSites].last = time.Time{}
	a := alerting.Alert{Event: alerting.Event{
		Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.HeapLiveBytes, Since: partsStart, Value: 160e6,
		Baseline: 1e6,
	}}
	if err := l.Add(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range a.Sites {
		got = append(got, s.Function)
	}
	if diff := cmp.Diff([]string{"main.open", "example.com/rpc.newBuffer", "bufio.NewReaderSize", "runtime.malg"},
		got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", a.Summary, diff)
	}
}

// Which of several lines called is said where it is sure: no innocent line stands for the one that leaks.
func TestDecide(t *testing.T) {
	line := func(function string, number int, leads, there bool, kept, allocated float64) candidate {
		k := candidate{leads: leads, there: there, kept: kept, allocated: allocated}
		k.Function, k.Line = function, number
		return k
	}
	pooled := func(k candidate) candidate {
		k.Via = "database/sql.(*DB).Query"
		return k
	}
	type summary struct {
		Lines   []int
		KnownBy string
	}
	for _, test := range []struct {
		name     string
		all      []candidate
		complete bool
		want     summary
		few      bool // leaks, so that a line that called may not have been sampled
	}{
		{"none", nil, true, summary{nil, ""}, false},
		{"the only one that leads there, without a sample", []candidate{line("f", 1, true, false, 0, 0)},
			true, summary{[]int{1}, sites.ByCode}, false},
		{"two that lead there", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, true, false, 0, 5)},
			true, summary{[]int{1, 2}, ""}, false},
		{"two of one function", []candidate{line("f", 1, true, false, 0, 0), line("f", 2, true, false, 0, 5)},
			true, summary{[]int{2, 1}, sites.ByCode}, false},
		{"another only uses the library", []candidate{line("f", 1, true, false, 0, 0),
			line("g", 2, false, false, 0, 500)}, true, summary{[]int{1}, sites.ByCode}, false},
		{"one of two keeps memory", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, true, false, 2, 5)},
			true, summary{[]int{2}, sites.ByMemory}, false},
		{"memory of a pool", []candidate{pooled(line("f", 1, true, false, 0, 9)),
			pooled(line("g", 2, true, false, 3, 5))}, true, summary{[]int{2, 1}, ""}, false},
		{"much of a pool", []candidate{pooled(line("f", 1, true, false, 0, 9)),
			pooled(line("g", 2, true, false, 9, 5))}, true, summary{[]int{2}, sites.ByMemory}, false},
		{"a single sample is chance", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, true, false, 1.02, 5)},
			true, summary{[]int{2, 1}, ""}, false},
		{"both keep memory", []candidate{line("f", 1, true, false, 6, 9), line("g", 2, true, false, 4, 5)},
			true, summary{[]int{1, 2}, ""}, false},
		{"both lines of one function do", []candidate{line("f", 1, true, false, 6, 9), line("f", 2, true, false, 4, 5)},
			true, summary{[]int{1, 2}, sites.ByMemory}, false},
		{"memory where nothing leads", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, false, false, 3, 5)},
			true, summary{[]int{2, 1}, ""}, false},
		{"much of it", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, false, false, 5, 5)},
			true, summary{[]int{2}, sites.ByMemory}, false},
		{"the only one that allocated", []candidate{line("f", 1, false, false, 0, 9)},
			true, summary{[]int{1}, sites.ByAllocations}, false},
		{"others did, elsewhere in the library", []candidate{line("f", 1, false, true, 0, 9),
			line("g", 2, false, false, 0, 500)}, true, summary{[]int{1}, sites.ByAllocations}, false},
		{"others may lead there", []candidate{line("f", 1, true, false, 0, 0)}, false, summary{[]int{1}, ""}, false},
		{"others may, but it allocated on the way", []candidate{line("f", 1, true, true, 0, 9)},
			false, summary{[]int{1}, sites.ByAllocations}, false},
		{"another was seen there", []candidate{line("f", 1, true, false, 0, 9), line("g", 2, false, true, 0, 9)},
			false, summary{[]int{1, 2}, ""}, false},
		{"only one was seen so far", []candidate{line("f", 1, false, true, 0, 9)}, true, summary{[]int{1}, ""}, true},
		{"several did", []candidate{line("f", 1, false, false, 0, 9), line("g", 2, false, false, 0, 500)},
			true, summary{[]int{2, 1}, ""}, false},
	} {
		c := decide(test.all, test.complete, !test.few)
		got := summary{KnownBy: c.knownBy}
		for _, k := range c.lines {
			got.Lines = append(got.Lines, k.Line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// pool is a process of two lines that open connections by a library, which pools them: one does not give them back.
type pool struct{ n float64 }

func (p *pool) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	if kind != profile.Heap {
		return nil, profile.ErrUnsupported
	}
	b := profile.NewBuilder(kind)
	add := func(function string, line int, bytes float64) {
		b.Add([]profile.Frame{
			{Function: "bufio.NewReader", File: "/go/src/bufio/bufio.go", Line: 60},
			{Function: "database/sql.(*DB).Query", File: "/go/src/database/sql/sql.go", Line: 1700},
			{Function: function, File: "/src/main.go", Line: line},
		}, 1, bytes)
	}
	add("main.browse", 17, 3<<10*p.n)
	add("main.order", 42, 2<<10*p.n)
	add("main.seldom", 60, 10*p.n)
	made := b.Profile(time.Now())
	made.Resolution = 1 << 10
	return made, nil
}

func (*pool) Raw(context.Context, profile.Kind) ([]byte, error) { return nil, profile.ErrUnsupported }

// The line that opened a connection of a pool is not blamed for one that does not give it back.
func TestSharedPool(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	source := &pool{n: 10}
	l := NewLines(source, atRest(config.Default()), logger)
	l.Work(t.Context())
	source.n = 1010
	l.profiler.watched[heapSites].last = time.Time{}
	a := alerting.Alert{Event: alerting.Event{
		Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.HeapLiveBytes, Since: partsStart, Value: 6e6,
		Baseline: 1e5,
	}}
	if err := l.Add(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	type listed struct {
		Line    int
		KnownBy string
	}
	var got []listed
	for _, s := range a.Sites {
		got = append(got, listed{s.Line, s.KnownBy})
	}
	if diff := cmp.Diff([]listed{{1700, ""}, {17, sites.ByNone}, {42, sites.ByNone}}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", a.Summary, diff)
	}
	if want := "; sql.go:1700 keeps at least 4.9 MB of the 5.6 MB of new live heap, as of the last collection, " +
		"called from one of main.go:17, main.go:42"; a.Summary != want {
		t.Errorf("summary %q, want %q", a.Summary, want)
	}
}
