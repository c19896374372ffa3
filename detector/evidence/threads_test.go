package evidence

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// busy is a process of which goroutines keep threads: in a system call at one line, locked to them at another; at a
// third line more goroutines only wait.
type busy struct{ n int }

func (b *busy) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	if kind != profile.Goroutine {
		return nil, profile.ErrUnsupported
	}
	p := profile.NewBuilder(kind)
	add := func(line, n int, waits string) {
		p.Add([]profile.Frame{{Function: waits, File: "/go/src/x.go", Line: 1},
			{Function: "main.work", File: "/src/main.go", Line: line}}, float64(n), 0)
	}
	add(10, b.n, "syscall.Syscall")
	add(20, 1+2*b.n, "runtime.chanrecv1")
	add(30, 1+9*b.n, "runtime.chanrecv1")
	return p.Profile(time.Now()), nil
}

func (*busy) Raw(context.Context, profile.Kind) ([]byte, error) { return nil, profile.ErrUnsupported }

func (b *busy) Dump(context.Context) ([]byte, error) {
	var text strings.Builder
	add := func(line, n int, state string) {
		for i := range n {
			fmt.Fprintf(&text, "goroutine %d [%s]:\nmain.work()\n\t/src/main.go:%d +0x1\n"+
				"created by main.main in goroutine 1\n\t/src/main.go:5 +0x1\n\n", 1+i, state, line)
		}
	}
	add(10, b.n, "syscall")
	add(20, 1+2*b.n, "chan receive, locked to thread")
	add(30, 1+9*b.n, "chan receive")
	return []byte(text.String()), nil
}

// An alert on threads names the lines whose goroutines keep them.
func TestThreadsByLine(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	source := &busy{n: 1}
	l := NewLines(source, atRest(config.Default()), logger)
	l.Work(t.Context())
	source.n = 41
	l.profiler.watched[goroutineSites].last = time.Time{}
	a := alerting.Alert{ID: "1", Event: alerting.Event{
		Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.Threads, Since: partsStart, Value: 130,
		Baseline: 10,
	}}
	if err := l.Add(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	type listed struct {
		Line     int
		Count    float64
		Resource string
		Share    string
	}
	var got []listed
	for _, s := range a.Sites {
		got = append(got, listed{s.Line, s.Count, s.Resource, fmt.Sprintf("%.2f", s.Share)})
	}
	want := []listed{{20, 83, sampler.Goroutines, "0.67"}, {10, 41, sampler.Goroutines, "0.33"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "; main.go:20 accounts for 80 of the 120 new goroutines that keep a thread"; a.Summary != want {
		t.Errorf("summary %q, want %q", a.Summary, want)
	}
}

// An alert on descriptors that goroutines hold lacks no lines where there is no profile of the heap.
func TestDescriptorsWithoutAHeapProfile(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	source, m := &busy{n: 1}, atRest(config.Default())
	l := NewLines(source, m, logger)
	l.Work(t.Context())
	source.n, m.view.Judged = 41, time.Now()
	l.profiler.watched[goroutineSites].last = time.Time{}
	a := alerting.Alert{ID: "1", Event: alerting.Event{
		Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.OpenFDs, Since: partsStart, Value: 490,
		Baseline: 10,
	}}
	if err := l.Add(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Sites) == 0 || a.Sites[0].Line != 30 || a.Sites[0].Share == 0 || len(a.Missing) > 0 ||
		!strings.HasPrefix(a.Summary, "; main.go:30 may hold them: 360 of") {
		t.Errorf("%q, lines %v, missing %v", a.Summary, a.Sites, a.Missing)
	}
}
