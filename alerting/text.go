package alerting

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/alerting/internal/text"
)

// String names the site, with what is known of it.
func (s Site) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s:%d", s.Function, s.File, s.Line)
	sep := ": "
	add := func(format string, args ...any) {
		b.WriteString(sep)
		fmt.Fprintf(&b, format, args...)
		sep = ", "
	}
	if s.Count != 0 {
		add("%s", text.Figure(s.Count))
	}
	if s.Bytes != 0 {
		add("%s bytes", text.Figure(s.Bytes))
	}
	if s.Share != 0 {
		add("%.0f %% of the growth", 100*s.Share)
	}
	if s.GrowthPerHour != 0 {
		add("%s per hour", text.Figure(s.GrowthPerHour))
	}
	if len(s.Types) > 0 {
		add("%s", strings.Join(s.Types, " "))
	}
	if s.Holder != "" {
		add("kept by %s", s.Holder)
	}
	if s.WaitReason != "" {
		add("%s", s.WaitReason)
	}
	if s.OldestSeconds >= 1 {
		add("the oldest for %s", text.Span(s.OldestSeconds))
	}
	if s.CreatedBy != "" {
		add("created by %s", s.CreatedBy)
	}
	if s.Via != "" {
		add("through %s", s.Via)
	}
	if s.CalledFrom != "" {
		add("called from %s", s.CalledFrom)
	}
	if s.KnownBy != "" {
		add("known by: %s", s.KnownBy)
	}
	if s.Held {
		add("live after two collections")
	}
	if s.Proven {
		add("proven: nothing can wake them")
	}
	return b.String()
}

// String names the part, with what is known of it.
func (p Part) String() string {
	var b strings.Builder
	b.WriteString(p.What)
	if p.Detail != "" {
		b.WriteString(" " + p.Detail)
	}
	about := ""
	if p.Estimated {
		about = "about "
	}
	unit := ""
	if p.Unit != "" {
		unit = " " + p.Unit
	}
	fmt.Fprintf(&b, ": %s%s%s", about, text.Figure(p.Count), unit)
	if p.Growth != 0 {
		fmt.Fprintf(&b, ", %.0f %% of the growth (%s%s more)", 100*p.Share, text.Figure(p.Growth), unit)
	} else {
		fmt.Fprintf(&b, ", %.0f %% of all", 100*p.Share)
	}
	return b.String()
}

// String names the resource, with what was alerted of it last.
func (r Affected) String() string {
	s := fmt.Sprintf("%s: %s, %s, %s now", r.Resource, r.Kind, r.Status, text.Figure(r.Value))
	if r.SlopePerHour != 0 {
		s += ", " + text.Figure(r.SlopePerHour) + " per hour"
	}
	if !r.Since.IsZero() {
		s += ", since " + text.Instant(r.Since)
	}
	return s
}

// ResourceNames returns the names of the incident's resources, each once, in the order in which they joined it.
func (a *Alert) ResourceNames() []string {
	var names []string
	for i := range a.Resources {
		if name := a.Resources[i].Resource; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// String names the file.
func (p Profile) String() string { return p.Path + ": " + text.Figure(float64(p.Bytes)) + " bytes" }

// CapturePaths returns where the captures are.
func (a *Alert) CapturePaths() []string {
	var paths []string
	for i := range a.Profiles {
		paths = append(paths, a.Profiles[i].Path)
	}
	return paths
}

// String names the process: executable version (pid N) instance on host, as far as known.
func (p Process) String() string {
	var parts []string
	for _, s := range []string{p.Executable, p.Version} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if p.PID != 0 {
		parts = append(parts, fmt.Sprintf("(pid %d)", p.PID))
	}
	if p.Instance != "" {
		parts = append(parts, p.Instance)
	}
	if p.Host != "" {
		parts = append(parts, "on "+p.Host)
	}
	return strings.Join(parts, " ")
}
