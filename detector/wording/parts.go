package wording

import (
	"fmt"
	"math"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// PartClause says what grew in descriptors or threads, in a clause such as "95 of 97 new descriptors are tcp CLOSE_WAIT
// to 10.0.0.5:5432".
func PartClause(resource string, p *alerting.Part) string {
	plural := "threads"
	name := p.Detail
	if resource == sampler.OpenFDs {
		plural = "descriptors"
		name = p.What
		if p.Detail != "" {
			name += " " + p.Detail
		}
	}
	n := p.Count
	if p.Growth != 0 {
		n, plural = p.Growth, "new "+plural
	}
	r, _ := sampler.Lookup(resource)
	text := fmt.Sprintf("%s of %s", r.Format(n), r.Format(math.Round(n/p.Share)))
	if p.Share == 1 {
		text = "all " + r.Format(n)
	}
	if p.Estimated {
		text = "about " + text
	}
	return text + " " + plural + " are " + name
}
