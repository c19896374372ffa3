package detector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// scripted is a Source whose samples a function makes. They come stamped with the time of the call, to the millisecond.
type scripted struct {
	mu   sync.Mutex
	n    int
	make func(n int, s *sampler.Sample) error
}

func (p *scripted) Sample(_ context.Context, s *sampler.Sample) error {
	p.mu.Lock()
	n := p.n
	p.n++
	p.mu.Unlock()
	s.Reset(time.Now().UTC().Truncate(time.Millisecond))
	return p.make(n, s)
}

func (p *scripted) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// journal is a log as lines of level, message and error.
type journal struct {
	mu    sync.Mutex
	lines []string
	all   bytes.Buffer // every field too
}

func (j *journal) Format(e *logrus.Entry) ([]byte, error) {
	line := e.Level.String() + " " + e.Message
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += ": " + fmt.Sprint(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	fmt.Fprintln(&j.all, line, e.Data)
	return nil, nil
}

func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

func newJournal() (*journal, *logrus.Logger) {
	j := &journal{}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.SetFormatter(j)
	logger.SetLevel(logrus.TraceLevel)
	return j, logger
}

// receiver is a webhook's server that keeps what it is posted, and answers as told.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	posted chan map[string]any
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{posted: make(chan map[string]any, 1000)}
	r.status.Store(http.StatusOK)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
			t.Errorf("posted: %v", err)
		}
		w.WriteHeader(int(r.status.Load()))
		r.posted <- body
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) map[string]any {
	t.Helper()
	return await.Receive(t, "a post", r.posted)
}

// posting starts a monitor with an interval of 10 ms whose samples lie five minutes apart, and stops it at the test's
// end.
func posting(t *testing.T, config Config, fill func(n int, s *sampler.Sample)) (*ResourceMonitor, *journal) {
	t.Helper()
	j, logger := newJournal()
	base := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	source := &scripted{make: func(n int, s *sampler.Sample) error {
		s.Time = base.Add(time.Duration(n) * 5 * time.Minute)
		s.Start = base.Add(-time.Minute)
		fill(n, s)
		return nil
	}}
	process := alerting.Process{PID: 4242, Executable: "server", Host: "db7", Version: "v1.2.3"}
	m, err := NewSourceMonitor(source, process, config, logger)
	if err != nil {
		t.Fatal(err)
	}
	m.dispatcher.DrainTimeout = -1
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop() })
	return m, j
}

// postingTo has a hard limit of 10 goroutines above the start, and nothing else.
func postingTo(url string) Config {
	return with(func(c *Config) {
		c.CheckInterval = 10 * time.Millisecond
		c.GoroutineThreshold = 10
		c.AlertCooldown = 0
		c.AlertWebhookURL = url
		c.Adaptive.Enabled = false
	})
}

