//go:build go1.25

package detector

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// fillFlapping passes the goroutine limit of 100 in samples 12 and 13, and again in 22 and 23; the limit of descriptors
// in 13.
func fillFlapping(n int, s *sampler.Sample) error {
	goroutines, fds := 10., 10.
	if n >= 12 && n < 14 || n >= 22 && n < 24 {
		goroutines = 500
	}
	if n == 13 {
		fds = 500
	}
	s.Add(sampler.Goroutines, goroutines)
	s.Add(sampler.OpenFDs, fds)
	return nil
}

// Evidence goes into the alert; what hangs, fails or panics costs the evidence and nothing else; no alert overtakes
// another.
func TestEvidenceGathering(t *testing.T) {
	type delivered struct {
		What  string // resource and status
		Delay time.Duration
		Site  string
	}
	site := func(name string) Evidence {
		return func(_ context.Context, a *alerting.Alert) error {
			a.Sites = append(a.Sites, alerting.Site{Function: name})
			return nil
		}
	}
	slow := func(d time.Duration, heeds bool) Evidence {
		return func(ctx context.Context, a *alerting.Alert) error {
			wait := ctx.Done()
			if !heeds {
				wait = nil
			}
			select {
			case <-time.After(d):
			case <-wait:
				return ctx.Err()
			}
			return site("slow")(ctx, a)
		}
	}
	prompt := func(name string) []delivered {
		return []delivered{
			{"goroutines firing", 0, name}, {"open_fds firing", 0, name}, {"goroutines resolved", 0, ""},
			{"open_fds resolved", 0, ""},
			{"goroutines firing", 0, name}, {"goroutines resolved", 0, ""},
		}
	}
	for _, test := range []struct {
		name    string
		sources []Evidence
		want    []delivered
		log     string // part of the only warning, if any
	}{
		{"none", nil, prompt(""), ""},
		{"at once", []Evidence{site("a")}, prompt("a"), ""},
		{"two sources", []Evidence{site("a"), site("b")}, prompt("a b"), ""},
		{"an error beside evidence", []Evidence{func(ctx context.Context, a *alerting.Alert) error {
			return errors.Join(site("part")(ctx, a), errors.New("no more"))
		}}, prompt("part"), "evidence is incomplete (source 0): no more"},
		{"panics", []Evidence{func(_ context.Context, a *alerting.Alert) error {
			a.Sites = []alerting.Site{{Function: "half"}}
			panic("oops")
		}, site("b")}, prompt("b"), "evidence is incomplete (source 0): panic: oops"},
		// Samples come every second. The second alert waits for the first, and the resolved ones, which were decided at
		// 15 s, for both.
		{"takes a while", []Evidence{slow(2500*time.Millisecond, true)}, []delivered{
			{"goroutines firing", 2500 * time.Millisecond, "slow"}, {"open_fds firing", 4 * time.Second, "slow"},
			{"goroutines resolved", 2 * time.Second, ""}, {"open_fds resolved", 2 * time.Second, ""},
			{"goroutines firing", 2500 * time.Millisecond, "slow"}, {"goroutines resolved", 0, ""},
		}, ""},
		// No alert waits longer than the bound, counted from its decision.
		{"takes too long", []Evidence{slow(time.Minute, true)}, []delivered{
			{"goroutines firing", 5 * time.Second, ""}, {"open_fds firing", 5 * time.Second, ""},
			{"goroutines resolved", 3 * time.Second, ""}, {"open_fds resolved", 3 * time.Second, ""},
			{"goroutines firing", 5 * time.Second, ""}, {"goroutines resolved", 2 * time.Second, ""},
		}, "evidence is incomplete (source 0): context deadline exceeded"},
		{"ignores its context", []Evidence{slow(25*time.Second, false)}, []delivered{
			{"goroutines firing", 5 * time.Second, ""}, {"open_fds firing", 5 * time.Second, ""},
			{"goroutines resolved", 3 * time.Second, ""}, {"open_fds resolved", 3 * time.Second, ""},
			{"goroutines firing", 5 * time.Second, ""}, {"goroutines resolved", 2 * time.Second, ""},
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := with(func(c *Config) {
					c.CheckInterval, c.AlertCooldown = time.Second, 0
					c.GoroutineThreshold, c.FDThreshold = 100, 100
				})
				m, source, j := watching(t, config, fillFlapping)
				for i, s := range test.sources {
					m.AddEvidence([]string{"source 0", "source 1"}[i], s)
				}
				var got []delivered
				m.OnAlert(func(a alerting.Alert) {
					var names []string
					for _, s := range a.Sites {
						names = append(names, s.Function)
					}
					got = append(got, delivered{a.Resource + " " + string(a.Status), time.Since(a.Time),
						strings.Join(names, " ")})
				})
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(59500 * time.Millisecond)
				_ = m.Stop()
				if n := source.count(); n != 60 {
					t.Errorf("%d samples, want 60: the sampling waits for nobody", n)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if len(m.History()) != len(test.want) {
					t.Errorf("%d alerts in the history, want %d", len(m.History()), len(test.want))
				}
				log := strings.Join(j.read(), "\n")
				if n := strings.Count(log, "evidence is incomplete"); !strings.Contains(log, test.log) || n > 1 ||
					n == 0 && test.log != "" {
					t.Errorf("log, want once %q:\n%s", test.log, log)
				}
			})
		})
	}
}

