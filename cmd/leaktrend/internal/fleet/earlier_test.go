package fleet

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
)

const threeWeeks = 21 * 24 * time.Hour

// back adds what a series was in the three weeks before the week, by the days before its begin.
func (m *memory) back(labels string, level func(days float64) float64) {
	one := prom.Series{Labels: model.Metric{}}
	for _, pair := range strings.Split(labels, ",") {
		name, value, _ := strings.Cut(pair, "=")
		one.Labels[model.LabelName(name)] = model.LabelValue(value)
	}
	n := int(threeWeeks / lookBackStep)
	for i := range n {
		one.Values = append(one.Values, level(float64(n-1-i)*lookBackStep.Hours()/24)+float64(i*7919%5))
	}
	m.before = append(m.before, one)
}

// Of two that grow alike the one that came down again each week is no leak, as far as the server knows of it; and
// growth that each deploy took back tells nothing.
func TestLookBack(t *testing.T) {
	grows := growing(100, 20, 0)
	weekly := func(days float64) float64 { return 100 + 20*(6.9-float64(int(days*100)%690)/100) }
	m := &memory{}
	for i := range 40 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=well%d,instance=a", i), constant(100))
	}
	for _, job := range []string{"weekly", "leaks", "deployed", "young"} {
		m.add("__name__=go_goroutines,job="+job+",instance=a", grows)
	}
	m.add("__name__=process_start_time_seconds,job=deployed,instance=a", constant(1e9))
	m.back("__name__=go_goroutines,job=weekly,instance=a", weekly)
	m.back("__name__=go_goroutines,job=leaks,instance=a", func(float64) float64 { return 100 })
	m.back("__name__=go_goroutines,job=deployed,instance=a", weekly)
	m.back("__name__=process_start_time_seconds,job=deployed,instance=a", func(days float64) float64 {
		return 1e9 - 1e5*float64(int(days*100)/690+1)
	})
	m.back("__name__=go_goroutines,job=well0,instance=a", weekly)
	for _, history := range []time.Duration{0, threeWeeks + 7*24*time.Hour} {
		m.queries = nil
		r, err := scanOf(t, m, func(o *Options) {
			o.History, o.Calibration = history, calibration.Default()
		})
		if err != nil {
			t.Fatal(err)
		}
		chance := map[string]float64{}
		for _, f := range append(r.Findings, r.Suspects...) {
			chance[f.Group[0].Value] = f.Chance.Mean
		}
		for _, job := range []string{"leaks", "deployed", "young"} {
			if chance[job] < .5 {
				t.Errorf("history %v: chance of %s %.2f", history, job, chance[job])
			}
		}
		if history == 0 {
			if chance["weekly"] != chance["leaks"] || r.Back != 0 {
				t.Errorf("without history: %v, back %v", chance, r.Back)
			}
			continue
		}
		if chance["deployed"] >= minChance {
			t.Errorf("what each restart took back is no suspect, but a finding: %v", chance)
		}
		if !(chance["weekly"] < chance["leaks"]-.2) {
			t.Errorf("what fell back each week is as likely a leak: %v", chance)
		}
		if diff := cmp.Diff(threeWeeks, r.Back, cmp.Comparer(func(a, b time.Duration) bool {
			return (a - b).Abs() <= lookBackStep
		})); diff != "" {
			t.Errorf("looked back (-want +got):\n%s", diff)
		}
		for _, q := range m.queries {
			if strings.Contains(q, "[19m59s999ms]") && strings.Contains(q, "well") {
				t.Errorf("what does not grow is asked about: %s", q)
			}
		}
	}
}

// A part of the past that cannot be read is no part of the fleet that is missing.
func TestLookBackFails(t *testing.T) {
	m := &memory{}
	m.add("__name__=go_goroutines,job=a,instance=a", growing(100, 20, 0))
	m.fail = func(query string) error {
		if strings.Contains(query, "[19m59s999ms]") {
			return prom.ErrTooLarge
		}
		return nil
	}
	r, err := scanOf(t, m, func(o *Options) { o.History = threeWeeks })
	if err != nil || len(r.Missing) > 0 || len(r.Findings)+len(r.Suspects) != 1 {
		t.Errorf("%+v: %v", r, err)
	}
}

