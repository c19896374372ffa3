//go:build go1.25

package detector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
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

// profiled is a source of profiles that a test makes up. Its functions take the time since the start in hours.
type profiled struct {
	started    time.Time
	goroutines map[int]func(hours float64) float64 // by line
	heap       map[int]func(hours float64) float64 // bytes
	leaked     map[int]func(hours float64) float64 // nil: the process has no such profile
	runtimes   func(hours float64) float64         // bytes of the heap at a line of the runtime; nil: none
	cost       profile.Cost
	costs      func(n int) profile.Cost // of the profile of that number, where it differs
	hang       time.Duration
	fail       error

	mu    sync.Mutex
	taken map[profile.Kind]int
}

func (p *profiled) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	p.mu.Lock()
	p.taken[kind]++
	p.mu.Unlock()
	time.Sleep(p.hang)
	lines := map[profile.Kind]map[int]func(float64) float64{
		profile.Goroutine: p.goroutines, profile.Heap: p.heap, profile.GoroutineLeak: p.leaked,
	}[kind]
	if lines == nil {
		return nil, profile.ErrUnsupported
	}
	if p.fail != nil {
		return nil, p.fail
	}
	b := profile.NewBuilder(kind)
	hours := time.Since(p.started).Hours()
	for line, f := range lines {
		stack := []profile.Frame{
			{Function: "runtime.chanrecv1", File: "/go/src/runtime/chan.go", Line: 1},
			{Function: "main.serve", File: "/src/conn.go", Line: line},
			{Function: "main.main", File: "/src/main.go", Line: 9},
		}
		if v := math.Floor(f(hours)); kind == profile.Heap {
			b.Add(stack[1:], 1, v)
		} else {
			b.Add(stack, v, 0)
		}
	}
	if p.runtimes != nil && kind == profile.Heap {
		b.Add([]profile.Frame{{Function: "runtime.malg", File: "/go/src/runtime/proc.go", Line: 5274}},
			1, p.runtimes(hours))
	}
	out := b.Profile(time.Now())
	out.Cost = p.cost
	if p.costs != nil {
		out.Cost = p.costs(p.times(kind))
	}
	if kind == profile.Heap {
		out.Resolution, out.GC = 512<<10, uint64(p.taken[kind])
	}
	return out, nil
}

func (p *profiled) Raw(_ context.Context, kind profile.Kind) ([]byte, error) {
	if kind == profile.GoroutineLeak && p.leaked == nil {
		return nil, profile.ErrUnsupported
	}
	return []byte(string(kind) + time.Since(p.started).String()), p.fail
}

func (p *profiled) Dump(context.Context) ([]byte, error) {
	return []byte("goroutine 7 [chan receive, 123 minutes]:\nmain.serve(0x1)\n\t/src/conn.go:42 +0x1\n" +
		"created by main.main in goroutine 1\n\t/src/main.go:8 +0x2\n"), nil
}

func (p *profiled) times(kind profile.Kind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken[kind]
}

func steadyAt(n float64) func(float64) float64 { return func(float64) float64 { return n } }

// profiledRun runs a monitor of made-up samples and profiles for some hours.
func profiledRun(t *testing.T, config Config, p *profiled, total func(hours float64) float64,
	hours float64) (m *ResourceMonitor, alerts []alerting.Alert, j *journal) {
	t.Helper()
	p.started, p.taken = time.Now(), map[profile.Kind]int{}
	if p.heap == nil {
		p.heap = map[int]func(float64) float64{100: steadyAt(50e6)}
	}
	m, source, j := watching(t, config, func(_ int, s *sampler.Sample) error {
		s.Start = p.started
		s.Add(sampler.Goroutines, math.Floor(total(time.Since(p.started).Hours())))
		return nil
	})
	m.FollowSites(p)
	m.OnAlert(func(a alerting.Alert) { alerts = append(alerts, a) })
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	length := time.Duration(hours * float64(time.Hour))
	time.Sleep(length - time.Second)
	_ = m.Stop()
	if want := int(length / config.CheckInterval); source.count() != want {
		t.Errorf("%d samples, want %d", source.count(), want)
	}
	return m, alerts, j
}

// news is what a test compares of an alert.
type news struct {
	Status  string
	Finding int // 0 for the first one that was alerted, and so on
	Line    int // of the first site
	Proven  bool
	Within  string // hours of the day, in steps of 6 h
}

