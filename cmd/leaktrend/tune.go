package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/tune"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/progress"
)

// tuneFlags are the options of tune.
type tuneFlags struct {
	config, budget, out, html, format string
	with                              []string
	seed, generateSeed                uint64
	generate, workers                 int
	force, verbose                    bool
}

func tuneCommand() *cobra.Command {
	f := tuneFlags{format: "text"}
	cmd := &cobra.Command{
		Use:   "tune LABELS.yaml | FILE or DIR... | --generate N",
		Short: "Measure false alarms and recall on recordings, and recommend a configuration",
		Long: `Measure how good a configuration is on recordings with known leaks: false alarms, recall and delay, compared with the
usual alerting rules. Then search for the most sensitive setting within a budget of false alarms, and test it on
programs that the search did not see.

Recordings without a labels file count as healthy. A block bootstrap extends them to estimate the false alarms a month
for this process. What looks like a leak in one is reported, and is not counted as a false alarm.

It prints what to set, what that costs in false alarms a month, how certain that is, how many more healthy days would
make it more certain, and one table. --verbose prints the rest.

Hard limits are proposed from the highest level reached in healthy time, with headroom: the less healthy time was
recorded, the more headroom. -o writes what differs from the defaults, with the reasons.

A labels file has an entry for each recording, with its path relative to the file:

  recordings:
    - {file: web.csv, program: web, healthy: true, note: a week}
    - file: worker.csv
      program: worker                # recordings of one program are not independent
      healthy: false
      soak: 20m                      # judged in soak mode, and reported apart
      leaks:
        - resource: goroutines
          start: 2026-11-23T08:15:48Z  # or begin
          also: [heap_live_bytes]    # resources that grow as its consequence`,
		Example: `  leaktrend tune labels.yaml
  leaktrend tune labels.yaml --budget 1/90d -o leaktrend.yaml --html tradeoff.html
  leaktrend tune week.csv --budget 1/30d
  leaktrend tune --generate 40 --verbose`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return runTune(cmd, args, &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.config, "config", "", "YAML file whose section resource_monitoring is measured (default: the "+
		"default configuration)")
	fs.StringVar(&f.budget, "budget", "1/30d", "acceptable false alarms per process and time, such as 1/30d, "+
		"0.5/2w or 2/36h")
	fs.StringVarP(&f.out, "out", "o", "", "write the recommended section resource_monitoring to this file")
	fs.StringVar(&f.html, "html", "", "write the trade-off as a page with curves to this file")
	flags.Choice(fs, &f.format, "format", []string{"text", "json"}, "text, or json: one object")
	fs.BoolVar(&f.force, "force", false, "replace files that are not empty")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "also print everything measured: by resource, setting, method "+
		"and family, with reasons")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the folds and of the bootstrap: the same seed gives the same result")
	fs.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "recordings judged at a time; does not change the result")
	fs.IntVar(&f.generate, "generate", 0, "instead of reading recordings, generate this many of each family; the "+
		"report is on others than the search")
	fs.Uint64Var(&f.generateSeed, "generate-seed", 1, "seed of the recordings to search on; those to report on have "+
		"the next seed")
	fs.StringSliceVar(&f.with, "generate-with", []string{"limits", "load"},
		"what generated recordings have beside the resource: limits, load or none")
	return cmd
}

