package alerting

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting/internal/text"
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// inBytes is the unit of memory and files.
const inBytes = "bytes"

// mostly is the share of a growth from which on it is shown as all of it.
const mostly = .995

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
	unit := ""
	if s.Bytes != 0 {
		unit = inBytes
		add("%s as of the last collection", figure.Format(s.Bytes, inBytes))
	}
	if s.Count != 0 && s.Bytes != 0 {
		add("%s objects", figure.Format(s.Count, ""))
	} else if s.Count != 0 {
		add("%s there", strings.TrimSpace(figure.Format(s.Count, "")+" "+s.Resource))
	}
	switch percent := fmt.Sprintf("%.0f %% of the growth", 100*s.Share); {
	case s.Share == 0:
	case s.Bytes != 0 && s.Via == "" && s.Share < mostly: // what was allocated since that collection may be its too
		add("at least %s", percent)
	default:
		add("%s", percent)
	}
	if s.GrowthPerHour != 0 {
		add("%s", figure.PerHour(s.GrowthPerHour, unit))
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
		add("the oldest for %s", figure.Duration(time.Duration(s.OldestSeconds*1e9).Round(time.Second)))
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
	if !s.AsOf.IsZero() {
		add("as of %s", text.When(s.AsOf))
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
	fmt.Fprintf(&b, ": %s%s", about, figure.Format(p.Count, p.Unit))
	if p.Growth == 0 {
		fmt.Fprintf(&b, ", %.0f %% of all", 100*p.Share)
	} else {
		fmt.Fprintf(&b, ", up %s", figure.Format(p.Growth, p.Unit))
		if !p.Since.IsZero() {
			b.WriteString(" since " + text.When(p.Since))
		}
		fmt.Fprintf(&b, ", %.0f %% of the growth", 100*p.Share)
	}
	if !p.AsOf.IsZero() {
		b.WriteString(", as of " + text.When(p.AsOf))
	}
	return b.String()
}

// String names the resource, with what was alerted of it last.
func (r Affected) String() string {
	unit := figure.UnitOf(r.Resource)
	s := fmt.Sprintf("%s: %s, %s, %s now", r.Resource, r.Kind, r.Status, figure.Format(r.Value, unit))
	if r.SlopePerHour != 0 {
		s += ", " + figure.PerHour(r.SlopePerHour, unit)
	}
	if !r.Since.IsZero() {
		s += ", since " + text.When(r.Since)
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
func (p Profile) String() string { return p.Path + ": " + figure.Format(float64(p.Bytes), inBytes) }

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
