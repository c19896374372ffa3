package tune

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/mdzesseis/leaktrend/detector"
)

// Recommended returns the configuration in force with the chosen setting.
func (r *Result) Recommended(inForce detector.Config) detector.Config {
	return r.Choice.Setting.apply(inForce)
}

// ConfigYAML returns the recommended section resource_monitoring, with what was measured as comments. It was read back.
func (r *Result) ConfigYAML(inForce detector.Config) ([]byte, error) {
	config := r.Recommended(inForce)
	var b bytes.Buffer
	if err := detector.WriteConfig(&b, config, r.notes()); err != nil {
		return nil, err
	}
	got, _, err := detector.ParseConfig(bytes.NewReader(b.Bytes()), "the recommended configuration")
	if err == nil && got != config {
		err = errors.New("the recommended configuration does not read back as it was written")
	}
	return b.Bytes(), err
}

// notes are the measured figures, by key.
func (r *Result) notes() map[string]string {
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
				add(fmt.Sprintf("%s: %s false alarms per run, recall %s.", g.title(), Rate(t.Rate), Percent(t.Recall)))
			}
		}
	}
	notes := map[string]string{"adaptive.sensitivity": strings.Join(lines, "\n")}
	if r.Choice.Setting.LeastGrowth != r.InForce.LeastGrowth {
		notes["adaptive.least_growth"] = fmt.Sprintf("Chosen, instead of %s, together with the sensitivity.", number(r.InForce.LeastGrowth))
	}
	return notes
}
