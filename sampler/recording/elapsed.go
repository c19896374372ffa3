package recording

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// passed reads a length of time as tools write what has passed: 26:03:04, 1-02:03:04, 1 day 2:03:04, or as Go does.
func passed(text string) (since time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '-' {
		return 0, false
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	m := passedForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		n, err := strconv.ParseUint(m[i+1], 10, 20)
		if err != nil && m[i+1] != "" {
			return 0, false
		}
		since += time.Duration(n) * unit
	}
	seconds, err := strconv.ParseFloat(m[4], 64)
	if err != nil {
		return 0, false
	}
	return since + time.Duration(seconds*1e9), true
}

var passedForm = regexp.MustCompile(`^(?:(\d+)(?:-| ?d(?:ays?)?,? ))?(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)$`)
