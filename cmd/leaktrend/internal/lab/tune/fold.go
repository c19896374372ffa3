package tune

import (
	"fmt"
	"slices"
	"strings"
)

// folded is a setting, and those behind it in order of sensitivity that did the same.
type folded struct {
	Trial
	last float64 // sensitivity of the last of them
	at   float64 // sensitivity of the one that is marked; 0 = none is
}

// fold puts neighbours that did the same into one.
func fold(trials []Trial) (out []folded) {
	for _, t := range trials {
		marked := 0.
		if t.InForce || t.Chosen {
			marked = t.Sensitivity
		}
		if n := len(out); n > 0 && out[n-1].MinGrowth == t.MinGrowth && same(&out[n-1].Figures, &t.Figures) &&
			(marked == 0 || out[n-1].at == 0) {
			f := &out[n-1]
			f.last = t.Sensitivity
			if marked > 0 {
				f.at, f.InForce, f.Chosen = marked, t.InForce, t.Chosen
			}
			continue
		}
		out = append(out, folded{t, t.Sensitivity, marked})
	}
	return out
}

// sensitivity writes the one, or from where to where.
func (f *folded) sensitivity() string {
	if f.last == f.Sensitivity {
		return number(f.Sensitivity)
	}
	return number(f.Sensitivity) + " to " + number(f.last)
}

// mark says which of them is in force or recommended.
func (f *folded) mark() string {
	text := mark(f.InForce, f.Chosen)
	if f.at == 0 || f.last == f.Sensitivity {
		return text
	}
	return text + " at " + number(f.at)
}

// silent splits off the methods, but for this configuration, that never fired.
func silent(methods []Method) (speak []Method, silent []string) {
	for i, m := range methods {
		if i > 0 && m.All.FalseAlarms == 0 && m.All.Found == 0 {
			silent = append(silent, m.Name)
			continue
		}
		speak = append(speak, m)
	}
	return speak, silent
}

// withoutQuiet splits off the resources on which nothing was found, true or false.
func withoutQuiet(all []Named) (worth []Named, quiet string) {
	var names []string
	for _, n := range all {
		if n.FalseAlarms == 0 && n.Leaks == 0 {
			names = append(names, n.Name)
		} else {
			worth = append(worth, n)
		}
	}
	const maxNames = 8
	if more := len(names) - maxNames; more > 0 {
		names = append(slices.Clip(names[:maxNames]), fmt.Sprintf("%d more", more))
	}
	return worth, strings.Join(names, ", ")
}
