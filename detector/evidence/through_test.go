//go:build go1.25

package evidence

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// shop is a process of two lines that both dial by a library, of which one does not hang up.
type shop struct {
	mu           sync.Mutex
	leaked, kept float64
}

func (s *shop) set(leaked, kept float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaked, s.kept = leaked, kept
}

func (s *shop) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := profile.NewBuilder(kind)
	dial := profile.Frame{Function: "example.com/rpc.Dial", File: libraryDir + "/dial.go", Line: 5}
	switch kind {
	case profile.Goroutine:
		b.Add([]profile.Frame{
			{Function: "runtime.selectgo", File: "/go/src/runtime/select.go", Line: 1},
			{Function: "example.com/rpc.(*conn).read", File: libraryDir + "/conn.go", Line: 7},
			{Function: "example.com/rpc.Dial.gowrap1", File: libraryDir + "/dial.go", Line: 6},
		}, 1+s.leaked, 0)
	case profile.Heap:
		b.Add([]profile.Frame{dial, {Function: "main.order", File: "/src/main.go", Line: 42}}, s.kept, s.kept*1024)
	case profile.Allocs:
		b.Add([]profile.Frame{dial, {Function: "main.browse", File: "/src/main.go", Line: 17}}, 1, 9<<20*s.leaked)
		b.Add([]profile.Frame{dial, {Function: "main.order", File: "/src/main.go", Line: 42}}, 1, 1<<20*s.leaked)
	default:
		return nil, profile.ErrUnsupported
	}
	p := b.Profile(time.Now())
	p.Resolution = 1024
	p.GC = uint64(time.Now().UnixNano())
	return p, nil
}

func (*shop) Raw(context.Context, profile.Kind) ([]byte, error) { return nil, profile.ErrUnsupported }

// again is a monitor at which nothing happens but that alerts come again.
type again struct {
	*rest
	queue *Queue
}

func (m again) Again(a *alerting.Alert) { m.queue.Again(a) }

const quiet = 20*time.Minute + 7*time.Second // never to the instant of a profile

// An alert that cannot tell which line called names the library's first, and comes again once the memory of one tells.
func TestNamedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		var delivered []alerting.Alert
		q := NewQueue(logger, func(a alerting.Alert) { delivered = append(delivered, a) })
		source := &shop{}
		l := NewLines(source, again{atRest(config.Default()), q}, logger)
		q.Add("sites", l.Add)
		q.Meanwhile(l.Work)
		end := q.Start()
		time.Sleep(quiet)
		source.set(400, 0)
		a := alerting.Alert{ID: "1", Event: alerting.Event{
			Kind: alerting.Limit, Status: alerting.Firing, Resource: sampler.Goroutines, Since: time.Now(),
			Time: time.Now(), Value: 401, Baseline: 1,
		}}
		q.Put(a)
		time.Sleep(quiet)
		source.set(400, 400)
		time.Sleep(quiet)
		source.set(400, 800)
		time.Sleep(quiet)
		end()
		type site struct {
			Line    int
			KnownBy string
		}
		var got [][]site
		for _, a := range delivered {
			var all []site
			for _, s := range a.Sites {
				all = append(all, site{s.Line, s.KnownBy})
			}
			got = append(got, all)
		}
		want := [][]site{
			{{7, ""}, {17, sites.ByNone}, {42, sites.ByNone}},
			{{42, sites.ByMemory}, {7, sites.ByMemory}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
