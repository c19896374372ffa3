package unjudged

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// Words of names of columns that count what has happened since the start, in the languages of exports that people have.
var (
	totalWords = []string{"total", "cumulative", "cumul", "sum", "overall", "gesamt", "insgesamt", "totales", "totaux",
		"всего"}
	countWords = append([]string{"count", "counter", "anzahl"}, totalWords...)
	// queuedWords are events that also wait in queues, so that their count alone may be how many there are.
	queuedWords = []string{"call", "calls", "message", "messages", "event", "events", "packets", "pkts", "req", "reqs"}
	eventWords  = []string{
		"request", "requests", "req", "reqs", "failure", "failures", "error", "errors", "exceptions", "call", "calls",
		"query", "queries", "message", "messages", "event", "events",
		"hits", "misses", "evictions", "packets", "pkts", "interrupts", "collection", "collections", "commands",
		"commits", "rollbacks", "deadlocks", "questions", "anfragen", "aufrufe", "fehler", "requêtes", "erreurs",
		"solicitudes", "peticiones", "errores",
		"запросы", "запросов", "ошибки", "ошибок",
	}
	// doneWords end the names of what is over: it is counted, and there is none of it to be had.
	doneWords = []string{
		"processed", "served", "handled", "completed", "executed", "finished", "succeeded", "failed", "rejected",
		"dropped", "expired", "evicted", "received", "sent", "published", "delivered",
		"acknowledged", "retried", "accepted", "done",
	}
	// committedWords are what is committed once and for all; memory that is committed is there.
	committedWords = []string{"transaction", "transactions", "txn", "txns", "tx", "xact", "offset", "offsets",
		"entries", "writes"}
	// heldWords are of traffic that has yet to go on: it piles up.
	heldWords = []string{"buffer", "buffers", "buffered", "queue", "queues", "queued", "pending", "backlog", "inflight",
		"outstanding", "unsent", "unread", "unacked", "cache", "cached", "window", "pool", "ring", "retained", "held",
		"memory", "mem", "heap"}
	// besideEvents may be beside these in the name of a counter.
	besideEvents = []string{"http", "https", "grpc", "rpc", "api", "server", "client", "num", "number", "nr", "of",
		"nb", "gc", "all", "served", "handled", "processed"}
	// kernelCounts are what names of the counters of Linux begin with.
	kernelCounts = []string{
		"pgfault", "pgmajfault", "pgscan", "pgsteal", "pgrefill", "pgactivate", "pgdeactivate", "pglazyfree", "pgpgin",
		"pgpgout", "pgalloc", "pgfree", "pswpin", "pswpout", "minflt", "majflt",
		"nvcsw", "nivcsw", "ctxt", "pagefault",
	}
	rateWords = []string{"per", "rate", "percent", "pct", "%", "s", "sec", "avg", "average", "mean", "max", "min"}
)

// Names of processor time in one word: those of the kernel, and those that begin with cpu.
var (
	processorTimes = []string{"jiffies", "utime", "stime", "cutime", "cstime"}
	cpuTimes       = []string{"cpunano", "cpunanos", "cputime", "cputimes", "cpusec", "cpuseconds", "cpuus", "cpuns"}
)

// isCPUTime reports whether a column counts processor time, by words of its name: that it is of processors, and a unit
// of time or nothing else. What falls is a gauge all the same.
func isCPUTime(name string) bool {
	list := naming.Words(name)
	if slices.Contains(processorTimes, strings.TrimSpace(name)) {
		return true
	}
	if !slices.ContainsFunc(list, func(w string) bool { return strings.HasPrefix(w, "cpu") }) ||
		naming.HasWord(name, "per", "rate", "percent", "pct", "%", "millicores") {
		return false
	}
	if naming.HasWord(name, "usage") && naming.HasWord(name, "total", "kernelmode", "usermode", "system", "user") {
		return true
	}
	if slices.ContainsFunc(list, func(w string) bool { return slices.Contains(cpuTimes, w) }) {
		return true
	}
	return naming.HasWord(name,
		"nano", "nanos", "nanosecond", "nanoseconds", "ns", "nsec", "usec", "usecs", "micros", "microseconds", "us",
		"msec", "millis", "milliseconds", "ms",
		"sec", "secs", "second", "seconds", "jiffies", "ticks") || strings.HasSuffix(name, "cpuacct.usage") ||
		strings.HasSuffix(name, "cpu.total.value") || strings.TrimSpace(name) == "CPU" ||
		slices.Contains([]string{"cpu time", "cpu total", "total cpu"}, strings.Join(list, " "))
}