// calledAt returns the first instant after an age of a day, and not at a full hour, at which growth is called or takes
// itself back.
func calledAt(t *testing.T, p *process, g prom.Grid) (at time.Time, ok bool) {
	d, err := detector.New(calibration.Judgment())
	if err != nil {
		t.Fatal(err)
	}
	var s sampler.Sample
	for i := range g.N {
		s.Reset(g.At(i))
		s.Add(p.readings[0].resource, p.readings[0].values[i])
		if len(s.Readings) == 0 {
			continue
		}
		for _, e := range d.Observe(&s) {
			past := s.Time.Sub(s.Time.Truncate(time.Hour))
			if e.Kind == alerting.Trend && i > int(aDay/g.Step) && past >= 10*time.Minute && past <= 50*time.Minute {
				return s.Time, true
			}
		}
	}
	return time.Time{}, false
}

// Scans of the same hour find the same, with the same chances, also in the hour in which growth is first called. Each
// series ends in that hour.
func TestScansOfOneHourAgree(t *testing.T) {
	const length = 7 * 24 * time.Hour
	type ending struct {
		s    judgedSeries
		hour time.Time
	}
	var all []ending
	for i, family := range scores.Families(true) {
		s := judgedOf(77, family, 2, i, false)
		p, g := seriesOf(s.recording, nil, time.Unix(0, s.recording.Times[len(s.recording.Times)-1]))
		if at, ok := calledAt(t, p, g); ok {
			all = append(all, ending{s, at.Truncate(time.Hour)})
		}
		all = append(all, ending{s, s.end.Truncate(time.Hour)})
	}
	// It is first called at 20 minutes past an hour.
	border := &process{
		labels:   map[string]string{"job": "border"},
		readings: []reading{{resource: "goroutines", metric: "go_goroutines", values: growing(100, 60, 0)}},
	}
	minutes := []time.Duration{0, 5, 30, 55}
	var found []map[string]float64
	called := 0
	for _, minute := range minutes {
		c := newCollector(&Options{GroupBy: []string{"job"}, Calibration: calibration.Default()})
		called = 0
		for i, e := range all {
			whole, g := seriesOf(e.s.recording, nil, e.hour.Add(minute*time.Minute))
			whole.labels["job"] = fmt.Sprint(i, " ", e.s.family)
			p, grid := whole.from(g, length+minute*time.Minute)
			lives := p.judge(grid, calibration.Judgment())
			if l := &lives[len(lives)-1]; len(l.recent[settling-1].firing) > 0 {
				called++
			}
			c.add(p, lives)
		}
		young := week
		young.N = int((33*time.Hour+minute*time.Minute)/young.Step) + 1
		c.add(border, border.judge(young, calibration.Judgment()))
		r := c.report(.05, 0, time.Time{})
		now := map[string]float64{"findings": float64(len(r.Findings))}
		for _, f := range append(r.Findings, r.Suspects...) {
			now[f.Group[0].Value] = f.Chance.Mean
		}
		found = append(found, now)
	}
	if called < 5 || len(all)-called < 5 {
		t.Fatalf("%d of %d are called at the full hour", called, len(all))
	}
	for i, now := range found {
		if diff := cmp.Diff(found[0], now, cmpopts.EquateApprox(0, .005)); diff != "" {
			t.Errorf("%d minutes past the hour (-the hour +got):\n%s", minutes[i], diff)
		}
	}
}

// An hour in which growth is not confirmed, or is worth less, is not what a scan goes by: two of the last three are.
func TestStrengthIsThatOfThreeHours(t *testing.T) {
	c := calibration.Default()
	of := func(nats float64) detector.Status {
		return detector.Status{Resource: sampler.Resource{Name: "a"}, Trend: true, Grew: 60 * time.Hour, Nats: nats}
	}
	for _, test := range []struct {
		name string
		nats [settling]float64 // 0 = not found
		want float64
	}{
		{"steady", [settling]float64{50, 50, 50}, 50},
		{"weaker for an hour", [settling]float64{50, 20, 60}, 50},
		{"not found for an hour", [settling]float64{50, 0, 60}, 50},
		{"found for an hour", [settling]float64{0, 0, 60}, 0},
	} {
		now := of(test.nats[settling-1])
		l := life{first: week.At(0), last: week.At(0).Add(100 * time.Hour)}
		for k, nats := range test.nats {
			l.recent[k].age = l.length()
			if nats > 0 {
				l.recent[k].firing = []detector.Status{of(nats)}
			}
		}
		want := 0.
		if test.want > 0 {
			s := of(test.want)
			want = c.EValue(calibration.Score(&s), l.length())
		}
		if got := l.eValueOf(c, &now); got != want {
			t.Errorf("%s: %v, want %v", test.name, got, want)
		}
	}
}

