package recording

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for step, want := range map[time.Duration]string{
		0: "1m", 50 * time.Millisecond: "1m at 50ms", 49_600 * time.Microsecond: "1m at 50ms",
		505 * time.Millisecond: "1m at 505ms",
		time.Second:            "1m at 1s", 20 * time.Minute: "1m at 20m",
	} {
		if got := span(time.Unix(0, 0), time.Unix(60, 0), step); got != want {
			t.Errorf("steps of %v: %q, want %q", step, got, want)
		}
	}
}
