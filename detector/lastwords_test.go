//go:build go1.25

package detector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// At 90 % of a limit of memory captures are written once, and the alert that holds names them.
func TestLastWords(t *testing.T) {
	const mib = 1 << 20
	at := map[time.Duration]float64{0: 300, 30 * time.Minute: 430, 40 * time.Minute: 470, 50 * time.Minute: 475,
		60 * time.Minute: 300, 150 * time.Minute: 490}
	for _, test := range []struct {
		name   string
		set    func(c *Config)
		level  float64 // MiB that the process may have
		want   []string
		alerts int // alerts that name them
	}{
		{"what the process may have", func(*Config) {}, 512, []string{
			"rss_bytes goroutine-last.pb.gz -rw-------", "rss_bytes goroutine-last.pb.gz -rw-------",
			"rss_bytes goroutine-last.txt -rw-------",
			"rss_bytes goroutine-last.txt -rw-------", "rss_bytes heap-last.pb.gz -rw-------",
			"rss_bytes heap-last.pb.gz -rw-------",
		}, 2},
		{"the threshold", func(c *Config) { c.MemoryThreshold = 512 * mib }, 0, []string{
			"heap_inuse_bytes goroutine-last.pb.gz -rw-------", "heap_inuse_bytes goroutine-last.pb.gz -rw-------",
			"heap_inuse_bytes goroutine-last.txt -rw-------", "heap_inuse_bytes goroutine-last.txt -rw-------",
			"heap_inuse_bytes heap-last.pb.gz -rw-------", "heap_inuse_bytes heap-last.pb.gz -rw-------",
		}, 0},
		{"no captures", func(c *Config) { c.StackTraceOnLeak = false }, 512, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := with(func(c *Config) {
				c.StackTraceOnLeak, c.ProfileDir, c.Adaptive.Enabled = true, t.TempDir(), false
			})
			test.set(&config)
			synctest.Test(t, func(t *testing.T) {
				p := &profiled{goroutines: map[int]func(float64) float64{10: steadyAt(100)},
					heap: map[int]func(float64) float64{100: steadyAt(50e6)}}
				p.started, p.taken = time.Now(), map[profile.Kind]int{}
				ceilings := []sampler.Ceiling{{Resource: sampler.RSSBytes, Level: test.level * mib,
					Source: "memory.max"}}
				m, _, j := watching(t, config, func(_ int, s *sampler.Sample) error {
					value, latest := 0., time.Duration(-1)
					for from, v := range at {
						if from <= time.Since(p.started) && from > latest {
							value, latest = v*mib, from
						}
					}
					s.Start, s.Ceilings = p.started, ceilings
					s.Add(sampler.HeapInuseBytes, value)
					s.Add(sampler.RSSBytes, value)
					return nil
				})
				m.FollowSites(p)
				named := 0
				m.OnAlert(func(a alerting.Alert) {
					if strings.HasPrefix(a.Summary, "rss_bytes is at 9") && len(a.Profiles) > 0 {
						named++
					}
				})
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Hour)
				_ = m.Stop()
				var got []string
				for _, name := range captured(t, config.ProfileDir) {
					if strings.Contains(name, "-last.") {
						got = append(got, name)
					}
				}
				if diff := cmp.Diff(test.want, got, ignoreOrder); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
				if named != test.alerts {
					t.Errorf("%d alerts name them, want %d", named, test.alerts)
				}
				log := strings.Join(j.read(), "\n")
				if n, want := strings.Count(log, "captures were written while there is time"),
					len(test.want)/3; n != want+test.alerts {
					t.Errorf("the log tells it %d times, want %d:\n%s", n, want+test.alerts, log)
				}
			})
		})
	}
}

// Captures are posted beside the alert, also where none is kept on disk, and the page says how that goes.
func TestCapturesArePosted(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, name, _ := strings.Cut(r.Header.Get("Content-Disposition"), "filename=")
		kind, _, _ := strings.Cut(name[strings.LastIndex(name, r.Header.Get("X-Leaktrend-Alert"))+17:], ".")
		if strings.HasSuffix(kind, "-before") { // there is one where the first profile was quick
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("X-Leaktrend-Resource")+" "+kind+" "+r.Header.Get("Content-Type")+" "+
			string(body[:4]))
	}))
	defer server.Close()
	config := with(func(c *Config) {
		c.StackTraceOnLeak, c.ProfileMaxMB, c.CaptureURL = true, 0, server.URL
		c.CheckInterval, c.GoroutineThreshold = 10*time.Millisecond, 10
	})
	p := &profiled{
		goroutines: map[int]func(float64) float64{10: steadyAt(100)},
		heap:       map[int]func(float64) float64{100: steadyAt(50e6)},
		started:    time.Now(), taken: map[profile.Kind]int{},
	}
	m, _, _ := watching(t, config, func(n int, s *sampler.Sample) error {
		s.Add(sampler.Goroutines, float64(10+min(n, 40)))
		return nil
	})
	m.FollowSites(p)
	alerted := make(chan struct{}, 1)
	m.OnAlert(func(alerting.Alert) {
		select {
		case alerted <- struct{}{}:
		default:
		}
	})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	<-alerted
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"goroutines goroutine-after application/octet-stream goro",
		"goroutines goroutine-after text/plain; charset=utf-8 goro"}
	if diff := cmp.Diff(want, got, ignoreOrder); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	status := shown{m}.Status()
	if status.Uploads == nil || status.Uploads.Posted < len(want) || status.Kept == nil || status.Kept.MaxBytes != 0 {
		t.Errorf("on the page: %+v, %+v", status.Uploads, status.Kept)
	}
}
