package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/outbox"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// errLost ends a command that recorded, but not all.
var errLost = errors.New("samples are missing from the recording")

func recordCommand() *cobra.Command {
	var (
		target source.Flags
		out    string
		format = "text"
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "record (--pid N | --name PATTERN | --url URL) -o FILE",
		Short: "Sample a process into a recording",
		Long: `Sample a process of any language, or a Prometheus metrics endpoint, into a recording: until interrupted, until the
process ends, or for --duration. With --name it goes on with the next process of the name when one has ended, and the
recording has one life after the other.

"leaktrend replay" judges the recording later. With --format json it is judged while it is made, and standard output has
the objects of replay: each event as it comes, and a verdict on each resource at the end. With -o - standard output is
the recording itself.`,
		Example: `  leaktrend record --name redis-server -o redis.csv --duration 1h
  leaktrend record --url http://localhost:9090/metrics --soak 20m -o soak.csv`,
		Args: flags.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return errors.New("-o FILE is needed: the recording to write")
			}
			if out == "-" && format == "json" {
				return errors.New("-o - and --format json: standard output is the recording or its events; name a " +
					"file, or leave one out")
			}
			if err := target.Complete(); err != nil {
				return err
			}
			from, err := open(&target)
			if err != nil {
				return err
			}
			defer from.Close()
			stderr := outbox.New(cmd.ErrOrStderr()) // which nobody may read
			defer stderr.Flush()
			r, err := record.Create(out, force, cmd.OutOrStdout(), recording.Header{
				Interval: target.Interval, Soak: target.Soak, Source: from.String(),
			}, func(text ...any) { fmt.Fprintln(stderr, text...) })
			if err != nil {
				return err
			}
			judge, verdicts, err := judging(cmd, format == "json", out, from, target.Soak)
			if err != nil {
				return err
			}
			noteSoak(stderr, target.Soak)
			if process, ok := from.(interface{ Note() string }); ok && process.Note() != "" {
				fmt.Fprintln(stderr, process.Note())
			}
			fmt.Fprintf(stderr, "recording %s every %s to %s\n", from, target.Interval, out)
			ctx, interrupt := context.WithCancel(cmd.Context())
			defer interrupt()
			defer record.OnHangup(r, interrupt)()
			end := record.UntilEnd(ctx, from, target.Interval, target.Duration, stderr, func(s *sampler.Sample) {
				_ = r.Write(s) // which has said it
				judge(s)
			})
			verdicts()
			err = finish(r)
			recorded, lost := r.Samples()
			switch {
			case recorded > 0:
				fmt.Fprintf(stderr, "%s recorded; %s\n", plain.Count(recorded, "sample"), end)
			case lost == 0:
				err = errors.Join(err, fmt.Errorf("%w from %s (%s)", record.ErrUnsampled, from, end))
			}
			return err
		},
	}
	target.Register(cmd.Flags())
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; - is standard output")
	flags.Choice(cmd.Flags(), &format, "format", []string{"text", "json"},
		"text: nothing on standard output; json: an event a line as replay gives them, and a verdict per resource at "+
			"the end")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is not empty")
	return cmd
}

// open opens what is to be recorded.
func open(target *source.Flags) (source.Source, error) {
	if target.Name == "" {
		return target.Open()
	}
	processes, err := target.Succession()
	if err != nil {
		return nil, err
	}
	return processes, nil
}

// judging returns what judges samples as replay would the recording in a file, and what writes the verdicts. Where
// nobody asked for JSON both do nothing.
func judging(cmd *cobra.Command, requested bool, file string, from source.Source,
	soak time.Duration) (judge func(*sampler.Sample), verdicts func(), err error) {
	if !requested {
		return func(*sampler.Sample) {}, func() {}, nil
	}
	config := detector.DefaultConfig()
	config.Adaptive.Soak = soak
	run, err := replay.NewRun(file, config)
	if err != nil {
		return nil, nil, err
	}
	lines, flush := jsonLines(cmd)
	describer, describes := from.(interface{ Resources() []sampler.Resource })
	judge = func(s *sampler.Sample) {
		if describes {
			run.Describe(describer.Resources())
		}
		events := run.Observe(s)
		for i := range events {
			lines.Event(file, &events[i])
		}
	}
	return judge, func() {
		lines.Verdicts(run.Result())
		flush()
	}, nil
}

// finish ends a recording. Where it lacks a part the error is errLost, where it has nothing what kept it from that.
func finish(r *record.File) error {
	err := r.Close()
	recorded, _ := r.Samples()
	switch {
	case err != nil && recorded > 0:
		return fmt.Errorf("%w: %w", errLost, err)
	case err == nil && r.LeftOut():
		return errLost
	}
	return err
}
