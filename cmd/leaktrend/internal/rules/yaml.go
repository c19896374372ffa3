package rules

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// matchers is what may stand within the braces of a selector.
var matchers = regexp.MustCompile(`^\s*[a-zA-Z_]\w*\s*(=|!=|=~|!~)\s*"(\\.|[^"\\\n])*"\s*(,` +
	`\s*[a-zA-Z_]\w*\s*(=|!=|=~|!~)\s*"(\\.|[^"\\\n])*"\s*)*$`)

// CheckMatch says what is wrong with label matchers such as job="api",env=~"prod|stage". "" is none.
func CheckMatch(match string) error {
	if match != "" && !matchers.MatchString(match) {
		return fmt.Errorf(`%s: must be label matchers, as in job="api",env=~"prod|stage"`, match)
	}
	return nil
}

// Losses says in short lines what the approximation lacks beside the detector under the same configuration.
func (a Approximation) Losses() []string {
	var lost []string
	if a.config.Adaptive.Enabled {
		lost = append(lost,
			"Seven window lengths instead of 26, no regression, no load: growth that lies between two windows is "+
				"seen by the longer one, later.",
			"A level seen before counts for 7 days at most, and what was seen before a restart may count too.",
			"A process must export process_start_time_seconds; without it nothing is said of it.",
			"The heap is go_memstats_heap_alloc_bytes, whose lowest values stand for what is live after a collection.",
			"The only limit known is process_max_fds: not that of memory, cgroup or GOMEMLIMIT. No time of exhaustion.",
			"No suspicion, no place in the code."+a.endLost(),
			"Prometheus must keep 15 days, and 23 series more for each process and resource, up to 30 while it grows.")
	}
	if a.config.AlertOnThreshold && (a.config.GoroutineThreshold > 0 || a.config.FDThreshold > 0) {
		lost = append(lost, "The starting level is the mean of five minutes, ten minutes after the start or when "+
			"Prometheus first saw the process.")
	}
	if a.plain {
		lost = append(lost, "Alerts end as soon as their condition does not hold, and may come back: without "+
			"keep_firing_for nothing holds them.")
	}
	if a.config.GrowthRateThreshold > 0 {
		lost = append(lost, "growth_rate_threshold is left out: Prometheus rarely scrapes as often as leaktrend "+
			"checks.")
	}
	return lost
}

// endLost says how the end of an alert differs.
func (a Approximation) endLost() string {
	if a.plain {
		return ""
	}
	return " An alert ends 6h after the growth was last seen, not when the growth is given back."
}

// file writes the rules of one approximation.
type file struct {
	a     Approximation
	w     *bufio.Writer
	match string // with its braces; "" = none
}

// WriteYAML writes the approximation as a file of rules for Prometheus 2.42 or later, or for any ruler if Plain. match
// are label matchers of the processes, checked by CheckMatch; "" takes all. notes go into the comment at the head,
// besides what is lost.
func (a Approximation) WriteYAML(w io.Writer, match string, notes ...string) error {
	if err := CheckMatch(match); err != nil {
		return err
	}
	f := file{a: a, w: bufio.NewWriter(w)}
	if match != "" {
		f.match = "{" + match + "}"
	}
	reads := "for Prometheus 2.42 or later"
	if f.a.plain {
		reads = "for Prometheus, vmalert and the rulers of Mimir, Thanos and Cortex"
	}
	f.comment("", "An approximation of leaktrend by Prometheus rules, written by leaktrend rules "+reads+".")
	for _, n := range notes {
		f.comment("", n)
	}
	f.comment("", "What it lacks:")
	for _, l := range a.Losses() {
		f.comment("- ", l)
	}
	f.line("groups:")
	if a.config.Adaptive.Enabled {
		for _, m := range metrics {
			f.trend(m)
		}
	}
	if a.config.AlertOnThreshold {
		f.limits()
	}
	return f.w.Flush()
}

func (f *file) line(format string, values ...any) { fmt.Fprintf(f.w, format+"\n", values...) }

