package fleet

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// observed notes how far a scan has come whenever it looks back.
type observed struct {
	*memory
	progress *Progress

	mu     sync.Mutex
	shares []float64
}

func (o *observed) Range(ctx context.Context, query string, g prom.Grid, split bool) ([]prom.Series, error) {
	if g.Step == lookBackStep {
		o.mu.Lock()
		o.shares = append(o.shares, o.progress.Share())
		o.mu.Unlock()
	}
	return o.memory.Range(ctx, query, g, split)
}

// A scan is not over before it has looked back.
func TestProgress(t *testing.T) {
	const jobs = 8
	server := &observed{memory: &memory{}, progress: &Progress{}}
	for i := range jobs {
		server.add(fmt.Sprintf("__name__=go_goroutines,job=%d,instance=a", i), growing(100, 20, 0))
		server.back(fmt.Sprintf("__name__=go_goroutines,job=%d,instance=a", i), func(float64) float64 { return 100 })
	}
	if share := server.progress.Share(); share != 0 {
		t.Errorf("%g before the begin", share)
	}
	if _, err := scanOf(t, server, func(o *Options) {
		o.Progress, o.History, o.Workers = server.progress, threeWeeks, 1
	}); err != nil {
		t.Fatal(err)
	}
	if len(server.shares) != jobs {
		t.Fatalf("looked back %d times, want %d", len(server.shares), jobs)
	}
	for i, share := range server.shares {
		if share >= 1 || i > 0 && share <= server.shares[i-1] {
			t.Errorf("shares while it looks back: %.3g; want them to rise, below 1", server.shares)
			break
		}
	}
	if share := server.progress.Share(); share != 1 {
		t.Errorf("%g at the end", share)
	}
}
