package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/demo"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/sampler"
)

func demoCommand() *cobra.Command {
	o := demo.Options{Leak: demo.Goroutines, Duration: 2 * time.Minute}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a small service leak: the first minute with leaktrend",
		Long: fmt.Sprintf(
			`Run a small HTTP service under load in this process, with the embedded monitor in soak mode: its
time constants are those of a run of %s. The service is healthy for %s. Then it leaks what you choose, fast enough to be
found in half a minute or so. The monitor does not know when.`,
			sampler.FormatDuration(demo.Soak), sampler.FormatDuration(demo.Healthy)),
		Example: "  leaktrend demo\n  leaktrend demo --leak fds\n  leaktrend demo --leak none\n" +
			"  leaktrend demo --listen 127.0.0.1:6061",
		Args: flags.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Show(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	flags.Choice(fs, &o.Leak, "leak", []string{demo.Goroutines, demo.Heap, demo.FDs, demo.None},
		"what to leak: goroutines, heap, fds or none")
	fs.StringVar(&o.Listen, "listen", "", "also serve the live page of the monitor at this address, such as "+
		"127.0.0.1:6061")
	flags.Duration(fs, &o.Duration, "duration", flags.Range{Example: "2m"},
		"end after this long if no leak was found")
	fs.StringVarP(&o.Out, "out", "o", "", "also record the samples to this file, to replay them later")
	fs.BoolVar(&o.Force, "force", false, "replace a file that is not empty")
	return cmd
}
