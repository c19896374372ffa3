package alerting

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// topSites is how many sites, and how many parts, a text names.
const topSites = 5

// figure writes a number as people read it: whole from 1000 on, else with four digits.
func figure(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span writes a time in seconds as people read it: 2h5m, 3m12s.
func span(seconds float64) string {
	d := time.Duration(seconds * 1e9).Round(time.Second)
	if d >= time.Hour {
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.String()
}

// siteLine names a site, with what is known of it.
func siteLine(s Site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s:%d", s.Function, s.File, s.Line)
	sep := ": "
	add := func(format string, args ...any) {
		b.WriteString(sep)
		fmt.Fprintf(&b, format, args...)
		sep = ", "
	}
	if s.Count != 0 {
		add("%s", figure(s.Count))
	}
	if s.Bytes != 0 {
		add("%s bytes", figure(s.Bytes))
	}
	if s.Share != 0 {
		add("%.0f %% of the growth", 100*s.Share)
	}
	if s.GrowthPerHour != 0 {
		add("%s per hour", figure(s.GrowthPerHour))
	}
	if len(s.Types) > 0 {
		add("%s", strings.Join(s.Types, " "))
	}
	if s.WaitReason != "" {
		add("%s", s.WaitReason)
	}
	if s.OldestSeconds >= 1 {
		add("the oldest for %s", span(s.OldestSeconds))
	}
	if s.CreatedBy != "" {
		add("created by %s", s.CreatedBy)
	}
	if s.Via != "" {
		add("through %s", s.Via)
	}
	switch {
	case s.Proven && s.Bytes != 0:
		add("live after two collections")
	case s.Proven:
		add("proven: nothing can wake them")
	}
	return b.String()
}

func siteLines(sites []Site) []string {
	var lines []string
	for _, s := range sites[:min(len(sites), topSites)] {
		lines = append(lines, siteLine(s))
	}
	return lines
}

// partLine names a part, with what is known of it.
func partLine(p Part) string {
	var b strings.Builder
	b.WriteString(p.What)
	if p.Detail != "" {
		b.WriteString(" " + p.Detail)
	}
	about := ""
	if p.Estimated {
		about = "about "
	}
	fmt.Fprintf(&b, ": %s%s", about, figure(p.Count))
	if p.Growth != 0 {
		fmt.Fprintf(&b, ", %.0f %% of the growth (%s more)", 100*p.Share, figure(p.Growth))
	} else {
		fmt.Fprintf(&b, ", %.0f %% of all", 100*p.Share)
	}
	return b.String()
}

func partLines(parts []Part) []string {
	var lines []string
	for _, p := range parts[:min(len(parts), topSites)] {
		lines = append(lines, partLine(p))
	}
	return lines
}

// processText names a process: executable version (pid N) on host, as far as known.
func processText(p Process) string {
	var parts []string
	for _, s := range []string{p.Executable, p.Version} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if p.PID != 0 {
		parts = append(parts, fmt.Sprintf("(pid %d)", p.PID))
	}
	if p.Host != "" {
		parts = append(parts, "on "+p.Host)
	}
	return strings.Join(parts, " ")
}