// countsEvents reports whether a column counts what has happened since the start, by its name, as in "Total Request
// Count" or http.requests.total. What falls is a gauge all the same.
func countsEvents(name string) bool {
	list := naming.Words(name)
	if n := len(list); n > 1 && (slices.Contains(doneWords, list[n-1]) || slices.Contains([]string{"hits", "misses"},
		list[n-1])) && !naming.HasWord(name, rateWords...) {
		return true
	}
	if n := len(list); n > 1 && list[n-1] == "committed" && naming.HasWord(name, committedWords...) {
		return true
	}
	if n := len(list); n > 1 && slices.Contains([]string{"gc", "gcs"}, list[0]) &&
		slices.Contains([]string{"count", "counts", "runs", "num", "number", "cycles"}, list[1]) && n == 2 {
		return true
	}
	// of the garbage collectors of Elastic's
	if n := len(list); n > 1 && list[n-2] == "collection" && list[n-1] == "count" {
		return true
	}
	events, queued := 0, false
	for _, w := range naming.Words(name) {
		switch {
		case slices.Contains(eventWords, w):
			events++
			queued = queued || slices.Contains(queuedWords, w)
		case !slices.Contains(countWords, w) && !slices.Contains(besideEvents, w):
			return false
		}
	}
	return events > 0 && (!queued || naming.HasWord(name, totalWords...))
}

// countsTraffic reports whether a column counts what went over a network or a disk, by its name.
func countsTraffic(name string) bool {
	return naming.HasWord(name, "rx", "tx", "received", "recv", "sent", "transmitted", "read", "reads", "write",
		"writes",
		"written") &&
		naming.HasWord(name, "bytes", "octets", "packets", "frames", "ops", "sectors") &&
		!naming.HasWord(name, rateWords...) &&
		!naming.HasWord(name, heldWords...)
}

// countsOfKernel reports whether a column is a counter of Linux, by its name.
func countsOfKernel(name string) bool {
	list := naming.Words(name)
	for i, w := range list {
		if pages := i > 0 && slices.Contains([]string{"page", "major", "minor", "majorpage", "minorpage"},
			list[i-1]); pages &&
			(w == "faults" || w == "fault") {
			return !naming.HasWord(name, rateWords...)
		}
		if slices.ContainsFunc(kernelCounts, func(p string) bool { return strings.HasPrefix(w, p) }) {
			return !naming.HasWord(name, rateWords...)
		}
	}
	return false
}

// counters are names, in words, that can be nothing else: of the kernel, JMX, psutil, .NET, nginx and loops that count.
var counters = []string{
	"accepts", "accepted", "handled", "served", "processed", "completed", "done", "forks", "processes forked", "intr",
	"softirqs", "rchar", "wchar", "syscr", "syscw", "read chars", "write chars", "nr periods", "restarts",
	"restart count", "oom kills", "oom kill", "xact commit", "xact rollback", "ticks", "iterations", "loops",
	"heartbeats", "heartbeat", "total started thread count", "total loaded class count", "unloaded class count",
	"process cpu time", "txid", "xmin",
}

