package wording

import (
	"strings"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// IncidentClause tells of an alert with which other resources its own is one incident, as a clause; "" where there are
// none.
func IncidentClause(a *alerting.Alert) string {
	var others []string
	named := map[string]bool{a.Resource: true}
	for i := range a.Resources {
		one := &a.Resources[i]
		if named[one.Resource] || one.Status != a.Status {
			continue
		}
		named[one.Resource] = true
		r, _ := sampler.Lookup(one.Resource)
		others = append(others, one.Resource+" ("+r.Format(one.Value)+")")
	}
	if len(others) == 0 {
		return ""
	}
	return "; one incident with " + strings.Join(others, ", ")
}
