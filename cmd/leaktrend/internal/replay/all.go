package replay

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Progress says how far All has come. Its zero value is ready.
type Progress struct{ read, total atomic.Int64 } // bytes

// Share returns the share of the work that is done, 0 to 1.
func (p *Progress) Share() float64 {
	if p.total.Load() == 0 {
		return 0 // nobody knows how long standard input is
	}
	return float64(p.read.Load()) / float64(p.total.Load())
}

// All judges the files on all cores and returns the results in the order of the files. Files that cannot be judged are
// in the error. When ctx ends it returns at once, without results: a file that is waited for, as standard input or a
// pipe, cannot be left otherwise, and the goroutine that reads it is left with it.
func All(ctx context.Context, files []string, o Options) ([]*Result, error) {
	if o.Progress != nil {
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				o.Progress.total.Add(info.Size())
			}
		}
	}
	results := make([][]*Result, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				results[i], errs[i] = File(ctx, files[i], o)
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return slices.Concat(results...), errors.Join(errs...)
}
