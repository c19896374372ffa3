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
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// sampled is a process whose heap profile has more than its heap: a line of its own, and a sample of the runtime's.
type sampled struct {
	mine, runtimes float64
}

func (s *sampled) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	if kind != profile.Heap {
		return nil, profile.ErrUnsupported
	}
	b := profile.NewBuilder(kind)
	b.Add([]profile.Frame{{Function: "main.put", File: "/src/main.go", Line: 59}}, 1, s.mine)
	b.Add([]profile.Frame{
		{Function: "runtime.bgscavenge", File: "/go/src/runtime/mgcscavenge.go", Line: 363},
		{Function: "runtime.gcenable", File: "/go/src/runtime/mgc.go", Line: 215},
	}, 1, s.runtimes)
	made := b.Profile(time.Now())
	made.Resolution = 512 << 10
	return made, nil
}

func (*sampled) Raw(context.Context, profile.Kind) ([]byte, error) {
	return nil, profile.ErrUnsupported
}

// TestNoMoreThanTheHeap: the heap profile is a sample. No line keeps or grows by more than the live heap did, and a
// single sample of the runtime's own explains nothing.
func TestNoMoreThanTheHeap(t *testing.T) {
	const mb = 1 << 20
	type shown struct {
		Lines   []int
		Bytes   float64
		Faster  bool // than the live heap
		Summary string
	}
	for _, test := range []struct {
		name   string
		source sampled
		want   shown
	}{
		{"more by its samples", sampled{3 * mb, 512 << 10}, shown{[]int{59}, 898779, false,
			"; main.go:59 keeps at least 878 KB of the 1.0 MB of new live heap, as of the last collection"}},
		{"a sample of the runtime", sampled{0, 512 << 10}, shown{}},
	} {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		source := &sampled{}
		l := NewLines(source, atRest(config.Default()), logger)
		l.Work(t.Context())
		*source = test.source
		l.profiler.watched[heapSites].last = time.Time{}
		a := alerting.Alert{Event: alerting.Event{
			Kind: alerting.Trend, Status: alerting.Firing, Resource: sampler.HeapLiveBytes, Since: partsStart,
			Value: 2 * mb, Baseline: 1 * mb, SlopePerHour: 60 * mb,
		}}
		if err := l.Add(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		got := shown{Summary: a.Summary}
		for _, s := range a.Sites {
			got.Lines, got.Bytes = append(got.Lines, s.Line), got.Bytes+s.Bytes
			got.Faster = got.Faster || s.GrowthPerHour > a.SlopePerHour
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
