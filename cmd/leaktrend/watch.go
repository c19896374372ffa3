package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/outbox"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/watch"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile/remote"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// watchFlags are the options of watch.
type watchFlags struct {
	target             source.Flags
	config, out, pprof string
	format, logFormat  string
	listen             string
	force, leakExits   bool
	wait               bool
	state              string
	noState            bool
}

func watchCommand() *cobra.Command {
	f := watchFlags{format: "text", logFormat: screen.LogText}
	cmd := &cobra.Command{
		Use:   "watch (--pid N | --name PATTERN | --url URL)",
		Short: "Watch live processes and alert",
		Long: `Watch processes of any language, or a Prometheus metrics endpoint. On a terminal this is a screen with the verdict on
each resource, plots and alerts (? lists the keys); elsewhere it prints plain lines. Alerts also go to the webhook of
the configuration.

For a Go program, goroutines and live heap are read from its memory, and alerts name its lines of code. The program
needs no changes, and is not stopped.

With --name every process that matches is watched by itself, also one that starts later. When all have ended, watch
waits for the next one on a terminal, and elsewhere exits. With --wait it always waits, also if none matches at first.
With -o or --pprof only one process may match, and watch ends with it.

What watch learns is kept from one life of a process to the next: from pid to pid with --name, and between runs of
watch in the user's state directory, $XDG_STATE_HOME/leaktrend or ~/.local/state/leaktrend. --state or state_dir in the
configuration names another directory. With --no-state nothing is written, nor with --soak unless a directory is given.
"leaktrend state" shows it.

With --format json standard output has the objects of replay: each alert as it comes, with the lines of code and
captures that it names, and a verdict on each resource at the end. The field file says what is watched. Everything
else goes to standard error.

By default leaktrend takes hours to call a leak, because it takes hours to tell one from a warm-up or a daily cycle.
--soak scales all time constants to a test run under steady load.`,
		Example: `  leaktrend watch --name redis-server
  leaktrend watch --name '^worker$' --wait --config config.yaml
  leaktrend watch --pid 4242 --soak 10m --exit-code --duration 10m`,
		Args: flags.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWatch(cmd, &f) },
	}
	fs := cmd.Flags()
	f.target.Register(fs)
	flags.Choice(fs, &f.format, "format", []string{"text", "json"},
		"text: a screen, or lines; json: one event per line, and a verdict per resource at the end")
	flags.Choice(fs, &f.logFormat, "log-format", screen.LogFormats, "form of log lines and alerts without a screen: "+
		"text; logfmt or json, with all fields, for programs")
	fs.Lookup("name").Usage = "regular expression for the names or command lines of the processes to watch; with -o " +
		"or --pprof it may match only one"
	fs.Lookup("interval").Usage = "time between samples (default 5s; check_interval with --config; a 1200th of --soak)"
	fs.StringVar(&f.config, "config", "", "YAML file whose section resource_monitoring configures limits and alerts")
	fs.StringVar(&f.pprof, "pprof", "", "where the one watched Go process serves net/http/pprof, such as "+
		"http://localhost:6060; alerts then name lines of code from there")
	fs.StringVar(&f.listen, "listen", "", "also serve the live page of the one watched process at this address, such "+
		"as 127.0.0.1:6061")
	fs.StringVarP(&f.out, "out", "o", "", "also record the samples to this file")
	fs.BoolVar(&f.force, "force", false, "replace a file that is not empty")
	fs.BoolVar(&f.wait, "wait", false, "with --name: keep running while no process matches, now or later, and wait "+
		"for the next, as a service does")
	fs.StringVar(&f.state, "state", "", "directory for what is learned (default: state_dir with --config, else "+
		"the user's)")
	fs.BoolVar(&f.noState, "no-state", false, "keep what is learned only for this run")
	flags.Exclude(fs, "state", "no-state")
	fs.BoolVar(&f.leakExits, "exit-code", false, "exit with 1 if a leak was found or a hard limit was passed, else "+
		"with 3 if something could not be read or judged")
	return cmd
}

func runWatch(cmd *cobra.Command, f *watchFlags) error {
	stderr := outbox.New(cmd.ErrOrStderr()) // nobody may read it, and watch goes on
	defer stderr.Flush()
	cmd.SetErr(stderr)
	config, err := loadConfig(cmd.Context(), f.config, stderr)
	if err != nil {
		return err
	}
	if f.config != "" && f.target.Interval == 0 && f.target.Soak == 0 {
		f.target.Interval = config.CheckInterval
	}
	if err := f.target.Complete(); err != nil {
		return err
	}
	if f.wait && (f.target.Name == "" || f.out != "" || f.pprof != "" || f.listen != "") {
		return errors.New("--wait goes with --name, without -o, --pprof and --listen, which are for one process")
	}
	if f.noState && f.state != "" {
		return errors.New("--state and --no-state: one at a time")
	}
	profiles, err := f.target.Profiles(f.pprof)
	if err != nil {
		return err
	}
	config.Enabled = true
	config.CheckInterval = f.target.Interval
	if cmd.Flags().Changed("soak") {
		config.Adaptive.Soak = f.target.Soak
	}
	f.setStateDir(&config)
	if config.Adaptive.Soak > 0 {
		for _, line := range soakNotes(config.Adaptive.Soak) {
			f.print(stderr, line)
		}
	}
	lines, flush := f.lines(cmd)
	defer flush()
	var found watch.Result
	if f.target.Name != "" && f.out == "" && f.listen == "" && profiles == nil {
		found, err = watch.All(cmd.Context(), f.view(cmd, "--name "+f.target.Name, config), &f.target, config, f.wait,
			lines)
	} else {
		found, err = f.watchOne(cmd, config, profiles, lines)
	}
	if errors.Is(err, io.EOF) {
		f.print(stderr, plain.Error(err))
		if errors.Is(err, errLost) {
			err = errLost
		} else {
			err = nil
		}
	}
	switch {
	case !f.leakExits || err != nil && !errors.Is(err, errLost):
	case found.Leak:
		if err != nil {
			f.print(stderr, plain.Error(err))
		}
		err = errLeak
	case found.Incomplete != "" && err == nil:
		f.print(stderr, "not read or judged in full: "+found.Incomplete)
		err = errUnsure
	}
	return err
}

