package source

import (
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside"
)

// A program of one goroutine that computes is no reason to warn.
func TestTooFewRead(t *testing.T) {
	for _, test := range []struct {
		seen outside.Seen
		want bool
	}{
		{outside.Seen{}, false},
		{outside.Seen{Goroutines: 1, Torn: 1}, false},
		{outside.Seen{Goroutines: 9, Torn: 9}, false},
		{outside.Seen{Goroutines: 10, Torn: 5}, false},
		{outside.Seen{Goroutines: 10, Torn: 6}, true},
		{outside.Seen{Goroutines: 1000, Running: 2, Torn: 501}, true},
	} {
		if got := tooFewRead(test.seen); got != test.want {
			t.Errorf("%+v: %v, want %v", test.seen, got, test.want)
		}
	}
}
