package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/live"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/target"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

func watchCommand() *cobra.Command {
	var (
		flags           target.Flags
		configFile, out string
		force           bool
		tellByExit      bool
		pprofAddress    string
	)
	cmd := &cobra.Command{
		Use:   "watch (--pid N | --name PATTERN | --url URL)",
		Short: "Watch a live process and alert",
		Long: `Watch a process, of any language, or a Prometheus metrics endpoint: a table that redraws on a terminal, plain
lines elsewhere. Alerts appear above the table and go to the webhook of the configuration.

With its physical time constants leaktrend takes hours to call a leak, as warm-ups and daily cycles take hours to
show that they are none. --soak scales all of them for a test run under steady load.`,
		Example: `  leaktrend watch --name redis-server
  leaktrend watch --pid 4242 --soak 10m --exit-code --duration 10m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stderr := cmd.ErrOrStderr()
			config, err := loadConfig(configFile, stderr)
			if err != nil {
				return err
			}
			if configFile != "" && flags.Interval == 0 && flags.Soak == 0 {
				flags.Interval = config.CheckInterval
			}
			if err := flags.Complete(); err != nil {
				return err
			}
			config.Enabled = true
			config.CheckInterval = flags.Interval
			if cmd.Flags().Changed("soak") {
				config.Adaptive.Soak = flags.Soak
			}
			source, err := flags.Open()
			if err != nil {
				return err
			}
			defer source.Close()

			title := fmt.Sprintf("%s every %s", source, flags.Interval)
			if config.Adaptive.Soak > 0 {
				title += ", soak " + sampler.FormatDuration(config.Adaptive.Soak)
			}
			noteSoak(stderr, config.Adaptive.Soak)
			view := live.New(cmd.OutOrStdout(), title)
			monitor, err := detector.NewSourceMonitor(source, processOf(source), config, view.Logger())
			if err != nil {
				return err
			}
			if err := followPprof(monitor, pprofAddress); err != nil {
				return err
			}
			var rec *recording
			if out != "" {
				rec, err = createRecording(out, force, nil, sampler.Header{
					Interval: flags.Interval, Soak: config.Adaptive.Soak, Source: source.String(),
				})
				if err != nil {
					return err
				}
			}
			err = runView(cmd, monitor, view, rec, flags.Duration)
			if errors.Is(err, io.EOF) {
				fmt.Fprintln(stderr, err)
				err = nil
			}
			if err != nil {
				return err
			}
			if len(monitor.Status()) == 0 {
				return fmt.Errorf("nothing was sampled from %s", source)
			}
			if tellByExit && found(monitor.Status()) {
				return errLeak
			}
			return nil
		},
	}
	flags.Register(cmd.Flags())
	fs := cmd.Flags()
	fs.StringVar(&configFile, "config", "", "YAML file whose section resource_monitoring configures limits and alerts")
	fs.StringVar(&pprofAddress, "pprof", "", "where a Go process serves net/http/pprof, as in http://localhost:6060: alerts then name lines of code")
	fs.StringVarP(&out, "out", "o", "", "also record the samples to this file")
	fs.BoolVar(&force, "force", false, "replace a file that is not empty")
	fs.BoolVar(&tellByExit, "exit-code", false, "exit with 1 if a leak was found or a hard limit was passed")
	return cmd
}

// processOf describes the target in alerts.
func processOf(source target.Source) alerting.Process {
	p := alerting.Process{Executable: source.String()}
	if process, ok := source.(*sampler.Process); ok {
		p = alerting.Process{PID: process.PID(), Executable: process.Name(), Host: alerting.ThisProcess().Host}
	}
	return p
}

func found(statuses []detector.Status) bool {
	for i := range statuses {
		if statuses[i].Leaks > 0 || statuses[i].LimitsPassed > 0 {
			return true
		}
	}
	return false
}

// runView runs a monitor with its view, and its recording if there is one, until the context, the duration (0 = none) or the source ends.
func runView(cmd *cobra.Command, monitor *detector.ResourceMonitor, view *live.View, rec *recording, duration time.Duration) error {
	ctx, stop := contextFor(cmd.Context(), duration)
	defer stop()
	var writeFailed error
	last := time.Now()
	monitor.OnSample(func(s *sampler.Sample) {
		last = s.Time
		view.Take(s)
		view.Show(s.Time, monitor.Status())
		if rec == nil || writeFailed != nil {
			return
		}
		if writeFailed = rec.write(s); writeFailed != nil {
			stop()
		}
	})
	err := monitor.Run(ctx)
	view.Finish(last, monitor.Status())
	if rec != nil {
		writeFailed = errors.Join(writeFailed, rec.close())
	}
	return errors.Join(err, writeFailed)
}
