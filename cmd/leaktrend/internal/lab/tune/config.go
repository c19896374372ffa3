package tune

import (
	"fmt"
	"strings"
)

// notesOf returns the measured figures as comments on the recommended configuration, by key.
func notesOf(r *Result) map[string]string {
	var lines []string
	add := func(text string) { lines = append(lines, wrap(text, textWidth, "")...) }
	origin := "Kept"
	if r.Choice.Setting != r.InForce {
		origin = fmt.Sprintf("Chosen, instead of %s,", number(r.InForce.Sensitivity))
	}
	add(fmt.Sprintf("%s by leaktrend tune on %s of %s, from %s, seed %d.", origin, count(r.Recordings, "recording"),
		count(r.Programs, "program"), r.From, r.Seed))
	for _, line := range r.Advice() {
		add(line)
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		if g.SoakSeconds == 0 {
			continue
		}
		for k := range g.Trials {
			if t := &g.Trials[k]; t.Chosen {
				add(fmt.Sprintf("%s: %s false alarms per run, recall %s.", g.title(), rateText(t.Rate),
					percentText(t.Recall)))
			}
		}
	}
	notes := map[string]string{"adaptive.sensitivity": strings.Join(lines, "\n")}
	if r.Choice.Setting.MinGrowth != r.InForce.MinGrowth {
		notes["adaptive.least_growth"] = fmt.Sprintf("Chosen, instead of %s, together with the sensitivity.",
			number(r.InForce.MinGrowth))
	}
	for i := range r.Limits {
		if l := &r.Limits[i]; l.Proposed != l.InForce || l.InForce > 0 {
			var lines []string
			for _, line := range l.Advice() {
				lines = append(lines, wrap(line, textWidth, "")...)
			}
			notes[l.Key] = strings.Join(lines, "\n")
		}
	}
	return notes
}
