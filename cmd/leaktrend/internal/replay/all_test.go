package replay

import (
	"context"
	"io"
	"testing"

	"github.com/mdzesseis/leaktrend/detector"
)

// A file that gives nothing, as a pipe that nobody writes to, does not keep an interrupt waiting.
func TestAllIsInterrupted(t *testing.T) {
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := All(ctx, []string{"-"}, Options{Config: detector.DefaultConfig(), Stdin: silent})
		ended <- err
	}()
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
