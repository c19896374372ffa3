package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/prom"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/progress"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/sampler"
)

var (
	// errPartial ends a scan in which a part of the fleet could not be read.
	errPartial = errors.New("a part of the fleet could not be read")
	// errUndelivered ends a scan whose findings an Alertmanager did not take.
	errUndelivered = errors.New("alerts were not delivered")
)

// usualAlertHold is how long an alert of a single scan lasts: until the next one of a daily schedule, with an hour to spare.
const usualAlertHold = 25 * time.Hour

// scanFlags are the options of scan.
type scanFlags struct {
	url, httpConfig, headers            string
	matches, groupBy                    []string
	since, step, every                  string
	until, load, format, alertmanager   string
	alertFor, html                      string
	fdr                                 float64
	concurrency                         int
	timeout                             time.Duration
	all, tellByExit, force              bool
	sinceLength, stepLength, everyPause time.Duration
	alertHold                           time.Duration
}

func scanCommand() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan --prometheus URL",
		Short: "Judge a fleet, from its Prometheus",
		Long: `Judge the processes of a fleet by the series that a Prometheus has of them, or a server that speaks its API.

Reads, of each target, goroutines, heap, resident memory, descriptors and threads, and the working set of
containers; or the gauges that --match selects. A value of a gauge is its lowest one since the instant before. Restarts
are known by process_start_time_seconds, else by processor time that falls, else by gaps in up; limits and
processor time are taken into account where they are exported.

A load that --load names is known to drive the processes: what grows in proportion to its rate is a suspect, whatever its score, unless
the regression on time and load tells that half of the growth or more would be there at constant load.

Processes are grouped by job and version (a label version, the tag of an image, or the version of a *_build_info
metric), and a group is one finding. Findings are as many as the share of false ones among them is expected to stay
below --fdr; growth that does not stand out among so many is shown as suspect.

Credentials come from --http-config (a file as promtool takes it), from --headers (a file with a header a line), from
the URL, or as a bearer token from $` + prom.TokenVariable + `. They are never shown.

With --every, an alert is repeated while its finding stands, and resolved by the first scan that reads all of its job and does not find it; it
ends five minutes after this program does. Of a single scan it lasts for --alert-for, unless a later one sends it again.

Exits with 0, with 1 if --exit-code was given and a leak or a passed limit was found that still holds, with 2 if the usage is wrong or
the server cannot be read, and with 3 if a part of the fleet could not be read, or an alert not be delivered; the rest is judged then.`,
		Example: `  leaktrend scan --prometheus http://localhost:9090
  leaktrend scan --prometheus http://localhost:9090 --match 'queue_length{team="a"}' --group-by job,queue --format json
  leaktrend scan --prometheus http://localhost:9090 --every 1h --alertmanager http://localhost:9093`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runScan(cmd, &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.url, "prometheus", "", "address of the server, up to what stands before /api/v1")
	fs.StringArrayVar(&f.matches, "match", nil, "judge the gauges that this selector selects; may be given several times")
	fs.StringVar(&f.since, "since", "7d", "length of the history to judge, at least 6h")
	fs.StringVar(&f.until, "until", "", "end of the history, as in 2026-11-24T10:00:00Z (default: now)")
	fs.StringVar(&f.step, "step", "5m", "time between two values, 1m to 20m: at least twice the scrape interval; scores are calibrated at 5m")
	fs.StringSliceVar(&f.groupBy, "group-by", []string{"job", "version"}, "labels that make a group")
	fs.StringVar(&f.load, "load", "", "counter of the work that drives the processes, as in http_requests_total: growth in proportion to its rate is no leak (default: the processor time, which only asks for more patience)")
	fs.Float64Var(&f.fdr, "fdr", .05, "expected share of false findings that is accepted, 0.001 to 0.5")
	fs.BoolVar(&f.all, "all", false, "show all suspects, also as JSON")
	fs.StringVar(&f.format, "format", "text", "text: a table; json: a finding a line")
	fs.StringVar(&f.html, "html", "", "also write the findings as a page to this file; with --every it is written anew after each scan")
	fs.BoolVar(&f.force, "force", false, "replace a file that is not empty")
	fs.BoolVar(&f.tellByExit, "exit-code", false, "exit with 1 if a leak or a passed limit was found that still holds")
	fs.StringVar(&f.alertmanager, "alertmanager", "", "address of an Alertmanager that gets the findings")
	fs.StringVar(&f.alertFor, "alert-for", "", "how long an alert of a single scan lasts in the Alertmanager, unless sent again (default 25h); with --every it ends when nothing is found any more")
	fs.StringVar(&f.every, "every", "", "go on, with a scan at this pace, as in 1h")
	fs.StringVar(&f.httpConfig, "http-config", "", "YAML file: basic_auth, authorization, oauth2, tls_config, proxy_url")
	fs.StringVar(&f.headers, "headers", "", "file with a header a line, as in X-Scope-OrgID: team")
	fs.IntVar(&f.concurrency, "concurrency", 4, "queries at a time, 1 to 64")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "time that one query may take")
	return cmd
}

