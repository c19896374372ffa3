package wording

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// starvedAfter is the wait for a processor from which on it is told as the reason.
const starvedAfter = 100 * time.Millisecond

// evidences are what people call the evidence of the sources that come with a monitor.
var evidences = map[string]string{"sites": "lines of code", "parts": "what they are", "captures": "captures",
	"holders": "what keeps them alive"}

// MissingClause says as clauses what an alert lacks and why; "" where it lacks nothing. Of descriptors it lacks no
// lines where those of goroutines are named that hold them.
func MissingClause(a *alerting.Alert) string {
	var reasons []string
	what := make(map[string][]string)
	held := a.Resource == sampler.OpenFDs && slices.ContainsFunc(a.Sites, func(s alerting.Site) bool {
		return s.Count > 0 && s.Bytes == 0
	})
	for _, m := range a.Missing {
		if m.What == "sites" && held {
			continue
		}
		if what[m.Why] == nil {
			reasons = append(reasons, m.Why)
		}
		name := m.What
		switch text, ok := evidences[name]; {
		case name == "sites" && isMemory(a.Resource):
			name = "lines that allocate"
		case ok:
			name = text
		}
		what[m.Why] = append(what[m.Why], name)
	}
	text := ""
	for _, why := range reasons {
		text += fmt.Sprintf("; missing: %s (%s)", strings.Join(what[why], ", "), why)
	}
	return text
}

// NotYet is why evidence is missing that was not there in time: starved is the longest that a goroutine of this process
// had to wait for a processor meanwhile.
func NotYet(waited, starved time.Duration) string {
	text := "not there after " + sampler.FormatDuration(waited.Round(100*time.Millisecond))
	if starved >= starvedAfter {
		text += ": starved of processor, goroutines waited up to " +
			sampler.FormatDuration(starved.Round(10*time.Millisecond)) + " to run"
	}
	return text
}

// BeforeGrowth is why the lines of code that made a growth are missing: the latest profile is from before it, or there
// is none. why says as a clause what keeps another from being taken; "" where that is not known.
func BeforeGrowth(taken time.Time, why string) string {
	if taken.IsZero() {
		return cmp.Or(why, "there is no profile")
	}
	text := "the latest profile is from " + taken.Format("15:04:05 MST") +
		", before the growth: what it lists is not blamed"
	if why != "" {
		text += "; " + why
	}
	return text
}
