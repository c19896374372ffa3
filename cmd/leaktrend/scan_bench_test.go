//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math"
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
	queries []rangeQuery
}

type rangeQuery struct {
	query string
	grid  prom.Grid
}

func (s *recordingServer) Range(ctx context.Context, query string, g prom.Grid, split bool) ([]prom.Series, error) {
	s.mu.Lock()
	s.queries = append(s.queries, rangeQuery{query, g})
	s.mu.Unlock()
	return s.Client.Range(ctx, query, g, split)
}

// manyJobs is a fleet of 1,500 processes in 175 jobs, of six gauges each and what tells of them.
func manyJobs() *fleetOf {
	f := newFleet()
	const processes, jobs = 1500, 175
	levels := map[string]float64{
		"go_goroutines": 200, "go_memstats_heap_inuse_bytes": 5e7, "go_memstats_stack_inuse_bytes": 1e6,
		"process_resident_memory_bytes": 1.5e8,
		"process_open_fds":              60, "go_threads": 14,
	}
	for i := range processes {
		labels := fmt.Sprintf(`job="service-%03d",instance="10.0.%d.%d:8080",namespace="prod",pod="service-%03d-%05d"`,
			i%jobs, i/250, i%250, i%jobs, i)
		for metric, level := range levels {
			phase, growth := f.r.Float64()*288, 0.
			if i%97 == 0 {
				growth = level / 2
			}
			f.add(metric, labels, f.noisy(.2, func(scrape int) float64 {
				return level*(1+.2*math.Sin((float64(scrape)+phase)/288*2*math.Pi)) + perDay(growth, scrape)
			}))
		}
		f.add("process_start_time_seconds", labels, always(float64(scrapeTime(0).Unix())))
		f.add("process_cpu_seconds_total", labels, func(scrape int) float64 { return 3 * float64(scrape) })
		f.add("process_max_fds", labels, always(1<<20))
		f.add("up", labels, always(1))
	}
	return f
}

// BenchmarkScan compares a scan with its range queries alone, whose answers are read and dropped, at the same
// concurrency on the same Prometheus: by the time, and by the processor time of both together. Once all of a week is
// judged, once its last five days, with a look back at the others, which is compared with a scan without. They
// take turns; figures are medians, of ratios with the extremes.
func BenchmarkScan(b *testing.B) {
	for name, f := range map[string]func() *fleetOf{"1,000 series": leakyFleet, "175 jobs": manyJobs} {
		b.Run(name, func(b *testing.B) {
			address, _ := startPrometheus(b, backfill(b, f()))
			for name, days := range map[string]int{"a week": 7, "five days and a look back": 5} {
				b.Run(name, func(b *testing.B) { benchmarkScan(b, address, days) })
			}
		})
	}
}

func benchmarkScan(b *testing.B, address string, days int) {
	const concurrency = 4
	client, err := prom.New(prom.Config{URL: address, Concurrency: concurrency, Timeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	o := fleet.Options{
		Grid:    prom.GridTo(fleetEnd, time.Duration(days)*24*time.Hour, calibration.Step),
		History: 7 * 24 * time.Hour,
		GroupBy: []string{"job", "version"}, FDR: .05, Workers: concurrency, Calibration: calibration.Default(),
	}
	var queries []rangeQuery
	run := func(o fleet.Options) []rangeQuery {
		server := &recordingServer{Client: client}
		if _, err := fleet.Run(b.Context(), server, o); err != nil {
			b.Fatal(err)
		}
		return server.queries
	}
	scan := func() { queries = run(o) }
	ahead := func() {
		without := o
		without.History = 0
		run(without)
	}
	bare := func() {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range concurrency {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := int(next.Add(1)) - 1; i < len(queries); i = int(next.Add(1)) - 1 {
					if err := ask(address, queries[i].query, queries[i].grid); err != nil {
						b.Error(err)
						return
					}
				}
			}()
		}
		wg.Wait()
	}
	// measure returns the seconds that something takes, and those of a processor, of the server too.
	measure := func(f func()) (c cost) {
		own, server := processorTime(b, address)
		start := time.Now()
		f()
		c.wall = time.Since(start).Seconds()
		c.own, c.server = processorTime(b, address)
		c.own, c.server = c.own-own, c.server-server
		return c
	}
	scan() // the server's caches are warm for both
	figures := map[string][]float64{}
	for b.Loop() {
		alone, whole := measure(bare), measure(scan)
		for unit, figure := range map[string]float64{
			"scan/queries": whole.wall / alone.wall, "scan-cpu/queries-cpu": (whole.own + whole.server) / (alone.own +
				alone.server),
			"scan-cores": (whole.own + whole.server) / whole.wall,
			"bare-cores": (alone.own + alone.server) / alone.wall,
			"client-s":   whole.own, "server-s": whole.server, "bare-client-s": alone.own,
			"bare-server-s": alone.server,
		} {
			figures[unit] = append(figures[unit], figure)
		}
		b.Logf("queries alone %v, scan %v", alone, whole)
		if days < 7 {
			without := measure(ahead)
			figures["with/without-look-back"] = append(figures["with/without-look-back"], whole.wall/without.wall)
			figures["with-cpu/without-look-back-cpu"] = append(figures["with-cpu/without-look-back-cpu"],
				(whole.own+whole.server)/(without.own+without.server))
		}
	}
	for unit, all := range figures {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
		if strings.Contains(unit, "/") {
			b.ReportMetric(all[0], unit+"-min")
			b.ReportMetric(all[len(all)-1], unit+"-max")
		}
	}
	b.ReportMetric(float64(len(queries)), "queries")
	earlier := 0
	for _, q := range queries {
		if q.grid != o.Grid {
			earlier++
		}
	}
	if days < 7 && earlier == 0 {
		b.Fatal("nothing was looked back at")
	}
	b.ReportMetric(float64(earlier), "look-back-queries")
}

// cost is what something took, in seconds: of time, and of a processor by this program and by the server.
type cost struct{ wall, own, server float64 }

func (c cost) String() string {
	return fmt.Sprintf("%.1f s, client %.2f s and server %.2f s on %.1f cores", c.wall, c.own, c.server,
		(c.own+c.server)/c.wall)
}

// plainAnswers asks for answers that are not compressed, as curl and a scan do.
var plainAnswers = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}}

// ask evaluates a query and drops the answer.
func ask(address, query string, g prom.Grid) error {
	resp, err := plainAnswers.PostForm(address+"/api/v1/query_range", url.Values{
		"query": {query}, "start": {g.Start.Format(time.RFC3339)}, "end": {g.At(g.N - 1).Format(time.RFC3339)},
		"step": {strconv.Itoa(int(g.Step.Seconds()))},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// processorTime returns the seconds of a processor that this program and a Prometheus have used.
func processorTime(b *testing.B, address string) (own, server float64) {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	resp, err := plainAnswers.Get(address + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\nprocess_cpu_seconds_total ")
	line, _, _ := strings.Cut(after, "\n")
	server, err = strconv.ParseFloat(line, 64)
	if !found || err != nil {
		b.Fatalf("no processor time: %v", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds(), server
}

// manyProcesses is a server of so many processes with five series each, whose values are all the same noise.
func manyProcesses(b *testing.B, processes int) string {
	const perJob = 500
	var values, constant strings.Builder
	names := []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes", "go_gc_heap_live_bytes",
		"process_start_time_seconds"}
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