// check reads the values that flags hold as text, and says which is out of its range.
func (f *scanFlags) check() error {
	if f.url == "" {
		return errors.New("scan needs --prometheus URL")
	}
	if f.format != "text" && f.format != "json" {
		return fmt.Errorf("--format %s: must be text or json", f.format)
	}
	for _, d := range []struct {
		flag, text  string
		least, most time.Duration
		into        *time.Duration
	}{
		{"since", f.since, fleet.Marks[0], 366 * 24 * time.Hour, &f.sinceLength},
		{"step", f.step, time.Minute, 20 * time.Minute, &f.stepLength},
		{"every", f.every, time.Minute, 366 * 24 * time.Hour, &f.everyPause},
		{"alert-for", f.alertFor, time.Minute, 366 * 24 * time.Hour, &f.alertHold},
	} {
		if d.text == "" && (d.flag == "every" || d.flag == "alert-for") {
			continue
		}
		length, err := model.ParseDuration(d.text)
		*d.into = time.Duration(length)
		if err != nil || *d.into < d.least || *d.into > d.most {
			return fmt.Errorf("--%s %s: must be a duration from %s to %s, as in 90m, 12h or 7d",
				d.flag, d.text, model.Duration(d.least), model.Duration(d.most))
		}
	}
	if !(f.fdr >= .001 && f.fdr <= .5) {
		return fmt.Errorf("--fdr %g: must be from 0.001 to 0.5", f.fdr)
	}
	if f.concurrency < 1 || f.concurrency > 64 {
		return fmt.Errorf("--concurrency %d: must be from 1 to 64", f.concurrency)
	}
	if f.timeout < time.Millisecond {
		return fmt.Errorf("--timeout %v: must be at least 1ms", f.timeout)
	}
	switch {
	case f.alertFor == "":
		if f.every == "" {
			f.alertHold = usualAlertHold
		}
	case f.alertmanager == "":
		return errors.New("--alert-for needs --alertmanager URL")
	case f.every != "":
		return errors.New("--every ends alerts when nothing is found any more, so it takes no --alert-for")
	}
	if f.every != "" && f.until != "" {
		return errors.New("--every goes on from now, so it takes no --until")
	}
	if f.until != "" {
		if _, err := time.Parse(time.RFC3339, f.until); err != nil {
			return fmt.Errorf("--until %s: must be an instant, as in 2026-11-24T10:00:00Z", f.until)
		}
	}
	if len(f.groupBy) == 0 || slices.Contains(f.groupBy, "") {
		return errors.New("--group-by: must name one label or more")
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
	if err := writable(f.html, f.force); err != nil {
		return err
	}
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	client, err := prom.New(prom.Config{
		URL: f.url, HTTPConfig: f.httpConfig, Headers: f.headers, Token: os.Getenv(prom.TokenVariable), Concurrency: f.concurrency, Timeout: f.timeout,
	})
	if err != nil {
		return fmt.Errorf("--prometheus: %w", err)
	}
	defer client.Close()
	var alerts *fleetAlerts
	if f.alertmanager != "" {
		receiver, err := webhook.New(webhook.Config{
			URL: f.alertmanager, Format: "alertmanager", GeneratorURL: client.String(), Hold: f.alertHold,
		})
		if err != nil {
			return fmt.Errorf("--alertmanager: %w", err)
		}
		defer receiver.CloseIdleConnections()
		alerts = &fleetAlerts{webhook: receiver, standing: map[string]standingAlert{}}
	}
	server := client.String()
	scan := func(ctx context.Context) (*fleet.Report, error) { return f.scan(ctx, client, stderr) }
	if f.everyPause > 0 {
		return f.watch(ctx, server, scan, alerts, cmd.OutOrStdout(), stderr)
	}
	report, err := scan(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return fmt.Errorf("%s: %w", server, err)
	}
	if _, err := f.print(cmd.OutOrStdout(), server, report, nil); err != nil {
		return err
	}
	reportMissing(stderr, report)
	var undelivered error
	if alerts != nil {
		alerts.update(report)
		undelivered = alerts.deliver(ctx)
	}
	if err := f.writePage(server, report); err != nil {
		return err
	}
	switch {
	case f.tellByExit && report.Leaks():
		if undelivered != nil {
			fmt.Fprintln(stderr, "alerts:", undelivered)
		}
		return errLeak
	case undelivered != nil:
		return fmt.Errorf("%w: %w", errUndelivered, undelivered)
	case len(report.Missing) > 0:
		return errPartial
	}
	return nil
}

// watch scans again and again. What fails is told, and tried again by the next scan. alerts may be nil.
func (f *scanFlags) watch(ctx context.Context, server string, scan func(context.Context) (*fleet.Report, error), alerts *fleetAlerts, stdout, stderr io.Writer) error {
	tell := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(stderr, "%s: %v\n", what, err)
		}
	}
	var before map[string]fleet.Finding // what stands after the last scan
	use := func(s scanned) (err error) {
		if s.err != nil {
			tell(server, s.err)
			return nil
		}
		if before, err = f.print(stdout, server, s.report, before); err != nil {
			return err
		}
		reportMissing(stderr, s.report)
		tell("page", f.writePage(server, s.report))
		if alerts != nil {
			alerts.update(s.report)
			tell("alerts", alerts.send(ctx))
		}
		return nil
	}
	return repeat(ctx, f.everyPause, scan, use, func() {
		if alerts != nil {
			tell("alerts", alerts.refresh(ctx))
		}
	})
}

