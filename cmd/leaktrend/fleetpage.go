package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

//go:embed fleetpage.html
var fleetPageText string

// fleetPageRow is one finding in the page.
type fleetPageRow struct {
	ID, Word, Class, Group, Share, Resource string
	fleetPageReplica                        // the worst
	Left, Sentence                          string
	Replicas                                []fleetPageReplica
	More                                    int
}

type fleetPageReplica struct {
	Place, Levels, Pace string
	Spark               template.HTML
	Since               time.Time
}

// writeFleetPage writes a report as a page that needs nothing else, in the look of the report on recordings.
func writeFleetPage(w io.Writer, server string, r *fleet.Report, all bool) error {
	data := struct {
		report.Frame
		Server     string
		Processes  int
		Start, End time.Time
		Rows       []fleetPageRow
		Hidden     int
		Missing    []fleet.Missing
	}{
		Frame: report.NewFrame("leaktrend scan", closing(r)), Server: server,
		Processes: r.Processes, Start: r.Start, End: r.End, Missing: r.Missing,
	}
	add := func(findings []fleet.Finding, word, class string) {
		for i := range findings {
			row := fleetPageRowOf(&findings[i], r.End)
			row.ID, row.Word, row.Class = fmt.Sprintf("finding-%d", len(data.Rows)+1), word, class
			data.Rows = append(data.Rows, row)
		}
	}
	add(r.Findings, "LEAK", "leak")
	add(r.Limits, "LIMIT", "limit")
	shown := r.Suspects
	if !all && len(shown) > mostSuspects {
		shown, data.Hidden = shown[:mostSuspects], len(shown)-mostSuspects
	}
	add(shown, "suspect", "suspect")
	return report.Template(fleetPageText, time.UTC).Execute(w, data)
}

func fleetPageRowOf(x *fleet.Finding, end time.Time) fleetPageRow {
	row := fleetPageRow{
		Group: groupText(x), Share: fmt.Sprintf("%d of %d replicas", x.Growing, x.Replicas), Resource: x.Resource.Name,
		fleetPageReplica: fleetPageReplicaOf(x, &x.Worst), Sentence: fleetSummary(x), More: max(0, x.Growing-1-len(x.Others)),
	}
	if e := x.Worst.Exhaustion; e != nil {
		row.Left = sampler.FormatDuration(e.At.Sub(end))
	}
	row.Replicas = append(row.Replicas, row.fleetPageReplica)
	for i := range x.Others {
		row.Replicas = append(row.Replicas, fleetPageReplicaOf(x, &x.Others[i]))
	}
	return row
}

func fleetPageReplicaOf(x *fleet.Finding, r *fleet.Replica) fleetPageReplica {
	p := fleetPageReplica{
		Place: placeOf(r), Levels: table.Levels(x.Resource, r.Baseline, r.Value), Pace: x.Resource.FormatPerHour(r.SlopePerHour), Spark: sparkOf(r.Line),
	}
	if x.Kind == alerting.Trend {
		p.Since = r.Since
	}
	return p
}

// sparkOf draws a line. It has no times, so its values stand a second apart.
func sparkOf(l *spark.Line) template.HTML {
	if l == nil {
		return ""
	}
	var bins []plot.Bin
	for i, v := range l.Values() {
		at := int64(i) * int64(time.Second)
		bins = append(bins, plot.Bin{First: at, Last: at, Min: v, Max: v, MinAt: at, MaxAt: at, Value: v, Mean: v})
	}
	return template.HTML(plot.Spark(bins))
}
