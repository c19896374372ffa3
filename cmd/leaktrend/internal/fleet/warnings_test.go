package fleet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// What a server warns of may be missing, for the scan at hand; what it says of the language may not.
func TestServerWarnings(t *testing.T) {
	var back atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		warnings := `"store a is away","PromQL info: metric might not be a counter"`
		if back.Load() {
			warnings = ""
		}
		fmt.Fprintf(w, `{"status":"success","data":[],"warnings":[%s]}`, warnings)
	}))
	defer server.Close()
	client, err := prom.New(prom.Config{URL: server.URL, Concurrency: 1, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var matches []string
	scan := func(want ...Missing) {
		t.Helper()
		r, err := Scan(t.Context(), client, Options{
			Grid:    prom.GridTo(time.Date(2026, 11, 26, 15, 1, 0, 0, time.UTC), 24*time.Hour, calibration.Step),
			Matches: matches, GroupBy: []string{"job"}, FDR: .05, Workers: 1, Calibration: calibration.Default(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Missing); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
	}
	const (
		everything = "everything"
		none       = "the server has no series of "
		window     = " in the 1d to 2026-11-26 15:00 UTC; what it has just begun to scrape is judged after 6h"
	)
	empty := Missing{What: everything, Why: none + "Go, processes or containers (go_goroutines, " +
		"process_resident_memory_bytes, process_open_fds, " +
		"container_memory_working_set_bytes and the like)" + window}
	scan(empty, Missing{What: "what the server warns of", Why: "store a is away"})
	back.Store(true)
	scan(empty)
	matches = []string{`queue_length{env="prod"}`}
	scan(Missing{What: everything, Why: none + matches[0] + window})
}
