package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/progress"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

func replayCommand() *cobra.Command {
	var (
		configFile string
		format     = "text"
		soak       time.Duration
		leakExits  bool
		reading    recording.Options
		pictures   pictureFlags
	)
	cmd := &cobra.Command{
		Use:   "replay FILE or DIR...",
		Short: "Judge recordings",
		Long: `Judge recordings: run the detector over them, with the decisions that the live monitor would have made.

It reads recordings of "leaktrend record" and the output of other tools: tables (CSV, tabs, blanks, JSON lines),
Prometheus text and query results, exports of Grafana, VictoriaMetrics and InfluxDB, loops around ps, pidstat and docker
stats, psrecord and mprof; plain or gzipped. Several processes in one file are several recordings. A line on standard
error says how a file was read, and "leaktrend convert" writes what was read. - is standard input.`,
		Example: `  leaktrend replay testdata/recordings
  leaktrend replay --format json --exit-code soak.csv
  leaktrend replay --format junit --exit-code soak.csv > leaks.xml
  leaktrend replay --html report.html testdata/recordings
  leaktrend replay --plot plots testdata/recordings/go-body.csv
  curl -s 'http://localhost:9090/api/v1/query_range?query=go_goroutines&start=…&end=…&step=60' | leaktrend replay -`,
		Args: flags.SomeArgs("a recording or a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			stderr := cmd.ErrOrStderr()
			config, err := loadConfig(cmd.Context(), configFile, stderr)
			if err != nil {
				return err
			}
			o := replay.Options{Config: config, Given: configFile != "", Stdin: cmd.InOrStdin(), Reading: reading}
			if cmd.Flags().Changed("soak") {
				o.Config.Adaptive.Soak, o.Given = soak, true
				if err := o.Config.Validate(); err != nil {
					return fmt.Errorf("--soak: %w", err)
				}
				noteSoak(stderr, soak)
			}
			files, err := replay.Files(args)
			if err != nil {
				return err
			}
			if err := pictures.prepare(&o, files); err != nil {
				return err
			}
			o.Progress = new(replay.Progress)
			done := progress.Start(stderr, "replaying", o.Progress.Share)
			results, failed := replay.All(cmd.Context(), files, o)
			done()
			if err := cmd.Context().Err(); err != nil {
				return errors.New("interrupted")
			}
			reportFaults(stderr, results)
			if load := config.Adaptive.NamedLoad(); load != "" && !slices.ContainsFunc(results, has(load)) {
				fmt.Fprintf(stderr, "warning: adaptive.load: no recording has %s, so growth is judged without it\n",
					load)
			}
			switch format {
			case "json":
				err = report.WriteEvents(cmd.OutOrStdout(), results)
			case "junit":
				err = report.WriteJUnit(cmd.OutOrStdout(), results, failed)
			default:
				err = report.WriteText(cmd.OutOrStdout(), results)
			}
			if err := errors.Join(failed, err, pictures.finish(results)); err != nil {
				return err
			}
			if leakExits && slices.ContainsFunc(results, (*replay.Result).Leaked) {
				return errLeak
			}
			if leakExits && slices.ContainsFunc(results, (*replay.Result).Unsure) {
				return errUnsure
			}
			return nil
		},
	}
	fs := cmd.Flags()
	flags.Choice(fs, &format, "format", []string{"text", "json", "junit"},
		"text: a verdict per recording and resource; json: one event per line; junit: XML for CI, a test per "+
			"recording and resource")
	fs.StringVar(&configFile, "config", "", "YAML file whose section resource_monitoring configures the detector")
	flags.Duration(fs, &soak, "soak", source.SoakRange, "scale all time constants to a run of this length (default: "+
		"as recorded; 0 = physical constants)")
	pictures.add(fs)
	addReading(fs, &reading)
	fs.BoolVar(&leakExits, "exit-code", false, "exit with 1 if a leak was found or a hard limit was passed, else "+
		"with 3 if something could not be read or judged")
	return cmd
}

// addReading adds the flags that say what a file does not.
func addReading(fs *pflag.FlagSet, o *recording.Options) {
	fs.StringVar(&o.By, "by", "", "comma-separated columns that tell processes apart in a table of several "+
		"(default: detected)")
	flags.Duration(fs, &o.Interval, "interval", flags.Range{Example: "1m"},
		"time between two rows or scrapes, if they have no times")
}

// has reports of a result whether the recording has a resource.
func has(resource string) func(*replay.Result) bool {
	return func(r *replay.Result) bool {
		return slices.ContainsFunc(r.Resources, func(of replay.Resource) bool { return of.Resource.Name == resource })
	}
}

// reportFaults tells what was understood of each file, and of the lines that were skipped.
func reportFaults(stderr io.Writer, results []*replay.Result) {
	for _, r := range results {
		if r.Understood != "" {
			fmt.Fprintln(stderr, r.Understood)
		}
		reportSkipped(stderr, r.File, r.FaultCount, r.Faults)
		for _, note := range r.Notes {
			fmt.Fprintln(stderr, printable("note: "+r.File+": "+note))
		}
	}
}

// pictureFlags are the options of replay that draw.
type pictureFlags struct {
	html, plot string
	force      bool

	page  *report.Report
	plots *report.Pictures
}

func (p *pictureFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&p.html, "html", "", "write a report with plots to this file: one page that needs no network")
	fs.StringVar(&p.plot, "plot", "", "write each plot to a file in this directory as SVG, named by recording and "+
		"resource")
	fs.BoolVar(&p.force, "force", false, "replace files that are not empty")
}

// prepare checks where to write before anything is read, and has the results drawn.
func (p *pictureFlags) prepare(o *replay.Options, files []string) error {
	if err := output.Writable(p.html, p.force); err != nil {
		return err
	}
	if p.plot != "" {
		var err error
		if p.plots, err = report.NewPictures(p.plot, p.force, time.Local, files); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if p.html != "" {
		p.page = &report.Report{Zone: time.Local}
	}
	if p.page == nil && p.plots == nil {
		return nil
	}
	o.Done = func(r *replay.Result) {
		if p.page != nil {
			p.page.Add(r)
		}
		if p.plots != nil {
			p.plots.Add(r)
		}
	}
	return nil
}

// finish writes what was drawn.
func (p *pictureFlags) finish(results []*replay.Result) (err error) {
	if p.plots != nil {
		err = p.plots.Fault()
	}
	if p.page != nil && len(results) > 0 {
		err = errors.Join(err, output.WriteFile(p.html, 0o644, func(w io.Writer) error {
			return p.page.WriteHTML(w, report.Summarize(results))
		}))
	}
	return err
}
