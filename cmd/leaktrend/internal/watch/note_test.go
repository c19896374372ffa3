package watch

import (
	"slices"
	"strconv"
	"testing"
)

// Workers that come and go, and that may not be read, do not fill the log.
func TestNotedOnce(t *testing.T) {
	var g group
	var messages []string
	for _, p := range []struct {
		executable, note string
		lacks            bool
	}{
		{"worker", "no right: 1", true}, {"worker", "no right: 2", true}, {"web", "no right: 3", true},
		{"worker", "read", false}, {"worker", "no right: 4", true},
	} {
		if note := g.noteOnce(p.executable, p.note, p.lacks); note != "" {
			messages = append(messages, note)
		}
	}
	want := []string{
		"no right: 1 (not repeated for other processes of worker)", "no right: 3 (not repeated for other processes " +
			"of web)",
		"read (not repeated for other processes of worker)",
	}
	if !slices.Equal(messages, want) {
		t.Errorf("%q, want %q", messages, want)
	}
}

// Of the places of executables as many are remembered as a group may have for long, not all that there ever were.
func TestNotedOfTheLatest(t *testing.T) {
	var g group
	for i := range 3 * maxNoted {
		g.noteOnce(strconv.Itoa(i), "no right", true)
	}
	again := func(i int) bool { return g.noteOnce(strconv.Itoa(i), "no right", true) != "" }
	if len(g.noted) != maxNoted || again(3*maxNoted-1) || again(2*maxNoted) || !again(2*maxNoted-1) {
		t.Errorf("%d notes are remembered", len(g.noted))
	}
}