// What a steady leak is worth rises with its age, without a jump at any length of history.
func TestAgeOfSteadyLeak(t *testing.T) {
	c := calibration.Default()
	p := &process{readings: []reading{{resource: "goroutines", metric: "go_goroutines", values: growing(100, 60, 0)}}}
	before := 0.
	for hours := 24; hours < 7*24; hours += 4 {
		g := week
		g.N = 12*hours + 1
		lives := p.judge(g, calibration.Judgment())
		e := lives[0].eValueOf(c, &lives[0].statuses[0])
		if before > 0 && (e < .9*before || e > 3*before) {
			t.Errorf("after %dh it is worth %.3g, %.3g four hours before", hours, e, before)
		}
		before = e
	}
}

// Growth that is first called in the middle of an hour is found from the next full hour on, with a strength that is the
// same for all scans of an hour.
func TestFirstCallWaitsForTheHour(t *testing.T) {
	c := calibration.Default()
	p := &process{readings: []reading{{resource: "goroutines", metric: "go_goroutines", values: growing(100, 60, 0)}}}
	found := map[time.Time]map[string]bool{} // what the scans of an hour say
	for n := 32 * 12; n < 40*12; n++ {
		g := week
		g.N = n
		l := p.judge(g, calibration.Judgment())[0]
		hour := g.At(n - 1).Truncate(time.Hour)
		if found[hour] == nil {
			found[hour] = map[string]bool{}
		}
		found[hour][fmt.Sprintf("found %v, worth %.6g", l.statuses[0].Trend, l.eValueOf(c, &l.statuses[0]))] = true
	}
	all := map[string]bool{}
	for hour, said := range found {
		if len(said) != 1 {
			t.Errorf("scans of %v differ: %v", hour, said)
		}
		maps.Copy(all, said)
	}
	if len(all) < 3 {
		t.Errorf("only %v", all)
	}
}

// Growth that a weekly job takes back is known by one fall, wherever in the two weeks that are known: also at the
// border of the week that is watched and the one before, where neither shows it alone. Growth since the begin, which
// nothing took back, is not.
func TestFallAtTheBorder(t *testing.T) {
	const before = 7 * 24 * time.Hour
	c := calibration.Default()
	coarse := prom.GridTo(week.At(0).Add(-week.Step), before, lookBackStep)
	for _, hours := range []float64{-20, -6, 0, 6, 12, 20, 30} {
		for _, restarts := range []bool{false, true} {
			border := week.At(0).Add(time.Duration(hours * float64(time.Hour)))
			read := func(g prom.Grid) *process {
				p := &process{labels: map[string]string{"job": "a"},
					readings: []reading{{resource: "goroutines", values: make([]float64, g.N)}}}
				for i := range g.N {
					since, start := g.At(i).Sub(border), 1e9
					if since < 0 {
						since += before
					} else if restarts {
						start = 1e9 + 1e6
					}
					p.readings[0].values[i] = 100 + 100*since.Hours()/24 + float64(i*7919%5)
					p.start = append(p.start, start)
				}
				return p
			}
			now, early := read(week), read(coarse)
			lives := now.judge(week, calibration.Judgment())
			running := &lives[len(lives)-1]
			e := running.eValueOf(c, &running.statuses[0])
			asked := claimsOf(now, week, lives, c)
			found := newCollector(&Options{GroupBy: []string{"job"}, Calibration: c})
			found.recalled.recall(early, coarse, early.judge(coarse, calibration.Judgment()), asked)
			name := ""
			for name = range found.recalled.falls {
			}
			nothing, cuts := own(found.recalled.falls[name]["goroutines"], e,
				running.statuses[0].Since.Add(2*time.Hour), running.last)
			if (nothing > 0) == restarts || (cuts > 0) != restarts {
				t.Errorf("%v hours after the border, restarts %v: %d falls, %d cut off; worth %.3g", hours, restarts,
					nothing, cuts, e)
			}
		}
	}
}
