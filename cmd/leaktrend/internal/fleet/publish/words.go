package publish

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// groupText names a group as people do: its values in order, a job with its namespace.
func groupText(x *fleet.Finding) string {
	var parts []string
	namespace := ""
	for _, l := range x.Group {
		switch {
		case l.Value == "":
		case l.Name == "namespace":
			namespace = l.Value + "/"
			parts = append(parts, l.Value)
		case l.Name == "job" && namespace != "":
			parts[len(parts)-1] = namespace + strings.TrimPrefix(l.Value, namespace)
		default:
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
	if x.Lives != nil {
		text += ", " + wording.EachLife(x.Lives, x.Resource)
		if x.FirstVersion != "" {
			text += "; first version that leaks: " + x.FirstVersion
		}
		return text
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
	const limit = 3
	if more := len(others) - limit; more > 0 {
		first := min(max(before-2, 0), more)
		others = append(slices.Clone(others[first:first+limit]), count(more, "more version"))
	}
	if len(others) > 0 {
		text += ", " + strings.Join(others, ", ")
	}
	if x.FirstVersion != "" {
		text += "; first version that leaks: " + x.FirstVersion
	}
	return text
}

// summary is one plain sentence.
func summary(x *fleet.Finding) string {
	w := &x.Worst
	levels := fmt.Sprintf("%s now", x.Resource.Format(w.Value))
	verb := "beyond 80 % of its limit"
	if x.Kind == alerting.Trend {
		verb = "leak"
		if x.WithLoad {
			verb = "growth with the load"
		}
		levels = fmt.Sprintf("%s, %s now, baseline %s, growing since %s", x.Resource.FormatPerHour(w.SlopePerHour),
			x.Resource.Format(w.Value), x.Resource.Format(w.Baseline), w.Since.Format("2006-01-02 15:04:05 MST"))
	}
	text := fmt.Sprintf("%s %s in %s: %s; worst at %s: %s", x.Resource.Name, verb, groupText(x), replicasText(x),
		placeOf(w), levels)
	if e := w.Exhaustion; e != nil {
		text += "; " + wording.TimeLeft(e, x.Resource, w.Last)
	}
	if chance := chanceText(x); chance != "" {
		text += "; " + chance
	}
	return text
}

// chanceText says how likely a finding is a leak, "" where that is not asked.
func chanceText(x *fleet.Finding) string {
	if x.Kind != alerting.Trend || x.WithLoad {
		return ""
	}
	percent := func(share float64) string {
		switch {
		case share > .99:
			return "99"
		case share < .01:
			return "1"
		}
		return fmt.Sprintf("%.0f", 100*share)
	}
	mean, low, high := percent(x.Chance.Mean), percent(x.Chance.Low), percent(x.Chance.High)
	switch {
	case low != high:
		return fmt.Sprintf("chance of a leak %s %% (%s to %s)", mean, low, high)
	case x.Chance.Mean > .99:
		return "chance of a leak above 99 %"
	case x.Chance.Mean < .01:
		return "chance of a leak below 1 %"
	}
	return fmt.Sprintf("chance of a leak %s %%", mean)
}

// shareText writes a share, 0 to 1, to two digits.
func shareText(share float64) string {
	switch {
	case share < .0001:
		return "less than 0.01 %"
	case share >= .1:
		return fmt.Sprintf("%.0f %%", 100*share)
	}
	return fmt.Sprintf("%.2g %%", 100*share)
}

// placeOf names a process by the label that tells it from the others of its group.
func placeOf(r *fleet.Replica) string {
	for _, name := range []string{
		"exported_pod", "pod", "kubernetes_pod_name", "k8s_pod_name", "name", "exported_instance", "instance",
		"container", "host",
	} {
		if v := r.Labels[name]; v != "" {
			return v
		}
	}
	return "an unnamed process"
}

const (
	// shortPast is the past up to which findings are less sure than what they say, of which two weeks are enough.
	shortPast = 10 * 24 * time.Hour
	// byAWeek is what was measured at 5 % with a tenth of the fleet that falls back weekly (seeds 7001 to 7003, 1 and
	// 5 % leaking).
	byAWeek = "None of 90 generated fleets with much of that had a finding, true or false, with a week of history"
)

// closing sums up a report in a line: what was found, and in sentences of their own how far that can be trusted.
func closing(r *fleet.Report) string {
	switch {
	case r.Nothing():
		return "nothing to judge: nothing could be read"
	case r.Hypotheses == 0 && len(r.Missing) > 0:
		return "nothing to judge in what could be read"
	case r.Hypotheses == 0:
		return fmt.Sprintf("nothing to judge: no gauge has a history of %s or more",
			model.Duration(calibration.Marks[0]))
	}
	text := "no leak"
	if n := len(r.Findings); n > 0 {
		text = count(n, "leak")
	}
	if len(r.Limits) > 0 {
		text += ", " + count(len(r.Limits), "limit") + " passed"
	}
	text += fmt.Sprintf(" among %s of processes, in %s by workload and resource", count(r.Judged, "gauge"),
		count(r.Hypotheses, "group"))
	if len(r.Findings) > 0 {
		q := 0.
		for _, x := range r.Findings {
			q = max(q, x.Q)
		}
		text += "; " + shareText(q) + " of the leaks are expected to be false"
		if r.Top > 0 {
			text += fmt.Sprintf(" (asked: the %d likeliest)", r.Top)
		} else {
			text += fmt.Sprintf(" (asked: %g %%)", 100*r.FDR)
		}
	}
	withLoad := 0
	for _, x := range r.Suspects {
		if x.WithLoad {
			withLoad++
		}
	}
	if n := len(r.Suspects) - withLoad; n > 0 {
		text += "; " + count(n, "suspect") + " that may be none"
		if len(r.Findings) == 0 && r.FDR > 0 {
			text += fmt.Sprintf(", not likely enough to promise that %g %% at most are false", 100*r.FDR)
		}
	}
	if withLoad > 0 {
		text += "; " + count(withLoad, "suspect") + " that the load explains"
	}
	sentences := []string{text}
	past := r.End.Sub(r.Start) + r.Back
	switch {
	case len(r.Findings)+len(r.Suspects) > withLoad && r.Short():
		judged := sampler.FormatDuration(r.End.Sub(r.Start).Truncate(time.Hour))
		sentences = append(sentences, "The "+judged+" judged tell too little of how often growth comes to nothing "+
			"here: the chances are those of "+
			"generated series")
	case len(r.Findings) > 0 && past < shortPast:
		sentences = append(sentences, fmt.Sprintf("That share is learned from %s of history, too short to show what "+
			"grows and falls back every week",
			sampler.FormatDuration(past.Truncate(time.Hour))), byAWeek)
	}
	if r.Back > 0 {
		sentences = append(sentences, "Of what grows, the "+sampler.FormatDuration(r.Back.Truncate(time.Hour))+
			" before were read too")
	}
	if len(r.Missing) > 0 {
		sentences = append(sentences, "A part could not be read")
	}
	if len(sentences) == 1 {
		return text
	}
	return strings.Join(sentences, ". ") + "."
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
