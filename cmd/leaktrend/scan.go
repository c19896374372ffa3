package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/publish"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/shared"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/progress"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

var (
	// errPartial ends a scan in which a part of the fleet could not be read.
	errPartial = errors.New("a part of the fleet could not be read")
	// errUndelivered ends a scan whose findings an Alertmanager did not take.
	errUndelivered = errors.New("alerts were not delivered")
)

// unreadable is the error of a scan that could read nothing.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// usualAlertHold is how long an alert of a single scan lasts: until the next one of a daily schedule, with an hour to
// spare.
const usualAlertHold = 25 * time.Hour

// usualFDR is the share of false findings that is accepted unless another one is asked for.
const usualFDR = .05

// year is as far as scans look back, and ahead.
const year = 366 * 24 * time.Hour

// scanFlags are the options of scan.
type scanFlags struct {
	url, httpConfig, headers          string
	matches, groupBy                  []string
	until, load, format, alertmanager string
	html                              string
	graph, runbook                    string
	annotate                          []string
	since, step, every, alertFor      time.Duration
	fdr                               float64
	history                           time.Duration
	concurrency, top                  int
	timeout                           time.Duration
	shard, sharePast                  string
	all, leakExits, force, fromRules  bool
	compress                          bool
}

func scanCommand() *cobra.Command {
	f := scanFlags{format: "text", since: 7 * 24 * time.Hour, step: 5 * time.Minute, timeout: time.Minute,
		history: 28 * 24 * time.Hour}
	cmd := &cobra.Command{
		Use:   "scan --prometheus URL",
		Short: "Judge a fleet, from its Prometheus",
		Long: `Judge the processes of a fleet by their series in Prometheus, or in a server with the same API.

It reads goroutines, heap, resident memory, descriptors and threads of each target, and the working set of containers;
or the gauges that --match selects. Each value of a gauge is the lowest since the one before. Restarts are recognized
by process_start_time_seconds, else by a drop in processor time, else by gaps in up. Limits and processor time are
taken into account if they are exported.

--load names a counter of the work that drives the processes. Growth in proportion to its rate is a suspect, whatever
its score, unless a regression on time and load shows that at least half of the growth would remain at constant load.

Processes are grouped by job and version (a label version, the tag of an image, or the version of a *_build_info
metric), and a group is one finding. The chance that it is a leak comes from the fleet's own past: what leaktrend would
have called at each past instant, and what became of it. The likeliest are findings: as many as keep the expected
share of false findings below --fdr, or --top of them. The rest are suspects.

Credentials come from --http-config (a file in promtool's format), from --headers (a file with one header per line),
from the URL, or as a bearer token from $` + prom.TokenVariable + `. They are never shown.

With --every, an alert is repeated while its finding is active, and resolved by the first scan that reads all of its
job without finding it; it ends five minutes after this program does. The alert of a single scan lasts for
--alert-for, unless a later scan sends it again.

Exit codes: 0; 1 with --exit-code, if an active leak or exceeded limit was found; 2 for bad usage; 3 if the fleet or a
part of it could not be read, as when the server is down, or if an alert could not be delivered. The rest is judged
even then.`,
		Example: `  leaktrend scan --prometheus http://localhost:9090
  leaktrend scan --prometheus http://localhost:9090 --match 'queue_length{team="a"}' --group-by job,queue --format json
  leaktrend scan --prometheus http://localhost:9090 --every 1h --alertmanager http://localhost:9093`,
		Args: flags.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runScan(cmd, &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.url, "prometheus", "", "address of the server: the part of its URL before /api/v1")
	fs.StringArrayVar(&f.matches, "match", nil,
		"judge the gauges that this selector selects; may be repeated")
	flags.Duration(fs, &f.since, "since", flags.Range{Min: calibration.Marks[0], Max: year, Example: "7d"},
		"length of the history to judge, at least 6h")
	fs.StringVar(&f.until, "until", "", "end of the history, such as 2026-11-24T10:00:00Z (default: now)")
	flags.Duration(fs, &f.step, "step", flags.Range{Min: time.Minute, Max: 20 * time.Minute, Example: "5m"},
		"time between two values, 1m to 20m: at least twice the scrape interval; scores are calibrated at 5m")
	fs.StringSliceVar(&f.groupBy, "group-by", []string{"job", "version"}, "labels that make a group")
	fs.StringVar(&f.load, "load", "", "counter of the work that drives the processes, such as http_requests_total: "+
		"growth in proportion to its rate is no leak (default: the processor time; growth that follows it only has "+
		"to last longer)")
	fs.Float64Var(&f.fdr, "fdr", usualFDR, "acceptable share of false findings, 0.001 to 0.5")
	fs.StringVar(&f.shard, "shard", "", "scan only this part of the fleet, such as 3/16; each workload is in exactly "+
		"one part")
	fs.StringVar(&f.sharePast, "share-past", "", "directory in which the parts of a fleet share what their pasts "+
		"tell, so that chances are based on the past of the whole fleet; needs --shard")
	fs.IntVar(&f.top, "top", 0, "report at most this many findings, the likeliest leaks, whatever share of them is "+
		"expected to be false")
	flags.Duration(fs, &f.history, "history", flags.Range{Min: time.Hour, Max: year, Example: "28d"},
		"how far to look back at series that grow or have grown, to see whether such growth came to nothing before; "+
			"if not longer than --since, not at all")
	fs.BoolVar(&f.fromRules, "from-rules", false, "read only the jobs in which the recording rules of leaktrend "+
		"rules saw growth, and those that they do not watch")
	fs.BoolVar(&f.all, "all", false, "show all suspects, also as JSON")
	flags.Choice(fs, &f.format, "format", []string{"text", "json"}, "text: a table; json: one finding per line")
	fs.StringVar(&f.html, "html", "", "also write the findings as a page to this file; with --every it is rewritten "+
		"after each scan")
	fs.BoolVar(&f.force, "force", false, "replace a file that is not empty")
	fs.BoolVar(&f.leakExits, "exit-code", false, "exit with 1 if an active leak or passed limit was found")
	fs.StringVar(&f.alertmanager, "alertmanager", "", "address of an Alertmanager to send the findings to")
	fs.StringVar(&f.graph, "graph-url", "", "URL template for links to graphs, such as Grafana's Explore, with "+
		"{expr}, {from}, {to} (in milliseconds) and {range} as placeholders (default: the graphs of the server)")
	fs.StringVar(&f.runbook, "runbook-url", "", "address of the runbook for findings, passed on as runbook_url")
	fs.StringSliceVar(&f.annotate, "annotate", nil, "labels of the worst process to pass on as annotations, such "+
		"as team,owner")
	flags.Duration(fs, &f.alertFor, "alert-for", flags.Range{Min: time.Minute, Max: year, Example: "25h"},
		"how long the alert of a single scan lasts in the Alertmanager, unless sent again (default 25h); with "+
			"--every it ends when the leak is no longer found")
	flags.Duration(fs, &f.every, "every", flags.Range{Min: time.Minute, Max: year, Example: "1h"},
		"repeat the scan at this interval, such as 1h")
	fs.StringVar(&f.httpConfig, "http-config", "", "YAML file: basic_auth, authorization, oauth2, tls_config, "+
		"proxy_url")
	fs.StringVar(&f.headers, "headers", "", "file with one header per line, such as X-Scope-OrgID: team")
	fs.IntVar(&f.concurrency, "concurrency", 4, "concurrent queries, 1 to 64")
	fs.BoolVar(&f.compress, "compress", false, "have the server compress its answers, to a quarter of their size; "+
		"worth it on a link below some 100 Mbit/s, as it takes the server several times the processor time")
	flags.Duration(fs, &f.timeout, "timeout", flags.Range{Min: time.Millisecond, Example: "1m"},
		"timeout of a query")
	flags.Exclude(fs, "every", "until")
	flags.Exclude(fs, "every", "alert-for")
	flags.Exclude(fs, "fdr", "top")
	flags.Exclude(fs, "match", "from-rules")
	return cmd
}

// check reads the values that flags hold as text, and says which is out of its range.
func (f *scanFlags) check() error {
	if f.url == "" {
		return errors.New("scan needs --prometheus URL")
	}
	if !(f.fdr >= .001 && f.fdr <= .5) {
		return fmt.Errorf("--fdr %g: must be from 0.001 to 0.5", f.fdr)
	}
	if f.top < 0 {
		return fmt.Errorf("--top %d: must not be negative", f.top)
	}
	if f.top > 0 && f.fdr != usualFDR {
		return errors.New(
			"--top takes the likeliest, whatever share of them is expected to be false, so it takes no --fdr")
	}
	if f.fromRules && len(f.matches) > 0 {
		return errors.New("--from-rules goes by what leaktrend rules watch, so it takes no --match")
	}
	if f.concurrency < 1 || f.concurrency > 64 {
		return fmt.Errorf("--concurrency %d: must be from 1 to 64", f.concurrency)
	}
	switch {
	case f.alertFor == 0:
		if f.every == 0 {
			f.alertFor = usualAlertHold
		}
	case f.alertmanager == "":
		return errors.New("--alert-for needs --alertmanager URL")
	case f.every != 0:
		return errors.New("--every ends alerts when nothing is found any more, so it takes no --alert-for")
	}
	if f.every != 0 && f.until != "" {
		return errors.New("--every goes on from now, so it takes no --until")
	}
	if f.until != "" {
		if _, err := time.Parse(time.RFC3339, f.until); err != nil {
			return fmt.Errorf("--until %s: must be an instant, as in 2026-11-24T10:00:00Z", f.until)
		}
	}
	if _, err := fleet.ParseShard(f.shard); err != nil {
		return fmt.Errorf("--shard %w", err)
	}
	past := f.past()
	if err := past.Check(); err != nil {
		return fmt.Errorf("--share-past: %w", err)
	}
	if len(f.groupBy) == 0 || slices.Contains(f.groupBy, "") {
		return errors.New("--group-by: must name one label or more")
	}
	if f.graph != "" && !strings.Contains(f.graph, "{expr}") {
		return fmt.Errorf("--graph-url %s: must hold {expr}, where the series is named", f.graph)
	}
	if f.load != "" && !model.IsValidMetricName(model.LabelValue(f.load)) {
		return fmt.Errorf("--load %s: must be the name of a metric", f.load)
	}
	for _, m := range f.matches {
		if err := fleet.CheckSelector(m); err != nil {
			return fmt.Errorf("--match: %w", err)
		}
	}
	return nil
}

func runScan(cmd *cobra.Command, f *scanFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := output.Writable(f.html, f.force); err != nil {
		return err
	}
	var server string // as it may be shown
	client, err := prom.New(prom.Config{
		URL: f.url, HTTPConfig: f.httpConfig, Headers: f.headers, Token: os.Getenv(prom.TokenVariable),
		Concurrency: f.concurrency, Timeout: f.timeout, Compress: f.compress,
		OnRetry: func(err error) {
			progress.Print(cmd.ErrOrStderr(), fmt.Sprintf("%s: %s; trying again", server, plain.Error(err)))
		},
	})
	switch {
	case errors.Is(err, prom.ErrAddress):
		return fmt.Errorf("--prometheus: %w", err)
	case err != nil:
		return err
	}
	defer client.Close()
	server = client.String()
	ctx := cmd.Context()
	p := &publish.Publisher{
		Server: client.String(), JSON: f.format == "json", All: f.all, Page: f.html, Links: f.links(client.String()),
		Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(),
	}
	if f.alertmanager != "" {
		receiver, err := webhook.New(webhook.Config{
			URL: f.alertmanager, Format: "alertmanager", GeneratorURL: client.String(), Hold: f.alertFor,
		})
		if err != nil {
			return fmt.Errorf("--alertmanager: %w", err)
		}
		defer receiver.CloseIdleConnections()
		p.Alerts = publish.NewAlerts(receiver)
	}
	scan := func(ctx context.Context) (*fleet.Report, error) {
		o := f.options()
		done := progress.Start(cmd.ErrOrStderr(), "scanning", o.Progress.Share)
		defer done()
		past := f.past()
		var hints []string
		o.Others, hints = past.Others(o.Grid.At(o.Grid.N - 1))
		report, err := fleet.Scan(ctx, client, o)
		if err != nil {
			return nil, err
		}
		if err := past.Leave(report); err != nil {
			hints = append(hints, "the past of this part of the fleet could not be left for the others: "+
				plain.Error(err))
		}
		report.Hints = append(report.Hints, hints...)
		return report, nil
	}
	if f.every > 0 {
		return p.Every(ctx, f.every, scan)
	}
	report, err := scan(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return fmt.Errorf("%s: %w", client, unreadable{err})
	}
	undelivered, err := p.Once(ctx, report)
	switch {
	case err != nil:
		return err
	case f.leakExits && report.Leaks():
		if undelivered != nil {
			fmt.Fprintln(p.Stderr, "alerts:", undelivered)
		}
		return errLeak
	case undelivered != nil:
		return fmt.Errorf("%w: %w", errUndelivered, undelivered)
	case report.Nothing():
		return unreadable{errors.New("nothing of the fleet could be read")}
	case len(report.Missing) > 0:
		return errPartial
	}
	return nil
}

// past is where the parts of the fleet share what their pasts tell.
func (f *scanFlags) past() shared.Directory {
	part, _ := fleet.ParseShard(f.shard)
	return shared.Directory{Path: f.sharePast, Part: part, GroupBy: f.groupBy}
}

// links are those of the findings, to the graphs of the server unless others are asked for.
func (f *scanFlags) links(server string) publish.Links {
	return publish.Links{Graph: cmp.Or(f.graph, server), Runbook: f.runbook, Annotate: f.annotate}
}

// options are those of a scan that begins now. What check has found to be right is not checked again.
func (f *scanFlags) options() fleet.Options {
	end := time.Now()
	if f.until != "" {
		end, _ = time.Parse(time.RFC3339, f.until)
	}
	shard, _ := fleet.ParseShard(f.shard)
	// The history begins at a full hour, so that two scans of the same hour judge the same.
	last := end.UTC().Truncate(f.step)
	begin := last.Add(-f.since).Truncate(time.Hour)
	fdr := f.fdr
	if f.top > 0 {
		fdr = 0
	}
	return fleet.Options{
		Shard: shard, FromRules: f.fromRules,
		Grid: prom.GridTo(end, last.Sub(begin), f.step), History: f.history, Matches: f.matches, GroupBy: f.groupBy,
		FDR: fdr, Top: f.top, Load: f.load,
		Workers: f.concurrency, Calibration: calibration.Default(), Progress: new(fleet.Progress),
	}
}
