package table

import (
	"testing"
	"time"
)

func TestPassed(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:00:00": 0, "26:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second, "03:04": 3*time.Minute + 4*time.Second,
		"1-02:03:04":      26*time.Hour + 3*time.Minute + 4*time.Second,
		"1 day 2:03:04.5": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond, "2 days, 00:00:01": 48*time.Hour +
			time.Second, "1h2m3s": time.Hour + 2*time.Minute + 3*time.Second, "90s": 90 * time.Second,
	} {
		if got, ok := passed(text); !ok || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "12", "-1s", "1:2:3:4", "2026-03-02", "a", "1:2"} {
		if got, ok := passed(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}
