package wording

import (
	"strings"
	"time"

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
		others = append(others, one.Resource+" ("+r.Format(one.Value)+asOf(one.Time, a.Time)+")")
	}
	if len(others) == 0 {
		return ""
	}
	return "; one incident with " + strings.Join(others, ", ")
}

// asOf says of when a figure is that an alert repeats, as a clause; "" where it is of the alert's own time.
func asOf(of, alertTime time.Time) string {
	of = of.In(alertTime.Location())
	at := of.Format(time.DateTime)
	switch {
	case of.IsZero() || at == alertTime.Format(time.DateTime):
		return ""
	case of.Format(time.DateOnly) == alertTime.Format(time.DateOnly):
		at = of.Format(time.TimeOnly)
	}
	return " as of " + at
}
