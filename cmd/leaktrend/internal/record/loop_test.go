//go:build go1.25

package record

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// hanging is a source that answers as long as it is not asked for more samples than it has, and then never.
type hanging struct{ answers int }

func (h *hanging) Sample(ctx context.Context, s *sampler.Sample) error {
	s.Reset(time.Now())
	if h.answers--; h.answers < 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	s.Add("goroutines", 5)
	return nil
}

// A source that hangs does not keep a recording from its end.
func TestDurationEndsWhatHangs(t *testing.T) {
	for _, answers := range []int{0, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			began, got := time.Now(), 0
			end := UntilEnd(t.Context(), &hanging{answers}, time.Second, 10*time.Second+time.Second/2, io.Discard,
				func(*sampler.Sample) { got++ })
			took := time.Since(began)
			if end != "duration over" || took != 10*time.Second+time.Second/2 || got != min(answers, 11) {
				t.Errorf("%d answers: %q after %s with %d samples", answers, end, took, got)
			}
		})
	}
}

func TestInterruptEndsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		if end := UntilEnd(ctx, &hanging{}, time.Second, time.Minute, io.Discard, func(*sampler.Sample) {}); end !=
			"interrupted" {
			t.Errorf("%q", end)
		}
	})
}
