// Package comments reads the lines of a recording that begin with #, in recordings of our own and in tables of others.
package comments

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// What the first comment of a recording says, with the version of the format behind the prefix; and what is said of the
// source of each noted ceiling.
const (
	Prefix        = "# leaktrend recording v"
	Version       = "1"
	ceilingSource = "recorded ceiling"
	MaxBuild      = 64 // bytes of a version or revision
)

// Header holds what the notes of a recording say about all of it.
type Header struct {
	Interval time.Duration // wanted time between two samples; 0 = unknown
	// length of the run that the time constants were scaled to; 0 = recorded with the normal ones
	Soak   time.Duration
	Source string // what was recorded, one line; "" = unknown
}

// Notes are what the comments of a recording say, up to one of them: what begins with # has a meaning there, in tables
// of others too. The zero value is ready.
type Notes struct {
	Header   Header
	Start    time.Time // of the process
	PID      int       // of the process
	Version  string    // of what it runs
	Revision string
	Levels   []sampler.Ceiling // as noted, 0 included
	Ceilings []sampler.Ceiling // those above 0; never written to again
	Lost     int               // samples that could not be written when it was recorded
	V1       bool              // the file says that it is a recording: its Writer ends every line
	stamps   scan.Times
}

// Parse reads a line that begins with #; hasSamples says whether samples come before it. Notes of unknown meaning are
// ignored, what is wrong with others is reported to fault.
func (n *Notes) Parse(line []byte, hasSamples bool, fault func(format string, args ...any)) {
	if version, ok := bytes.CutPrefix(line, []byte(Prefix)); ok {
		if string(bytes.TrimSpace(version)) != Version {
			fault("recording format v%s is not known to this release: read as v1",
				scan.Printable(string(bytes.TrimSpace(version))))
		}
		if hasSamples { // recordings one after the other: the notes of the former do not hold for the next
			n.Header, n.Start, n.Levels, n.Ceilings = Header{}, time.Time{}, nil, nil
			n.PID, n.Version, n.Revision = 0, "", ""
		}
		n.V1 = true
		return
	}
	key, value, ok := bytes.Cut(bytes.TrimLeft(line, "# \t"), []byte(":"))
	if !ok {
		return
	}
	value = bytes.TrimSpace(value)
	switch string(bytes.TrimSpace(key)) {
	case "source":
		n.Header.Source = scan.Printable(string(value))
	case "interval":
		parseDuration(&n.Header.Interval, "interval", value, fault)
	case "soak":
		parseDuration(&n.Header.Soak, "soak", value, fault)
	case "start":
		sec, nsec, err := n.stamps.Parse(value)
		if err != nil {
			fault("start: %s: %w: ignored", scan.Shown(value), err)
			return
		}
		if start := time.Unix(sec, nsec).UTC(); !start.Equal(n.Start) { // what the next process runs is noted behind it
			n.Start, n.Version, n.Revision = start, "", ""
		}
	case "pid":
		pid, err := strconv.ParseUint(string(value), 10, 31)
		switch {
		case err == nil && pid > 0 && int(pid) != n.PID:
			n.PID, n.Version, n.Revision = int(pid), "", ""
		case (err != nil || pid == 0) && n.V1: // elsewhere a note may be about anything
			fault("pid: %s: not the number of a process: ignored", scan.Shown(value))
		}
	case "version":
		n.Version = buildNote(value)
	case "revision":
		n.Revision = buildNote(value)
	case "ceiling":
		n.parseCeiling(value, fault)
	case "lost":
		if count, _, ok := bytes.Cut(value, []byte(" ")); ok {
			lost, err := strconv.ParseUint(string(count), 10, 31)
			if err == nil {
				n.Lost += int(lost)
			}
		}
	}
}

// buildNote returns the text of a version or revision.
func buildNote(value []byte) string { return scan.Printable(string(value[:min(len(value), MaxBuild)])) }

func parseDuration(to *time.Duration, key string, value []byte, fault func(format string, args ...any)) {
	d, err := sampler.ParseDuration(string(value))
	if err != nil || d <= 0 {
		fault("%s: %s: not a duration above zero, like 30s: ignored", key, scan.Shown(value))
		return
	}
	*to = d
}

// parseCeiling reads RESOURCE LEVEL. The level is the last word, as a resource with labels may have blanks in its name.
func (n *Notes) parseCeiling(value []byte, fault func(format string, args ...any)) {
	i := bytes.LastIndexAny(value, " \t")
	if i < 0 {
		fault("ceiling: %s: not a resource and a level: ignored", scan.Shown(value))
		return
	}
	level, err := scan.Finite(value[i+1:])
	if err != nil || level < 0 || math.Signbit(level) {
		fault("ceiling: %s: %s is not a level of 0 or more: ignored", scan.Shown(value), scan.Shown(value[i+1:]))
		return
	}
	name := naming.Recordable(string(bytes.TrimSpace(value[:i])))
	known := false
	for k := range n.Levels {
		if n.Levels[k].Resource == name {
			n.Levels[k].Level, known = level, true
		}
	}
	if !known {
		if len(n.Levels) >= input.DefaultBounds.Limits {
			fault("ceiling: more than %d of them: ignored", input.DefaultBounds.Limits)
			return
		}
		n.Levels = append(n.Levels, sampler.Ceiling{Resource: name, Level: level, Source: ceilingSource})
	}
	n.Ceilings = nil
	for _, c := range n.Levels {
		if c.Level > 0 {
			n.Ceilings = append(n.Ceilings, c)
		}
	}
}
