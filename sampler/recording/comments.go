package recording

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
	recordingPrefix  = "# leaktrend recording v"
	recordingVersion = "1"
	ceilingSource    = "recorded ceiling"
	maxBuild         = 64 // bytes of a version or revision
)

// header holds what the notes of a recording say about all of it.
type header struct {
	Interval time.Duration // wanted time between two samples; 0 = unknown
	// length of the run that the time constants were scaled to; 0 = recorded with the normal ones
	Soak   time.Duration
	Source string // what was recorded, one line; "" = unknown
}

// notes are what the comments of a recording say, up to one of them: what begins with # has a meaning there, in tables
// of others too. The zero value is ready.
type notes struct {
	header   header
	start    time.Time // of the process
	pid      int       // of the process
	version  string    // of what it runs
	revision string
	levels   []sampler.Ceiling // as noted, 0 included
	ceilings []sampler.Ceiling // those above 0; never written to again
	lost     int               // samples that could not be written when it was recorded
	v1       bool              // the file says that it is a recording: its Writer ends every line
	stamps   scan.Times
}

// take reads a line that begins with #; begun says whether samples stand before it. Notes of unknown meaning are
// ignored, what is wrong with others is told to fault.
func (n *notes) take(line []byte, begun bool, fault func(format string, args ...any)) {
	if version, ok := bytes.CutPrefix(line, []byte(recordingPrefix)); ok {
		if string(bytes.TrimSpace(version)) != recordingVersion {
			fault("recording format v%s is not known to this release: read as v1",
				scan.Printable(string(bytes.TrimSpace(version))))
		}
		if begun { // recordings one after the other: the notes of the former do not hold for the next
			n.header, n.start, n.levels, n.ceilings = header{}, time.Time{}, nil, nil
			n.pid, n.version, n.revision = 0, "", ""
		}
		n.v1 = true
		return
	}
	key, value, ok := bytes.Cut(bytes.TrimLeft(line, "# \t"), []byte(":"))
	if !ok {
		return
	}
	value = bytes.TrimSpace(value)
	switch string(bytes.TrimSpace(key)) {
	case "source":
		n.header.Source = scan.Printable(string(value))
	case "interval":
		takeDuration(&n.header.Interval, "interval", value, fault)
	case "soak":
		takeDuration(&n.header.Soak, "soak", value, fault)
	case "start":
		sec, nsec, err := n.stamps.Parse(value)
		if err != nil {
			fault("start: %s: %w: ignored", scan.Shown(value), err)
			return
		}
		if start := time.Unix(sec, nsec).UTC(); !start.Equal(n.start) { // what the next process runs is noted behind it
			n.start, n.version, n.revision = start, "", ""
		}
	case "pid":
		pid, err := strconv.ParseUint(string(value), 10, 31)
		switch {
		case err == nil && pid > 0 && int(pid) != n.pid:
			n.pid, n.version, n.revision = int(pid), "", ""
		case (err != nil || pid == 0) && n.v1: // elsewhere a note may be about anything
			fault("pid: %s: not the number of a process: ignored", scan.Shown(value))
		}
	case "version":
		n.version = buildNote(value)
	case "revision":
		n.revision = buildNote(value)
	case "ceiling":
		n.takeCeiling(value, fault)
	case "lost":
		if count, _, ok := bytes.Cut(value, []byte(" ")); ok {
			lost, err := strconv.ParseUint(string(count), 10, 31)
			if err == nil {
				n.lost += int(lost)
			}
		}
	}
}

// buildNote returns the text of a version or revision.
func buildNote(value []byte) string { return scan.Printable(string(value[:min(len(value), maxBuild)])) }

func takeDuration(to *time.Duration, key string, value []byte, fault func(format string, args ...any)) {
	d, err := sampler.ParseDuration(string(value))
	if err != nil || d <= 0 {
		fault("%s: %s: not a duration above zero, like 30s: ignored", key, scan.Shown(value))
		return
	}
	*to = d
}

// takeCeiling reads RESOURCE LEVEL. The level is the last word, as a resource with labels may have blanks in its name.
func (n *notes) takeCeiling(value []byte, fault func(format string, args ...any)) {
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
	for k := range n.levels {
		if n.levels[k].Resource == name {
			n.levels[k].Level, known = level, true
		}
	}
	if !known {
		if len(n.levels) >= input.DefaultBounds.Limits {
			fault("ceiling: more than %d of them: ignored", input.DefaultBounds.Limits)
			return
		}
		n.levels = append(n.levels, sampler.Ceiling{Resource: name, Level: level, Source: ceilingSource})
	}
	n.ceilings = nil
	for _, c := range n.levels {
		if c.Level > 0 {
			n.ceilings = append(n.ceilings, c)
		}
	}
}
