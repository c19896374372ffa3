package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
)

func TestScanUsage(t *testing.T) {
	t.Parallel()
	const server = "http://127.0.0.1:1"
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "--prometheus URL"},
		{[]string{"--prometheus", "localhost"}, "--prometheus: "},
		{[]string{"--prometheus", server, "--format", "xml"}, "--format xml"},
		{[]string{"--prometheus", server, "--since", "1h"}, "--since 1h: must be from 6h to 366d, as in 7d"},
		{[]string{"--prometheus", server, "--since", "week"}, "--since week"},
		{[]string{"--prometheus", server, "--step", "1s"}, "--step 1s"},
		{[]string{"--prometheus", server, "--every", "1s"}, "--every 1s"},
		{[]string{"--prometheus", server, "--every", "1h", "--until", "2026-01-01T00:00:00Z"}, "--until"},
		{[]string{"--prometheus", server, "--until", "yesterday"}, "--until yesterday"},
		{[]string{"--prometheus", server, "--fdr", "0"}, "--fdr 0"},
		{[]string{"--prometheus", server, "--top", "5", "--fdr", ".1"},
			"--top takes the likeliest, whatever share of them is expected to be false, so it takes no --fdr"},
		{[]string{"--prometheus", server, "--from-rules", "--match", "queue_length"},
			"--from-rules goes by what leaktrend rules watch, so it takes no --match"},
		{[]string{"--prometheus", server, "--shard", "5/4"}, "--shard 5/4: must be NUMBER/OF"},
		{[]string{"--prometheus", server, "--share-past", "."}, "--share-past: is for the parts of a fleet, so it " +
			"needs --shard"},
		{[]string{"--prometheus", server, "--share-past", "nowhere", "--shard", "1/2"}, "--share-past: "},
		{[]string{"--prometheus", server, "--concurrency", "0"}, "--concurrency 0"},
		{[]string{"--prometheus", server, "--timeout", "0"}, "--timeout 0"},
		{[]string{"--prometheus", server, "--group-by", ""}, "--group-by"},
		{[]string{"--prometheus", server, "--match", "sum(up)"}, "--match: "},
		{[]string{"--prometheus", server, "--load", "rate(x[5m])"}, "--load rate(x[5m])"},
		{[]string{"--prometheus", server, "--alertmanager", "nowhere"}, "--alertmanager: "},
		{[]string{"--prometheus", server, "--alert-for", "2h"}, "--alert-for needs --alertmanager"},
		{[]string{"--prometheus", server, "--alertmanager", server, "--alert-for", "2s"},
			"--alert-for 2s: must be from 1m to 366d, as in 25h"},
		{[]string{"--prometheus", server, "--alertmanager", server, "--alert-for", "2h", "--every", "1h"},
			"takes no --alert-for"},
		{[]string{"--prometheus", server, "--headers", "nowhere.txt"}, "nowhere.txt"},
		{[]string{"--prometheus", server, "--http-config", "nowhere.yml"}, "nowhere.yml"},
		{[]string{"--prometheus", server, "surplus"}, "surplus"},
	} {
		got := leaktrend(t, "", append([]string{"scan"}, test.args...)...)
		if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%v: exit code %d, stdout %q, stderr lacks %q:\n%s", test.args, got.code, got.stdout, test.says,
				got.stderr)
		}
	}
}

// proxy stands between a scan and its Prometheus. It may answer itself, by the number of the range query, from 1 on.
func proxy(t *testing.T, to string, answers func(n int64, w http.ResponseWriter) bool) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.ErrorLog = log.New(io.Discard, "", 0)
	forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway)
	}
	var ranges atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/query_range") && answers(ranges.Add(1), w) {
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// scanOf runs a scan up to the end of the backfilled fleet, and gives the server the name that the golden output has.
func scanOf(t *testing.T, server string, args ...string) outcome {
	t.Helper()
	got := leaktrend(t, "", append([]string{"scan", "--prometheus", server, "--until", fleetEnd.Format(time.RFC3339)},
		args...)...)
	got.stdout = strings.ReplaceAll(got.stdout, server, "http://prometheus:9090")
	got.stderr = strings.ReplaceAll(got.stderr, server, "http://prometheus:9090")
	return got
}

