package main

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
)

// smallFleet is a fleet of a few workloads, scraped exactly at the instants of a scan, so at the borders of its
// windows.
func smallFleet() *fleetOf {
	f := newFleet()
	f.onTheGrid = true
	for i := range 6 {
		labels := fmt.Sprintf(`job="api",instance="10.0.0.%d:8080",version="v2"`, i)
		level := always(150)
		if i < 2 {
			level = func(scrape int) float64 { return 150 + perDay(60, scrape) }
		}
		// What is low at one scrape alone belongs to one value.
		dips := f.noisy(.05, level)
		f.add("go_goroutines", labels, func(i int) float64 { return dips(i) - 40*float64(i%7/6) })
		f.add("process_open_fds", labels, f.noisy(.2, always(60)))
		f.add("process_max_fds", labels, always(1024))
		f.add("process_start_time_seconds", labels, always(float64(scrapeTime(0).Unix())))
		restarts := fmt.Sprintf(`job="worker",instance="10.0.1.%d:8080"`, i)
		f.add("process_resident_memory_bytes", restarts, f.noisy(.02, func(i int) float64 {
			return 1e8 * (1 + float64(i%700)/2000)
		}))
		f.add("up", restarts, func(i int) float64 { return math.Min(1, float64(i%700)) })
	}
	// One target of more series than a query with a limit has room for, however short the time.
	for i := range 20 {
		level := always(80)
		if i == 7 {
			level = func(scrape int) float64 { return 80 + perDay(30, scrape) }
		}
		f.add("go_goroutines", fmt.Sprintf(`job="otel-collector",instance="col:8889",exported_job="svc%d"`, i),
			f.noisy(.02, level))
	}
	f.containersOnLoad()
	return f
}

// containersOnLoad adds containers whose memory follows a load that rises for days. The processor time of one is by
// core, beside that of its pod, that of the next in total, that of the last not known.
func (f *fleetOf) containersOnLoad() {
	const memory, cpu = "container_memory_working_set_bytes", "container_cpu_usage_seconds_total"
	load := func(i int) float64 { return 1 + math.Max(float64(i-576), 0)/(fleetScrapes-576) }
	used := make([]float64, fleetScrapes) // whole seconds, which both servers keep as they are
	for i := 1; i < len(used); i++ {
		used[i] = used[i-1] + math.Round(1000*load(i)*(1+.05*f.r.NormFloat64()))
	}
	busy := func(i int) float64 { return used[i] }
	level := func() func(int) float64 {
		return f.noisy(0, func(i int) float64 { return 1e8 * (1 + load(i)) * (1 + .02*f.r.NormFloat64()) })
	}
	pod := func(name string) string { return fmt.Sprintf(`job="kubelet",namespace="shop",pod="%s-0"`, name) }
	for _, name := range []string{"by-core", "unknown"} {
		f.add(memory, pod(name)+`,container="`+name+`"`, level())
	}
	const half = fleetScrapes / 2
	f.add(cpu, pod("by-core")+`,container="by-core",cpu="cpu00"`, func(i int) float64 { return busy(min(i, half)) })
	f.add(cpu, pod("by-core")+`,container="by-core",cpu="cpu01"`, between(half, fleetScrapes, func(i int) float64 {
		return busy(i) - busy(half)
	}))
	f.add(cpu, pod("by-core")+`,cpu="total"`, func(i int) float64 { return busy(i) + 1 })
	const compose = `job="cadvisor",instance="cadvisor:8080",name="shop-total-1",` +
		`container_label_com_docker_compose_service="total"`
	f.add(memory, compose, level())
	f.add(cpu, compose+`,cpu="total"`, busy)
}

// victoriaMetrics starts one that holds a fleet and returns its address.
func victoriaMetrics(t *testing.T, f *fleetOf, limits ...string) string {
	t.Helper()
	address := promtest.VictoriaMetrics(t, limits...)
	text := filepath.Join(t.TempDir(), "fleet.om")
	f.writeOpenMetrics(t, text, 0, fleetScrapes)
	written, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	// It reads Prometheus' text, whose instants are in milliseconds.
	instants := regexp.MustCompile(`(?m) (\d+)$`)
	post := func(path string, body []byte) {
		resp, err := http.Post(address+path, "text/plain", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s: status %d", path, resp.StatusCode)
		}
	}
	post("/api/v1/import/prometheus", instants.ReplaceAll(written, []byte(" ${1}000")))
	post("/internal/force_flush", nil)
	return address
}

// The same fleet gives the same findings with the same scores in a Prometheus and in a VictoriaMetrics, also in one
// whose limits refuse nearly all that is asked for at once.
func TestScanOfVictoriaMetrics(t *testing.T) {
	t.Parallel()
	f := smallFleet()
	prometheus, _ := startPrometheus(t, backfill(t, f))
	scan := func(address string) string {
		got := leaktrend(t, "", "scan", "--prometheus", address, "--until", fleetEnd.Format(time.RFC3339), "--format",
			"json", "--all")
		if got.code != 0 || got.stderr != "" {
			t.Fatalf("exit code %d: %s", got.code, got.stderr)
		}
		return strings.ReplaceAll(got.stdout, address, "http://server")
	}
	want := scan(prometheus)
	if !strings.Contains(want, `"growing":2`) {
		t.Errorf("the leak is not found:\n%s", want)
	}
	for name, grows := range map[string]bool{"shop/unknown": true, "shop/by-core": false, "total": false} {
		if strings.Contains(want, `"job":"`+name+`"`) != grows {
			t.Errorf("growth of %s found: %v\n%s", name, !grows, want)
		}
	}
	for name, limits := range map[string][]string{
		"without limits": nil,
		"with limits": {"-search.maxPointsPerTimeseries=500", "-search.maxSamplesPerQuery=5000",
			"-search.maxQueryLen=200"},
		"of few series at once": {"-search.maxUniqueTimeseries=3"},
	} {
		if diff := cmp.Diff(want, scan(victoriaMetrics(t, f, limits...))); diff != "" {
			t.Errorf("VictoriaMetrics %s: (-Prometheus +VictoriaMetrics):\n%s", name, diff)
		}
	}
	// What cannot be made smaller is missing, and the server's own words say which limit it was.
	got := leaktrend(t, "", "scan", "--prometheus", victoriaMetrics(t, f, "-search.maxUniqueTimeseries=1"), "--until",
		fleetEnd.Format(time.RFC3339))
	if got.code != exitPart || !strings.Contains(got.stderr, "-search.max* command-line flag") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
