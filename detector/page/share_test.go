package page

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// counted is a Monitor that draws only when it may, and counts.
type counted struct {
	version, requests, drawn atomic.Int64
	may                      chan struct{} // nil: always
}

func (c *counted) Version() string {
	c.requests.Add(1)
	return strconv.FormatInt(c.version.Load(), 10)
}

func (c *counted) Status() Status {
	c.drawn.Add(1)
	if c.may != nil {
		<-c.may
	}
	return Status{Time: noon.Add(time.Duration(c.version.Load()) * time.Second)}
}

func (c *counted) Plot(string, time.Time) *plot.Chart { return nil }

// viewers has so many ask for a page at once, of which some are to be refused, and returns how many had each answer.
func (c *counted) viewers(t *testing.T, h http.Handler, n, refused int, path string) map[int]int {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes := map[int]int{}
	before := c.requests.Load()
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := get(h, http.MethodGet, path)
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		}()
	}
	if c.may != nil {
		await.True(t, "all viewers", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return c.requests.Load() == before+int64(n) && codes[http.StatusServiceUnavailable] == refused
		})
		close(c.may)
	}
	wg.Wait()
	return codes
}

// However many look at once, what they see is drawn once for all of them, and again when there is something new.
func TestViewersShareAPicture(t *testing.T) {
	for _, path := range []string{"/", "/live?last=1h", "/status"} {
		m := &counted{may: make(chan struct{})}
		h := New(m)
		if diff := cmp.Diff(map[int]int{http.StatusOK: 300}, m.viewers(t, h, 300, 0, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if n := m.drawn.Load(); n != 1 {
			t.Errorf("%s: drawn %d times for 300 viewers", path, n)
		}
		m.version.Add(1)
		first := get(h, http.MethodGet, path)
		if n := m.drawn.Load(); n != 2 {
			t.Errorf("%s: drawn %d times with something new", path, n)
		}
		again := httptest.NewRequest(http.MethodGet, path, nil)
		again.Header.Set("If-None-Match", first.Header().Get("ETag"))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, again)
		// the others have the time on them, and may be drawn again
		if path == "/status" && w.Code != http.StatusNotModified {
			t.Errorf("%s: %d for what the viewer has", path, w.Code)
		}
	}
}

// What waits is bounded: more viewers are told to come again.
func TestTooManyViewers(t *testing.T) {
	m := &counted{may: make(chan struct{})}
	const more = 5
	got := m.viewers(t, New(m), 1+maxWaiting+more, more, "/status")
	if diff := cmp.Diff(map[int]int{http.StatusOK: 1 + maxWaiting, http.StatusServiceUnavailable: more},
		got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// panics once, and is well then.
type panics struct {
	counted
	once sync.Once
}

func (p *panics) Status() Status {
	p.once.Do(func() { panic("a fault") })
	return p.counted.Status()
}

// A picture that could not be drawn keeps nobody waiting.
func TestPictureThatPanics(t *testing.T) {
	h := New(new(panics))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is hidden from the server")
			}
		}()
		get(h, http.MethodGet, "/status")
	}()
	if w := get(h, http.MethodGet, "/status"); w.Code != http.StatusOK {
		t.Errorf("after a panic: %d", w.Code)
	}
}
