package wording

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBetween(t *testing.T) {
	const day = 24 * time.Hour
	got := map[string]string{}
	want := map[string]string{
		"3 to 5 days":       between(80*time.Hour, 110*time.Hour),
		"20 to 30 hours":    between(20*time.Hour, 30*time.Hour),
		"at most 2 days":    between(20*time.Hour, 48*time.Hour),
		"12 to 31 minutes":  between(12*time.Minute+30*time.Second, 30*time.Minute+time.Second),
		"1 to 9 seconds":    between(1900*time.Millisecond, 8100*time.Millisecond),
		"at most 2 minutes": between(5*time.Second, 2*time.Minute),
		"2 to 4 years":      between(2*365*day, 3*365*day+day),
	}
	for text, summary := range want {
		got[summary], want[text] = summary, text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
