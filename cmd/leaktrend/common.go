package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	tty "github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// reportSkipped tells of the lines of a file that were skipped: of the first, and how many there are besides.
func reportSkipped(stderr io.Writer, name string, n int, first []error) {
	reported := 0
	for _, fault := range first {
		reported++
		if several := (interface{ Lines() int })(nil); errors.As(fault, &several) {
			reported += several.Lines() - 1
		}
		fmt.Fprintln(stderr, "skipped:", printable(strings.TrimSuffix(plain.Error(fault), ": skipped")))
	}
	if more := n - reported; more > 0 {
		fmt.Fprintf(stderr, "skipped: %s: %d more\n", printable(name), more)
	}
}

// loadConfig returns the configuration of a file, or the default one without a file. Of a pipe that nobody writes to it
// waits until the context ends.
func loadConfig(ctx context.Context, path string, stderr io.Writer) (detector.Config, error) {
	if path == "" {
		return detector.DefaultConfig(), nil
	}
	var (
		config   detector.Config
		warnings []detector.Warning
		err      error
	)
	loaded := make(chan struct{})
	go func() {
		config, warnings, err = detector.LoadConfig(path)
		close(loaded)
	}()
	select {
	case <-loaded:
	case <-ctx.Done():
		return detector.Config{}, errInterrupted
	}
	for _, w := range warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	return config, err
}

// noteSoak says what scaled time constants cost: what TestSoakPrice measures.
func noteSoak(stderr io.Writer, soak time.Duration) {
	if soak <= 0 {
		return
	}
	for _, line := range soakNotes(soak) {
		fmt.Fprintln(stderr, line)
	}
}

func soakNotes(soak time.Duration) []string {
	return []string{
		"soak " + sampler.FormatDuration(soak) + ": all time constants are scaled to a run of this length. Warm the " +
			"service up first.",
		"Measured cost: a false alarm in 4 of 100 runs of healthy services, in 2 under steady load.",
	}
}

// printable returns a line without what a terminal would obey: names of files and what stands in them are others'.
func printable(line string) string { return tty.Printable(line) }