// A thousand series of a week in a real Prometheus: the planted leaks are found, each once, and nothing else.
func TestScanFleet(t *testing.T) {
	promtest.Need(t, "prometheus", "promtool")
	if testing.Short() {
		t.Skip("backfills a Prometheus")
	}
	f := leakyFleet()
	if len(f.series) != 1000 {
		t.Errorf("a fleet of %d series", len(f.series))
	}
	data, copied := backfill(t, f), t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	address, _ := startPrometheus(t, data)
	page := filepath.Join(t.TempDir(), "fleet.html")
	text := scanOf(t, address, "--exit-code", "--html", page)
	if text.code != exitLeak || text.stderr != "" {
		t.Errorf("exit code %d, stderr:\n%s", text.code, text.stderr)
	}
	checkGolden(t, "scan.golden", text.stdout)

	// At once, as most of them wait for answers.
	for name, test := range map[string]func(*testing.T){
		"page":                 func(t *testing.T) { pageOfFleet(t, address, page) },
		"json and alerts":      func(t *testing.T) { alertsOfFleet(t, address) },
		"slow and unwilling":   func(t *testing.T) { scanThroughFaults(t, address) },
		"killed in the middle": func(t *testing.T) { scanOfKilled(t, copied) },
		"again and again":      func(t *testing.T) { scanAgain(t, address) },
		"selectors":            func(t *testing.T) { scanOfSelectors(t, address) },
		"login page":           scanBehindLogin,
		"no server":            scanWithoutServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// scanOfSelectors selects some series twice.
func scanOfSelectors(t *testing.T, prometheus string) {
	got := scanOf(t, prometheus, "--match", `go_goroutines{job="api"}`, "--match",
		`{__name__=~"process_open_fds|go_goroutines",job="api",instance!=""}`,
		"--group-by", "job", "--exit-code")
	if got.code != exitLeak || !strings.Contains(got.stdout, "UTC: 100 processes") ||
		!strings.Contains(got.stdout, "api  goroutines") ||
		!strings.Contains(got.stdout, "40 of 100 replicas") ||
		!strings.Contains(got.stdout, "1 leak among 200 gauges of processes, in 2 groups by workload and resource") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := scanOf(t, prometheus, "--match", "nothing_like_it"); got.code != exitPart ||
		!strings.Contains(got.stderr, "missing: everything: ") ||
		!strings.Contains(got.stdout, "nothing to judge") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// scanOfKilled scans a Prometheus that is killed in the middle.
func scanOfKilled(t *testing.T, data string) {
	address, kill := startPrometheus(t, data)
	server := proxy(t, address, func(n int64, _ http.ResponseWriter) bool {
		if n == 12 {
			kill()
		}
		return false
	})
	got := scanOf(t, server)
	if got.code != exitPart || !strings.Contains(got.stderr, "missing: ") ||
		!strings.Contains(got.stderr, "does not answer any more") ||
		!strings.Contains(got.stdout, "A part could not be read") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func scanWithoutServer(t *testing.T) {
	// No test listens at a port that is the system's: a free one may be another test's server by then.
	if got := scanOf(t, "http://127.0.0.1:1"); got.code != exitPart ||
		!strings.Contains(got.stderr, "http://prometheus:9090: ") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// pageOfFleet looks at the page as a browser shows it.
func pageOfFleet(t *testing.T, prometheus, page string) {
	if got := scanOf(t, prometheus, "--html", page); got.code != exitUsage || !strings.Contains(got.stderr, page) {
		t.Errorf("the page was replaced: exit code %d, %s", got.code, got.stderr)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(page))))
	defer server.Close()
	tab := browsertest.Open(t, server.URL+"/fleet.html", 1100, 900, "light")
	for scheme, width := range map[string]int64{"light": 1100, "dark": 375} {
		tab.Emulate(width, 900, scheme)
		tab.Shot("fleet-" + scheme)
		rows := browsertest.Eval[[]string](tab,
			`Array.from(document.querySelector('tbody').rows).map(r => r.cells[0].innerText + ' ' +
			r.cells[1].innerText.replace(/\s+/g, ' ') + ' ' + document.querySelector(r.cells[1].querySelector('a').getAttribute('href')).tagName)`)
		want := []string{
			"LEAK goroutines api v1.9, 40 of 50 replicas, chance of a leak 98 % (95 to 99) SECTION",
			"LEAK container_memory_working_set_bytes shop/cart v7, 3 of 6 replicas, chance of a leak 98 % (94 to 99) " +
				"SECTION",
			"LEAK open_fds worker 2.4.1, 1 of 10 replicas, chance of a leak 98 % (93 to 99) SECTION",
			"LIMIT open_fds worker 2.4.1, 1 of 10 replicas SECTION",
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", scheme, diff)
		}
		if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > width {
			t.Errorf("%s: the page is %d wide", scheme, got)
		}
	}
	// axe-core finds nothing wrong with it when all is unfolded, and the tab key is soon through it.
	if n := tab.Stops(); n > 20 {
		t.Errorf("the tab key stops %d times", n)
	}
	for scheme, width := range map[string]int64{"light": 1100, "dark": 375} {
		tab.Emulate(width, 900, scheme)
		browsertest.Eval[bool](tab, `(document.querySelectorAll('details').forEach(d => { d.open = true; }), true)`)
		for _, v := range tab.Violations() {
			t.Errorf("%s: %s", scheme, v)
		}
	}
}

// leakingJobs selects the jobs of the fleet that leak, which takes less time than all.
const leakingJobs = `{job=~"api|worker|kubelet"}`

// scanThroughFaults scans a server whose answers come late, or only when asked again: that changes nothing.
func scanThroughFaults(t *testing.T, prometheus string) {
	var faults atomic.Int64
	server := proxy(t, prometheus, func(n int64, w http.ResponseWriter) bool {
		faults.Add(1)
		switch n {
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 4:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 6:
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{`)
		case 8:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>try again</html>")
		case 10:
			time.Sleep(300 * time.Millisecond)
			return false
		default:
			faults.Add(-1)
			return false
		}
		return true
	})
	undisturbed := scanOf(t, prometheus, "--match", leakingJobs, "--exit-code")
	got := scanOf(t, server, "--match", leakingJobs, "--exit-code")
	if faults.Load() != 5 || got.code != exitLeak {
		t.Errorf("%d faults, exit code %d", faults.Load(), got.code)
	}
	if diff := cmp.Diff(undisturbed, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-undisturbed +disturbed):\n%s", diff)
	}
}

// scanBehindLogin gets a web page for every answer.
func scanBehindLogin(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>Please log in</html>")
	}))
	defer server.Close()
	got := scanOf(t, server.URL)
	if got.code != exitPart || !strings.Contains(got.stderr, "web page") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// callback is an output that calls when something was written.
type callback func()

func (f callback) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// scanAgain is interrupted after the first of many scans.
func scanAgain(t *testing.T, prometheus string) {
	ctx, cancel := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	args := []string{"scan", "--prometheus", prometheus, "--every", "1h", "--since", "6h", "--match", "go_goroutines"}
	if err := run(ctx, args, strings.NewReader(""), callback(cancel), &stderr); err != nil ||
		strings.Count(stderr.String(), "\n") > 1 {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

// scanLine is what the tests read of a line of JSON.
type scanLine struct {
	Time         time.Time
	File         string
	Resource     string
	Kind         string
	State        string
	Severity     string
	Value        float64
	Baseline     float64
	SlopePerHour float64 `json:"slope_per_hour"`
	Since        time.Time
	Summary      string
	Group        map[string]string
	Growing      int
	Replicas     int
	Q            float64
	FDR          float64
	Hypotheses   int
}

// alertsOfFleet prints the findings as JSON and sends them to a real Alertmanager.
func alertsOfFleet(t *testing.T, prometheus string) {
	address := promtest.Alertmanager(t)
	var lasts []time.Duration // of the alerts, rounded
	active := func() (all []string) {
		lasts = nil
		resp, err := http.Get(address + "/api/v2/alerts?active=true")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var alerts []struct {
			Labels, Annotations map[string]string
			EndsAt              time.Time
		}
		if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			l := a.Labels
			all = append(all, fmt.Sprintf("%s %s %s %s of %s %s", l["alertname"], l["severity"], l["kind"],
				l["resource"], l["job"], l["version"]))
			if a.Annotations["summary"] == "" || l["instance"] != "" {
				t.Errorf("alert %+v", a)
			}
			lasts = append(lasts, time.Until(a.EndsAt).Round(time.Hour))
		}
		slices.Sort(lasts)
		slices.Sort(all)
		return all
	}
	got := scanOf(t, prometheus, "--alertmanager", address, "--format", "json", "--match", leakingJobs)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.stderr)
	}
	var found, alarming []string
	for line := range strings.Lines(got.stdout) {
		var x scanLine
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		what := fmt.Sprintf("%s %s %s of %s %s", x.Severity, x.Kind, x.Resource, x.Group["job"], x.Group["version"])
		found = append(found, fmt.Sprintf("%s %s: %d of %d", x.State, what, x.Growing, x.Replicas))
		alarming = append(alarming, "LeakDetected "+what)
		if x.Time != fleetEnd || x.File != "http://prometheus:9090" || x.Summary == "" || x.Hypotheses == 0 ||
			x.FDR != .05 {
			t.Errorf("%s", line)
		}
		if x.Kind == "trend" && !(x.Q > 0 && x.Q <= .05 && x.SlopePerHour > 0 && x.Value > x.Baseline &&
			x.Since.Before(fleetEnd)) {
			t.Errorf("%s", line)
		}
		for _, key := range []string{"time", "file", "resource", "kind", "state", "severity", "value", "baseline",
			"slope_per_hour", "since", "summary"} {
			if !strings.Contains(line, `"`+key+`":`) {
				t.Errorf("no %s in %s", key, line)
			}
		}
	}
	slices.Sort(found)
	slices.Sort(alarming)
	want := []string{
		"firing warning limit open_fds of worker 2.4.1: 1 of 10",
		"firing warning trend container_memory_working_set_bytes of shop/cart v7: 3 of 6",
		"firing warning trend goroutines of api v1.9: 40 of 50",
		"firing warning trend open_fds of worker 2.4.1: 1 of 10",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(alarming, active()); diff != "" {
		t.Fatalf("alerts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Repeat([]time.Duration{usualAlertHold}, 4), lasts); diff != "" {
		t.Errorf("the alerts last (-want +got):\n%s", diff)
	}
	if got := scanOf(t, prometheus, "--alertmanager", address, "--alert-for", "2d", "--match",
		"container_memory_working_set_bytes"); got.code != 0 || got.stderr != "" {
		t.Errorf("exit code %d, stderr:\n%s", got.code, got.stderr)
	}
	if diff := cmp.Diff(alarming, active()); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{usualAlertHold, usualAlertHold, usualAlertHold, 48 * time.Hour},
		lasts); diff != "" {
		t.Errorf("after a scan of the containers the alerts last (-want +got):\n%s", diff)
	}

}

// A part of a fleet leaves what its past tells for the others, and says whose it lacks.
func TestScanSharesItsPast(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":[]}`)
	}))
	defer server.Close()
	dir := t.TempDir()
	scan := func(part string) string {
		got := leaktrend(t, "", "scan", "--prometheus", server.URL, "--shard", part, "--share-past", dir, "--compress")
		if got.code != 0 {
			t.Fatalf("part %s: exit code %d\n%s", part, got.code, got.stderr)
		}
		return got.stderr
	}
	const lacks = "hint: the past of 1 of the 2 parts of the fleet is not known yet"
	if got := scan("1/2"); !strings.Contains(got, lacks) {
		t.Errorf("the first says %q, want %q", got, lacks)
	}
	if got := scan("2/2"); strings.Contains(got, lacks) {
		t.Errorf("the second says %q", got)
	}
	for _, name := range []string{"part-0-of-2.json", "part-1-of-2.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
