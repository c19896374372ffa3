package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/sampler"
)

func recordCommand() *cobra.Command {
	var (
		flags source.Flags
		out   string
		force bool
	)
	cmd := &cobra.Command{
		Use:   "record (--pid N | --name PATTERN | --url URL) -o FILE",
		Short: "Sample a process into a recording",
		Long: `Sample a process, of any language, or a Prometheus metrics endpoint into a recording, until interrupted,
until the process ends, or for --duration. "leaktrend replay" judges the recording later.`,
		Example: `  leaktrend record --name redis-server -o redis.csv --duration 1h
  leaktrend record --url http://localhost:9090/metrics --soak 20m -o soak.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return errors.New("-o FILE is needed")
			}
			if err := flags.Complete(); err != nil {
				return err
			}
			source, err := flags.Open()
			if err != nil {
				return err
			}
			defer source.Close()
			r, err := createRecording(out, force, cmd.OutOrStdout(), sampler.Header{
				Interval: flags.Interval, Soak: flags.Soak, Source: source.String(),
			})
			if err != nil {
				return err
			}
			stderr := cmd.ErrOrStderr()
			noteSoak(stderr, flags.Soak)
			fmt.Fprintf(stderr, "recording %s every %s to %s\n", source, flags.Interval, out)
			end, err := sampleUntilEnd(cmd.Context(), source, flags.Interval, flags.Duration, stderr, r.write)
			if err := errors.Join(err, r.close()); err != nil {
				return err
			}
			if r.samples == 0 {
				return fmt.Errorf("nothing was sampled from %s (%s)", source, end)
			}
			fmt.Fprintf(stderr, "%d samples recorded; %s\n", r.samples, end)
			return nil
		},
	}
	flags.Register(cmd.Flags())
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; - is standard output")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is not empty")
	return cmd
}

// recording is a file being written. What was sampled a second ago is on disk.
type recording struct {
	file    *os.File // nil for standard output
	writer  *sampler.Writer
	flushed time.Time
	samples int
}

// createRecording does not replace a recording unless forced to. A nil stdout is in use for something else.
func createRecording(path string, force bool, stdout io.Writer, h sampler.Header) (*recording, error) {
	if path == "-" && stdout == nil {
		return nil, errors.New("-o -: standard output shows the view already, name a file")
	}
	if path == "-" {
		return &recording{writer: sampler.NewWriter(stdout, h)}, nil
	}
	if filepath.Ext(path) == ".gz" {
		return nil, fmt.Errorf("-o %s: recordings are written as plain text, so that what was sampled is there at any time; pack it afterwards", path)
	}
	if err := output.Writable(path, force); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &recording{file: f, writer: sampler.NewWriter(f, h)}, nil
}

func (r *recording) write(s *sampler.Sample) error {
	if err := r.writer.Write(s); err != nil {
		return err
	}
	r.samples++
	if s.Time.Sub(r.flushed) < time.Second {
		return nil
	}
	r.flushed = s.Time
	return r.writer.Flush()
}

func (r *recording) close() error {
	err := r.writer.Flush()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}

// sampleUntilEnd samples at once and then at every interval, until the context or the duration (0 = none) or the source ends, and says
// which. What a sample could not read is reported when it changes; the rest of the sample is used.
func sampleUntilEnd(ctx context.Context, source sampler.Source, interval, duration time.Duration, stderr io.Writer,
	take func(*sampler.Sample) error,
) (end string, err error) {
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
			return err.Error(), nil
		}
		if ctx.Err() != nil {
			return "interrupted", nil
		}
		now := ""
		if err != nil {
			now = err.Error()
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
			if err := take(&s); err != nil {
				return "", err
			}
		}
		select {
		case <-ctx.Done():
			return "interrupted", nil
		case <-over:
			return "duration over", nil
		case <-ticker.C:
		}
	}
}
