package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// What joins an incident goes by its id, and says what its captures and the stacks in the log are named after.
func TestWhatJoinsNamesItsFinding(t *testing.T) {
	l := newLedger(9)
	var got []string
	for _, resource := range []string{sampler.HeapLiveBytes, sampler.HeapInuseBytes} {
		found := l.record(alerting.Event{Time: dawn, Resource: resource, Kind: alerting.Trend, Status: alerting.Firing},
			alerting.Process{PID: 4242})
		a, _ := l.deliver(found)
		got = append(got, a.ID, a.Finding, found.ID)
	}
	if got[0] != got[3] || got[1] != "" || got[4] != got[5] || got[0] == got[4] {
		t.Errorf("id, finding and the finding's own id of two alerts of one incident: %q", got)
	}
}

// However many findings hold, the next life is told of all of them: what has no room in a state is left out there, and
// said.
func TestLedgerHandsAllOver(t *testing.T) {
	l := newLedger(1)
	process := alerting.Process{PID: 4242, Executable: "worker"}
	var want []string
	for i := range 40 {
		resource := fmt.Sprintf("metric_%02d", i)
		want = append(want, resource)
		l.deliver(l.record(alerting.Event{
			Time: dawn.Add(time.Duration(i) * time.Hour), Resource: resource, Kind: alerting.Trend,
			Status: alerting.Firing,
		}, process))
	}
	var got []string
	for _, a := range l.holding() {
		got = append(got, a.Resource)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
}