// Evidence that is not there in time is told to be missing, and why, and the alert comes once more, with the same id,
// when it is there; not behind the end of its finding, nor when nothing came of it.
func TestEvidenceComesLate(t *testing.T) {
	type delivered struct {
		What    string // resource, and status
		At      time.Duration
		Sites   int
		Missing string
	}
	gather := func(takes time.Duration, sites int) Evidence {
		return func(ctx context.Context, a *alerting.Alert) error {
			time.Sleep(takes)
			for range sites {
				a.Sites = append(a.Sites, alerting.Site{Function: "main.f"})
			}
			return nil
		}
	}
	for _, test := range []struct {
		name string
		add  Evidence
		ends time.Duration // of the finding
		want []delivered
	}{
		{"comes late", gather(8*time.Second, 2), time.Minute, []delivered{
			{"goroutines firing", 17 * time.Second, 0, "sites: not there after 5s"},
			{"goroutines firing", 20 * time.Second, 2, ""},
			{"goroutines resolved", 61 * time.Second, 0, ""},
		}},
		{"nothing comes", gather(8*time.Second, 0), time.Minute, []delivered{
			{"goroutines firing", 17 * time.Second, 0, "sites: not there after 5s"},
			{"goroutines resolved", 61 * time.Second, 0, ""},
		}},
		{"the finding is over", gather(8*time.Second, 2), 18 * time.Second, []delivered{
			{"goroutines firing", 17 * time.Second, 0, "sites: not there after 5s"},
			{"goroutines resolved", 19 * time.Second, 0, ""},
		}},
		{"fails", func(context.Context, *alerting.Alert) error {
			return errors.New("no room")
		}, time.Minute, []delivered{
			{"goroutines firing", 12 * time.Second, 0, "sites: no room"},
			{"goroutines resolved", 61 * time.Second, 0, ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := with(func(c *Config) {
					c.CheckInterval, c.AlertCooldown, c.GoroutineThreshold = time.Second, 0, 100
				})
				start := time.Now()
				m, _, _ := watching(t, config, func(_ int, s *sampler.Sample) error {
					goroutines := 10.
					if at := time.Since(start); at >= 12*time.Second && at < test.ends {
						goroutines = 500
					}
					s.Add(sampler.Goroutines, goroutines)
					return nil
				})
				m.AddEvidence("sites", test.add)
				var got []delivered
				ids := map[string]bool{}
				m.OnAlert(func(a alerting.Alert) {
					d := delivered{What: a.Resource + " " + string(a.Status), At: time.Since(start),
						Sites: len(a.Sites)}
					for _, missing := range a.Missing {
						why, _, _ := strings.Cut(missing.Why, ": ") // how starved the machine of the test is
						d.Missing += missing.What + ": " + why
						if clause := "; missing: lines of code (" + missing.Why + ")"; !strings.HasSuffix(a.Summary,
							clause) {
							t.Errorf("summary %q, want at its end %q", a.Summary, clause)
						}
					}
					got = append(got, d)
					ids[a.ID] = true
				})
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(90*time.Second - time.Millisecond)
				history := m.History()
				_ = m.Stop()
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if len(ids) != 1 {
					t.Errorf("%d ids of one finding", len(ids))
				}
				if len(history) != 2 || len(history[0].Sites) != got[len(got)-2].Sites {
					t.Errorf("history: %+v, want the alert as it was delivered last, and its end", history)
				}
			})
		})
	}
}

// An alert that waits when the monitor is stopped is delivered, and a source that hangs is left behind and keeps the
// next run from working until it has returned.
func TestEvidenceAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := with(func(c *Config) {
			c.CheckInterval, c.AlertCooldown, c.GoroutineThreshold, c.FDThreshold = time.Second, 0, 100, 100
		})
		m, _, _ := watching(t, config, fillFlapping)
		var requests atomic.Int32
		m.AddEvidence("hangs", func(context.Context, *alerting.Alert) error {
			requests.Add(1)
			time.Sleep(time.Hour)
			return nil
		})
		var got []string
		m.OnAlert(func(a alerting.Alert) { got = append(got, a.Resource+" "+string(a.Status)) })
		_ = m.Start()
		time.Sleep(13500 * time.Millisecond) // just after the two began
		stopping := time.Now()
		_ = m.Stop()
		if elapsed := time.Since(stopping); elapsed > 6*time.Second {
			t.Errorf("Stop took %s", elapsed)
		}
		if diff := cmp.Diff([]string{"goroutines firing", "open_fds firing"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		_ = m.Start()
		time.Sleep(15 * time.Second)
		if n := requests.Load(); n != 1 {
			t.Errorf("asked %d times while the first hangs", n)
		}
		_ = m.Stop()
		time.Sleep(time.Hour)
	})
}