func (f *scanFlags) writePage(server string, r *fleet.Report) error {
	if f.html == "" {
		return nil
	}
	return writeFile(f.html, 0o644, func(w io.Writer) error { return writeFleetPage(w, server, r, f.all) })
}

func (f *scanFlags) scan(ctx context.Context, client *prom.Client, stderr io.Writer) (*fleet.Report, error) {
	end := time.Now()
	if f.until != "" {
		end, _ = time.Parse(time.RFC3339, f.until) // was checked
	}
	client.Begin()
	n := max(int(f.sinceLength/f.stepLength), 1)
	last := end.UTC().Truncate(f.stepLength)
	var share fleet.Progress
	done := progress.Start(stderr, "scanning", share.Share)
	defer done()
	report, err := fleet.Run(ctx, client, fleet.Options{
		Grid:    prom.Grid{Start: last.Add(-time.Duration(n-1) * f.stepLength), Step: f.stepLength, N: n},
		Matches: f.matches, GroupBy: f.groupBy, FDR: f.fdr, Load: f.load, Workers: f.concurrency,
		Calibration: fleet.Default(), Progress: &share,
	})
	if err != nil {
		return nil, err
	}
	for _, w := range client.Warnings() {
		// Those of the language are about the query, as on a counter without a counter's name; others say that data may be missing.
		if !strings.HasPrefix(w, "PromQL ") {
			report.Missing = append(report.Missing, fleet.Missing{What: "what the server warns of", Why: w})
		}
	}
	return report, nil
}

