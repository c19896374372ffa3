package trend

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFloorAt(t *testing.T) {
	const epoch, width = 1_000, int64(FinestWidth)
	l := NewLadder(epoch, 1)
	if l.Epoch() != epoch || l.Closed(0) != 0 {
		t.Errorf("epoch %d, %d closed", l.Epoch(), l.Closed(0))
	}
	// One value in each bucket: its number. Nothing in bucket 36.
	for n := range int64(41) {
		if n != 36 {
			l.Add(epoch+n*width, float64(n), 0)
		}
	}
	if l.Closed(0) != 40 || l.Closed(1) != 10 {
		t.Errorf("%d and %d closed", l.Closed(0), l.Closed(1))
	}
	type minimum struct {
		Value float64
		OK    bool
	}
	at := func(w int, n int64) (f minimum) {
		f.Value, f.OK = l.MinimumAt(w, n)
		if !f.OK {
			f.Value = 0
		}
		return f
	}
	// 0 to 7 are not kept any more, 40 is open.
	got := []minimum{at(0, -1), at(0, 7), at(0, 8), at(0, 35), at(0, 36), at(0, 39), at(0, 40), at(1, 0), at(1, 9)}
	want := []minimum{{}, {}, {8, true}, {35, true}, {}, {39, true}, {}, {0, true}, {37, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
