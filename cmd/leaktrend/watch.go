package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

func watchCommand() *cobra.Command {
	var (
		flags           source.Flags
		configFile, out string
		force           bool
		tellByExit      bool
		pprofAddress    string
	)
	cmd := &cobra.Command{
		Use:   "watch (--pid N | --name PATTERN | --url URL)",
		Short: "Watch live processes and alert",
		Long: `Watch processes, of any language, or a Prometheus metrics endpoint: on a terminal a screen with the verdict on each
resource, plots and alerts (? lists the keys), plain lines elsewhere. Alerts also go to the webhook of the configuration.

With --name every process that matches is watched by itself, also one that starts later. On a terminal watch goes on
when all have ended, and waits for the next; elsewhere it ends then. With -o or --pprof just one process may match,
and watch ends with it.

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
			profiles, err := openPprof(pprofAddress, &flags)
			if err != nil {
				return err
			}
			config.Enabled = true
			config.CheckInterval = flags.Interval
			if cmd.Flags().Changed("soak") {
				config.Adaptive.Soak = flags.Soak
			}
			notePatience(stderr, config.Adaptive.Soak)
			noteSoak(stderr, config.Adaptive.Soak)
			var soak string
			if config.Adaptive.Soak > 0 {
				soak = ", soak " + sampler.FormatDuration(config.Adaptive.Soak)
			}
			if flags.Name != "" && out == "" && profiles == nil {
				view := screen.New(cmd.OutOrStdout(), stderr, fmt.Sprintf("--name %s every %s%s", flags.Name, flags.Interval, soak))
				return watchAll(cmd, view, &flags, config, tellByExit)
			}
			source, err := flags.Open()
			if err != nil {
				return err
			}
			defer source.Close()
			view := screen.New(cmd.OutOrStdout(), stderr, fmt.Sprintf("%s every %s%s", source, flags.Interval, soak))
			shown := view.Add(source.String())
			monitor, err := detector.NewSourceMonitor(source, processOf(source), config, shown.Logger())
			if err != nil {
				return err
			}
			if profiles != nil {
				monitor.FollowSites(profiles)
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
			err = display(cmd.Context(), view, flags.Duration, func(ctx context.Context) error {
				return observe(ctx, monitor, shown, rec)
			})
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
	fs.Lookup("name").Usage = "regular expression for the names or command lines of the processes to watch; with -o or --pprof, of the one process"
	fs.Lookup("interval").Usage = "time between samples (default 5s; check_interval with --config; a 1200th of --soak)"
	fs.StringVar(&configFile, "config", "", "YAML file whose section resource_monitoring configures limits and alerts")
	fs.StringVar(&pprofAddress, "pprof", "", "where the one Go process that is watched serves net/http/pprof, as in http://localhost:6060: alerts then name lines of code")
	fs.StringVarP(&out, "out", "o", "", "also record the samples to this file")
	fs.BoolVar(&force, "force", false, "replace a file that is not empty")
	fs.BoolVar(&tellByExit, "exit-code", false, "exit with 1 if a leak was found or a hard limit was passed")
	return cmd
}

// processOf describes the target in alerts.
func processOf(source source.Source) alerting.Process {
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

// observe runs a monitor, shows what it sees, and records it if there is a recording, until ctx or its source ends.
func observe(ctx context.Context, monitor *detector.ResourceMonitor, shown *screen.Process, rec *recording) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown.Watch(monitor)
	var writeFailed error
	monitor.OnSample(func(s *sampler.Sample) {
		shown.Sampled(s.Time)
		if rec == nil || writeFailed != nil {
			return
		}
		if writeFailed = rec.write(s); writeFailed != nil {
			stop()
		}
	})
	err := monitor.Run(ctx)
	if errors.Is(err, io.EOF) {
		shown.End(time.Now())
	}
	if rec != nil {
		writeFailed = errors.Join(writeFailed, rec.close())
	}
	return errors.Join(err, writeFailed)
}

// display does some work with a view of it, until it is done, the context or the duration (0 = none) ends, or the user asks to end. Then
// it prints the last verdicts.
func display(ctx context.Context, view *screen.View, duration time.Duration, work func(context.Context) error) error {
	ctx, stop := contextFor(ctx, duration)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		defer stop()
		view.Run(ctx)
	}()
	defer view.Finish()
	defer func() { // on a panic too: the terminal is restored before it is told
		stop()
		<-shown
	}()
	return work(ctx)
}
