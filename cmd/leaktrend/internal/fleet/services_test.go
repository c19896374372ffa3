package fleet

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
)

// servicesEnv asks for more, as "SEED NUMBER WEEKS", of services of each family and of lives, and for the figures by
// family and those that the rates of healthy services are made of: with -v.
const servicesEnv = "LEAKTREND_SERVICES"

// Generated services of a week of deploys, crashes and restarts, as a scan at its end judges them over their lives: the
// mean evidence against healthy ones is at most 1, on a seed that it was not made from.
func TestLivesOfServices(t *testing.T) {
	seed, each, weeks := uint64(62), 20, 1
	text := os.Getenv(servicesEnv)
	if text != "" {
		if n, err := fmt.Sscan(text, &seed, &each, &weeks); n < 2 || each < 1 || weeks < 1 {
			t.Fatalf("%s=%s: want a seed, a number of services and one of weeks: %v", servicesEnv, text, err)
		}
	}
	span := time.Duration(weeks) * watched
	var grown [2]grownLives
	for ranges, half := range []string{generate.Tune: "tune", generate.Report: "report"} {
		o := generate.Options{
			Seed: seed, PerFamily: each, Ranges: generate.Split(ranges), Interval: calibration.Step,
			Span: generate.Range{Min: span, Max: span},
		}
		var healthy, leaking evidenced
		for _, family := range generate.Services() {
			of := evidenced{}
			for i := range each {
				f, tried := serviceOverLives(o, family.Name, i)
				of.add(f.EValue)
				leaks := 0
				if family.Leaks {
					leaks = 1
				}
				grown[leaks].add(&f, tried)
			}
			if family.Leaks {
				leaking.join(of)
			} else {
				healthy.join(of)
			}
			if text != "" {
				t.Logf("%s half, %-26s leaks %-5v ambiguous %-5v %v", half, family.Name, family.Leaks, family.Ambiguous,
					of)
			}
		}
		t.Logf("%s half: healthy %v; leaks %v", half, healthy, leaking)
		if mean := healthy.sum / float64(healthy.n); mean > 1 {
			t.Errorf("%s half: the mean evidence against healthy services is %.2f, above 1", half, mean)
		}
		if leaking.clear == 0 {
			t.Errorf("%s half: no leak of %d is clear", half, leaking.n)
		}
	}
	t.Logf("healthy: %v", &grown[0])
	t.Logf("leaking: %v", &grown[1])
}

// grownLives counts services that grow over their lives, by how much and on which grounds, apart for memory.
type grownLives struct {
	judged [2]int
	grew   [2][allGrounds][]float64
}

func (g *grownLives) add(f *foundOver, tried bool) {
	if !tried {
		return
	}
	memory := 0
	if isMemory(f.Resource) {
		memory = 1
	}
	g.judged[memory]++
	if f.Lives != nil {
		g.grew[memory][f.grounds] = append(g.grew[memory][f.grounds], f.Lives.Growth)
	}
}

func (g *grownLives) String() (text string) {
	for memory, what := range []string{"counts", "memory"} {
		text += fmt.Sprintf("\n%s, of %d judged:", what, g.judged[memory])
		for of, all := range g.grew[memory] {
			text += fmt.Sprintf(" grounds %d:", of)
			for _, least := range healthyMemory.grew {
				n := 0
				for _, growth := range all {
					if growth >= least.growth {
						n++
					}
				}
				text += fmt.Sprintf(" %d", n)
			}
			text += ";"
		}
	}
	return text
}

// evidenced counts services with evidence over their lives.
type evidenced struct {
	n, grow, clear int // all, those with any evidence, those with evidence of 100 or more
	sum            float64
}

func (t *evidenced) add(e float64) {
	t.n++
	t.sum += e
	if e > 0 {
		t.grow++
	}
	if e >= 100 {
		t.clear++
	}
}

func (t *evidenced) join(o evidenced) {
	*t = evidenced{t.n + o.n, t.grow + o.grow, t.clear + o.clear, t.sum + o.sum}
}

func (t evidenced) String() string {
	return fmt.Sprintf("%d of %d grow, %d clearly, mean evidence %.2f", t.grow, t.n, t.clear, t.sum/float64(t.n))
}

// serviceOverLives judges a generated service over its lives, as a scan at its end.
func serviceOverLives(o generate.Options, family string, index int) (f foundOver, tried bool) {
	r, all := generate.Service(o, family, index)
	begin := time.Unix(0, r.Times[0]).UTC()
	g := prom.Grid{Start: begin, Step: o.Interval,
		N: int(time.Duration(r.Times[len(r.Times)-1]-r.Times[0])/o.Interval) + 1}
	var stays []stay
	var short spans
	for k, of := range all {
		p := &process{readings: []reading{{resource: r.Series[0].Resource, values: make([]float64, g.N)}}}
		for i := range p.readings[0].values {
			p.readings[0].values[i] = math.NaN()
		}
		if of.From >= of.To {
			continue
		}
		for i := of.From; i < of.To; i++ {
			at := min(int(time.Duration(r.Times[i]-r.Times[0])/o.Interval), g.N-1)
			p.readings[0].values[at] = r.Series[0].Values[i]
		}
		l := life{first: time.Unix(0, r.Times[of.From]).UTC(), last: time.Unix(0, r.Times[of.To-1]).UTC(),
			ends: k < len(all)-1}
		if curve, ok := curvesOf(p, &l, g)[r.Series[0].Resource]; ok {
			stays = append(stays, stay{labels: map[string]string{}, first: l.first, last: l.last, version: of.Version,
				ends: l.ends, curve: curve})
		} else {
			short = short.with(span{l.first, l.last})
		}
	}
	resource, _ := sampler.Lookup(r.Series[0].Resource)
	f, tried, _ = overLives(placesOf(stays, short), short, resource, g.At(g.N-1))
	f.Resource = resource
	return f, tried
}
