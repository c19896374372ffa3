package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// TestReplayOfRealLives: a service over eleven deploys, which leaks from the fifth on. No life tells by itself;
// together they do, in the sixth that leaks, and the leak is said to have begun with the first of these.
func TestReplayOfRealLives(t *testing.T) {
	t.Parallel()
	path := filepath.FromSlash("../../testdata/lives/go-deploys.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var header, columns string
	var starts []time.Time
	var starting, lives []string
	for line := range strings.Lines(string(text)) {
		start, begins := strings.CutPrefix(line, "# start:")
		switch {
		case begins:
			at, err := time.Parse(time.RFC3339, strings.TrimSpace(start))
			if err != nil {
				t.Fatal(err)
			}
			starts, starting, lives = append(starts, at), append(starting, line), append(lives, "")
		case strings.HasPrefix(line, "#"):
			header += line
		case strings.HasPrefix(line, "time,"):
			columns = line
		default:
			lives[len(lives)-1] += line
		}
	}
	if len(lives) != 11 {
		t.Fatalf("%d lives", len(lives))
	}
	for k, life := range lives {
		one := filepath.Join(t.TempDir(), fmt.Sprintf("life-%d.csv", k))
		if err := os.WriteFile(one, []byte(header+starting[k]+columns+life), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := leaktrend(t, "", "replay", "--exit-code", one); got.code == exitLeak {
			t.Errorf("life %d by itself: %s", k, got.stdout)
		}
	}

	got := leaktrend(t, "", "replay", "--format", "json", path)
	events, verdicts := 0, make(map[string]string)
	for line := range strings.Lines(got.stdout) {
		var event struct {
			alerting.Event
			State string `json:"state"`
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if event.Kind == "verdict" {
			verdicts[event.Resource] = event.State
			continue
		}
		if event.Resource != "goroutines" || event.State != "firing" || event.Lives == nil {
			t.Errorf("said %s", line)
			continue
		}
		events++
		if late := event.Since.Sub(starts[4]); late < 0 || late > 30*time.Second {
			t.Errorf("since %v, %v after the start of the first life that leaks", event.Since, late)
		}
		if event.Time.Before(starts[4]) || event.Time.After(starts[10]) {
			t.Errorf("told at %v, not by the sixth life that leaks", event.Time)
		}
		if before := event.Lives.Before; len(before) != 1 || before[0].Lives != 4 {
			t.Errorf("lives before: %+v, want 4 that did not grow", before)
		}
	}
	if events != 1 {
		t.Errorf("the leak is told %d times", events)
	}
	want := map[string]string{
		"goroutines": "leak", "open_fds": "ok", "threads": "ok", "rss_bytes": "ok", "heap_live_bytes": "ok",
		"heap_inuse_bytes": "unjudged", "stack_bytes": "unjudged", "cpu_seconds": "unjudged",
	}
	if diff := cmp.Diff(want, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
