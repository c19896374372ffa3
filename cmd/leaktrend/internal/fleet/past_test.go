package fleet

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// A leak that goes on at one rate was called falsely at no instant, also when it had only just been called.
func TestSteadyLeakWasNeverCalledFalsely(t *testing.T) {
	p := &process{readings: []reading{{resource: "open_fds", values: values(func(i int) float64 {
		return 450 + .2*float64(i)
	})}}}
	calls := map[backtest.Outcome]int{}
	for _, l := range p.judge(week, calibration.Judgment()) {
		for _, c := range l.past {
			calls[c.outcome]++
		}
	}
	if calls[backtest.WentOn] == 0 || calls[backtest.FellBack]+calls[backtest.Leveled] > 0 {
		t.Errorf("outcomes of its calls: %v", calls)
	}
}

// A leak below a load that swings by more than it has grown was called falsely at no instant: what counts is its lowest
// level, by which it is found, not the mean one.
func TestLeakBelowASwingingLoadWasNeverCalledFalsely(t *testing.T) {
	p := &process{readings: []reading{{resource: "open_fds", values: values(func(i int) float64 {
		return 200*(1+.4*math.Sin(2*math.Pi*float64(i)/288)) + .15*float64(i) + float64(i*7919%5)
	})}}}
	calls := map[backtest.Outcome]int{}
	for _, l := range p.judge(week, calibration.Judgment()) {
		for _, c := range l.past {
			calls[c.outcome]++
		}
		if len(l.statuses) != 1 || !l.statuses[0].Trend {
			t.Errorf("is taken back: %+v", l.statuses)
		}
	}
	if calls[backtest.Open]+calls[backtest.WentOn] == 0 || calls[backtest.FellBack]+calls[backtest.Leveled] > 0 {
		t.Errorf("outcomes of its calls: %v", calls)
	}
}

// What falls back each week, just after the begin of the week that is watched, is no leak: it was as high before.
func TestWeekThatOpensHigh(t *testing.T) {
	m := &memory{}
	for i := range 40 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=well%d,instance=a", i), constant(100))
	}
	grown := func(i int) float64 { return 100 + .1*float64(i) + float64(i*7919%5) }
	m.add("__name__=go_goroutines,job=leaks,instance=a", values(grown))
	m.add("__name__=go_goroutines,job=leaks too,instance=a", values(grown))
	m.add("__name__=go_goroutines,job=falls,instance=a", values(func(i int) float64 {
		return grown((i + 2016 - 60) % 2016)
	}))
	r, err := scanOf(t, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"goroutines job=leaks version= 1/1 [ 1/1]", "goroutines job=leaks too version= 1/1 [ 1/1]"}
	if diff := cmp.Diff(want, brief(r.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"goroutines job=falls version= 1/1 [ 1/1]"}, brief(r.Suspects)); diff != "" {
		t.Errorf("suspects (-want +got):\n%s", diff)
	}
}

// What is called of a replica counts at the instants at which that is judged: a replica too young for it does not add
// to what is told of an older one.
func TestPastOfReplicas(t *testing.T) {
	c := calibration.Default()
	call := func(at int) pastCall {
		return pastCall{at: at, time: week.At(at), resource: "a", strength: 2000, age: 48 * time.Hour,
			outcome: backtest.FellBack, weight: 1}
	}
	older := &life{instants: []int{100, 200}, past: []pastCall{call(100), call(200)}}
	younger := &life{instants: []int{200}, past: []pastCall{call(100), call(200)}}
	var p past
	for _, l := range []*life{older, younger} {
		p.add(l, "a", c)
	}
	var got, want backtest.Table
	p.into(&got, "a", nil)
	for range 2 {
		want.Call("a", c.EValue(2000, 48*time.Hour), backtest.FellBack, 1)
	}
	want.Judged("a", 2)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
