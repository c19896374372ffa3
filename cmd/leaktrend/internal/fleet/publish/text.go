package publish

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// maxSuspects are shown where not all are asked for.
const maxSuspects = 10

// writeText prints a report as a table.
func writeText(w io.Writer, server string, r *fleet.Report, all bool) error {
	style := terminal.StyleOf(w)
	out := &strings.Builder{}
	fmt.Fprintln(out, style.Paint(terminal.Printable(server), terminal.Bold)+style.Paint(fmt.Sprintf("  %s to %s: %s",
		sampler.FormatDuration(r.End.Sub(r.Start).Truncate(time.Hour)), r.End.Format("2006-01-02 15:04 MST"),
		processes(r.Processes)), terminal.Dim))
	var rows []table.Row
	for _, x := range together(r.Findings) {
		rows = append(rows, rowOf(&x, r.End, "LEAK", terminal.Red))
	}
	for i := range r.Limits {
		rows = append(rows, rowOf(&r.Limits[i], r.End, "LIMIT", terminal.Red))
	}
	for i := range r.Suspects {
		if i == maxSuspects && !all {
			break
		}
		rows = append(rows, rowOf(&r.Suspects[i], r.End, "suspect", terminal.Yellow))
	}
	if err := table.Write(out, style, "  ", rows); err != nil {
		return err
	}
	if more := len(r.Suspects) - maxSuspects; more > 0 && !all {
		fmt.Fprintf(out, "  %s (--all)\n", plain.Count(more, "more suspect"))
	}
	fmt.Fprintln(out, closing(r))
	_, err := io.WriteString(w, out.String())
	return err
}

// together returns findings in their order, but for those of one group, which follow its first: one process may leak by
// several resources.
func together(findings []fleet.Finding) []fleet.Finding {
	first := map[string]int{}
	for i := range findings {
		if name := groupText(&findings[i]); first[name] == 0 {
			first[name] = i + 1
		}
	}
	ordered := slices.Clone(findings)
	slices.SortStableFunc(ordered, func(a, b fleet.Finding) int { return first[groupText(&a)] - first[groupText(&b)] })
	return ordered
}

func rowOf(x *fleet.Finding, end time.Time, verdict string, tint terminal.Tint) table.Row {
	const sparkWidth = 24
	worst := &x.Worst
	row := table.Row{
		Verdict: verdict, Tint: tint, Resource: groupText(x) + "  " + x.Resource.Name,
		Levels: table.Levels(x.Resource, worst.Baseline, worst.Value),
		Rate:   x.Resource.FormatPerHour(worst.SlopePerHour),
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
	if chance := chanceText(x); chance != "" {
		notes = append(notes, chance)
	}
	notes = append(notes, replicasText(x))
	if x.Kind == alerting.Trend {
		notes = append(notes, fmt.Sprintf("since %s (%s)", worst.Since.Format("2006-01-02 15:04"),
			sampler.FormatDuration(worst.Last.Sub(worst.Since))))
	}
	if e := worst.Exhaustion; e != nil {
		notes = append(notes, wording.TimeLeft(e, x.Resource, end))
	}
	row.Note = strings.Join(append(notes, "worst "+placeOf(worst)), ", ")
	return row
}
