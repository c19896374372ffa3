package logs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// GCLog is the log of a JVM's garbage collections.
var GCLog = gathered.Format{Recognizes: isGCLog, Read: readGCLog}

const gcLogFormat = "log of a JVM's garbage collections"

// Lines of collections, as -Xlog:gc of JDK 9 and later writes them, and -XX:+PrintGCDetails before. gcChange is what
// the heap had before and after, and in brackets what it may have.
var (
	gcUnified = regexp.MustCompile(`\]\s*GC\(\d+\) (?:Pause|Concurrent cleanup) ` +
		`.*?(\d+(?:\.\d+)?)([BKMG])->(\d+(?:\.\d+)?)([BKMG])\((\d+(?:\.\d+)?)([BKMG])\)`)
	gcZ = regexp.MustCompile(`\]\s*GC\(\d+\) (?:Garbage|Minor|Major) Collection ` +
		`.*?\d+[BKMG]\(\d+%\)->(\d+)([BKMG])\(\d+%\)`)
	gcOld    = regexp.MustCompile(`: \[(?:Full )?GC\b`)
	gcChange = regexp.MustCompile(
		`(\d+(?:\.\d+)?)([BKMG])(?:\(\S+\))?->(\d+(?:\.\d+)?)([BKMG])\((\d+(?:\.\d+)?)([BKMG])\)`)
	gcNumber = regexp.MustCompile(`\bGC\((\d{1,9})\)`)
	gcInner  = regexp.MustCompile(`\[[^\[\]]*\]`)
	gcStamp  = regexp.MustCompile(`^\[?(\d{4}-\d\d-\d\dT[\d:.,]+(?:[+-]\d{4}|Z)?)`)
	gcUptime = regexp.MustCompile(`^(?:\[(\d+(?:[.,]\d+)?)s\]|(\d+(?:[.,]\d+)?): \[)`)
)

// maxBetween is how many collections may come between the pauses of one that goes on beside the program.
const maxBetween = 3

// heapAfter returns the heap in use after the collection of a line, and what it may take.
func heapAfter(line string) (after, capacity string, ok bool) {
	if m := gcUnified.FindStringSubmatch(line); m != nil {
		return m[3] + m[4], m[5] + m[6], true
	}
	if m := gcZ.FindStringSubmatch(line); m != nil {
		return m[1] + m[2], "", true // its shares are of what the heap may have
	}
	at := gcOld.FindStringIndex(line)
	if at == nil {
		return "", "", false
	}
	line = line[at[1]:]
	for short := ""; short != line; { // what generations had stands in brackets of its own
		short = line
		line = gcInner.ReplaceAllString(line, "")
	}
	m := gcChange.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return m[3] + m[4], m[5] + m[6], true
}

func isGCLog(start []byte) bool {
	return tokens.OneOfFirst(200, start, func(line []byte) bool {
		_, _, ok := heapAfter(string(line))
		return ok
	})
}

// readGCLog makes a row of each collection that stopped the program: what it left in use. Other lines are not counted:
// a log says much besides.
func readGCLog(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: gcLogFormat, Header: []string{"time", "heap_after_gc_bytes", "heap_committed_bytes"},
		Ignore: map[string]string{"heap_committed_bytes": "a limit"}}
	elapsed, last := false, -1
	var starts []int64 // the first time of each process: one log may be of several, each after the other
	for _, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		after, capacity, ok := heapAfter(line)
		if !ok {
			continue
		}
		at := ""
		if m := gcStamp.FindStringSubmatch(line); m != nil {
			at = m[1]
		} else if m := gcUptime.FindStringSubmatch(line); m != nil {
			at, elapsed = strings.Replace(m[1]+m[2], ",", ".", 1), true
		} else {
			return nil, gathered.New(t, gcLogFormat).Refuse(fmt.Sprintf("its lines, as %s, have no times",
				scan.Shown([]byte(line))),
				"log with -Xlog:gc:gc.log:time,uptime or -XX:+PrintGCDateStamps")
		}
		number := last
		if m := gcNumber.FindStringSubmatch(line); m != nil {
			number, _ = strconv.Atoi(m[1])
		}
		if stamp, form := scan.Instant(at, s.Dates); form == scan.Text &&
			(len(starts) == 0 || number == 0 && last > maxBetween) {
			starts = append(starts, stamp.UnixNano())
		}
		last = number
		s.Put(t, []string{at, inBytes(after), inBytes(capacity)})
	}
	if elapsed {
		s.Header[0] = "elapsed_s"
	}
	g, err := s.Interpret(t, o)
	if err == nil && !elapsed {
		for _, at := range starts {
			g.Processes[0].Starts.Add(at, float64(at)/1e9)
		}
	}
	return g, err
}

// inBytes writes a size of the JVM, whose units are of 1024, so that nothing else can be meant.
func inBytes(size string) string {
	if size == "" {
		return ""
	}
	unit := size[len(size)-1:]
	if unit == "B" {
		return size[:len(size)-1]
	}
	return size[:len(size)-1] + " " + unit + "iB"
}