func newsOf(p *profiled, alerts []alerting.Alert) (all []news) {
	findings := map[string]int{}
	for _, a := range alerts {
		if _, known := findings[a.ID]; !known {
			findings[a.ID] = len(findings)
		}
		n := news{Status: string(a.Status), Finding: findings[a.ID]}
		if len(a.Sites) > 0 {
			n.Line, n.Proven = a.Sites[0].Line, a.Sites[0].Proven
		}
		from := int(a.Time.Sub(p.started).Hours()) / 6 * 6
		n.Within = (time.Duration(from) * time.Hour).String() + "+6h"
		all = append(all, n)
	}
	return all
}

// A leak that the total hides is an alert by itself; with proof at once; and one leak is one finding, whatever shows
// it.
func TestSiteFindings(t *testing.T) {
	swinging := func(h float64) float64 { return 7500 + 2500*math.Sin(2*math.Pi*h/5) }
	until := func(end float64, f func(float64) float64) func(float64) float64 {
		return func(h float64) float64 {
			if h >= end {
				return 1
			}
			return f(h)
		}
	}
	leak := func(h float64) float64 { return 2 * h }
	slow := func(h float64) float64 { return 1.2 * h }
	fast := func(h float64) float64 { return 40 * h }
	type scenario struct {
		name   string
		source *profiled
		total  func(h float64) float64
		hours  float64
		want   []news
	}
	tests := []scenario{
		{"hidden", &profiled{goroutines: map[int]func(float64) float64{10: swinging, 42: until(60, leak)}},
			swinging, 72, []news{
				{"firing", 0, 42, false, "30h0m0s+6h"}, {"resolved", 0, 0, false, "60h0m0s+6h"},
			}},
		// Suspicion asks for proof, and proof needs no more required duration.
		{"hidden and proven", &profiled{
			goroutines: map[int]func(float64) float64{10: swinging, 42: leak},
			leaked:     map[int]func(float64) float64{42: leak},
		}, swinging, 40, []news{{"firing", 0, 42, true, "6h0m0s+6h"}}},
		{"leaked by the start-up", &profiled{
			goroutines: map[int]func(float64) float64{10: swinging, 42: steadyAt(20)},
			leaked:     map[int]func(float64) float64{42: steadyAt(20)},
		}, swinging, 40, nil},
		// The total shows it too: one alert, with the line.
		{"plain", &profiled{goroutines: map[int]func(float64) float64{10: steadyAt(100), 42: until(30, fast)}},
			func(h float64) float64 { return 100 + until(30, fast)(h) }, 40, []news{
				{"firing", 0, 42, false, "0s+6h"}, {"resolved", 0, 0, false, "30h0m0s+6h"},
			}},
	}
	// One line gives its growth back, another leaks on: the finding is handed over, whenever in the course of the
	// profiles that is.
	for _, end := range []float64{19, 19.9, 20, 20.04, 21, 23, 24} {
		pool := func(h float64) float64 { return 100 + until(end, fast)(h)/2 }
		handed := "18h0m0s+6h"
		if end == 24 {
			handed = "24h0m0s+6h"
		}
		tests = append(tests, scenario{
			fmt.Sprintf("handed over after %g h", end),
			&profiled{goroutines: map[int]func(float64) float64{10: pool, 42: until(50, slow)}},
			func(h float64) float64 { return pool(h) + until(50, slow)(h) }, 60, []news{
				{"firing", 0, 10, false, "6h0m0s+6h"}, {"firing", 0, 42, false, handed},
				{"resolved", 0, 0, false, "48h0m0s+6h"},
			},
		})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, alerts, j := profiledRun(t, DefaultConfig(), test.source, test.total, test.hours)
				if diff := cmp.Diff(test.want, newsOf(test.source, alerts)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
					for _, a := range alerts {
						t.Log(a.Time.Sub(test.source.started), a.Summary)
					}
				}
				if lines := j.read(); len(lines) != 2+len(alerts) {
					t.Errorf("log:\n%s", strings.Join(lines, "\n"))
				}
				if len(test.want) == 0 && test.source.times(profile.GoroutineLeak) > 0 {
					t.Error("proof was asked for without suspicion")
				}
				leaks := 0
				for _, s := range m.Status() {
					leaks += s.Leaks
				}
				findings := map[string]bool{}
				for _, a := range alerts {
					findings[a.ID] = true
				}
				if int64(leaks) != m.GetStats().GoroutineLeaks || leaks != len(findings) {
					t.Errorf("%d leaks in the status, %d in the statistics, %d alerted", leaks,
						m.GetStats().GoroutineLeaks, len(findings))
				}
			})
		})
	}
}

