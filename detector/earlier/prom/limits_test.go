package prom

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A limit is known by the whole of what a server says, and its reason is shown though a long query is echoed before it.
// One of the number of instants is met by shorter ranges, whoever asked, and remembered.
func TestLimitsOfServers(t *testing.T) {
	const limit = 1000
	echo := `error when executing query=\"` + strings.Repeat("go_goroutines or ", 30) + `\" on the time range ` +
		`(start=1, end=2, step=3): `
	for _, test := range []struct {
		name, says string
		want       []int // points of the queries; nil = refused for its size
		shows      string
	}{
		{"VictoriaMetrics, points", echo + "too many points for the given step=300000: 2017; cannot exceed " +
			"-search.maxPointsPerTimeseries=1000",
			[]int{2016, 1008, 504, 504, 504, 504}, ""},
		{"Prometheus, points", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the " +
			"query resolution (?step=XX)",
			[]int{2016, 1008, 504, 504, 504, 504}, ""},
		{"VictoriaMetrics, samples", echo + "cannot select more than -search.maxSamplesPerQuery=1000 samples", nil,
			"cannot select more than -search.maxSamplesPerQuery=1000 samples"},
		{"VictoriaMetrics, series", echo + "the number of matching timeseries exceeds 3; either narrow down the " +
			"search or increase -search.maxUniqueTimeseries command-line flag values at vmselect", nil,
			"-search.maxUniqueTimeseries"},
		{"VictoriaMetrics, length", "too long query; got 20000 bytes; mustn't exceed `-search.maxQueryLen=16384` bytes",
			nil, "-search.maxQueryLen"},
		{"Prometheus, samples", "query processing would load too many samples into memory in query execution", nil,
			"too many samples"},
		{"Mimir, time", "the query time range exceeds the limit (query length: 168h0m0s, limit: 84h0m0s) " +
			"(err-mimir-max-query-length)",
			[]int{2016, 1008, 504, 504, 504, 504}, ""},
		{"Mimir, memory", "the query exceeded the maximum allowed estimated amount of memory consumed by a single " +
			"query (limit: 11 bytes) (err-mimir-max-estimated-memory-consumption-per-query)", nil,
			"err-mimir-max-estimated"},
		{"Cortex", "the query hit the max number of series limit (limit: 10 series)", nil, "max number of series"},
		{"Thanos, messages", "rpc error: code = ResourceExhausted desc = grpc: received message larger than max " +
			"(5000000 vs. 4194304)", nil, "larger than max"},
		{"Thanos", echo + "expanded matching posting: exceeded series limit: limit 10 violated (got 20)", nil,
			"limit 10 violated (got 20)"},
		{"Mimir", echo + "the query exceeded the maximum number of chunks (limit: 2000000 chunks) " +
			"(err-mimir-max-chunks-per-query)", nil, "err-mimir-max-chunks-per-query"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, points(r))
				if points(r) > limit {
					w.WriteHeader(http.StatusUnprocessableEntity)
					fmt.Fprintf(w, `{"status":"error","errorType":"422","error":"%s"}`, test.says)
					return
				}
				answerRange(w, r)
			}))
			defer server.Close()
			client, _ := quick(t, Config{URL: server.URL})
			grid := Grid{begin, 5 * time.Minute, 2016}
			series, err := client.Range(t.Context(), "x", grid, false)
			if test.want == nil {
				if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), test.shows) ||
					len(err.Error()) > 300 {
					t.Errorf("error %v, want ErrTooLarge that says %q", err, test.shows)
				}
				return
			}
			if err != nil || len(series) != 1 || len(series[0].Values) != grid.N ||
				math.IsNaN(series[0].Values[grid.N-1]) {
				t.Fatalf("%d series, %v", len(series), err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("queries (-want +got):\n%s", diff)
			}
			got = nil
			if _, err := client.Range(t.Context(), "y", grid, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int{504, 504, 504, 504}, got); diff != "" {
				t.Errorf("queries afterwards (-want +got):\n%s", diff)
			}
		})
	}
}
