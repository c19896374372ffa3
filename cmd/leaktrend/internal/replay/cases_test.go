package replay

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// Files as people have them: what is understood of each, and the verdict on each series. They were made by the layouts
// of public sources from one leak (resident memory 197 to 554 MB, descriptors 61 to 228 in 48 h), or from numbers told
// in public.
func TestCases(t *testing.T) {
	minutes := recording.Options{Interval: 60e9}
	for _, test := range []struct {
		file       string
		o          recording.Options
		leaks, ok  string // the series, with their process
		understood string
		refused    string
	}{
		{
			file: "C1-page-cache-that-fills-is-called-a-leak.json",
			ok:   "container_memory_working_set_bytes, container_memory_rss",
			understood: "480 values of 480, 2d at 30m, JSON of a Prometheus range query, 3 columns judged, 2 not " +
				"(container_memory_cache: page cache, container_memory_usage_bytes: stands in for " +
				"container_memory_working_set_bytes)",
		},
		{
			file:       "F1-semicolons-and-decimal-comma.csv",
			ok:         "RSS MB, FDs",
			understood: "24 rows of 24, 7h 40m at 20m, a table with semicolons, 2 columns judged",
		},
		{
			file:       "F11-influx-line-protocol.txt",
			ok:         "memory_rss, num_fds",
			understood: "48 values of 48, 7h 40m at 20m, line protocol of InfluxDB, 2 columns judged",
		},
		{
			file:       "F13-utf16.csv",
			ok:         "rss_bytes",
			understood: "24 rows of 24, 7h 40m at 20m, 1 column judged",
		},
		{
			file: "F14-pidstat-h.log",
			ok:   "minflt/s, majflt/s, VSZ, RSS, %MEM",
			understood: "24 rows of 24, 7h 40m at 20m, output of sysstat (pidstat or sar), 5 columns judged, 2 not " +
				"(UID: an identifier, PID: an identifier)",
		},
		{
			file: "F15-ps-loop-with-date.log",
			ok:   "%CPU, %MEM, VSZ, RSS",
			understood: "24 rows of 24, 7h 40m at 20m, listings of ps, 4 columns judged, 2 not (TIME: a counter, " +
				"PID: an identifier)",
		},
		{
			file:  "F16-log-of-garbage-collections-read-for-its-times.log",
			leaks: "heap_after_gc_bytes",
			understood: "144 rows of 144, 2d at 20m, log of a JVM's garbage collections, 1 column judged, 1 not " +
				"(heap_committed_bytes: a limit)",
		},
		{
			file:       "F2-space-separated-epoch-count.log",
			ok:         "value",
			understood: "24 rows of 24, 7h 40m at 20m, a table with blanks, 1 column judged",
		},
		{
			file:       "F2b-tab-separated.tsv",
			ok:         "rss_bytes",
			understood: "24 rows of 24, 7h 40m at 20m, a table with tabs, 1 column judged",
		},
		{
			file:       "F3-json-lines.jsonl",
			ok:         "rss_kb, fd_total",
			understood: "24 rows of 24, 7h 40m at 20m, JSON lines, 2 columns judged",
		},
		{
			file:       "F4-victoriametrics-export.jsonl",
			ok:         "rss_bytes, open_fds",
			understood: "48 values of 48, 7h 40m at 20m, JSON lines of a VictoriaMetrics export, 2 columns judged",
		},
		{
			file:       "F5-promtool-tsdb-dump.txt",
			ok:         "open_fds",
			understood: "24 values of 24, 7h 40m at 20m, Prometheus text, 1 column judged",
		},
		{
			file:       "F6-promtool-query-range.txt",
			ok:         "open_fds",
			understood: "24 values of 24, 7h 40m at 20m, text of promtool query, 1 column judged",
		},
		{
			file:    "F8-curl-metrics-loop-without-timestamps.prom",
			refused: "Prometheus text: its values have no timestamps; say how far apart they are, as in --interval 30s",
		},
		{
			file:       "L1-long-format-leak-in-the-second-pod-is-called-ok.csv",
			leaks:      "pod web: rss_bytes",
			ok:         "pod api: rss_bytes, pod db: rss_bytes",
			understood: "432 rows of 432, 2d at 20m, a CSV table, 3 processes by pod, 1 column judged",
		},
		{
			file:       "L2-two-pids-interleaved-leak-in-the-larger-is-called-ok-without-a-note.csv",
			leaks:      "pid 2202: rss_kb, pid 2202: fds",
			ok:         "pid 2201: rss_kb, pid 2201: fds",
			understood: "288 rows of 288, 2d at 20m, a CSV table, 2 processes by pid, 2 columns judged",
		},
		{
			file:       "L5-two-series-of-one-legend-second-leaks-first-is-judged.csv",
			leaks:      "open fds (2)",
			ok:         "open fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "L6-mprof-multiprocess-leak-in-the-child-is-skipped.dat",
			leaks:      "child 1: rss_bytes",
			ok:         "main process: rss_bytes",
			understood: "288 rows of 288, 2d at 20m, mprof (memory_profiler), 2 processes by child, 1 column judged",
		},
		{
			file:       "N1-column-fd_total-is-not-judged-nor-shown.csv",
			leaks:      "fd_total",
			ok:         "rss_bytes",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "N2-column-max_rss_kb-is-not-judged-nor-shown.csv",
			leaks:      "max_rss_kb",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 1 column judged",
		},
		{
			file:       "N3-prometheus-gauge-pg_stat_activity_count-left-out.json",
			leaks:      "pg_stat_activity_count",
			ok:         "open_fds",
			understood: "288 values of 288, 2d at 20m, JSON of a Prometheus range query, 2 columns judged",
		},
		{
			file:       "N4-pid-column-of-a-respawning-service-is-called-a-leak.csv",
			ok:         "rss_kb",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 1 column judged, 1 not (pid: an identifier)",
		},
		{
			file:       "N5-declared-gauge-named-_total-is-not-judged-nor-shown.prom",
			leaks:      "nodejs_active_requests_total",
			understood: "144 values of 144, 2d at 20m, Prometheus text, 1 column judged",
		},
		{
			file: "N6-nanoseconds-of-processors-called-a-leak.jsonl",
			ok:   "attributes.metadata.attempt, memory.workingSetBytes.value",
			understood: "144 rows of 144, 2d at 20m, JSON lines, 2 columns judged, 2 not (memory.timestamp: a time, " +
				"cpu.usageCoreNanoSeconds.value: a counter)",
		},
		{
			file:       "R-one-instance-with-start-time.json",
			leaks:      "goroutines",
			understood: "1152 values of 1152, 8d at 20m, JSON of a Prometheus range query, 1 column judged",
		},
		{
			file:  "R1-two-instances-start-times-are-lost.json",
			leaks: "instance a:1: goroutines, instance b:1: goroutines",
			understood: "2304 values of 2304, 8d at 20m, JSON of a Prometheus range query, 2 processes by instance, " +
				"1 column judged",
		},
		{
			file:       "R3-oomkill-saw-container_start_time_seconds-in-the-file-is-ignored.json",
			leaks:      "container_memory_working_set_bytes",
			understood: "2880 values of 2880, 5d at 5m, JSON of a Prometheus range query, 1 column judged",
		},
		{
			file:       "R3-same-with-process_start_time_seconds.json",
			leaks:      "container_memory_working_set_bytes",
			understood: "2880 values of 2880, 5d at 5m, JSON of a Prometheus range query, 1 column judged",
		},
		{
			file:  "R4-start-of-each-point-taken-for-restarts.json",
			leaks: "agent.googleapis.com/processes/rss_usage",
			understood: "144 rows of 144, 2d at 20m, JSON lines, 1 column judged, 2 not (interval.startTime: a time, " +
				"resource.labels.instance_id: an identifier), newest first: sorted",
		},
		{
			file:       "T1-elapsed-minutes-read-as-seconds.csv",
			leaks:      "rss_mb, fds",
			understood: "576 rows of 576, 2d at 5m, a CSV table, 2 columns judged",
		},
		{
			file:       "T1b-elapsed-hours-read-as-seconds.csv",
			leaks:      "rss_mb, fds",
			understood: "144 rows of 144, 2d at 19m 59s, a CSV table, 2 columns judged",
		},
		{
			file:       "T3-sql-export-id-column-taken-for-the-time.csv",
			leaks:      "goroutines, memory_mb",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged, 1 not (id: an identifier)",
		},
		{
			file:    "T3b-sample-number-30d-of-minutes-pace-and-time-to-limit-60-times-off.csv",
			refused: "a CSV table: it has no time: n counts samples; say how far apart they are, as in --interval 1m",
		},
		{
			file:       "T5-newest-first-only-one-row-used-exit-0.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged, newest first: sorted",
		},
		{
			file:       "T6-refused-time-epoch-nanoseconds.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "T6-refused-time-go-time-string.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "T6-refused-time-no-seconds.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "T6-refused-time-offset-without-colon.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "T6-refused-time-slash.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "T6-refused-time-zone-name-utc.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file: "T7-row-numbers-without-a-header-called-a-leak.tsv",
			ok:   "value, value_2",
			understood: "144 rows of 144, 2d at 20m, a table with tabs, 2 columns judged, 1 not (column 1: row " +
				"numbers)",
		},
		{
			file:       "V1-formatted-MiB-cells-all-dropped-says-too-short.csv",
			leaks:      "api-1",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 1 column judged",
		},
		{
			file:       "V1b-thousands-separators-column-dropped.csv",
			leaks:      "rss_bytes",
			ok:         "open_fds",
			understood: "144 rows of 144, 2d at 20m, a CSV table, 2 columns judged",
		},
		{
			file:       "V2-short-unit-K-cells-dropped-leak-to-6K-is-called-ok.csv",
			leaks:      "api-1",
			understood: "288 rows of 288, 4d at 20m, a CSV table, 1 column judged",
		},
		{
			file:       "Z1-two-zero-readings-in-48h-hide-a-fd-leak.csv",
			leaks:      "open_fds",
			understood: "576 rows of 576, 2d at 5m, 1 column judged, 2 gaps where open_fds is 0 or less",
		},
		{
			file:       "Z1b-two-minus1-readings-in-48h-hide-a-fd-leak.csv",
			leaks:      "open_fds",
			understood: "576 rows of 576, 2d at 5m, 1 column judged, 2 gaps where open_fds is 0 or less",
		},
		{
			file:       "Z2-one-zero-reading-resolves-the-alert-given-back-160-now.csv",
			leaks:      "open_fds",
			understood: "576 rows of 576, 2d at 5m, 1 column judged, 1 gap where open_fds is 0 or less",
		},
		{
			file:       "Z3-climbs-through-65535.csv",
			leaks:      "open_fds",
			understood: "144 rows of 144, 2d at 20m, 1 column judged",
		},
		{
			file:  "Z3-three-readings-of-65535-in-48h-hide-a-fd-leak.csv",
			leaks: "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, 2 columns judged, 3 gaps where open_fds is a number that stands " +
				"for a failed reading",
		},
		{
			file:  "Z3b-readings-of-65535-in-a-table-with-semicolons.csv",
			leaks: "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, a table with semicolons, 2 columns judged, 5 gaps where " +
				"open_fds is a number that stands for a failed reading",
		},
		{
			file:       "plain-healthy.csv",
			ok:         "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, 2 columns judged",
		},
		{
			file:       "plain-leak.csv",
			leaks:      "rss_bytes, open_fds",
			understood: "144 rows of 144, 2d at 20m, 2 columns judged",
		},
		{
			file: "T3b-sample-number-30d-of-minutes-pace-and-time-to-limit-60-times-off.csv", o: minutes,
			leaks:      "open_fds",
			understood: "720 rows of 720, 29d 23h at 1h, a CSV table, 1 column judged, n counts samples 1m apart",
		},
	} {
		t.Run(strings.TrimSuffix(test.file, filepath.Ext(test.file)), func(t *testing.T) {
			path := filepath.Join("../../../../testdata/cases", test.file)
			results, err := File(t.Context(), path, Options{Config: detector.DefaultConfig(), Reading: test.o})
			if test.refused != "" {
				if err == nil || err.Error() != path+": "+test.refused {
					t.Errorf("got %v, want %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var leaks, ok []string
			for _, r := range results {
				_, process, _ := strings.Cut(r.File, " (")
				if process = strings.TrimSuffix(process, ")"); process != "" {
					process += ": "
				}
				for _, c := range r.Resources {
					switch {
					case c.Trend:
						leaks = append(leaks, process+c.Resource.Name)
					case c.Judged && !c.Leaked():
						ok = append(ok, process+c.Resource.Name)
					}
				}
			}
			want := []string{test.leaks, test.ok, path + ": " + test.understood}
			if diff := cmp.Diff(want, []string{strings.Join(leaks, ", "), strings.Join(ok, ", "),
				results[0].Understood}); diff != "" {
				t.Errorf("leaks, ok, understood (-want +got):\n%s", diff)
			}
		})
	}
}
