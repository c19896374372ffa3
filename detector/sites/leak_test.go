package sites

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// A leak is one identity, whatever shows it: each step is what the lines or the total show at a minute, and what of it
// is delivered.
func TestLeak(t *testing.T) {
	const cooldown = 30 * time.Minute
	line := func(number int, growth float64, marks ...string) Finding {
		f := Finding{
			Site:  alerting.Site{Function: "main.f", File: "/src/main.go", Line: number, GrowthPerHour: 60},
			Since: began, Growth: growth,
		}
		for _, mark := range marks {
			f.Site.Proven, f.GivenBack = f.Site.Proven || mark == "proven", f.GivenBack || mark == "given back"
		}
		return f
	}
	type step struct {
		minute int
		lines  []Finding       // where total is nil
		total  *alerting.Event // an event on the total
		byLine int             // that made most of the total's growth
		holds  bool            // an alert on the total
		want   string
	}
	fires := func(severity alerting.Severity) *alerting.Event {
		return &alerting.Event{Kind: alerting.Trend, Status: alerting.Firing, Severity: severity}
	}
	ends := &alerting.Event{Kind: alerting.Trend, Status: alerting.Resolved}
	for _, test := range []struct {
		name   string
		steps  []step
		found  int
		limits finding.Limits
	}{
		{name: "comes, goes on and ends", found: 1, steps: []step{
			{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 1, lines: []Finding{line(42, 20)}},
			{minute: 2, lines: []Finding{line(42, 20, "given back")}},
			{minute: 3, want: "resolved warning"},
			{minute: 4},
		}},
		{name: "a second line, and proof, are news at once", found: 1, steps: []step{
			{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 1, lines: []Finding{line(42, 10), line(7, 10)}, want: "firing warning"},
			{minute: 2, lines: []Finding{line(42, 10), line(7, 10, "proven")}, want: "firing warning"},
			{minute: 3, lines: []Finding{line(7, 10, "proven")}},
		}},
		{name: "more urgent by its share of the limit", limits: finding.Limits{Growth: 100}, found: 1, steps: []step{
			{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 1, lines: []Finding{line(42, 149)}},
			{minute: 2, lines: []Finding{line(42, 150)}, want: "firing high"},
			{minute: 3, lines: []Finding{line(42, 149)}},
			{minute: 4, lines: []Finding{line(7, 1), line(42, 200)}, want: "firing critical"},
			{minute: 5, lines: []Finding{line(7, 1), line(42, 900, "given back")}},
			{minute: 6, want: "resolved critical"},
		}},
		{
			name:   "more urgent by the time that is left",
			limits: finding.Limits{Ceiling: sampler.Ceiling{Level: 160, Source: "test"}}, found: 1,
			// 60 an hour at a value that is the minute.
			steps: []step{
				{minute: 0, lines: []Finding{line(42, 10)}, want: "firing high, 2h40m0s left"},
				{minute: 99, lines: []Finding{line(42, 10)}},
				{minute: 101, lines: []Finding{line(42, 10)}, want: "firing critical, 59m0s left"},
			},
		},
		{name: "a cooldown holds back what is no more urgent", limits: finding.Limits{Growth: 100},
			found: 3, steps: []step{
				{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
				{minute: 1, want: "resolved warning"},
				{minute: 2, lines: []Finding{line(42, 10)}},
				{minute: 29, lines: []Finding{line(42, 10)}},
				{minute: 30, lines: []Finding{line(42, 10)}, want: "firing warning"},
				{minute: 31, want: "resolved warning"},
				{minute: 32, lines: []Finding{line(42, 150)}, want: "firing high"},
				{minute: 33, want: "resolved high"},
				{minute: 34, lines: []Finding{line(42, 10)}},
				{minute: 35},
			}},
		{name: "the cooldown of the total is that of its lines", steps: []step{
			{minute: 0, total: fires(alerting.Warning), want: "firing warning"},
			{minute: 1, total: ends, want: "resolved warning"},
			{minute: 2, lines: []Finding{line(42, 10)}},
		}},
		{name: "the total shows it later", steps: []step{
			{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 1, total: fires(alerting.Warning), byLine: 42},
			{minute: 2, total: fires(alerting.High), byLine: 42, want: "firing high"},
			{minute: 3, total: ends},
			{minute: 4, lines: []Finding{line(42, 10)}},
			{minute: 5, want: "resolved high"},
		}},
		{name: "the total grows by another line", steps: []step{
			{minute: 0, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 1, total: fires(alerting.Warning), byLine: 7, want: "firing warning"},
			{minute: 2, holds: true, lines: []Finding{line(42, 10), line(7, 10)}},
			{minute: 3, holds: true},
			{minute: 4, total: ends, want: "resolved warning"},
		}},
		{name: "the total showed it first", steps: []step{
			{minute: 0, total: fires(alerting.Warning), want: "firing warning"},
			{minute: 1, holds: true, lines: []Finding{line(42, 10)}},
			{minute: 2, total: ends},
			{minute: 3, lines: []Finding{line(42, 10)}, want: "firing warning"},
			{minute: 4, want: "resolved warning"},
		}},
	} {
		var l Leak
		for _, s := range test.steps {
			at := began.Add(time.Duration(s.minute) * time.Minute)
			e, delivered := alerting.Event{}, false
			if s.total != nil {
				e = *s.total
				e.Time = at
				delivered = l.Total(&e, func() (profile.Frame, bool) {
					return profile.Frame{Function: "main.f", File: "/src/main.go", Line: s.byLine}, s.byLine > 0
				})
			} else {
				total := Total{Value: float64(s.minute), Alerted: s.holds, Limits: test.limits}
				e, delivered = l.Lines(sampler.Goroutines, s.lines, total, at, cooldown)
			}
			got := ""
			if delivered {
				got = fmt.Sprintf("%s %s", e.Status, e.Severity)
			}
			if delivered && e.Exhaustion != nil {
				got += fmt.Sprintf(", %s left", e.Exhaustion.At.Sub(at))
			}
			if got != s.want {
				t.Errorf("%s: minute %d: %q, want %q", test.name, s.minute, got, s.want)
			}
		}
		if diff := cmp.Diff(test.found, l.Found()); diff != "" {
			t.Errorf("%s: found (-want +got):\n%s", test.name, diff)
		}
	}
}

// However lines and total come and go, what fires is resolved once neither leaks, and never twice.
func TestLeakIsOneIdentity(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		cooldown := time.Duration(seed%2) * 30 * time.Minute
		var (
			l                     Leak
			lines                 []Finding
			holds, alerted, fires bool // total, its alert, and what was delivered
		)
		deliver := func(minute int, e alerting.Event) {
			if e.Status == alerting.Resolved && !fires {
				t.Fatalf("seed %d, minute %d: resolved without an alert", seed, minute)
			}
			fires = e.Status == alerting.Firing
		}
		for minute := range 400 {
			at := began.Add(time.Duration(minute) * time.Minute)
			severity := alerting.Severity(random.IntN(3))
			if random.IntN(2) == 0 { // the total, as the engine alerts it: its own cooldown may hold it back
				e := alerting.Event{Time: at, Kind: alerting.Trend, Severity: severity, Status: alerting.Firing}
				says := false
				switch {
				case holds && random.IntN(4) == 0:
					says, e.Status = alerted, alerting.Resolved
					holds, alerted = false, false
				case holds || random.IntN(4) == 0:
					holds = true
					says = random.IntN(2) == 0
					alerted = alerted || says
				}
				culprit := func() (profile.Frame, bool) {
					return profile.Frame{Line: random.IntN(3)}, random.IntN(2) == 0
				}
				if says && l.Total(&e, culprit) {
					deliver(minute, e)
				}
			} else {
				if random.IntN(3) == 0 {
					lines = lines[:0]
					for line := range random.IntN(3) {
						lines = append(lines, Finding{
							Site: alerting.Site{Line: line, Proven: random.IntN(2) == 0}, Since: began,
							GivenBack: random.IntN(4) == 0,
						})
					}
				}
				total := Total{Alerted: alerted, Limits: finding.Limits{Growth: 1}}
				if e, ok := l.Lines(sampler.Goroutines, lines, total, at, cooldown); ok {
					deliver(minute, e)
				}
				grows := slices.ContainsFunc(lines, func(f Finding) bool { return !f.GivenBack })
				if want := alerted || grows && cooldown == 0; want && !fires {
					t.Fatalf("seed %d, minute %d: lines %+v, total alerted %v, and nothing fires", seed, minute, lines,
						alerted)
				}
				if len(lines) == 0 && !alerted && fires {
					t.Fatalf("seed %d, minute %d: nothing leaks, and something fires", seed, minute)
				}
			}
		}
	}
}