func keysOf(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func TestWebhookGetsTheContract(t *testing.T) {
	server := newReceiver(t)
	config := with(func(c *Config) {
		c.CheckInterval = 10 * time.Millisecond
		c.AlertWebhookURL = server.URL
		c.MemoryThreshold = 100 << 20
		c.Adaptive.Load = "none"
	})
	ceilings := []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1e6, Source: "RLIMIT_NOFILE"}}
	posting(t, config, func(n int, s *sampler.Sample) {
		s.Ceilings = ceilings
		s.Add(sampler.OpenFDs, 20+float64(min(n, 300))) // twelve an hour for a day
		if n > 400 {
			s.Readings[0].Value = 20
		}
		if n >= 30 && n < 40 {
			s.Add(sampler.HeapInuseBytes, 160<<20)
		} else {
			s.Add(sampler.HeapInuseBytes, 50<<20)
		}
	})
	required := []string{"baseline", "fingerprint", "id", "incident", "kind", "process", "resource", "resources",
		"severity", "since", "slope_per_hour", "status", "summary", "time", "value", "version"}
	sorted := func(more ...string) []string { return slices.Sorted(slices.Values(append(more, required...))) }
	want := map[string][]string{
		"limit firing":   sorted("threshold", "new"),
		"limit resolved": sorted("threshold"),
		"trend firing":   sorted("exhaustion", "evidence", "since_error_seconds", "new"),
		"trend resolved": sorted("since_error_seconds"),
	}
	got := map[string][]string{}
	ids := map[string]string{}
	for len(got) < len(want) {
		body := server.next(t)
		kind := fmt.Sprint(body["kind"])
		name := kind + " " + fmt.Sprint(body["status"])
		keys := keysOf(body)
		if body["status"] == "resolved" {
			if body["id"] != ids[kind] {
				t.Errorf("%s has id %v, the firing alert had %s", name, body["id"], ids[kind])
			}
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == "exhaustion" }) // where it still grows
		}
		ids[kind] = fmt.Sprint(body["id"])
		got[name] = keys
		if name == "trend firing" {
			if keys := keysOf(body["exhaustion"].(map[string]any)); !slices.Equal(keys,
				[]string{"at", "earliest", "latest", "limit", "source"}) {
				t.Errorf("exhaustion has %v", keys)
			}
			if diff := cmp.Diff([]string{"effective_points", "floor", "growth", "points", "r2", "rise", "t", "window"},
				keysOf(body["evidence"].(map[string]any))); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
		}
		process := map[string]any{"pid": 4242., "executable": "server", "host": "db7", "version": "v1.2.3",
			"start": "2026-10-31T23:59:00Z"}
		if diff := cmp.Diff(process, body["process"]); diff != "" {
			t.Errorf("process (-want +got):\n%s", diff)
		}
		if body["version"] != "1" {
			t.Errorf("version = %v", body["version"])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestWebhookThatHangsDelaysNothing(t *testing.T) {
	release := make(chan struct{})
	called := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // else the end of the connection is not seen
		called <- struct{}{}
		select {
		case <-release:
		case <-req.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	hooked := make(chan alerting.Alert, 1000)
	m, _ := posting(t, postingTo(server.URL), func(n int, s *sampler.Sample) {
		s.Add(sampler.Goroutines, []float64{50, 100}[n/20%2]) // above the limit for every other 20 samples
	})
	m.OnAlert(func(a alerting.Alert) { hooked <- a })
	<-called
	for range 6 {
		await.Receive(t, "a call of the hook while the webhook hangs", hooked)
	}
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
}

func TestWebhookReload(t *testing.T) {
	first, second := newReceiver(t), newReceiver(t)
	first.status.Store(http.StatusServiceUnavailable)
	var level atomic.Int64
	level.Store(50)
	m, _ := posting(t, postingTo(first.URL), func(n int, s *sampler.Sample) {
		if n == 20 {
			level.Store(100)
		}
		s.Add(sampler.Goroutines, float64(level.Load()))
	})
	waiting := first.next(t) // refused: it waits for the next attempt
	if err := m.Reload(postingTo(second.URL)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(waiting, second.next(t)); diff != "" {
		t.Errorf("the waiting alert at the new webhook (-want +got):\n%s", diff)
	}

	// The first one, healthy again, is told of what holds, though the second one has it.
	first.status.Store(http.StatusOK)
	for len(first.posted) > 0 {
		<-first.posted
	}
	if err := m.Reload(postingTo(first.URL)); err != nil {
		t.Fatal(err)
	}
	holds := func(string) bool { return true }
	if err := m.webhook.Refresh(context.Background(), holds); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(waiting, first.next(t)); diff != "" {
		t.Errorf("the alert that holds, after a reload (-want +got):\n%s", diff)
	}
	if err := m.webhook.Refresh(context.Background(), holds); err != nil {
		t.Fatal(err)
	}
	if n := len(first.posted); n != 0 {
		t.Errorf("%d alerts were repeated", n)
	}

	if err := m.Reload(postingTo("")); err != nil {
		t.Fatal(err)
	}
	if err := m.webhook.Refresh(context.Background(), holds); err != nil {
		t.Fatal(err)
	}
	hooked := make(chan alerting.Alert, 100)
	m.OnAlert(func(a alerting.Alert) { hooked <- a })
	level.Store(50)
	if a := <-hooked; a.Status != alerting.Resolved || a.ID != waiting["id"] {
		t.Errorf("got %s %s, want resolved %s", a.Status, a.ID, waiting["id"])
	}
	_ = m.Stop()
	if n := len(first.posted) + len(second.posted); n != 0 {
		t.Errorf("%d alerts were posted without a webhook", n)
	}
}

func TestWebhookSecretsStayOut(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(closed.URL, "http://")
	closed.Close()
	secret := "http://us3r:p4ssword@" + host + "/services/T0K3N?key=qu3ry"
	m, j := posting(t, postingTo(secret), func(n int, s *sampler.Sample) {
		s.Add(sampler.Goroutines, []float64{50, 100}[min(n/20, 1)])
	})
	failed := func() *alerting.SinkStats {
		for _, s := range m.Delivery() {
			if s.Name == "webhook" && s.LastError != "" {
				return &s
			}
		}
		return nil
	}
	await.True(t, "a webhook that fails", func() bool { return failed() != nil })
	for _, bad := range []string{
		"http://us3r:p4ssword@" + host + "0000/services/T0K3N?key=qu3ry", "ftp://us3r:p4ssword@" + host + "/T0K3N",
		"http://us3r:p4ssword@%zz/T0K3N?key=qu3ry",
	} {
		err := m.Reload(postingTo(bad))
		if err == nil {
			t.Fatal("a webhook that cannot be was taken")
		}
		m.logger.WithError(err).Error("reload")
		NewResourceMonitor(ResourceMonitorConfig{AlertWebhookURL: bad}, m.logger)
	}
	_ = m.Stop()
	text := j.text() + failed().LastError
	for _, part := range []string{"us3r", "p4ssword", "T0K3N", "qu3ry"} {
		if strings.Contains(text, part) {
			t.Errorf("%q was logged:\n%s", part, text)
		}
	}
	if !strings.Contains(text, "webhook") || !strings.Contains(text, host) {
		t.Errorf("the log does not name the webhook that failed:\n%s", text)
	}
}
