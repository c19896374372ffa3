//go:build go1.25

package torture

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// settings returns how long the torture lasts and the seed of its dice: from LEAKTREND_TORTURE, as in "10m" or "10m 7",
// or else some seconds and the seed 1.
func settings(t *testing.T, short time.Duration) (length time.Duration, seed uint64, long bool) {
	t.Helper()
	fields := strings.Fields(os.Getenv("LEAKTREND_TORTURE"))
	if len(fields) == 0 {
		return short, 1, false
	}
	length, err := time.ParseDuration(fields[0])
	if err != nil {
		t.Fatalf("LEAKTREND_TORTURE: %v", err)
	}
	seed = 1
	if len(fields) > 1 {
		if seed, err = strconv.ParseUint(fields[1], 10, 64); err != nil {
			t.Fatalf("LEAKTREND_TORTURE: %v", err)
		}
	}
	return length, seed, true
}

// dice are thrown by many goroutines.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, stream))} }

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// order returns the numbers below n, shuffled.
func (d *dice) order(n int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Perm(n)
}

// oneIn is true once in n throws.
func (d *dice) oneIn(n int) bool { return d.below(n) == 0 }

// upTo returns a time of less than d.
func (d *dice) upTo(limit time.Duration) time.Duration { return time.Duration(d.below(int(limit))) }

// tally counts what was done.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (c *tally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] += n
}

func (c *tally) max(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] = max(c.counts[what], n)
}

// sum returns the total of all counts below a prefix.
func (c *tally) sum(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, count := range c.counts {
		if strings.HasPrefix(what, prefix) {
			n += count
		}
	}
	return n
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&text, "%10d  %s\n", c.counts[what], what)
	}
	return text.String()
}

// harm is what hostile code does. What blocks waits for the tide, and nothing does any harm once it is calm.
type harm struct {
	*dice
	*tally
	tide atomic.Pointer[chan struct{}]
	calm atomic.Bool
}

func newHarm(seed, stream uint64, count *tally) *harm {
	h := &harm{dice: newDice(seed, stream), tally: count}
	h.turn()
	return h
}

// turn lets what blocks go on.
func (h *harm) turn() {
	next := make(chan struct{})
	if old := h.tide.Swap(&next); old != nil {
		close(*old)
	}
}

// end ends all harm.
func (h *harm) end() {
	h.calm.Store(true)
	h.turn()
}

// block waits for the tide, whatever else happens.
func (h *harm) block() {
	tide := *h.tide.Load()
	if !h.calm.Load() { // or else the tide that ends all may have been the one before
		<-tide
	}
}

// strike panics, blocks, ends the goroutine or dawdles, once in twenty calls.
func (h *harm) strike(where string) {
	if h.calm.Load() {
		return
	}
	switch h.below(150) {
	case 0, 1, 2:
		h.add("fault: "+where+" panics", 1)
		panic("struck in " + where)
	case 3, 4:
		h.add("fault: "+where+" blocks", 1)
		h.block()
	case 5:
		h.add("fault: "+where+" ends its goroutine", 1)
		runtime.Goexit()
	case 6, 7:
		h.add("fault: "+where+" dawdles", 1)
		time.Sleep(h.upTo(20 * time.Millisecond))
	}
}
