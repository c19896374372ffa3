//go:build go1.25

package torture

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

// holding is what a process holds.
type holding struct {
	stacks      map[string]int // goroutines by the functions of their stacks
	descriptors int            // -1 where they are not known
	heap        int64          // bytes that are live after two collections
}

func takeStock() holding {
	runtime.GC()
	debug.FreeOSMemory() // the second collection; the first let finalizers and pools go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return holding{stacks(), descriptors(), int64(m.HeapAlloc)}
}

// stacks counts the goroutines, the one that asks left out.
func stacks() map[string]int {
	text := make([]byte, 1<<16)
	for {
		n := runtime.Stack(text, true)
		if n < len(text) {
			text = text[:n]
			break
		}
		text = make([]byte, 2*len(text))
	}
	counts := map[string]int{}
	for i, g := range strings.Split(string(text), "\n\n") {
		if i == 0 {
			continue
		}
		var functions []string
		for _, line := range strings.Split(g, "\n")[1:] {
			if !strings.HasPrefix(line, "\t") {
				name, _, _ := strings.Cut(line, " in goroutine ")
				if at := strings.LastIndexByte(name, '('); at > 0 && !strings.HasPrefix(name, "created by") {
					name = name[:at] // its arguments differ
				}
				functions = append(functions, name)
			}
		}
		counts[strings.Join(functions, "\n\t")]++
	}
	return counts
}

func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(all)
}

// heapTolerance is what the heap may have more than before, however long the torture took: a first round of each kind
// made what is there once, but maps and the tables of package runtime's profiles keep the size that they once had, and
// what a pool or a finalizer still holds is not the same each time. Measured are at most 0.1 MB, and 20 MB after 8 s
// where each monitor is held on to.
const heapTolerance = 1 << 20

// verifyLeft waits until no more is there than before: for goroutines and descriptors, which end soon after what they
// served, and for what they held.
func verifyLeft(t *testing.T, before holding) (after holding) {
	t.Helper()
	await.Until(t, func() string {
		after = takeStock()
		for _, stack := range slices.Sorted(maps.Keys(after.stacks)) {
			if more := after.stacks[stack] - before.stacks[stack]; more > 0 {
				return fmt.Sprintf("%d goroutines more than before that end:\n\t%s", more, stack)
			}
		}
		if after.descriptors > before.descriptors {
			return fmt.Sprintf("%d descriptors, %d before", after.descriptors, before.descriptors)
		}
		if more := after.heap - before.heap; more > heapTolerance {
			return fmt.Sprintf("%d bytes of heap more than before, over %d", more, heapTolerance)
		}
		return ""
	})
	return after
}
