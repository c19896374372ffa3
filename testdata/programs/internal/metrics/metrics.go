// Package metrics shows a process from the inside: what runtime/metrics and /proc/self say, as a Prometheus text
// endpoint with the names that the Prometheus client library uses.
package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
)

// clockTick is the unit of times in /proc, in ticks per second: fixed on every Linux architecture that Go runs on.
const clockTick = 100

// Each metric is the sum of its runtime samples.
var runtimeMetrics = []struct {
	name    string
	sources []string
}{
	{"go_goroutines", []string{"/sched/goroutines:goroutines"}},
	{"go_gc_heap_live_bytes", []string{"/gc/heap/live:bytes"}},
	{"go_memstats_heap_inuse_bytes", []string{"/memory/classes/heap/objects:bytes",
		"/memory/classes/heap/unused:bytes"}},
	{"go_memstats_stack_inuse_bytes", []string{"/memory/classes/heap/stacks:bytes"}},
}

// Handler serves the metrics of this process. What /proc does not give is left out.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		writeRuntime(&b)
		writeProcess(&b)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(b.Bytes())
	})
}

func writeRuntime(b *bytes.Buffer) {
	for _, m := range runtimeMetrics {
		samples := make([]metrics.Sample, len(m.sources))
		for i, name := range m.sources {
			samples[i].Name = name
		}
		metrics.Read(samples)
		var sum uint64
		for _, s := range samples {
			sum += s.Value.Uint64()
		}
		write(b, m.name, "gauge", float64(sum))
	}
}

func writeProcess(b *bytes.Buffer) {
	if f := procFields("/proc/self/statm"); len(f) > 1 {
		write(b, "process_resident_memory_bytes", "gauge", number(f[1])*float64(os.Getpagesize()))
	}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		write(b, "process_open_fds", "gauge", float64(len(entries)-1)) // less the listing's own
	}
	for _, line := range procLines("/proc/self/limits") {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			write(b, "process_max_fds", "gauge", number(strings.Fields(rest)[0]))
		}
	}

	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	// The fields after the command's name, which may itself hold blanks: f[0] is field 3 of proc(5).
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 20 {
		return
	}
	write(b, "go_threads", "gauge", number(f[17]))
	write(b, "process_cpu_seconds_total", "counter", (number(f[11])+number(f[12]))/clockTick)
	for _, line := range procLines("/proc/stat") {
		if boot, ok := strings.CutPrefix(line, "btime "); ok {
			write(b, "process_start_time_seconds", "gauge", number(boot)+number(f[19])/clockTick)
		}
	}
}

func write(b *bytes.Buffer, name, kind string, value float64) {
	fmt.Fprintf(b, "# TYPE %s %s\n%s %s\n", name, kind, name, strconv.FormatFloat(value, 'f', -1, 64))
}

func procLines(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Split(string(text), "\n")
}

func procFields(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(string(text))
}

func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}
