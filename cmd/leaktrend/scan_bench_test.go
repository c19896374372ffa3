//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// recordingServer notes what a scan asks for.
type recordingServer struct {
	*prom.Client
	mu      sync.Mutex
	queries []string
}

func (s *recordingServer) Range(ctx context.Context, query string, g prom.Grid, split bool) ([]prom.Series, error) {
	s.mu.Lock()
	s.queries = append(s.queries, query)
	s.mu.Unlock()
	return s.Client.Range(ctx, query, g, split)
}

// BenchmarkScan compares the time of a scan of the thousand backfilled series with that of its range queries alone,
// whose answers are read and dropped, at the same concurrency on the same Prometheus.
func BenchmarkScan(b *testing.B) {
	address, _ := startPrometheus(b, backfill(b, leakyFleet()))
	const concurrency = 4
	client, err := prom.New(prom.Config{URL: address, Concurrency: concurrency, Timeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	o := fleet.Options{
		Grid:    prom.Grid{Start: fleetEnd.Add(-7*24*time.Hour + calibration.Step), Step: calibration.Step, N: 7 * 24 * 12},
		GroupBy: []string{"job", "version"}, FDR: .05, Workers: concurrency, Calibration: calibration.Default(),
	}
	var queries []string
	scan := func() time.Duration {
		server := &recordingServer{Client: client}
		began := time.Now()
		if _, err := fleet.Run(b.Context(), server, o); err != nil {
			b.Fatal(err)
		}
		queries = server.queries
		return time.Since(began)
	}
	bare := func() time.Duration {
		began := time.Now()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range concurrency {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := int(next.Add(1)) - 1; i < len(queries); i = int(next.Add(1)) - 1 {
					resp, err := http.PostForm(address+"/api/v1/query_range", url.Values{
						"query": {queries[i]}, "start": {o.Grid.Start.Format(time.RFC3339)}, "end": {o.Grid.At(o.Grid.N - 1).Format(time.RFC3339)},
						"step": {strconv.Itoa(int(o.Grid.Step.Seconds()))},
					})
					if err != nil || resp.StatusCode != http.StatusOK {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
		}
		wg.Wait()
		return time.Since(began)
	}
	scan() // the server's caches are warm for both
	var scans, bares []float64
	for b.Loop() {
		bares = append(bares, bare().Seconds())
		scans = append(scans, scan().Seconds())
	}
	slices.Sort(scans)
	slices.Sort(bares)
	b.ReportMetric(scans[len(scans)/2]/bares[len(bares)/2], "scan/queries")
	b.ReportMetric(float64(len(queries)), "queries")
}

// manyProcesses is a server of so many processes with five series each, whose values are all the same noise.
func manyProcesses(b *testing.B, processes int) string {
	const perJob = 500
	var values, constant strings.Builder
	names := []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes", "go_gc_heap_live_bytes", "process_start_time_seconds"}
	quoted := func(all []string) string { return `["` + strings.Join(all, `","`) + `"]` }
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/label/{name}/values", func(w http.ResponseWriter, r *http.Request) {
		var all []string
		switch match := r.FormValue("match[]"); r.PathValue("name") {
		case "job":
			for i := range processes / perJob {
				all = append(all, fmt.Sprintf("job%d", i))
			}
			if len(all) == 0 {
				all = []string{"job0"}
			}
		case "__name__":
			if strings.Contains(match, `job="job`) {
				all = names
			}
		case "instance":
			for i := range min(perJob, processes) {
				all = append(all, fmt.Sprintf("i%d", i))
			}
		}
		fmt.Fprintf(w, `{"status":"success","data":%s}`, strings.Replace(quoted(all), `[""]`, `[]`, 1))
	})
	var once sync.Once
	mux.HandleFunc("/api/v1/query_range", func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		once.Do(func() {
			start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
			end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
			step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
			for i, at := 0, start; at <= end; i, at = i+1, at+step {
				fmt.Fprintf(&values, `,[%.3f,"%d"]`, at, 1000+(i*7919)%101)
				fmt.Fprintf(&constant, `,[%.3f,"1700000000"]`, at)
			}
		})
		_, list, _ := strings.Cut(query, `instance=~"`)
		list, _, _ = strings.Cut(list, `"`)
		_, job, _ := strings.Cut(query, `job="`)
		job, _, _ = strings.Cut(job, `"`)
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		for i, instance := range strings.Split(strings.TrimSuffix(list, "|"), "|") {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"metric":{"job":%q,"instance":%q},"values":[`, job, instance)
			if strings.Contains(query, "start_time") {
				_, _ = io.WriteString(w, constant.String()[1:])
			} else {
				_, _ = io.WriteString(w, values.String()[1:])
			}
			fmt.Fprint(w, "]}")
		}
		fmt.Fprint(w, "]}}")
	})
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	return server.URL
}

// BenchmarkScanMemory gives the most memory that a scan of so many series takes: that of a process of its own.
func BenchmarkScanMemory(b *testing.B) {
	for _, processes := range []int{200, 4000} {
		b.Run(strconv.Itoa(5*processes), func(b *testing.B) {
			address := manyProcesses(b, processes)
			peak := int64(0)
			for b.Loop() {
				cmd := exec.Command(os.Args[0], "scan", "--prometheus", address)
				cmd.Env = append(os.Environ(), asCommand+"=1")
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d processes", processes)) {
					b.Fatalf("%v\n%s", err, out)
				}
				if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
					peak = max(peak, int64(usage.Maxrss)) // in KB on Linux
				}
			}
			b.ReportMetric(float64(peak)/1024, "MB-peak")
		})
	}
}
