package remembered

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// WriteText writes a table of the lives for each resource. Times are in UTC.
func WriteText(w io.Writer, all []*Process) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s: %s, until %s%s\n", p.Name(), p.counted(),
			p.Written.UTC().Format("2006-01-02 15:04:05 UTC"), p.scaled())
		for k := range p.Resources {
			r := &p.Resources[k]
			fmt.Fprintf(out, "\n%s\nstarted (UTC)\tage\tversion\tfirst level\tlast level\trate\tended\n", r.Name)
			for j := range r.Lives {
				fmt.Fprintln(out, r.row(&r.Lives[j]))
			}
		}
		if text := p.unmoved(); text != "" {
			fmt.Fprintln(out, "\n"+text)
		}
		if len(p.Resources) == 0 {
			fmt.Fprintln(out, "None lasted long enough to tell anything.")
		}
	}
	return out.Flush()
}

// scaled says of a soak run that its ages are others.
func (p *Process) scaled() string {
	if p.Record.Scale == 1 {
		return ""
	}
	return fmt.Sprintf(", in soak mode: time constants scaled by %.2g", p.Record.Scale)
}

const absent = "-"

func (r *Resource) row(l *Life) string {
	if l.Count > 0 {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", began(l.Life).UTC().Format("2006-01-02 15:04"), absent,
			orAbsent(build(l.Life)), absent, absent, absent,
			short(l.Life))
	}
	start, end, rate := absent, absent, absent
	if l.Curve != nil {
		start, end = r.Format(l.Curve.Start), r.Format(l.Curve.Last)
		if perHour, ok := l.Rate(); ok {
			rate = r.FormatPerHour(perHour)
		}
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", began(l.Life).UTC().Format("2006-01-02 15:04"),
		sampler.FormatDuration(age(l.Life)), orAbsent(build(l.Life)),
		start, end, rate, ended(l.Life))
}

// short says of lives that were too short to tell anything how many there were.
func short(l *lives.Life) string {
	lasted := "until " + l.End.UTC().Format("2006-01-02 15:04")
	if l.Count == 1 {
		return "1 short life, " + lasted
	}
	return fmt.Sprintf("%d short lives, %s", l.Count, lasted)
}

func orAbsent(text string) string {
	if text == "" {
		return absent
	}
	return text
}

// jsonLife is a life as an object.
type jsonLife struct {
	Kind       string               `json:"kind"` // life
	File       string               `json:"file"`
	Executable string               `json:"executable"`
	Instance   string               `json:"instance"`
	Start      time.Time            `json:"start,omitzero"`
	First      time.Time            `json:"first"`
	End        time.Time            `json:"end"`
	AgeSeconds float64              `json:"age_seconds"`
	Version    string               `json:"version,omitempty"`
	Revision   string               `json:"revision,omitempty"`
	Ended      lives.End            `json:"ended"`
	Near       string               `json:"near,omitempty"`
	Count      int                  `json:"count,omitempty"` // of short lives that this one stands for
	Resources  map[string]jsonCurve `json:"resources,omitempty"`
}

type jsonCurve struct {
	Start   float64      `json:"start"` // level, in the unit of the resource
	Last    float64      `json:"last"`
	PerHour *float64     `json:"per_hour,omitempty"`
	Grew    bool         `json:"grew,omitempty"` // it ended in growth that was found or suspected
	Floors  [][2]float64 `json:"floors"`         // age in seconds and level
}

// WriteJSON writes an object for each life, one a line.
func WriteJSON(w io.Writer, all []*Process) error {
	encoder := json.NewEncoder(figure.JSONWriter(w))
	for _, p := range all {
		for i := range p.Record.Lives {
			l := &p.Record.Lives[i]
			object := jsonLife{
				Kind: "life", File: p.File, Executable: p.Executable, Instance: p.Instance, Start: l.Start,
				First: l.First, End: l.End,
				AgeSeconds: age(l).Seconds(), Version: l.Version, Revision: l.Revision, Ended: l.Ended, Near: l.Near,
				Count: l.Count,
			}
			for name, curve := range l.Curves {
				c := jsonCurve{Start: curve.Start, Last: curve.Last, Grew: curve.Grew, Floors: [][2]float64{}}
				if perHour, ok := (&Life{Life: l, Curve: &curve}).Rate(); ok {
					c.PerHour = &perHour
				}
				for i := range curve.Floors {
					if level, ok := curve.Level(i); ok {
						c.Floors = append(c.Floors, [2]float64{curve.Age(i), level})
					}
				}
				if object.Resources == nil {
					object.Resources = map[string]jsonCurve{}
				}
				object.Resources[name] = c
			}
			if err := encoder.Encode(object); err != nil {
				return err
			}
		}
	}
	return nil
}
