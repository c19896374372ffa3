package watch

import (
	"slices"
	"testing"
)

// Workers that come and go, and that may not be read, do not fill the log.
func TestNotedOnce(t *testing.T) {
	var g group
	var said []string
	for _, p := range [][2]string{{"worker", ""}, {"worker", "no right: 1"}, {"worker", "no right: 2"}, {"web", "no right: 3"}, {"worker", "no right: 4"}} {
		if note := g.noteOnce(p[0], p[1]); note != "" {
			said = append(said, note)
		}
	}
	want := []string{"no right: 1 (not repeated for other processes of worker)", "no right: 3 (not repeated for other processes of web)"}
	if !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}
