//go:build go1.25

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// newLogger returns a logger whose hook and writer are hostile.
func newLogger(h *harm) *logrus.Logger {
	logger := logrus.New()
	logger.SetLevel(logrus.DebugLevel)
	logger.SetOutput(writer{h})
	logger.AddHook(logHook{h})
	return logger
}

type writer struct{ *harm }

func (w writer) Write(p []byte) (int, error) {
	w.strike("the logger's writer")
	return len(p), nil
}

type logHook struct{ *harm }

func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

func (l logHook) Fire(*logrus.Entry) error {
	l.strike("the logger's hook")
	return nil
}

// source gives samples that no process would: with jumps of the clock, restarts, and figures that are none. Once it is
// calm it gives a heap over its limit.
type source struct {
	*harm
	started time.Time
	skew    atomic.Int64 // of its clock, in nanoseconds
	start   atomic.Pointer[time.Time]
}

func newSource(h *harm) *source {
	s := &source{harm: h, started: time.Now()}
	start := s.started.Add(-time.Hour)
	s.start.Store(&start)
	return s
}

var jumps = []time.Duration{0, 0, time.Second, -time.Second, time.Hour, -time.Hour, 365 * 24 * time.Hour,
	-365 * 24 * time.Hour}

var figures = []float64{0, -1, 50, 500, 1 << 40, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64,
	math.NaN(), math.Inf(1), math.Inf(-1)}

func (s *source) Sample(ctx context.Context, sample *sampler.Sample) error {
	if s.calm.Load() {
		sample.Reset(time.Now().Add(time.Duration(s.skew.Load())))
		sample.Start = *s.start.Load()
		sample.Add(sampler.HeapInuseBytes, 2<<30)
		return nil
	}
	if s.oneIn(50) {
		s.add("fault: the clock jumps", 1)
		s.skew.Store(int64(jumps[s.below(len(jumps))]))
	}
	sample.Reset(time.Now().Add(time.Duration(s.skew.Load())))
	if s.oneIn(100) {
		s.add("fault: the process restarts", 1)
		start := sample.Time.Add(-s.upTo(time.Hour))
		s.start.Store(&start)
	}
	sample.Start = *s.start.Load()
	s.strike("the source")
	switch s.below(60) {
	case 0:
		s.add("fault: the source waits for its context", 1)
		<-ctx.Done()
		return ctx.Err()
	case 1:
		s.add("fault: the source fails", 1)
		return errors.New("nothing can be read")
	case 2:
		s.add("fault: the source ends", 1)
		return fmt.Errorf("gone: %w", io.EOF)
	case 3:
		s.add("fault: 5,000 resources with hostile names", 1)
		for i := range 5000 {
			sample.Add(fmt.Sprintf("evil\x1b[2J%d_%d\n\u202e\xff", s.below(1000), i), float64(i))
		}
	case 4:
		s.add("fault: ceilings that are none", 1)
		sample.Ceilings = []sampler.Ceiling{{Resource: sampler.Goroutines, Level: figures[s.below(len(figures))],
			Source: "\x00"}, {}}
	case 5:
		s.add("fault: a resource twice", 1)
		sample.Add(sampler.OpenFDs, 1)
		sample.Add(sampler.OpenFDs, 1e9)
	case 6:
		s.add("fault: readings beside the contract", 1)
		sample.Readings = append(sample.Readings, sampler.Reading{Resource: "", Value: math.NaN()},
			sampler.Reading{Resource: sampler.Threads, Value: math.Inf(-1)})
	}
	sample.Add(sampler.Goroutines, []float64{50, 50, 500, figures[s.below(len(figures))]}[s.below(4)])
	sample.Add(sampler.OpenFDs, float64(20+s.below(400)))
	sample.Add(sampler.HeapInuseBytes, figures[s.below(len(figures))])
	sample.Add(sampler.CPUSeconds, time.Since(s.started).Seconds())
	if s.oneIn(20) {
		return errors.New("a part cannot be read")
	}
	return nil
}

// profiles is a ProfileSource that fails in every way, and sometimes gives those of this process.
type profiles struct {
	*harm
	self *profile.Self
}

func (p profiles) Profile(ctx context.Context, kind profile.Kind) (*profile.Profile, error) {
	p.strike("the profiles")
	switch p.below(4) {
	case 0:
		return nil, errors.New("no profile")
	case 1:
		return &profile.Profile{}, nil
	}
	return p.self.Profile(ctx, kind)
}

func (p profiles) Raw(ctx context.Context, kind profile.Kind) ([]byte, error) {
	p.strike("the profiles")
	if p.oneIn(2) {
		return nil, errors.New("no profile")
	}
	return p.self.Raw(ctx, kind)
}

// receiver takes posts at a path for each way to fail, and at /healthy and /last as it should. It knows what it was
// told, also where it refused it.
type receiver struct {
	*harm
	*httptest.Server
	mu      sync.Mutex
	fired   map[string]bool            // alerts by id
	last    map[string]alerting.Status // at /last
	orphans []string                   // ends of what was never told
}

var failures = []string{"/hang", "/reset", "/redirect", "/401", "/404", "/429", "/500", "/slow", "/endless", "/any"}

func newReceiver(h *harm) *receiver {
	r := &receiver{harm: h, fired: map[string]bool{}, last: map[string]alerting.Status{}}
	r.Server = httptest.NewServer(r)
	return r
}

// address returns where alerts are posted to next.
func (r *receiver) address() string {
	switch i := r.below(len(failures) + 3); {
	case i < len(failures):
		return r.URL + failures[i]
	case i == len(failures):
		return "http://127.0.0.1:1/refused"
	case i == len(failures)+1:
		return ""
	default:
		return r.URL + "/healthy"
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	var a alerting.Alert
	if json.Unmarshal(body, &a) == nil && a.ID != "" {
		r.delivered(a, req.URL.Path == "/last")
	}
	path := req.URL.Path
	if path == "/any" {
		path = failures[r.below(len(failures)-1)]
	}
	if path != "/healthy" && path != "/last" {
		if r.calm.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		r.add("fault: the receiver answers with "+path[1:], 1)
	}
	r.answer(w, req, path)
}

func (r *receiver) delivered(a alerting.Alert, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.Status == alerting.Firing {
		r.fired[a.ID] = true
	} else if !r.fired[a.ID] {
		r.orphans = append(r.orphans, a.Summary)
	}
	if last {
		r.last[a.ID] = a.Status
	}
}

func (r *receiver) answer(w http.ResponseWriter, req *http.Request, path string) {
	tide := *r.tide.Load()
	switch path {
	case "/hang":
		select {
		case <-tide:
		case <-req.Context().Done():
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	case "/reset":
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	case "/redirect":
		http.Redirect(w, req, "/healthy", http.StatusTemporaryRedirect)
	case "/401":
		w.WriteHeader(http.StatusUnauthorized)
	case "/404":
		w.WriteHeader(http.StatusNotFound)
	case "/429":
		w.Header().Set("Retry-After", "1000000000")
		w.WriteHeader(http.StatusTooManyRequests)
	case "/500":
		w.WriteHeader(http.StatusInternalServerError)
	case "/slow", "/endless":
		for out := http.NewResponseController(w); ; {
			if _, err := w.Write(make([]byte, map[string]int{"/slow": 1, "/endless": 1 << 16}[path])); err != nil ||
				out.Flush() != nil {
				return
			}
			select {
			case <-tide:
				return
			case <-req.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}
