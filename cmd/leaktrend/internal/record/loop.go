package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/sampler"
)

// UntilEnd samples at once and then at every interval, until the context or the duration (0 = none) or the source ends,
// and says which. What a sample could not read is reported when it changes; the rest of the sample is used.
func UntilEnd(ctx context.Context, source sampler.Source, interval, duration time.Duration, stderr io.Writer,
	onSample func(*sampler.Sample),
) (end string) {
	var (
		s       sampler.Sample
		problem string
		over    <-chan time.Time
	)
	if duration > 0 {
		timer := time.NewTimer(duration)
		defer timer.Stop()
		over = timer.C
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := source.Sample(ctx, &s)
		if errors.Is(err, io.EOF) {
			return err.Error()
		}
		if ctx.Err() != nil {
			return "interrupted"
		}
		now := ""
		if err != nil {
			now = plain.Error(err)
		}
		if now != problem {
			if now != "" {
				fmt.Fprintln(stderr, now)
			} else {
				fmt.Fprintln(stderr, "all can be read again")
			}
			problem = now
		}
		if len(s.Readings) > 0 {
			onSample(&s)
		}
		select {
		case <-ctx.Done():
			return "interrupted"
		case <-over:
			return "duration over"
		case <-ticker.C:
		}
	}
}