// print writes a line to standard error, in the form of the log lines.
func (f *watchFlags) print(stderr io.Writer, text string) {
	_ = screen.WriteLine(stderr, f.logFormat, time.Now(), text, nil)
}

// setStateDir sets where what is learned is kept.
func (f *watchFlags) setStateDir(config *detector.Config) {
	switch {
	case f.noState:
		config.StateDir = ""
	case f.state != "":
		config.StateDir = f.state
	case config.StateDir == "" && config.Adaptive.Soak == 0: // a test run is judged by what it shows itself
		config.StateDir = watch.StateDir()
	}
}

// view returns the view of what is watched.
func (f *watchFlags) view(cmd *cobra.Command, what string, config detector.Config) *screen.View {
	title := fmt.Sprintf("%s every %s", what, f.target.Interval)
	if soak := config.Adaptive.Soak; soak > 0 {
		title += ", soak " + sampler.FormatDuration(soak)
	}
	shownOn := cmd.OutOrStdout()
	if f.format == "json" {
		shownOn = cmd.ErrOrStderr() // which is no terminal, and so shows lines
	}
	view := screen.New(shownOn, cmd.ErrOrStderr(), title)
	view.LogAs(f.logFormat)
	if config.Adaptive.Soak <= 0 {
		view.Hint(needsHours)
	}
	return view
}

// needsHours is what a first run without --soak cannot show.
const needsHours = "Leaks are called after hours, as it takes hours to see that growth is no warm-up. For a test run " +
	"under steady load: --soak 10m"

// lines returns what takes the JSON, nil where nobody asked for it, and a function that waits until it is read.
func (f *watchFlags) lines(cmd *cobra.Command) (lines *report.Lines, flush func()) {
	if f.format != "json" {
		return nil, func() {}
	}
	return jsonLines(cmd)
}

// jsonLines returns lines on standard output, of which what nobody reads is dropped, and a function that waits for
// whoever does read.
func jsonLines(cmd *cobra.Command) (lines *report.Lines, flush func()) {
	stderr := cmd.ErrOrStderr()
	box := outbox.NewNoting(cmd.OutOrStdout(), func(lines int) string {
		fmt.Fprintf(stderr, "missing from standard output, as nobody read it: %s\n", plain.Count(lines, "object"))
		return "" // JSON is for programs
	})
	return report.NewLines(box), box.Flush
}

// watchOne watches one process, whose profiles may be nil.
func (f *watchFlags) watchOne(cmd *cobra.Command, config detector.Config, profiles *remote.Process,
	lines *report.Lines) (found watch.Result, err error) {
	target, err := f.target.Open()
	if err != nil {
		return found, err
	}
	defer target.Close()
	view := f.view(cmd, target.String(), config)
	defer view.Flush()
	shown := view.Add(target.String())
	monitor, err := watch.NewMonitor(target, config, shown.Logger())
	if err != nil {
		return found, err
	}
	monitor.NameState(watch.Executable(target), watch.Instance(target, f.target.Name, config))
	if profiles != nil {
		monitor.FollowSites(profiles)
	} else if process, ok := target.(*source.Process); ok {
		watch.FollowRuntime(monitor, process, func(note string, missing bool) {
			watch.LogNote(shown.Logger(), note, missing)
		})
	}
	if f.listen != "" {
		address, end, err := watch.ServePage(f.listen, monitor)
		if err != nil {
			return found, err
		}
		defer end()
		view.Note("Live page: " + address)
		f.print(cmd.ErrOrStderr(), "The live page of the monitor: "+address)
	}
	var rec *record.File
	if f.out != "" {
		header := recording.Header{Interval: f.target.Interval, Soak: config.Adaptive.Soak, Source: target.String()}
		if rec, err = record.Create(f.out, f.force, nil, header, shown.Logger().Warn); err != nil {
			return found, err
		}
	}
	err = watch.Display(cmd.Context(), view, f.target.Duration, func(ctx context.Context) error {
		return watch.Observe(ctx, monitor, shown, rec, watch.NewAccount(lines, target.String()))
	})
	statuses := monitor.Status()
	if len(statuses) == 0 {
		err = watch.Unsampled(target.String(), err)
	}
	if rec != nil {
		if failed := finish(rec); failed != nil && !errors.Is(failed, errLost) {
			err = errors.Join(err, fmt.Errorf("%w: %w", errLost, failed)) // it was watched all the same
		} else {
			err = errors.Join(err, failed)
		}
	}
	return watch.ResultOf(monitor, target), err
}