// comment writes a comment in lines of up to 120 characters.
func (f *file) comment(bullet, text string) {
	const width = 120
	line := "# " + bullet
	for i, word := range strings.Fields(text) {
		if i > 0 && len(line)+1+len(word) > width {
			f.line("%s", line)
			line = "# " + strings.Repeat(" ", len(bullet)) + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	f.line("%s", line)
}

// record writes a recording rule. The lines of the expression are indented by it.
func (f *file) record(name string, expression ...string) {
	f.line("      - record: %s", name)
	f.expression(expression)
}

func (f *file) expression(lines []string) {
	if len(lines) == 1 {
		f.line("        expr: %s", lines[0])
		return
	}
	f.line("        expr: |-")
	for _, l := range lines {
		f.line("          %s", l)
	}
}

// long writes a length of time as Prometheus reads it.
func long(steps int) string { return sampler.ShortDuration(time.Duration(steps) * step) }

// back writes a range over so many steps: a minute less, so that it holds as many values in every version of
// Prometheus.
func back(steps int) string {
	return sampler.ShortDuration(time.Duration(steps)*step - time.Minute)
}

// keepFiring writes for how long an alert stays when its expression has no result.
func (f *file) keepFiring(long string) {
	if !f.a.plain {
		f.line("        keep_firing_for: %s", long)
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// older is the condition that a process is of an age in steps.
func (f *file) older(steps int) string {
	return fmt.Sprintf("time() - process_start_time_seconds%s >= %d", f.match,
		int64(time.Duration(steps)*step/time.Second))
}

// finestRange is a little less than a step, so that no value is in two minimums, in every version of Prometheus.
const finestRange = "299s"

// trend writes the group of a metric.
func (f *file) trend(m metric) {
	prefix := "leaktrend:" + m.name + ":"
	floor, mean := prefix+"floor", prefix+"mean"
	f.line("  - name: leaktrend_%s", m.resource)
	f.line("    interval: %s", long(1))
	f.line("    rules:")
	f.record(floor, fmt.Sprintf("min_over_time(%s%s[%s])", m.name, f.match, finestRange))
	f.record(mean, fmt.Sprintf("avg_over_time(%s%s[%s])", m.name, f.match, finestRange))
	var growths []string
	for _, w := range windows {
		if recorded := f.window(m, prefix, w); recorded != "" {
			growths = append(growths, recorded)
		}
	}
	if len(growths) == 0 {
		return
	}
	f.line("      - alert: LeaktrendRulesLeak")
	f.expression([]string{strings.Join(growths, " or ")})
	f.line("        for: %s", long(approxHold))
	f.keepFiring(long(approxKeep))
	f.line("        labels: {resource: %s, severity: warning}", m.resource)
	f.line("        annotations:")
	f.line("          summary: '%s of {{ $labels.job }} at {{ $labels.instance }} may leak'", m.resource)
	f.line("          description: '%s grew by {{ $value | humanizePercentage }} of the level before, evenly and "+
		"without coming back.'", m.resource)
}

// window writes the rules of one window and returns the name of the series that exists while growth is seen in it; ""
// where none is enough.
func (f *file) window(m metric, prefix string, w Window) (recorded string) {
	n, need := w.Steps(), f.a.Needs(w)
	if math.IsInf(need.Old, 1) && m.ceiling == "" {
		return ""
	}
	floor := prefix + "floor_" + w.Name
	base := prefix + "base_" + w.Name
	growth := prefix + "growth_" + w.Name
	recorded = prefix + "climb_" + w.Name
	// since is the lowest value from the start of a quarter on.
	since := func(quarters int) string {
		return fmt.Sprintf("min_over_time(%sfloor[%s])", prefix, back(quarters*w.Quarter+w.Bucket))
	}
	before := fmt.Sprintf("avg_over_time(%smean[%s] offset %s)", prefix, back(f.a.Baseline()), long(4*w.Quarter))
	old := f.older(n + approxDay)

	f.line("      # The last %s.", long(n))
	f.record(floor, since(0))
	f.line("      # What was seen before is no growth.")
	lines := []string{"("}
	for i, b := range lookBack {
		line := fmt.Sprintf("max_over_time(%s[%s] offset %s) and %s", floor, back(b), long(n), f.older(n+b+w.Bucket))
		if i > 0 {
			line = "or " + line
		}
		lines = append(lines, "  "+line)
	}
	f.record(base, append(lines, ") > "+since(4), "or "+since(4))...)
	f.record(growth, fmt.Sprintf("(%s - %s) / (clamp_min(%s, 0) + %s)", floor, base, before,
		number(Offset(m.resource))))

	// either writes the ways in which growth is enough.
	either := func(first string, young, aged float64, last string) (lines []string) {
		ways := []string{first}
		if !math.IsInf(young, 1) {
			ways = append(ways, fmt.Sprintf("%s >= %s", growth, number(young)))
		}
		if !math.IsInf(aged, 1) && aged < young {
			ways = append(ways, fmt.Sprintf("%s >= %s and %s", growth, number(aged), old))
		}
		or := ""
		for _, way := range append(ways, last) {
			if way != "" {
				lines = append(lines, "  "+or+way)
				or = "or "
			}
		}
		return lines
	}
	limit := ""
	if m.ceiling != "" {
		limit = fmt.Sprintf("%s > %s and %s - %s >= %s * (%s%s - %s)", growth, number(approxG), floor, base,
			number(approxUsed), m.ceiling, f.match, before)
	}
	straight := fmt.Sprintf("%s - %s >= %s * (%s - %s)", floor, since(2), number(approxBend), since(2), base)
	lines = append([]string{"("}, either("", need.Young, need.Old, limit)...)
	lines = append(lines, ")", "and "+f.older(n), "and (")
	lines = append(lines, either(straight, need.BentYoung, need.BentOld, "")...)
	lines = append(lines, ")")
	rise := fmt.Sprintf("(%s - %s)", floor, base)
	for _, part := range []struct {
		to, from string
		share    float64
	}{
		{since(3), base, approxShare}, {since(2), since(3), approxShare}, {since(1), since(2), approxShare},
		{floor, since(1), approxLast},
	} {
		lines = append(lines, fmt.Sprintf("and %s - %s >= %s * %s", part.to, part.from, number(part.share), rise))
	}
	f.record(recorded, lines...)
	return recorded
}

// limits writes the group of the hard limits.
func (f *file) limits() {
	f.line("  - name: leaktrend_limits")
	f.line("    interval: 1m")
	f.line("    rules:")
	for _, m := range metrics {
		now := m.name + f.match
		switch delta := f.a.Delta(m.resource); {
		case delta > 0:
			start := "leaktrend:" + m.name + ":start"
			f.record(start,
				fmt.Sprintf("last_over_time(%s[1h]) unless time() - process_start_time_seconds%s < %d", start, f.match,
					int64(approxSettle/time.Second)),
				fmt.Sprintf("or avg_over_time(%s[%s])", now, finestRange))
			f.limit(m.resource, fmt.Sprintf("(%s - %s) / %d > 1", now, start, delta), "2.0", "1.5",
				fmt.Sprintf("grew by {{ $value | humanize }} times the limit of %d above the start", delta))
		case m.ceiling != "":
			f.limit(m.resource, fmt.Sprintf("%s / %s%s > %s", now, m.ceiling, f.match, number(approxShareF)), "1.0",
				"0.9",
				"are at {{ $value | humanizePercentage }} of what the process may have")
		}
	}
	if limit := f.a.config.MemoryThreshold; limit > 0 {
		f.limit(sampler.HeapInuseBytes, fmt.Sprintf("go_memstats_heap_inuse_bytes%s / %d > 1", f.match, limit), "2.0",
			"1.5",
			fmt.Sprintf("is {{ $value | humanize }} times the limit of %s",
				sampler.Resource{Unit: "bytes"}.Format(float64(limit))))
	}
}

func (f *file) limit(resource, expression, critical, high, is string) {
	f.line("      - alert: LeaktrendRulesLimit")
	f.line("        expr: %s", expression)
	f.keepFiring(fmt.Sprintf("%dm", approxRelent))
	f.line("        labels:")
	f.line("          resource: %s", resource)
	f.line(
		"          severity: '{{ if ge $value %s }}critical{{ else if ge $value %s }}high{{ else }}warning{{ end }}'",
		critical, high)
	f.line("        annotations:")
	f.line("          summary: '%s of {{ $labels.job }} at {{ $labels.instance }} is above its hard limit'", resource)
	f.line("          description: '%s %s.'", resource, is)
}
