package fleet

import (
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
