package publish

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/webpage"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

//go:embed page.html
var pageText string

// pageRow is one finding in the page.
type pageRow struct {
	ID, Word, Class, Group, Share, Resource string
	pageReplica                             // the worst
	Left, Sentence                          string
	Versions                                []fleet.VersionCount
	Replicas                                []pageReplica
	More                                    int
}

type pageReplica struct {
	Place, Levels, Rate string
	Graph               string // address
	Spark               template.HTML
	Since               time.Time
}

// writePage writes a report as a page that needs nothing else, in the look of the report on recordings.
func writePage(w io.Writer, server string, r *fleet.Report, all bool, links *Links) error {
	data := struct {
		webpage.Frame
		Server     string
		Processes  int
		Start, End time.Time
		Rows       []pageRow
		Hidden     int
		Missing    []fleet.Missing
	}{
		Frame: webpage.NewFrame("leaktrend scan", closing(r)), Server: server,
		Processes: r.Processes, Start: r.Start, End: r.End, Missing: r.Missing,
	}
	add := func(findings []fleet.Finding, word, class string) {
		for i := range findings {
			row := pageRowOf(&findings[i], r, links)
			row.ID, row.Word, row.Class = fmt.Sprintf("finding-%d", len(data.Rows)+1), word, class
			data.Rows = append(data.Rows, row)
		}
	}
	add(together(r.Findings), "LEAK", "leak")
	add(r.Limits, "LIMIT", "limit")
	shown := r.Suspects
	if !all && len(shown) > maxSuspects {
		shown, data.Hidden = shown[:maxSuspects], len(shown)-maxSuspects
	}
	add(shown, "suspect", "suspect")
	return webpage.Template(pageText, time.UTC).Execute(w, data)
}

func pageRowOf(x *fleet.Finding, r *fleet.Report, links *Links) pageRow {
	row := pageRow{
		Group: groupText(x), Share: fmt.Sprintf("%d of %d replicas", x.Growing, x.Replicas), Resource: x.Resource.Name,
		pageReplica: pageReplicaOf(x, &x.Worst, r, links), Sentence: summary(x), Versions: x.Versions,
		More: max(0, x.Growing-1-len(x.Others)),
	}
	if chance := chanceText(x); chance != "" {
		row.Share += ", " + chance
	}
	if e := x.Worst.Exhaustion; e != nil {
		row.Left = sampler.FormatDuration(e.At.Sub(r.End))
	}
	row.Replicas = append(row.Replicas, row.pageReplica)
	for i := range x.Others {
		row.Replicas = append(row.Replicas, pageReplicaOf(x, &x.Others[i], r, links))
	}
	return row
}

func pageReplicaOf(x *fleet.Finding, r *fleet.Replica, of *fleet.Report, links *Links) pageReplica {
	p := pageReplica{
		Place: placeOf(r), Levels: table.Levels(x.Resource, r.Baseline, r.Value),
		Rate: x.Resource.FormatPerHour(r.SlopePerHour), Spark: sparkOf(r.Line),
		Graph: links.graphOf(r, of.Start, of.End),
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
