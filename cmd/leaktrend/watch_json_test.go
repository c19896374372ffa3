package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exhausting serves descriptors that come near their limit at the 50th scrape.
func exhausting(t *testing.T) *httptest.Server {
	t.Helper()
	var scrapes atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fds := 10
		if scrapes.Add(1) > 50 {
			fds = 90
		}
		fmt.Fprintf(w, "process_open_fds %d\nprocess_max_fds 100\ngo_goroutines 7\n", fds)
	}))
	t.Cleanup(server.Close)
	return server
}

// lastLine is what matters of a line of JSON.
type lastLine struct {
	File, Resource, Kind, State, Severity string
	Threshold                             float64
	Rows, RowsUsed                        bool // above 0
	ID, Status                            string
	Process                               struct{ Executable string }
}

func linesOf(t *testing.T, stdout string) (lines []lastLine) {
	t.Helper()
	for _, text := range strings.Split(strings.TrimSuffix(stdout, "\n"), "\n") {
		var line struct {
			lastLine
			Rows     int
			RowsUsed int `json:"rows_used"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, stdout)
		}
		line.lastLine.Rows, line.lastLine.RowsUsed = line.Rows > 0, line.RowsUsed > 0 && line.RowsUsed <= line.Rows
		lines = append(lines, line.lastLine)
	}
	return lines
}

const passed = `"kind":"limit","state":"firing"`

// With --format json standard output has the objects of replay and nothing else.
func TestWatchAsJSON(t *testing.T) {
	t.Parallel()
	server := exhausting(t)
	got := until(t, []string{"watch", "--url", server.URL, "--interval", "10ms", "--format", "json", "--exit-code"},
		passed)
	lines := linesOf(t, got.stdout)
	if len(lines) < 3 || lines[0].ID == "" || !strings.Contains(got.stderr, "Resource monitor started") ||
		got.code != exitLeak {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	lines[0].ID = ""
	want := []lastLine{
		{File: server.URL, Resource: "open_fds", Kind: "limit", State: "firing", Severity: lines[0].Severity,
			Threshold: 80},
		{File: server.URL, Resource: "goroutines", Kind: "verdict", State: "early", Severity: "warning", Rows: true,
			RowsUsed: true},
		{File: server.URL, Resource: "open_fds", Kind: "verdict", State: "limit", Severity: lines[0].Severity,
			Rows: true, RowsUsed: true},
	}
	want[0].Process.Executable = server.URL
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, got.stdout)
	}
}

// What record tells while it records is what replay tells of the recording.
func TestRecordAsJSON(t *testing.T) {
	t.Parallel()
	server, path := exhausting(t), filepath.Join(t.TempDir(), "r.csv")
	got := until(t, []string{"record", "--url", server.URL, "--interval", "10ms", "-o", path, "--format", "json"},
		passed)
	again := leaktrend(t, "", "replay", "--format", "json", path)
	if diff := cmp.Diff(again.stdout, got.stdout); diff != "" || got.code != exitRan ||
		len(linesOf(t, got.stdout)) < 3 {
		t.Errorf("exit code %d, %s; (-replayed +recorded):\n%s", got.code, got.stderr, diff)
	}
	both := leaktrend(t, "", "record", "--url", server.URL, "-o", "-", "--format", "json")
	if both.code != exitUsage || both.stdout != "" || !strings.Contains(both.stderr, "-o - and --format json") {
		t.Errorf("%+v", both)
	}
}
