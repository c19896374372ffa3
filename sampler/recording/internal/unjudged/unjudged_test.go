package unjudged

import "testing"

// What the name of a column says of it, where its values do not gainsay that.
func TestNamesThatCount(t *testing.T) {
	for name, want := range map[string]bool{
		"Anfragen gesamt": true, "http.requests.total": true, "Total Request Count": true, "requests": true,
		"errors_total": true, "CPU": true, "cpu.total.value": true, "cpu_time": true, "CPUUsageNSec": true,
		"total_commands_processed": true, "keyspace_hits": true, "jvm.gc.collectors.old.collection_count": true,
		"cpu_stats.cpu_usage.total_usage": true,
		"transactions committed":          true, "heap.committed": false, "NonHeapCommitted": false,
		"committed memory":   false,
		"write_buffer_bytes": false, "recv_queue_bytes": false, "tx pending bytes": false, "rx_ring_bytes": false,
		"retained received bytes": false, "read only memory bytes": false,
		"network.rx_bytes": true, "write_bytes": true, "pgfault": true, "pgsteal_kswapd": true,
		"nonvoluntary_ctxt_switches": true, "messages total": true, "запросов всего": true,
		"page_faults": true, "memory.pageFaults": true, "majorPageFaults": true, "Page Faults/sec": false,
		"gc_count": true, "gc runs": true, "gc_count_pending": false, "cputime": true, "CPUNano": true, "jiffies": true,
		"utime": true, "faults": false, "open page": false,
		"rchar": true, "num_ctx_switches": true, "io_counters.read_count": true, "cpu_times.user": true,
		"TotalStartedThreadCount": true, "CollectionTime": true, "gen-0-gc-count": true, "bytesOut": true,
		"packets_in": true, "restarts": true, "iterations": true, "nr_throttled": true, "jobs_done": true,
		"thread_count": false, "LoadedClassCount": false, "bytes_in_use": false, "started_threads": false,
		"context_count": false, "gc_heap": false, "gc_object_count": false, "gc_total_memory": false,
		"collection_total_size": false, "handlers": false, "collection_size": false,
		"messages": false, "message_count": false, "events": false, "pending requests": false,
		"requests_in_flight": false, "requests/s": false, "cpu_percent": false, "CPUPerc": false, "%CPU": false,
		"rx_bytes/s": false,
		"pgfault/s":  false, "rss_bytes": false, "read_buffer": false, "connections_total": false, "total": false,
		"count": false, "failed": false, "hits": true, "open_requests": false, "cpu_usage": false, "cpu_count": false,
	} {
		if got := IsCounter(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestNamesOfWhatIsLeft(t *testing.T) {
	for name, want := range map[string]bool{
		"free_mb": true, "MemAvailable": true, "free_connections": true, "remaining_fds": true,
		"Freier Speicher (MB)": true, "Mémoire disponible": true, "Свободная память": true, "可用内存": true,
		"空きメモリ": true, "FreeableMemory Average": true, "Available MBytes": true,
		"goroutines left": false, "remaining_goroutines": false, "fds left": true, "handles left open": false,
		"fds_left_open": false, "open files left": true, "frees": false,
		"freed_bytes": false, "unavailable": false, "free_list_size": false, "used": false, "availability": false,
		`mem{kind="free"}`: false,
	} {
		if got := IsRemainder(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
