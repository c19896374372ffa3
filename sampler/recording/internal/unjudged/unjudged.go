// Package unjudged knows by their names the columns whose growth is no leak: counters, page cache, and what is left of
// something.
package unjudged

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// cacheNames are what tools call the page cache, without units and what all their names begin with.
var cacheNames = []string{"cached", "buffers", "buff cache", "buffcache", "page cache", "pagecache", "inactive file",
	"active file", "mapped file", "file"}

// IsCache reports whether a column is page cache by its name.
func IsCache(header string) bool {
	list := slices.DeleteFunc(naming.Words(header), func(w string) bool {
		factor, unit := naming.Unit("x " + w)
		return factor != 1 || unit != "" || slices.Contains([]string{"memory", "mem", "total", "kb", "stats"}, w)
	})
	// of cAdvisor, docker and cgroups
	if path := naming.Words(header); len(path) > 1 && path[len(path)-1] == "cache" &&
		slices.Contains([]string{"memory", "mem", "stats", "total"}, path[len(path)-2]) {
		return true
	}
	return slices.Contains(cacheNames, strings.TrimPrefix(strings.Join(list, " "), "kb"))
}

// leftWords mark a column as what is left.
var leftWords = []string{
	"free", "available", "avail", "remaining", "remainder", "left", "freeable", "memfree", "memavailable",
	"swapfree", "kbmemfree", "kbavail", "frei", "freier", "freie", "freies", "verfügbar",
	"verfuegbar", "verfügbarer", "libre", "libres", "disponible", "disponibles", "disponível", "livre", "libero",
}

// boundless are things of which there are as many as a program makes: those that are left are not free, but there
// still.
var boundless = []string{"goroutine", "goroutines", "coroutine", "coroutines", "fiber", "fibers", "greenlet",
	"greenlets"}

// IsRemainder reports whether a column is what is left of something, by its name: where a process leaks it falls, so
// that to judge its growth would be to call the leak ok.
func IsRemainder(header string) bool {
	header, _, _ = strings.Cut(header, "{")
	list := naming.Words(header)
	if at := slices.Index(list, "left"); at >= 0 && at+1 < len(list) &&
		slices.Contains([]string{"open", "behind", "running"}, list[at+1]) {
		return false // what should have gone and is there
	}
	if naming.HasWord(header, "left", "remaining") && naming.HasWord(header, boundless...) {
		return false // too
	}
	if naming.HasWord(header, leftWords...) && !naming.HasWord(header, "list", "lists", "ratio") {
		return true
	}
	lower := strings.ToLower(header)
	return slices.ContainsFunc(leftParts, func(part string) bool { return strings.Contains(lower, part) })
}

// UsedBeside reports whether a column tells what is used of that of which another is what is left, by their names, and
// by whether they are sizes: it is of memory too, or has a word in common.
func UsedBeside(left, used string, leftSize, usedSize bool) bool {
	if IsRemainder(used) || naming.HasWord(used, "swap", "swpd", "swapped") {
		return false
	}
	if bare := !slices.ContainsFunc(naming.Words(left), func(w string) bool {
		return !slices.Contains(leftWords, w)
	}); bare || leftSize || isMemory(left) {
		return usedSize || isMemory(used)
	}
	return slices.ContainsFunc(naming.Words(used), func(w string) bool {
		return !slices.Contains(leftWords, w) && naming.HasWord(left, w)
	})
}

// isMemory reports whether a column is an amount of memory, by its name.
func isMemory(header string) bool {
	return naming.HasWord(header, naming.MemoryWords...) ||
		naming.HasWord(header, "ram", "anon", "private", "pss", "uss", "working", "ws", "pm", "speicher", "memfree",
			"memused", "kbmemused")
}

// IsGroupTotal reports whether a column is the memory of a control group with its page cache, by its name.
func IsGroupTotal(header string) bool {
	return slices.Contains(cgroupTotals, strings.Join(naming.Words(header), " "))
}

// cgroupTotals are what control groups call the memory of a group with its page cache.
var cgroupTotals = []string{"memory current", "memory usage in bytes", "usage in bytes", "memory usage",
	"memory stats usage", "memory max usage", "memory total", "memory usage bytes", "usage bytes"}

// leftParts are parts of such names in scripts without blanks or with many endings.
var leftParts = []string{"свобод", "доступн", "空き", "利用可能", "可用", "剩余", "空闲", "여유", "사용 가능"}
