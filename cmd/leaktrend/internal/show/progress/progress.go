// Package progress shows on a terminal how far long work has come, and nothing elsewhere. Results do not go through
// it.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	quiet = 500 * time.Millisecond // shorter work shows nothing
	every = 200 * time.Millisecond
)

// Print prints a line. On a terminal it takes the place of what Start shows, which follows below.
func Print(w io.Writer, text string) {
	if terminal.Redraws(w) {
		text = "\r\x1b[K" + text
	}
	fmt.Fprintln(w, text)
}

// Start shows the share of the work that is done, 0 to 1, and an estimate of the time left, until the returned function
// is called. While the share is 0 it shows only what is being done. On what is not a terminal it shows nothing.
func Start(w io.Writer, doing string, share func() float64) (done func()) {
	if !terminal.Redraws(w) {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		start := time.Now()
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		shown := false
		for {
			select {
			case <-stop:
				if shown {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			case <-ticker.C:
			}
			elapsed := time.Since(start)
			if elapsed < quiet {
				continue
			}
			shown = true
			part := min(share(), 1)
			text := doing
			if part > 0 {
				text += fmt.Sprintf(": %.0f %%", 100*part)
			}
			if part > .01 {
				left := time.Duration(float64(elapsed) * (1 - part) / part)
				text += fmt.Sprintf(", %s left", sampler.FormatDuration(left.Round(time.Second)))
			}
			fmt.Fprint(w, "\r\x1b[K"+text)
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() { close(stop) })
		<-stopped
	}
}