// What profiles cost sets how often they are taken.
func TestProfileBudget(t *testing.T) {
	service := func(cost profile.Cost) *profiled {
		return &profiled{goroutines: map[int]func(float64) float64{10: steadyAt(100)}, cost: cost}
	}
	of := func(n float64, p *profiled) *profiled {
		p.goroutines[10] = steadyAt(n)
		return p
	}
	slow := profile.Cost{CPU: 40 * time.Millisecond, Pause: 40 * time.Millisecond}
	now := func(n int) profile.Cost { // and then stops the world for long, six times in a row
		if n/6%2 == 0 {
			return slow
		}
		return profile.Cost{CPU: time.Millisecond}
	}
	for _, test := range []struct {
		name       string
		source     *profiled
		goroutines float64
		want       int // profiles of goroutines in 24 h
		log        string
	}{
		// Two for each of the finest minimums.
		{"cheap", service(profile.Cost{CPU: time.Millisecond}), 100, 24 * 24, ""},
		// A second each, of half of 0.1 % of a core: every 2000 s.
		{"dear", service(profile.Cost{CPU: time.Second}), 100, 44, ""},
		// The first three are taken as planned, every 150 s, the others ten times as rarely.
		{"stops the world for long", of(10_000, service(slow)), 10_000, 3 + 57,
			"profiles of 10000 goroutines stop the world for more than 30ms: they are taken less often"},
		// The world stands still for others' reasons: where the process is starved of processor, and where there are
		// too few goroutines for it.
		{"starved of processor",
			of(10_000, service(profile.Cost{CPU: time.Millisecond, Pause: 400 * time.Millisecond})), 10_000, 24 * 24,
			""},
		{"few goroutines", of(31, service(slow)), 31, 24 * 24, ""},
		// 3 of 6 at 150 s, 3 at 1500 s, 6 at 150 s: every 6000 s and so on 12.
		{"now and then", of(10_000, &profiled{goroutines: map[int]func(float64) float64{}, costs: now}), 10_000, -1,
			"profiles of 10000 goroutines stop the world for more than 30ms: they are taken less often"},
		{"too many", service(profile.Cost{}), 200_000, 0, "200000 goroutines are too many for a profile of them: " +
			"none is taken above 150000"},
		{"fails", func() *profiled {
			p := service(profile.Cost{})
			p.fail = errors.New("connection 17 refused")
			return p
		}(), 100, 24 * 24,
			"connection 17 refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, alerts, j := profiledRun(t, DefaultConfig(), test.source, steadyAt(test.goroutines), 24)
				if n := test.source.times(profile.Goroutine); n != test.want && test.want >= 0 {
					t.Errorf("%d profiles of goroutines, want %d", n, test.want)
				}
				if len(alerts) > 0 {
					t.Errorf("alerts: %v", alerts)
				}
				cost := m.EvidenceCost()
				if cost.Share > 1.05*.001 { // the first one is there at once
					t.Errorf("cost: %+v", cost)
				}
				log := strings.Join(j.read(), "\n")
				if n := strings.Count(log, "warning"); test.log == "" && n > 0 || !strings.Contains(log, test.log) ||
					n > 2 {
					t.Errorf("log, want %q:\n%s", test.log, log)
				}
				if (cost.Note == "") != (test.log == "") && test.want >= 0 {
					t.Errorf("note %q", cost.Note)
				}
			})
		})
	}
}

