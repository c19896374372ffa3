package guard

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// Inside knows the goroutines that are within a call of what is not ours. The zero value knows of none. It is safe for
// concurrent use.
type Inside struct {
	mu    sync.Mutex
	calls map[uint64]int
}

// Enter notes that this goroutine begins such a call. The function that it returns, to be called by the same goroutine,
// ends it.
func (c *Inside) Enter() (leave func()) {
	id := goroutineID()
	c.add(id, 1)
	return func() { c.add(id, -1) }
}

func (c *Inside) add(id uint64, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[uint64]int)
	}
	if c.calls[id] += n; c.calls[id] == 0 {
		delete(c.calls, id)
	}
}

// Here reports whether this goroutine is within such a call.
func (c *Inside) Here() bool {
	c.mu.Lock()
	none := len(c.calls) == 0
	c.mu.Unlock()
	if none {
		return false
	}
	id := goroutineID()
	c.mu.Lock()
	defer c.mu.Unlock()
	return id != 0 && c.calls[id] > 0
}

// goroutineID returns the number in "goroutine 42 [running]:", which a traceback begins with; 0 if it is not there. The
// runtime has no other name for a goroutine.
func goroutineID() uint64 {
	var first [64]byte
	text := first[:runtime.Stack(first[:], false)]
	text, _ = bytes.CutPrefix(text, []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
