package main

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
)

// fleetEnd is the end of the series that the tests of scan backfill; they are a week long.
var fleetEnd = time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)

const (
	fleetScrape  = 5 * time.Minute
	fleetScrapes = 7 * 24 * 12
)

// fleetSeries is one series of a backfilled fleet. NaN is no value.
type fleetSeries struct {
	metric string
	labels string // as in job="a",instance="b"
	value  func(scrape int) float64
}

// fleetOf builds the series of a fleet.
type fleetOf struct {
	r      *rand.Rand
	series []fleetSeries
	taken  map[string]int // recordings of each generated family
	// onTheGrid has scrapes exactly at the instants of a scan, not a minute after them.
	onTheGrid bool
}

func newFleet() *fleetOf {
	return &fleetOf{r: rand.New(rand.NewPCG(1, 2)), taken: map[string]int{}}
}

func (f *fleetOf) add(metric, labels string, value func(scrape int) float64) {
	f.series = append(f.series, fleetSeries{metric, labels, value})
}

// between gives values only from one scrape on and before another.
func between(from, to int, value func(scrape int) float64) func(int) float64 {
	return func(i int) float64 {
		if i < from || i >= to {
			return math.NaN()
		}
		return value(i)
	}
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

// noisy varies about a level that a function of the scrape gives.
func (f *fleetOf) noisy(noise float64, level func(i int) float64) func(int) float64 {
	values := make([]float64, fleetScrapes)
	for i := range values {
		values[i] = math.Round(level(i) * (1 + noise*(f.r.Float64()-.5)))
	}
	return func(i int) float64 { return values[i] }
}

// healthy takes the next series of a generated family.
func (f *fleetOf) healthy(family string) func(int) float64 {
	n := f.taken[family]
	f.taken[family]++
	week := fleetScrapes * fleetScrape
	r := generate.One(generate.Options{
		Seed: 77, PerFamily: n + 1, Interval: fleetScrape, Span: generate.Range{Min: week, Max: week},
	}, family, n)
	values := make([]float64, fleetScrapes)
	for i := range values {
		values[i] = math.NaN()
	}
	for k, at := range r.Times {
		if i := int(time.Duration(at-r.Times[0]) / fleetScrape); i < len(values) {
			values[i] = r.Series[0].Values[k]
		}
	}
	return func(i int) float64 { return values[i] }
}

func scrapeTime(i int) time.Time {
	return fleetEnd.Add(-time.Duration(fleetScrapes-i)*fleetScrape + time.Minute)
}

func perDay(amount float64, i int) float64 {
	return amount * float64(i) * fleetScrape.Hours() / 24
}

// writeOpenMetrics writes the scrapes from one on and before another as promtool reads them.
func (f *fleetOf) writeOpenMetrics(t testing.TB, path string, from, to int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	// Samples of one metric must stand together.
	var names []string
	byName := map[string][]fleetSeries{}
	for _, s := range f.series {
		if byName[s.metric] == nil {
			names = append(names, s.metric)
		}
		byName[s.metric] = append(byName[s.metric], s)
	}
	var line []byte
	for _, name := range names {
		for _, s := range byName[name] {
			begin := name + "{" + s.labels + "} "
			for i := from; i < to; i++ {
				v := s.value(i)
				if math.IsNaN(v) {
					continue
				}
				at := scrapeTime(i)
				if f.onTheGrid {
					at = at.Truncate(fleetScrape)
				}
				line = strconv.AppendFloat(append(line[:0], begin...), v, 'g', -1, 64)
				line = strconv.AppendInt(append(line, ' '), at.Unix(), 10)
				_, _ = w.Write(append(line, '\n'))
			}
		}
	}
	_, _ = w.WriteString("# EOF\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// writtenAtOnce is how many values promtool gets in one file, some 500 MB: of more it would get several, each of some
// days.
const writtenAtOnce = 5_000_000

// backfill makes a Prometheus data directory of a fleet.
func backfill(t testing.TB, f *fleetOf) string {
	t.Helper()
	promtool := promtest.Need(t, "promtool")[0]
	dir := t.TempDir()
	text := filepath.Join(dir, "fleet.om")
	data := filepath.Join(dir, "data")
	scrapes := max(writtenAtOnce/len(f.series), 1)
	for from := 0; from < fleetScrapes; from += scrapes {
		f.writeOpenMetrics(t, text, from, min(from+scrapes, fleetScrapes))
		if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet",
			"--max-block-duration=162h", text, data).CombinedOutput(); err != nil {
			t.Fatalf("promtool: %v\n%s", err, out)
		}
		if err := os.Remove(text); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

// startPrometheus starts one on a data directory and returns its address.
func startPrometheus(t testing.TB, data string) (address string, kill func()) {
	t.Helper()
	program := promtest.Need(t, "prometheus")[0]
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := promtest.FreePort(t)
	address = "http://" + listen
	kill = promtest.Serve(t, address+"/-/ready", program, "--config.file="+config, "--storage.tsdb.path="+data,
		"--storage.tsdb.retention.time=1000d", "--storage.tsdb.min-block-duration=2h",
		"--storage.tsdb.max-block-duration=2h", "--web.listen-address="+listen, "--log.level=warn")
	return address, kill
}

// leakyFleet is a fleet of a thousand series of a week: healthy ones of the generator's families beside planted leaks,
// deploys and restarts.
func leakyFleet() *fleetOf {
	f := newFleet()
	started := float64(scrapeTime(0).Add(-30 * 24 * time.Hour).Unix())
	deploy := 2 * 24 * 12
	// 50 replicas of api v1.8 make room for v1.9, 40 of which leak goroutines, by 40 a day.
	for i := range 50 {
		old := fmt.Sprintf(`job="api",instance="api-a%02d:8080",version="v1.8"`, i)
		f.add("go_goroutines", old, between(0, deploy, f.noisy(.2, always(120))))
		f.add("process_open_fds", old, between(0, deploy, f.noisy(.2, always(60))))
		f.add("process_start_time_seconds", old, between(0, deploy, always(started)))
		fresh := fmt.Sprintf(`job="api",instance="api-b%02d:8080",version="v1.9"`, i)
		level := always(120)
		if i < 40 {
			level = func(scrape int) float64 { return 120 + perDay(40, scrape-deploy) }
		}
		f.add("go_goroutines", fresh, between(deploy, fleetScrapes, f.noisy(.02, level)))
		f.add("process_open_fds", fresh, between(deploy, fleetScrapes, f.noisy(.2, always(60))))
		f.add("process_start_time_seconds", fresh,
			between(deploy, fleetScrapes, always(float64(scrapeTime(deploy).Unix()))))
	}
	// One of ten workers leaks descriptors towards its limit. The version comes from a metric of its own.
	for i := range 10 {
		labels := fmt.Sprintf(`job="worker",instance="worker-%d:9100"`, i)
		level := always(200)
		if i == 3 {
			level = func(scrape int) float64 { return 200 + perDay(90, scrape) }
		}
		f.add("process_open_fds", labels, f.noisy(.01, level))
		f.add("process_max_fds", labels, always(1024))
		f.add("process_start_time_seconds", labels, always(started))
		f.add("worker_build_info", labels+`,version="2.4.1",revision="abc"`, always(1))
		f.add("go_goroutines", labels, f.healthy("day_cycle"))
	}
	// A container of a pod leaks memory. The kubelet's job says nothing of it.
	for i := range 6 {
		labels := fmt.Sprintf(`job="kubelet",instance="node-%d:10250",namespace="shop",pod="cart-%d",`+
			`container="cart",image="registry:5000/shop/cart:v7@sha256:0123"`, i%3, i)
		level := always(200e6)
		if i < 3 {
			level = func(scrape int) float64 { return 200e6 + perDay(30e6, scrape) }
		}
		f.add("container_memory_working_set_bytes", labels, f.noisy(.05, level))
		f.add("container_spec_memory_limit_bytes", labels, always(2e9))
	}
	// Restarts told by the start time, by processor time that falls, and by gaps in up: each time memory warms up anew,
	// over two days.
	warming := func(every int) func(int) float64 {
		return func(i int) float64 { return 100e6 * (2 - math.Exp(-float64(i%every)*fleetScrape.Hours()/10)) }
	}
	day := 24 * 12
	for i := range 19 {
		labels := fmt.Sprintf(`job="restarts",instance="r-%d:1"`, i)
		f.add("process_resident_memory_bytes", labels, f.noisy(.02, warming(day)))
		switch i % 3 {
		case 0:
			f.add("process_start_time_seconds", labels, func(i int) float64 {
				return float64(scrapeTime(i - i%day).Unix())
			})
		case 1:
			f.add("process_cpu_seconds_total", labels, func(i int) float64 { return float64(i%day) * 30 })
		default:
			f.add("up", labels, func(i int) float64 {
				if i%day == day-1 {
					return 0
				}
				return 1
			})
		}
	}
	// What is healthy, of all kinds that a week shows to be healthy.
	metrics := map[string]string{
		"goroutines": "go_goroutines", "open_fds": "process_open_fds", "rss_bytes": "process_resident_memory_bytes",
		"heap_live_bytes": "go_gc_heap_live_bytes", "threads": "process_threads",
	}
	for _, family := range scores.Families(false) {
		if strings.Contains(family, "restarts") {
			continue
		}
		for i := range 30 {
			labels := fmt.Sprintf(`job="%s",instance="%d:80"`, family, i)
			metric := metrics[[]string{"rss_bytes", "open_fds", "goroutines"}[i%3]]
			f.add(metric, labels, f.healthy(family))
		}
	}
	return f
}