// reportMissing tells what could not be read.
func reportMissing(stderr io.Writer, r *fleet.Report) {
	const most = 20
	for i, m := range r.Missing {
		if i == most {
			fmt.Fprintf(stderr, "missing: %d more\n", len(r.Missing)-most)
			break
		}
		count := ""
		if m.Count > 0 {
			count = fmt.Sprintf(" (%d targets)", m.Count)
		}
		fmt.Fprintf(stderr, "missing: %s%s: %s\n", table.Printable(m.What), count, table.Printable(m.Why))
	}
}

// print writes a report and returns the findings that stand, by name. JSON also tells which of those before are resolved: not those of what
// could not be read, as they may be there.
func (f *scanFlags) print(w io.Writer, server string, r *fleet.Report, before map[string]fleet.Finding) (map[string]fleet.Finding, error) {
	now := make(map[string]fleet.Finding)
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		now[findingName(&x)] = x
	}
	for name, x := range before {
		if _, ok := now[name]; !ok && !r.Covers(&x) {
			now[name] = x
		}
	}
	if f.format == "text" {
		return now, writeFleet(w, server, r, f.all)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	write := func(x *fleet.Finding, state string) error { return encoder.Encode(fleetLineOf(server, r, x, state)) }
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		state := "firing"
		if x.Ended {
			state = "resolved"
		}
		if err := write(&x, state); err != nil {
			return now, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		x := before[name]
		if _, ok := now[name]; !ok && !x.Ended {
			if err := write(&x, "resolved"); err != nil {
				return now, err
			}
		}
	}
	if f.all {
		for i := range r.Suspects {
			if err := write(&r.Suspects[i], "suspected"); err != nil {
				return now, err
			}
		}
	}
	return now, nil
}

// findingName is what makes a finding the same one in the next scan.
func findingName(x *fleet.Finding) string {
	name := string(x.Kind) + "\x00" + x.Resource.Name
	for _, l := range x.Group {
		name += "\x00" + l.Name + "\x00" + l.Value
	}
	return name
}