func runTune(cmd *cobra.Command, args []string, f *tuneFlags) error {
	o, err := f.options(cmd.Context(), args, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if f.generate == 0 {
		if err := loadRecordings(ctx, o, args, cmd.ErrOrStderr()); err != nil {
			return interruptedOr(ctx, err)
		}
	}
	var meter tune.Meter
	done := progress.Start(cmd.ErrOrStderr(), "tuning", meter.Share)
	result, runErr := tune.Run(ctx, *o, &meter)
	done()
	if result == nil {
		return runErr
	}
	// What was interrupted is shown as far as it came, but nothing is recommended by it.
	if err := f.print(cmd.OutOrStdout(), result); err != nil {
		return err
	}
	if f.html != "" {
		if err := output.WriteFile(f.html, 0o644, result.WriteHTML); err != nil {
			return err
		}
	}
	if runErr != nil {
		return interruptedOr(ctx, runErr)
	}
	if f.out == "" {
		return nil
	}
	text, err := result.ConfigYAML(o.Config)
	if err != nil {
		return err
	}
	// The webhook's URL in it may hold a secret.
	return output.WriteFile(f.out, 0o600, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// options checks all that can be checked before anything is read.
func (f *tuneFlags) options(ctx context.Context, args []string, stderr io.Writer) (*tune.Options, error) {
	budget, err := stats.ParseBudget(f.budget)
	if err != nil {
		return nil, fmt.Errorf("--budget %s: %w", f.budget, err)
	}
	if f.workers < 1 {
		return nil, fmt.Errorf("--workers %d: must be at least 1", f.workers)
	}
	if f.generate < 0 {
		return nil, fmt.Errorf("--generate %d: must not be negative", f.generate)
	}
	switch {
	case f.generate > 0 && len(args) > 0:
		return nil, errors.New("--generate takes no recordings")
	case f.generate == 0 && len(args) == 0:
		return nil, errors.New("tune needs a labels file, recordings, or --generate N")
	}
	if f.out != "" && f.out == f.html {
		return nil, fmt.Errorf("-o and --html name the same file, %s", f.out)
	}
	for _, path := range []string{f.out, f.html} {
		if err := output.Writable(path, f.force); err != nil {
			return nil, err
		}
	}
	config, err := loadConfig(ctx, f.config, stderr)
	if err != nil {
		return nil, err
	}
	o := &tune.Options{Config: config, ConfigName: f.config, Budget: budget, Seed: f.seed, Workers: f.workers}
	if f.config == "" {
		o.ConfigName = "the default"
	}
	if f.generate > 0 {
		return o, f.generated(o)
	}
	return o, nil
}

func (f *tuneFlags) generated(o *tune.Options) error {
	g := generate.Options{Seed: f.generateSeed, PerFamily: f.generate, Ranges: generate.Tune}
	for _, what := range f.with {
		switch what {
		case "limits":
			g.Ceilings = true
		case "load":
			g.Load = true
		case "none":
		default:
			return fmt.Errorf("--generate-with %s: must be limits, load or none", what)
		}
	}
	if err := g.Validate(); err != nil {
		return err
	}
	other := g
	other.Seed, other.Ranges = g.Seed+1, generate.Report
	o.Search, o.Report = tune.Generated(g), tune.Generated(other)
	o.From = fmt.Sprintf("the generator, seed %d (searched: seed %d), with %s", other.Seed, g.Seed,
		strings.Join(f.with, " and "))
	return nil
}

// loadRecordings reads what there is to measure on.
func loadRecordings(ctx context.Context, o *tune.Options, args []string, stderr io.Writer) error {
	isLabels := func(path string) bool { return slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) }
	var (
		recs []*dataset.Recording
		err  error
	)
	done := progress.Start(stderr, "reading", func() float64 { return 0 })
	switch {
	case len(args) == 1 && isLabels(args[0]):
		recs, err = dataset.Load(ctx, args[0])
	case slices.ContainsFunc(args, isLabels):
		err = errors.New("a labels file stands alone: it names its recordings")
	default:
		var files []string
		if files, err = replay.Files(args); err == nil {
			recs, err = dataset.LoadUnlabelled(ctx, files)
		}
		o.Unlabelled = true
	}
	done()
	if err != nil {
		return err
	}
	for _, r := range recs {
		if r.Faults > 0 {
			fmt.Fprintf(stderr, "skipped: %s: %s, the first: %s\n", printable(r.Name), plain.Count(r.Faults, "line"),
				printable(strings.TrimSuffix(plain.Error(r.Fault), ": skipped")))
		}
	}
	o.From = strings.Join(args, " ")
	if n := len(args); n > 3 {
		o.From = fmt.Sprintf("%s and %d more", args[0], n-1)
	}
	o.Search = tune.Of(recs)
	return nil
}

func (f *tuneFlags) print(w io.Writer, r *tune.Result) error {
	if f.format == "text" {
		return r.WriteText(w, f.verbose)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
