package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/progress"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

func replayCommand() *cobra.Command {
	var (
		format, configFile string
		soak               time.Duration
		tellByExit         bool
		pictures           pictureFlags
	)
	cmd := &cobra.Command{
		Use:   "replay FILE or DIR...",
		Short: "Judge recordings",
		Long: `Run the detector over recordings, giving the decisions that the live monitor would have made.

Reads recordings made by "leaktrend record", other CSV files with a time column, OpenMetrics text with
timestamps and the JSON of a Prometheus range query, plain or gzipped; - is standard input.`,
		Example: `  leaktrend replay testdata/recordings
  leaktrend replay --format json --exit-code soak.csv
  leaktrend replay --html report.html testdata/recordings
  leaktrend replay --plot plots testdata/recordings/go-body.csv
  curl -s 'http://localhost:9090/api/v1/query_range?query=go_goroutines&start=…&end=…&step=60' | leaktrend replay -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %s: must be text or json", format)
			}
			stderr := cmd.ErrOrStderr()
			config, err := loadConfig(configFile, stderr)
			if err != nil {
				return err
			}
			o := replay.Options{Config: config, Given: configFile != "", Stdin: cmd.InOrStdin()}
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
			results, failed := replayAll(cmd.Context(), files, o, stderr)
			if err := cmd.Context().Err(); err != nil {
				return errors.New("interrupted")
			}
			reportFaults(stderr, results)
			if load := config.Adaptive.NamedLoad(); load != "" && !slices.ContainsFunc(results, has(load)) {
				fmt.Fprintf(stderr, "warning: adaptive.load: no recording has %s, so growth is judged without it\n", load)
			}
			if format == "json" {
				err = writeEvents(cmd.OutOrStdout(), results)
			} else {
				err = writeVerdicts(cmd.OutOrStdout(), results)
			}
			if err := errors.Join(failed, err, pictures.finish(results)); err != nil {
				return err
			}
			if tellByExit && slices.ContainsFunc(results, (*replay.Result).Leaked) {
				return errLeak
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&format, "format", "text", "text: a verdict per recording and resource; json: an event a line")
	fs.StringVar(&configFile, "config", "", "YAML file whose section resource_monitoring configures the detector")
	fs.DurationVar(&soak, "soak", 0, "scale all time constants to a run of this length (default: as recorded; 0 = physical constants)")
	pictures.add(fs)
	fs.BoolVar(&tellByExit, "exit-code", false, "exit with 1 if a leak was found or a hard limit was passed")
	return cmd
}

// has reports of a result whether the recording has a resource.
func has(resource string) func(*replay.Result) bool {
	return func(r *replay.Result) bool {
		return slices.ContainsFunc(r.Resources, func(of replay.Resource) bool { return of.Resource.Name == resource })
	}
}

// loadConfig returns the configuration of a file, or the default one without a file.
func loadConfig(path string, stderr io.Writer) (detector.Config, error) {
	if path == "" {
		return detector.DefaultConfig(), nil
	}
	config, warnings, err := detector.LoadConfig(path)
	for _, w := range warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	return config, err
}

// replayAll judges the files on all cores and returns the results in the order of the files. Files that cannot be judged are in the error.
func replayAll(ctx context.Context, files []string, o replay.Options, stderr io.Writer) ([]*replay.Result, error) {
	var read, total atomic.Int64
	o.Read = &read
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			total.Add(info.Size())
		}
	}
	done := progress.Start(stderr, "replaying", func() float64 {
		if total.Load() == 0 {
			return 0 // nobody knows how long standard input is
		}
		return float64(read.Load()) / float64(total.Load())
	})
	defer done()

	results := make([]*replay.Result, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				results[i], errs[i] = replay.File(ctx, files[i], o)
			}
		}()
	}
	wg.Wait()
	return slices.DeleteFunc(results, func(r *replay.Result) bool { return r == nil }), errors.Join(errs...)
}

// reportFaults tells of the lines that were skipped.
func reportFaults(stderr io.Writer, results []*replay.Result) {
	for _, r := range results {
		for _, fault := range r.Faults {
			fmt.Fprintln(stderr, "skipped:", fault)
		}
		if more := r.FaultCount - len(r.Faults); more > 0 {
			fmt.Fprintf(stderr, "skipped: %s: %d more\n", r.File, more)
		}
	}
}

// eventLine is one line of the JSON form.
type eventLine struct {
	Time         time.Time            `json:"time"`
	File         string               `json:"file"`
	Resource     string               `json:"resource"`
	Kind         alerting.Kind        `json:"kind"`
	State        alerting.Status      `json:"state"`
	Severity     alerting.Severity    `json:"severity"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	Threshold    float64              `json:"threshold,omitempty"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since"`
	Summary      string               `json:"summary"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence   `json:"evidence,omitempty"`
}

// writeEvents prints the events of all recordings in order of time.
func writeEvents(w io.Writer, results []*replay.Result) error {
	var lines []eventLine
	for _, r := range results {
		for _, e := range r.Events {
			lines = append(lines, eventLine{
				Time: e.Time, File: r.File, Resource: e.Resource, Kind: e.Kind, State: e.Status, Severity: e.Severity,
				Value: e.Value, Baseline: e.Baseline, Threshold: e.Threshold, SlopePerHour: e.SlopePerHour, Since: e.Since,
				Summary: e.Summary, Exhaustion: e.Exhaustion, Evidence: e.Evidence,
			})
		}
	}
	slices.SortStableFunc(lines, func(a, b eventLine) int { return a.Time.Compare(b.Time) })
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// writeVerdicts prints a block a recording and a closing line.
func writeVerdicts(w io.Writer, results []*replay.Result) error {
	if len(results) == 0 {
		return nil
	}
	style := table.StyleOf(w)
	out := &strings.Builder{}
	for _, r := range results {
		fmt.Fprintln(out, style.Paint(r.File, table.Bold)+style.Paint("  "+describe(r), table.Dim))
		if err := style.Write(out, "  ", rowsOf(r)); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, summarize(results))
	_, err := io.WriteString(w, out.String())
	return err
}

// summarize says how many recordings have which verdict.
func summarize(results []*replay.Result) string {
	verdicts := make(map[string]int)
	for _, r := range results {
		verdicts[verdictOn(r)]++
	}
	plural := "s"
	if len(results) == 1 {
		plural = ""
	}
	text := fmt.Sprintf("%d recording%s:", len(results), plural)
	separator := " "
	for _, verdict := range []string{withLeak, overLimit, withoutLeak, tooShort} {
		if n := verdicts[verdict]; n > 0 {
			text += fmt.Sprintf("%s%d %s", separator, n, verdict)
			separator = ", "
		}
	}
	return text
}

// Verdicts on a whole recording.
const (
	withLeak    = "with a leak"
	overLimit   = "beyond a hard limit"
	withoutLeak = "without a leak"
	tooShort    = "too short to tell"
)

func verdictOn(r *replay.Result) string {
	verdict := tooShort
	for i := range r.Resources {
		switch c := &r.Resources[i]; {
		case c.Leaks > 0:
			return withLeak
		case c.LimitsPassed > 0:
			verdict = overLimit
		case c.Judged && c.State != detector.Learning && verdict == tooShort:
			verdict = withoutLeak
		}
	}
	return verdict
}

func describe(r *replay.Result) string {
	parts := []string{fmt.Sprintf("%s over %s", count(r.Samples, "sample"), sampler.FormatDuration(r.Last.Sub(r.First)))}
	switch {
	case r.Soak != r.Header.Soak && r.Header.Soak > 0:
		parts = append(parts, "judged with "+soakText(r.Soak)+", recorded with "+soakText(r.Header.Soak))
	case r.Soak > 0:
		parts = append(parts, soakText(r.Soak))
	}
	if r.Header.Source != "" {
		parts = append(parts, table.Printable(r.Header.Source))
	}
	return strings.Join(parts, ", ")
}

func soakText(soak time.Duration) string {
	if soak == 0 {
		return "physical time constants"
	}
	return "soak " + sampler.FormatDuration(soak)
}

// rowsOf returns the rows of the resources that are judged, findings first.
func rowsOf(r *replay.Result) []table.Row {
	const (
		sparkWidth = 24
		grew       = 1.1 // times the first level, from which on a healthy resource is explained
	)
	var rows []table.Row
	rank := func(c *replay.Resource) int {
		switch {
		case c.Trend || c.Limit:
			return 0
		case c.Leaked():
			return 1
		}
		return 2
	}
	resources := make([]*replay.Resource, 0, len(r.Resources))
	hidden := 0
	for i := range r.Resources {
		c := &r.Resources[i]
		switch {
		case c.Leaked() || c.Judged && table.WorthARow(&c.Status, len(r.Resources)):
			resources = append(resources, c)
		case c.Judged:
			hidden++
		}
	}
	slices.SortStableFunc(resources, func(a, b *replay.Resource) int { return cmp.Compare(rank(a), rank(b)) })
	for _, c := range resources {
		row := table.Row{
			Resource: c.Resource.Name,
			Spark:    c.Line.Draw(sparkWidth),
			Levels:   table.Levels(c.Resource, c.First, c.Value),
		}
		row.Verdict, row.Tint = table.Verdict(&c.Status)
		switch {
		case c.State == detector.Firing, c.State == detector.Suspected:
			row.Pace, row.Note = c.Resource.FormatPerHour(c.SlopePerHour), table.Finding(&c.Status, r.Last)
		case c.Leaked():
			row.Tint = table.Yellow
			row.Verdict, row.Note = c.Was()
		case c.State == detector.Learning:
			row.Note = c.Why
		case c.Value > grew*c.First:
			row.Pace, row.Note = c.Resource.FormatPerHour((c.Value-c.First)/r.Last.Sub(r.First).Hours()), c.Why
		}
		rows = append(rows, row)
	}
	if hidden > 0 {
		rows = append(rows, table.Others(hidden))
	}
	return rows
}