// fleetLine is one line of the JSON form: that of replay, and what there is of a group.
type fleetLine struct {
	Time         time.Time            `json:"time"`
	File         string               `json:"file"`
	Resource     string               `json:"resource"`
	Kind         alerting.Kind        `json:"kind"`
	State        string               `json:"state"`
	Severity     alerting.Severity    `json:"severity"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since"`
	Summary      string               `json:"summary"`
	Group        map[string]string    `json:"group"`
	Growing      int                  `json:"growing"`
	Replicas     int                  `json:"replicas"`
	Labels       map[string]string    `json:"labels"`
	Versions     []fleetVersion       `json:"versions,omitempty"`
	FirstVersion string               `json:"first_version,omitempty"`
	EValue       float64              `json:"e_value,omitempty"`
	Q            float64              `json:"q,omitempty"`
	WithLoad     bool                 `json:"with_load,omitempty"`
	FDR          float64              `json:"fdr"`
	Hypotheses   int                  `json:"hypotheses"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Evidence     *alerting.Evidence   `json:"evidence,omitempty"`
}

type fleetVersion struct {
	Version  string    `json:"version"`
	Growing  int       `json:"growing"`
	Replicas int       `json:"replicas"`
	First    time.Time `json:"first"`
}

func fleetLineOf(server string, r *fleet.Report, x *fleet.Finding, state string) fleetLine {
	line := fleetLine{
		Time: r.End, File: server, Resource: x.Resource.Name, Kind: x.Kind, State: state, Severity: x.Worst.Severity,
		Value: x.Worst.Value, Baseline: x.Worst.Baseline, SlopePerHour: x.Worst.SlopePerHour, Since: x.Worst.Since,
		Summary: fleetSummary(x), Group: groupLabels(x), Growing: x.Growing, Replicas: x.Replicas, Labels: x.Worst.Labels,
		FirstVersion: x.FirstVersion, EValue: x.EValue, WithLoad: x.WithLoad, FDR: r.FDR, Hypotheses: r.Hypotheses,
		Exhaustion: x.Worst.Exhaustion, Evidence: x.Worst.Evidence,
	}
	if x.EValue > 0 {
		line.Q = x.Q
	}
	for _, v := range x.Versions {
		line.Versions = append(line.Versions, fleetVersion{v.Version, v.Growing, v.Replicas, v.First})
	}
	return line
}

func groupLabels(x *fleet.Finding) map[string]string {
	labels := make(map[string]string)
	for _, l := range x.Group {
		labels[l.Name] = l.Value
	}
	return labels
}

// groupText names a group as people do: its values in order.
func groupText(x *fleet.Finding) string {
	var parts []string
	for _, l := range x.Group {
		if l.Value != "" {
			parts = append(parts, l.Value)
		}
	}
	if len(parts) == 0 {
		return "(no " + x.Group[0].Name + ")"
	}
	return strings.Join(parts, " ")
}

// replicasText says how many replicas grow, and how it is with the other versions.
func replicasText(x *fleet.Finding) string {
	text := fmt.Sprintf("%d of %d replicas", x.Growing, x.Replicas)
	if x.Replicas == 1 {
		text = "the only replica"
	}
	var others []string
	before := 0 // versions that came before
	for _, v := range x.Versions {
		if slices.Contains(x.Group, fleet.Label{Name: "version", Value: v.Version}) {
			before = len(others)
			continue
		}
		name := v.Version
		if name == "" {
			name = "no version"
		}
		if v.Growing == 0 {
			others = append(others, fmt.Sprintf("none of the %d of %s", v.Replicas, name))
		} else {
			others = append(others, fmt.Sprintf("%d of %d of %s", v.Growing, v.Replicas, name))
		}
	}
	// The two before it and the one after it tell most.
	const most = 3
	if more := len(others) - most; more > 0 {
		first := min(max(before-2, 0), more)
		others = append(slices.Clone(others[first:first+most]), count(more, "more version"))
	}
	if len(others) > 0 {
		text += ", " + strings.Join(others, ", ")
	}
	if x.FirstVersion != "" {
		text += "; first version that leaks: " + x.FirstVersion
	}
	return text
}

// fleetSummary is one plain sentence.
func fleetSummary(x *fleet.Finding) string {
	w := &x.Worst
	levels := fmt.Sprintf("%s now", x.Resource.Format(w.Value))
	verb := "beyond 80 % of its limit"
	if x.Kind == alerting.Trend {
		verb = "leak"
		if x.WithLoad {
			verb = "growth with the load"
		}
		levels = fmt.Sprintf("%s, %s now, %s before (since %s)", x.Resource.FormatPerHour(w.SlopePerHour),
			x.Resource.Format(w.Value), x.Resource.Format(w.Baseline), w.Since.Format("2006-01-02 15:04:05 MST"))
	}
	text := fmt.Sprintf("%s %s in %s: %s; worst at %s: %s", x.Resource.Name, verb, groupText(x), replicasText(x), placeOf(w), levels)
	if e := w.Exhaustion; e != nil {
		text += fmt.Sprintf("; %s left to the limit of %s", sampler.FormatDuration(e.At.Sub(w.Last)), x.Resource.Format(e.Limit))
	}
	return text
}

// placeOf names a process by the label that tells it from the others of its group.
func placeOf(r *fleet.Replica) string {
	for _, name := range []string{"pod", "instance", "container", "host"} {
		if v := r.Labels[name]; v != "" {
			return v
		}
	}
	return "an unnamed process"
}

// mostSuspects are shown where not all are asked for.
const mostSuspects = 10

// writeFleet prints a report as a table.
func writeFleet(w io.Writer, server string, r *fleet.Report, all bool) error {
	style := table.StyleOf(w)
	out := &strings.Builder{}
	fmt.Fprintln(out, style.Paint(table.Printable(server), table.Bold)+style.Paint(fmt.Sprintf("  %s to %s: %s",
		sampler.FormatDuration(r.End.Sub(r.Start)), r.End.Format("2006-01-02 15:04 MST"), processes(r.Processes)), table.Dim))
	var rows []table.Row
	for i := range r.Findings {
		rows = append(rows, fleetRow(&r.Findings[i], r.End, "LEAK", table.Red))
	}
	for i := range r.Limits {
		rows = append(rows, fleetRow(&r.Limits[i], r.End, "LIMIT", table.Red))
	}
	for i := range r.Suspects {
		if i == mostSuspects && !all {
			break
		}
		rows = append(rows, fleetRow(&r.Suspects[i], r.End, "suspect", table.Yellow))
	}
	if err := style.Write(out, "  ", rows); err != nil {
		return err
	}
	if more := len(r.Suspects) - mostSuspects; more > 0 && !all {
		fmt.Fprintf(out, "  %d more suspects (--all)\n", more)
	}
	fmt.Fprintln(out, closing(r))
	_, err := io.WriteString(w, out.String())
	return err
}

// closing sums up a report in a line.
func closing(r *fleet.Report) string {
	switch {
	case r.Hypotheses == 0 && len(r.Missing) > 0:
		return "nothing to judge in what could be read"
	case r.Hypotheses == 0:
		return fmt.Sprintf("nothing to judge: no gauge has a history of %s or more", model.Duration(fleet.Marks[0]))
	}
	text := "no leak"
	if n := len(r.Findings); n > 0 {
		text = count(n, "leak")
	}
	if len(r.Limits) > 0 {
		text += ", " + count(len(r.Limits), "limit") + " passed,"
	}
	text += fmt.Sprintf(" in %s of groups (%d of processes)", count(r.Hypotheses, "resource"), r.Judged)
	if len(r.Findings) > 0 {
		q := 0.
		for _, x := range r.Findings {
			q = max(q, x.Q)
		}
		text += fmt.Sprintf("; at most %.2g %% of the leaks are expected to be false (asked: %g %%)", 100*q, 100*r.FDR)
	}
	withLoad := 0
	for _, x := range r.Suspects {
		if x.WithLoad {
			withLoad++
		}
	}
	if n := len(r.Suspects) - withLoad; n > 0 {
		text += "; " + count(n, "suspect") + " that chance may explain among so many"
	}
	if withLoad > 0 {
		text += "; " + count(withLoad, "suspect") + " that the load explains"
	}
	if len(r.Missing) > 0 {
		text += "; a part could not be read"
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

func fleetRow(x *fleet.Finding, end time.Time, verdict string, tint table.Tint) table.Row {
	const sparkWidth = 24
	worst := &x.Worst
	row := table.Row{
		Verdict: verdict, Tint: tint, Resource: groupText(x) + "  " + x.Resource.Name,
		Levels: table.Levels(x.Resource, worst.Baseline, worst.Value), Pace: x.Resource.FormatPerHour(worst.SlopePerHour),
	}
	if worst.Line != nil {
		row.Spark = worst.Line.Draw(sparkWidth)
	}
	var notes []string
	if x.Ended {
		notes = append(notes, "ended "+worst.Last.Format("2006-01-02 15:04"))
	}
	if x.WithLoad {
		notes = append(notes, "grows with the load")
	}
	notes = append(notes, replicasText(x))
	if x.Kind == alerting.Trend {
		notes = append(notes, fmt.Sprintf("since %s (%s)", worst.Since.Format("2006-01-02 15:04"), sampler.FormatDuration(worst.Last.Sub(worst.Since))))
	}
	if e := worst.Exhaustion; e != nil {
		notes = append(notes, fmt.Sprintf("%s to the limit of %s", sampler.FormatDuration(e.At.Sub(end)), x.Resource.Format(e.Limit)))
	}
	row.Note = strings.Join(append(notes, "worst "+placeOf(worst)), ", ")
	return row
}
