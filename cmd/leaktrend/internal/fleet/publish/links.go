package publish

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/prometheus/common/model"
)

// Links are what a finding leads to, beside its figures.
type Links struct {
	// Graph is the address of the graph of a series, in which {expr}, {from}, {to} (both in milliseconds) and {range}
	// (as in 7d) stand for what is shown, escaped for a query. Without {expr} it is the address of a server whose own
	// graph is linked; "" = no link.
	Graph string
	// Runbook is the address of what to do about a finding; "" = none.
	Runbook string
	// Annotate names labels of the worst process that are passed on, as who owns it.
	Annotate []string
}

// graphOf returns the address of the graph of a replica's series over the time of a report; "" where none is known.
func (l *Links) graphOf(r *fleet.Replica, start, end time.Time) string {
	if l.Graph == "" || r.Metric == "" {
		return ""
	}
	form := l.Graph
	if !strings.Contains(form, "{expr}") {
		form = strings.TrimRight(form, "/") + "/graph?g0.expr={expr}&g0.tab=0&g0.range_input={range}&g0.end_input=" +
			url.QueryEscape(end.UTC().Format("2006-01-02 15:04:05"))
	}
	var matchers []string
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		matchers = append(matchers, name+"="+strconv.Quote(r.Labels[name]))
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	return strings.NewReplacer(
		"{expr}", url.QueryEscape(r.Metric+"{"+strings.Join(matchers, ",")+"}"), "{from}", millis(start), "{to}",
		millis(end),
		"{range}", model.Duration(end.Sub(start)).String(),
	).Replace(form)
}

// annotationsOf returns what an alert of a finding says beside its figures.
func (l *Links) annotationsOf(x *fleet.Finding, start, end time.Time) map[string]string {
	all := map[string]string{}
	for _, name := range l.Annotate {
		if v := x.Worst.Labels[name]; v != "" {
			all[name] = v
		}
	}
	if graph := l.graphOf(&x.Worst, start, end); graph != "" {
		all["graph_url"] = graph
	}
	if l.Runbook != "" {
		all["runbook_url"] = l.Runbook
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
