package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/demo"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/watch"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

const (
	demoSoak     = 4 * time.Minute
	demoInterval = 200 * time.Millisecond
	demoHealthy  = 15 * time.Second // before the leak begins
	demoEpilogue = 3 * time.Second  // after the alert
)

func demoCommand() *cobra.Command {
	var (
		leak, out string
		listen    string
		force     bool
		duration  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a small service leak: the first minute with leaktrend",
		Long: fmt.Sprintf(`Run a small HTTP service under load in this process, with the embedded monitor in soak mode (%s).
The service is healthy for %s; then it leaks what you choose. The monitor is not told.`,
			sampler.FormatDuration(demoSoak), sampler.FormatDuration(demoHealthy)),
		Example: "  leaktrend demo\n  leaktrend demo --leak fds\n  leaktrend demo --leak none\n  leaktrend demo --listen 127.0.0.1:6061",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if duration <= 0 {
				return fmt.Errorf("--duration %s: must be positive", duration)
			}
			began := time.Now()
			service, err := demo.New(leak, began.Add(demoHealthy))
			if err != nil {
				return err
			}
			serving, endService := context.WithCancel(context.Background())
			served := make(chan struct{})
			go func() {
				defer close(served)
				service.Run(serving)
			}()
			defer func() {
				endService()
				<-served
			}()

			stdout := cmd.OutOrStdout()
			plan := fmt.Sprintf("leaks %s from second %d on", leak, demoHealthy/time.Second)
			if leak == demo.None {
				plan = "does not leak"
			}
			fmt.Fprintf(stdout, "A small HTTP service in this process; it %s.\n"+
				"The embedded monitor samples it every %s and has not been told.\n\n", plan, demoInterval)

			config := detector.DefaultConfig()
			config.CheckInterval = demoInterval
			config.Adaptive.Soak = demoSoak
			view := screen.New(stdout, cmd.ErrOrStderr(), "leaktrend demo, soak "+sampler.FormatDuration(demoSoak))
			view.Note(fmt.Sprintf("A small HTTP service in this process; it %s.", plan))
			shown := view.Add("leaktrend demo")
			monitor, err := detector.NewMonitor(config, shown.Logger())
			if err != nil {
				return err
			}
			if listen != "" {
				address, end, err := serveLeaks(listen, monitor)
				if err != nil {
					return err
				}
				defer end()
				fmt.Fprintf(stdout, "The live page of the monitor: %s\n\n", address)
				view.Note("Live page: " + address)
			}
			var rec *record.File
			if out != "" {
				header := recording.Header{Interval: demoInterval, Soak: demoSoak, Source: "leaktrend demo --leak " + leak}
				if rec, err = record.Create(out, force, nil, header); err != nil {
					return err
				}
			}

			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			var first *alerting.Alert
			monitor.OnAlert(func(a alerting.Alert) {
				if first == nil {
					first = &a
					switch {
					case view.Waits():
						view.Note("The leak was found. Look around (? lists the keys); q ends.")
					case listen == "": // else somebody looks at the page
						time.AfterFunc(demoEpilogue, stop)
					}
				}
			})
			if err := watch.Display(ctx, view, duration, func(ctx context.Context) error {
				return watch.Observe(ctx, monitor, shown, rec)
			}); err != nil {
				return err
			}
			fmt.Fprintln(stdout, demoVerdict(leak, first, began))
			if first == nil && leak != demo.None && ctx.Err() == nil && !view.Quit() {
				return errors.New("the leak was not found in this time")
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&leak, "leak", demo.Goroutines, "what to leak: goroutines, heap, fds or none")
	fs.StringVar(&listen, "listen", "", "also serve the live page of the monitor at this address, as in 127.0.0.1:6061")
	fs.DurationVar(&duration, "duration", 2*time.Minute, "end after this long, if no leak was found before")
	fs.StringVarP(&out, "out", "o", "", "also record the samples to this file, to replay them later")
	fs.BoolVar(&force, "force", false, "replace a file that is not empty")
	return cmd
}

// serveLeaks serves the live page of a monitor at /debug/leaks/, and returns its whole address.
func serveLeaks(listen string, monitor *detector.ResourceMonitor) (address string, end func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("--listen %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/leaks/", monitor.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Close below
	}()
	return "http://" + l.Addr().String() + "/debug/leaks/", func() {
		server.Close()
		<-served
	}, nil
}

func demoVerdict(leak string, first *alerting.Alert, began time.Time) string {
	ran := sampler.FormatDuration(time.Since(began).Round(time.Second))
	switch {
	case first == nil && leak == demo.None:
		return fmt.Sprintf("\nNo alert in %s, as it should be: the service does not leak.", ran)
	case first == nil:
		return fmt.Sprintf("\nNo alert in %s.", ran)
	case leak == demo.None:
		return "\nAn alert on a service that does not leak: a false alarm."
	}
	after := first.Time.Sub(began.Add(demoHealthy)).Round(time.Second)
	return fmt.Sprintf("\nFound %s after the leak began. To embed the monitor in your own service, see detector.NewMonitor.",
		sampler.FormatDuration(after))
}
