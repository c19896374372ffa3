package publish

import (
	"context"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

// Scan looks at the fleet once.
type Scan func(ctx context.Context) (*fleet.Report, error)

// repeat scans at an interval until the context ends, or use fails. A scan that takes longer is followed by the next at
// once. Meanwhile, and during a scan too, keep is called whenever alerts are to be repeated.
func repeat(ctx context.Context, interval time.Duration, scan Scan, use func(*fleet.Report, error) error,
	keep func()) error {
	type scanned struct {
		report *fleet.Report
		err    error
	}
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		next := time.After(interval)
		results := make(chan scanned, 1)
		go func() {
			report, err := scan(ctx)
			results <- scanned{report, err}
		}()
		var due <-chan time.Time // nil while the scan runs
		for waiting := true; waiting; {
			select {
			case result := <-results:
				if ctx.Err() != nil {
					return nil
				}
				if err := use(result.report, result.err); err != nil {
					return err
				}
				results, due = nil, next
			case <-ticker.C:
				keep()
			case <-due:
				waiting = false
			case <-ctx.Done():
				if results != nil {
					<-results
				}
				return nil
			}
		}
	}
}
