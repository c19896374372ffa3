package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/sampler/recording"
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
			target, err := flags.Open()
			if err != nil {
				return err
			}
			defer target.Close()
			r, err := record.Create(out, force, cmd.OutOrStdout(), recording.Header{
				Interval: flags.Interval, Soak: flags.Soak, Source: target.String(),
			})
			if err != nil {
				return err
			}
			stderr := cmd.ErrOrStderr()
			noteSoak(stderr, flags.Soak)
			fmt.Fprintf(stderr, "recording %s every %s to %s\n", target, flags.Interval, out)
			end, err := record.UntilEnd(cmd.Context(), target, flags.Interval, flags.Duration, stderr, r.Write)
			if err := errors.Join(err, r.Close()); err != nil {
				return err
			}
			if r.Samples() == 0 {
				return fmt.Errorf("nothing was sampled from %s (%s)", target, end)
			}
			fmt.Fprintf(stderr, "%d samples recorded; %s\n", r.Samples(), end)
			return nil
		},
	}
	flags.Register(cmd.Flags())
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; - is standard output")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is not empty")
	return cmd
}