// isKnownCounter reports whether a name is that of a counter, or has words that only those have.
func isKnownCounter(name string) bool {
	list := naming.Words(name)
	has := func(words ...string) bool { return naming.HasWord(name, words...) }
	if has("per", "rate", "percent", "pct", "%", "avg", "average", "mean") {
		return false
	}
	if n := len(list); n > 1 && slices.Contains([]string{"in", "out"}, list[n-1]) &&
		slices.Contains([]string{"bytes", "packets", "octets", "frames"}, list[n-2]) {
		return true
	}
	return slices.Contains(counters, strings.Join(list, " ")) ||
		has("ctx", "context") && has("switches") ||
		has("io", "cpu") && has("counters", "times") ||
		has("throttling", "throttled") ||
		has("gc", "gctime", "collection", "pause") && has("time", "gctime") || has("pause") && has("total") ||
		has("gc", "gen") && has("count", "collections") && !has("pending", "queue", "object", "objects", "tracked",
			"heap", "memory", "bytes", "size", "live", "alive")
}

// IsCounter reports whether the name of a column shows that it is a counter, where nothing is declared about it.
func IsCounter(name string) bool {
	return name != sampler.CPUSeconds && (isKnownCounter(name) || isCPUTime(name) || countsEvents(name) ||
		countsTraffic(name) ||
		countsOfKernel(name))
}

// counting are the fields of runtimes' own statistics that are counters: none of them falls, and no name shows it. Each
// is recognized by a field beside them.
var counting = []struct {
	by     string
	fields []string
}{
	// Go's runtime.MemStats
	{"HeapAlloc", goCounts},
	{"TotalAlloc", goCounts},
	{"heap_live_slots", []string{ // Ruby's GC.stat
		"count", "time", "marking_time", "sweeping_time", "minor_gc_count", "major_gc_count", "compact_count",
		"read_barrier_faults", "total_moved_objects", "total_allocated_pages",
		"total_freed_pages", "total_allocated_objects", "total_freed_objects", "weak_references_count",
	}},
}

var goCounts = []string{"TotalAlloc", "Mallocs", "Frees", "Lookups", "NumGC", "NumForcedGC", "PauseTotalNs"}

// RuntimeCounters returns which of the names of columns are counters of a runtime's own statistics.
func RuntimeCounters(names []string) (all []string) {
	last := func(name string) string { return strings.TrimPrefix(name[strings.LastIndexByte(name, '.')+1:], ":") }
	for _, c := range counting {
		if !slices.ContainsFunc(names, func(name string) bool { return last(name) == c.by }) {
			continue
		}
		for _, name := range names {
			if name != "time" && slices.Contains(c.fields, last(name)) {
				all = append(all, name)
			}
		}
	}
	return all
}

// tallied are the counters of servers whose names do not show it. Each is recognized by a name beside them.
var tallied = []struct {
	by     string
	fields []string
}{
	// MySQL
	{"Threads_connected", []string{"Connections", "Queries", "Questions", "Slow_queries", "Aborted_clients",
		"Aborted_connects", "Opened_tables", "Opened_files", "Threads_created", "Created_tmp_tables"}},
	{"numbackends", []string{ // PostgreSQL
		"xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched", "tup_inserted",
		"tup_updated", "tup_deleted", "temp_files", "temp_bytes", "conflicts", "sessions",
	}},
	// HAProxy
	{"stot", []string{"stot", "bin", "bout", "dreq", "dresp", "ereq", "econ", "eresp", "wretr", "wredis", "hrsp_1xx",
		"hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other", "req_tot"}},
	// RabbitMQ
	{"publish", []string{"publish", "deliver", "ack", "redeliver", "confirm", "deliver_get", "deliver_no_ack", "get",
		"get_no_ack", "disk_reads", "disk_writes"}},
}

// ServerCounters returns the names of the counters of servers among names.
func ServerCounters(names []string) map[string]bool {
	last := func(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
	all := map[string]bool{}
	for _, c := range tallied {
		if !slices.ContainsFunc(names, func(name string) bool { return last(name) == c.by }) {
			continue
		}
		for _, name := range names {
			if slices.Contains(c.fields, last(name)) {
				all[name] = true
			}
		}
	}
	return all
}
