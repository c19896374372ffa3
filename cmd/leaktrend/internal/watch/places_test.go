package watch

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
)

// The life of a process is over once another id stands in its place, however soon after it that one began; the same
// process goes on with its own.
func TestLeftTo(t *testing.T) {
	start := time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC)
	for pid, want := range map[int]lives.End{7: lives.Running, 8: lives.Replaced} {
		record := lives.New(1)
		record.Lives = []lives.Life{{Start: start, First: start, End: start.Add(24 * time.Hour), Ended: lives.Running}}
		p := place{pid: 7, left: &state.Saved{Record: record}}
		if left := p.leftTo(pid); left == nil || left.Record.Latest().Ended != want {
			t.Errorf("process %d after process 7: %+v, want a life that is %s", pid, left, want)
		}
	}
	if left := new(place).leftTo(8); left != nil {
		t.Errorf("the first process is left %+v", left)
	}
}
