package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/demo"
	"github.com/mdzesseis/leaktrend/sampler"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a small service leak: the first minute with leaktrend",
		Long: fmt.Sprintf(`Run a small HTTP service under load in this process, with the embedded monitor in soak mode (%s).
The service is healthy for %s; then it leaks what you choose. The monitor is not told.`,
			sampler.FormatDuration(demo.Soak), sampler.FormatDuration(demo.Healthy)),
		Example: "  leaktrend demo\n  leaktrend demo --leak fds\n  leaktrend demo --leak none\n  leaktrend demo --listen 127.0.0.1:6061",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Duration <= 0 {
				return fmt.Errorf("--duration %s: must be positive", o.Duration)
			}
			return demo.Show(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Leak, "leak", demo.Goroutines, "what to leak: goroutines, heap, fds or none")
	fs.StringVar(&o.Listen, "listen", "", "also serve the live page of the monitor at this address, as in 127.0.0.1:6061")
	fs.DurationVar(&o.Duration, "duration", 2*time.Minute, "end after this long, if no leak was found before")
	fs.StringVarP(&o.Out, "out", "o", "", "also record the samples to this file, to replay them later")
	fs.BoolVar(&o.Force, "force", false, "replace a file that is not empty")
	return cmd
}
