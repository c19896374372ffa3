package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/watch"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/holders"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// What a show is made of.
const (
	Soak     = 4 * time.Minute  // setting of the monitor
	Healthy  = 15 * time.Second // before the leak begins
	interval = 200 * time.Millisecond
	epilogue = 3 * time.Second // after the alert
	// heapRate is the mean number of bytes from one sampled allocation to the next where descriptors leak: the memory
	// of open files, by which their line is known, is too little for the usual rate within half a minute.
	heapRate = 512
)

// Options say what is shown.
type Options struct {
	Leak     string        // one of the constants above
	Listen   string        // address of the live page; "" = none
	Duration time.Duration // the show ends after this long, if no leak was found before
	Out      string        // file of a recording; "" = none
	Force    bool          // replace a recording
}

// Show runs a service with the embedded monitor in this process and shows what that finds. A leak that is not found in
// time is an error.
func Show(ctx context.Context, o Options, stdout, stderr io.Writer) error {
	start := time.Now()
	service, err := New(o.Leak, start.Add(Healthy))
	if err != nil {
		return err
	}
	if o.Leak == FDs {
		usual := runtime.MemProfileRate
		runtime.MemProfileRate = heapRate
		defer func() { runtime.MemProfileRate = usual }()
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

	plan := fmt.Sprintf("leaks %s from second %d on", o.Leak, Healthy/time.Second)
	if o.Leak == None {
		plan = "does not leak"
	}
	fmt.Fprintf(stdout, "A small HTTP service in this process; it %s.\n"+
		"The embedded monitor samples it every %s and has not been told.\n\n", plan, interval)

	config := detector.DefaultConfig()
	config.CheckInterval = interval
	config.Adaptive.Soak = Soak
	view := screen.New(stdout, stderr, "leaktrend demo, soak "+sampler.FormatDuration(Soak))
	defer view.Flush()
	view.Note(fmt.Sprintf("A small HTTP service in this process; it %s.", plan))
	shown := view.Add("leaktrend demo")
	monitor, err := detector.NewMonitor(config, shown.Logger())
	if err != nil {
		return err
	}
	monitor.NameHolders(holders.Find)
	if o.Listen != "" {
		address, end, err := watch.ServePage(o.Listen, monitor)
		if err != nil {
			return err
		}
		defer end()
		fmt.Fprintf(stdout, "The live page of the monitor: %s\n\n", address)
		view.Note("Live page: " + address)
	}
	var rec *record.File
	if o.Out != "" {
		header := recording.Header{Interval: interval, Soak: Soak, Source: "leaktrend demo --leak " + o.Leak}
		if rec, err = record.Create(o.Out, o.Force, nil, header, shown.Logger().Warn); err != nil {
			return err
		}
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var first *alerting.Alert
	named := false
	monitor.OnAlert(func(a alerting.Alert) {
		found := first == nil
		if found {
			first = &a
		}
		if named || !found && !namesLine(&a) {
			return
		}
		named = namesLine(&a)
		switch {
		case view.Waits():
			if found {
				view.Note("The leak was found. Look around (? lists the keys); q ends.")
			}
		case named && o.Listen == "": // else somebody looks at the page, or the alert comes again, sure of the line
			time.AfterFunc(epilogue, stop)
		}
	})
	err = watch.Display(ctx, view, o.Duration, func(ctx context.Context) error {
		return watch.Observe(ctx, monitor, shown, rec, nil)
	})
	if rec != nil {
		err = errors.Join(err, rec.Close())
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, verdict(o.Leak, first, start))
	if first == nil && o.Leak != None && ctx.Err() == nil && !view.Quit() {
		return errors.New("the leak was not found in this time")
	}
	return nil
}

// namesLine reports whether an alert is sure of a line of code.
func namesLine(a *alerting.Alert) bool {
	return len(a.Sites) > 0 && !slices.ContainsFunc(a.Sites, func(s alerting.Site) bool {
		return s.KnownBy == sites.ByNone
	})
}

// verdict says how the show went.
func verdict(leak string, first *alerting.Alert, began time.Time) string {
	ran := sampler.FormatDuration(time.Since(began).Round(time.Second))
	switch {
	case first == nil && leak == None:
		return fmt.Sprintf("\nNo alert in %s, as it should be: the service does not leak.", ran)
	case first == nil:
		return fmt.Sprintf("\nNo alert in %s.", ran)
	case leak == None:
		return "\nAn alert on a service that does not leak: a false alarm."
	}
	after := first.Time.Sub(began.Add(Healthy)).Round(time.Second)
	return fmt.Sprintf("\nFound %s after the leak began. To embed the monitor in your own service, see "+
		"detector.NewMonitor.",
		sampler.FormatDuration(after))
}