// A limit's alert names lines by a profile of when it was passed. Where none can be had then, it says so and blames
// none of the lines that had grown before.
func TestLimitBlamesByAFreshProfile(t *testing.T) {
	latest := regexp.MustCompile(`02:00:[0-5]\d UTC`) // the second hangs on what the profiles of this run cost
	type reported struct {
		Lines   []int
		Shares  bool
		Missing string
		Blamed  bool
	}
	for _, test := range []struct {
		name  string
		burst float64
		want  reported
	}{
		{"fresh", 1000, reported{Lines: []int{42}, Shares: true, Blamed: true}},
		{"too many for another", 200_000, reported{
			Lines: []int{10}, Missing: "sites: the latest profile is from 02:00 UTC, before the growth: what it " +
				"lists is not blamed; " +
				"200005 goroutines are too many for a profile of them: none is taken above 150000",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// A line grows a little for two hours; then another has a burst, between two profiles.
				early := func(h float64) float64 { return 5 + math.Floor(20*min(h, 1)) }
				burst := func(h float64) float64 {
					if h < 2.01 {
						return 0
					}
					return test.burst
				}
				p := &profiled{goroutines: map[int]func(float64) float64{10: early, 42: burst}}
				config := with(func(c *Config) { c.GoroutineThreshold = 500 })
				_, alerts, _ := profiledRun(t, config, p, func(h float64) float64 { return early(0) + burst(h) }, 2.25)
				if len(alerts) != 1 {
					t.Fatalf("alerts: %+v", alerts)
				}
				a := alerts[0]
				var got reported
				for _, s := range a.Sites {
					got.Lines, got.Shares = append(got.Lines, s.Line), got.Shares || s.Share > 0
				}
				for _, m := range a.Missing {
					got.Missing += m.What + ": " + latest.ReplaceAllString(m.Why, "02:00 UTC")
				}
				got.Blamed = strings.Contains(a.Summary, "conn.go:")
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", a.Summary, diff)
				}
			})
		})
	}
}

// A process with more lines than are followed is told so, in the status, in the log once, and in an alert.
func TestLinesBeyond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &profiled{goroutines: map[int]func(float64) float64{}}
		for line := range 5000 {
			p.goroutines[1000+line] = steadyAt(2)
		}
		passes := func(h float64) float64 {
			if h > 1.5 {
				return 20_000
			}
			return 10_000
		}
		config := with(func(c *Config) { c.GoroutineThreshold = 500 })
		m, alerts, j := profiledRun(t, config, p, passes, 2)
		const beyond = "904 lines of code beyond the 4096 that are followed are counted together only"
		want := []alerting.Missing{{What: "sites", Why: beyond}}
		if len(alerts) != 1 || cmp.Diff(want, alerts[0].Missing) != "" || !strings.Contains(alerts[0].Summary, beyond) {
			t.Errorf("alerts: %+v", alerts)
		}
		if note := m.EvidenceCost().Note; note != beyond {
			t.Errorf("status: %q", note)
		}
		if n := strings.Count(strings.Join(j.read(), "\n"), "Resource monitor: "+beyond); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// Profiles that do not come delay neither the samples nor, by more than the bound, the alerts.
func TestProfilesHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &profiled{goroutines: map[int]func(float64) float64{10: steadyAt(100)}, hang: 20 * time.Second}
		config := with(func(c *Config) { c.GoroutineThreshold, c.CheckInterval = 100, time.Second })
		m, alerts, _ := profiledRun(t, config, p, func(h float64) float64 {
			if h > .5 {
				return 400
			}
			return 100
		}, 1)
		if len(alerts) != 1 || len(alerts[0].Sites) != 0 {
			t.Errorf("alerts: %+v", alerts)
		}
		_ = m
		time.Sleep(time.Minute)
	})
}

// Another process is another series; a new scale begins anew.
func TestSitesBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &profiled{
			started: time.Now(), taken: map[profile.Kind]int{}, heap: map[int]func(float64) float64{1: steadyAt(50e6)},
			goroutines: map[int]func(float64) float64{42: func(h float64) float64 { return 20 * h }},
		}
		start := time.Now()
		m, _, _ := watching(t, DefaultConfig(), func(n int, s *sampler.Sample) error {
			s.Start = start
			if time.Since(start) > 30*time.Hour {
				s.Start = start.Add(30 * time.Hour)
			}
			s.Add(sampler.Goroutines, 1000)
			return nil
		})
		m.FollowSites(p)
		_ = m.Start()
		time.Sleep(30 * time.Hour)
		leaks := func() (n int) {
			for _, s := range m.Sites() {
				if s.Leaks {
					n++
				}
			}
			return n
		}
		if leaks() != 1 || m.IsHealthy() {
			t.Fatalf("sites: %+v", m.Sites())
		}
		time.Sleep(10 * time.Minute)
		if leaks() != 0 || !m.IsHealthy() {
			t.Errorf("after a restart: %+v", m.Sites())
		}
		last := m.History()[len(m.History())-1]
		if last.Status != alerting.Resolved || !strings.Contains(last.Summary, ": the process restarted (1,000 now)") {
			t.Errorf("the last alert: %+v", last)
		}
		_ = m.Stop()
	})
}
