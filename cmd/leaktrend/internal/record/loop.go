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
	)
	reading := ctx // of what does not answer, no longer than the duration
	if duration > 0 {
		limited, stop := context.WithTimeout(ctx, duration)
		defer stop()
		reading = limited
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := source.Sample(reading, &s)
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
		case <-reading.Done():
			if ctx.Err() != nil {
				return "interrupted"
			}
			return "duration over"
		case <-ticker.C:
		}
	}
}
