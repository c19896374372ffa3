//go:build go1.25

package detector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/detector/lives"
	saved "github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
)

// leakOver is a life of a process whose goroutines leak or not, with a configuration of its own. It returns what was
// told. receiver takes the place of the webhook's; nil for none.
func leakOver(t *testing.T, config Config, perHour float64, lasts time.Duration,
	receiver *http.Client) (delivered []string,
	last alerting.Alert) {
	t.Helper()
	start := time.Now()
	m, _, _ := watching(t, config, func(_ int, s *sampler.Sample) error {
		s.Start = start
		s.Add(sampler.Goroutines, math.Floor(100+perHour*time.Since(start).Hours()))
		return nil
	})
	if receiver != nil {
		w, err := webhook.New(webhook.Config{URL: config.AlertWebhookURL, Format: config.AlertWebhookFormat,
			Client: receiver})
		if err != nil {
			t.Fatal(err)
		}
		m.webhook.Use(w)
	}
	m.OnAlert(func(a alerting.Alert) {
		last = a
		delivered = append(delivered, fmt.Sprint(a.Kind, " ", a.Status))
	})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lasts)
	_ = m.Stop()
	return delivered, last
}

// A leak becomes a known one, or is none any more, between two lives: what was told ends, and what was not is told.
func TestKnownLeakOverLives(t *testing.T) {
	config := DefaultConfig()
	config.Instance, config.CheckInterval = "one", 5*time.Minute
	known := config
	var fingerprint string
	synctest.Test(t, func(t *testing.T) {
		config := config
		config.StateDir = t.TempDir()
		first, alert := leakOver(t, config, 30, 30*time.Hour, nil)
		fingerprint = alert.Fingerprint
		config.KnownLeaks = fingerprint
		second, ended := leakOver(t, config, 30, time.Hour, nil)
		if diff := cmp.Diff([][]string{{"trend firing"}, {"trend resolved"}}, [][]string{first, second}); diff != "" ||
			ended.ID != alert.ID {
			t.Errorf("becomes known, %q and %q (-want +got):\n%s", alert.ID, ended.ID, diff)
		}
	})
	known.KnownLeaks = fingerprint
	synctest.Test(t, func(t *testing.T) {
		known, config := known, config
		known.StateDir = t.TempDir()
		config.StateDir = known.StateDir
		first, _ := leakOver(t, known, 30, 30*time.Hour, nil)
		second, _ := leakOver(t, config, 30, time.Hour, nil)
		third, _ := leakOver(t, config, 0, 40*time.Hour, nil)
		if diff := cmp.Diff([][]string{nil, {"trend firing"}, {"trend resolved"}},
			[][]string{first, second, third}); diff != "" {
			t.Errorf("is not known any more (-want +got):\n%s", diff)
		}
	})
}

// answering is a receiver that keeps what is posted, and answers with a status.
type answering struct {
	status int
	posts  []string
}

func (r *answering) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.posts = append(r.posts, string(body))
	return &http.Response{StatusCode: r.status, Body: http.NoBody, Request: request}, nil
}

// What a receiver did not take is told by the next life, as is what another receiver took; what it took is not.
func TestWebhookOverLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := DefaultConfig()
		config.StateDir, config.Instance, config.CheckInterval = t.TempDir(), "one", 5*time.Minute
		live := func(url string, status int, perHour float64, lasts time.Duration) (delivered []string) {
			config.AlertWebhookURL = url
			r := &answering{status: status}
			leakOver(t, config, perHour, lasts, &http.Client{Transport: r})
			for _, post := range r.posts {
				var a alerting.Alert
				if err := json.Unmarshal([]byte(post), &a); err != nil {
					t.Error(err)
				}
				if delivered = append(delivered, string(a.Status)); status != http.StatusOK {
					return []string{"refused"}
				}
			}
			return delivered
		}
		if diff := cmp.Diff([][]string{{"refused"}, {"firing"}, nil, {"firing"}, {"resolved"}}, [][]string{
			live("http://one.example", http.StatusNotFound, 30, 30*time.Hour), live("http://one.example", http.StatusOK,
				30, time.Hour),
			live("http://one.example", http.StatusOK, 30, time.Hour), live("http://two.example", http.StatusOK, 30,
				time.Hour),
			live("http://two.example", http.StatusOK, 0, 40*time.Hour),
		}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Alertmanager, which forgets what nobody repeats, holds a leak as one alert over lives.
func TestAlertmanagerOverLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := DefaultConfig()
		config.StateDir, config.CheckInterval = t.TempDir(), 5*time.Minute
		config.AlertWebhookURL, config.AlertWebhookFormat = "http://one.example", "alertmanager"
		labels := map[string]bool{}
		for life, lasts := range []time.Duration{30 * time.Hour, time.Hour} {
			r := &answering{status: http.StatusOK}
			leakOver(t, config, 30, lasts, &http.Client{Transport: r})
			var held time.Time
			for _, post := range r.posts {
				var all []struct {
					Labels map[string]string
					EndsAt time.Time
				}
				if err := json.Unmarshal([]byte(post), &all); err != nil {
					t.Error(err)
				}
				for _, a := range all {
					labels[fmt.Sprint(a.Labels)] = true
					held = a.EndsAt
				}
			}
			if !held.After(time.Now()) {
				t.Errorf("life %d: held until %v, which is over at %v", life+1, held, time.Now())
			}
		}
		if len(labels) != 1 {
			t.Errorf("%d alerts, want 1: %v", len(labels), labels)
		}
	})
}

// What was told of an earlier life ends where this one has no ground for it, and what was not told is found anew.
func TestInheritedFindings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *saved.Saved, next *Config) // between the lives
		want   []string                           // of the next life
	}{
		{"growth is not judged any more", func(_ *saved.Saved, next *Config) {
			next.Adaptive.Enabled = false
		}, []string{"trend resolved"}},
		{"the record is of a later time", func(s *saved.Saved, _ *Config) {
			latest := s.Record.Latest()
			latest.End = latest.End.Add(2 * time.Hour) // more than a clock is set back by
		}, []string{"trend resolved", "trend firing"}},
		{"lines leaked, not the total", func(s *saved.Saved, _ *Config) {
			r := s.Record.Resources[sampler.Goroutines]
			r.Held = nil
			s.Record.Resources[sampler.Goroutines] = r
		}, []string{"trend resolved", "trend firing"}},
		{"nobody was told", func(s *saved.Saved, _ *Config) { s.Alerts = nil }, []string{"trend firing"}},
		{"it goes on", func(*saved.Saved, *Config) {}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := DefaultConfig()
			config.CheckInterval = 5 * time.Minute
			var left saved.Saved
			live := func(pid int) (delivered []string) {
				start := time.Now()
				m, _, _ := watching(t, config, func(_ int, s *sampler.Sample) error {
					s.Start = start
					s.Add(sampler.Goroutines, math.Floor(100+30*time.Since(start).Hours()))
					return nil
				})
				m.state.process.PID = pid
				if pid > 1 {
					if err := m.Restore(left); err != nil {
						t.Fatal(err)
					}
				}
				m.OnAlert(func(a alerting.Alert) { delivered = append(delivered, fmt.Sprint(a.Kind, " ", a.Status)) })
				_ = m.Start()
				time.Sleep(30 * time.Hour)
				_ = m.Stop()
				left = m.Handover()
				return delivered
			}
			live(1)
			test.change(&left, &config)
			if diff := cmp.Diff(test.want, live(2)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		})
	}
}

// A state that is free only after the earlier lives were read elsewhere still tells what was alerted.
func TestStateAfterReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, _, delivered := aLife{"1.0", true}.begin(t, dir)
		time.Sleep(time.Hour)
		config := first.state.config()
		config.HistoryFrom, config.HistorySelector = "http://prometheus", `{job="worker"}`
		m, _, j := watching(t, config, fillSteady)
		m.ReadEarlierLives(func(context.Context, Config) (lives.Record, error) {
			earlier := lives.New(1)
			start := time.Now().Add(-48 * time.Hour)
			earlier.Add(lives.Life{Start: start, First: start, End: start.Add(24 * time.Hour), Ended: lives.Replaced})
			return earlier, nil
		})
		var ended []alerting.Alert
		m.OnAlert(func(a alerting.Alert) { ended = append(ended, a) })
		_ = m.Start()
		time.Sleep(10 * time.Minute)
		_ = first.Stop()
		time.Sleep(10 * time.Minute)
		_ = m.Stop()
		if len(*delivered) != 1 || len(ended) != 1 || ended[0].ID != (*delivered)[0].ID ||
			ended[0].Status != alerting.Resolved {
			t.Errorf("told %+v, then %+v", *delivered, ended)
		}
		if strings.Contains(j.text(), "unusable") {
			t.Errorf("logged:\n%s", j.text())
		}
	})
}

// A state that comes while a slow reader still looks for earlier lives knows more than that finds, and nothing is
// wrong.
func TestStateBeforeReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, _, _ := aLife{"1.0", false}.begin(t, t.TempDir())
		time.Sleep(3 * time.Hour)
		config := first.state.config()
		config.HistoryFrom, config.HistorySelector = "http://prometheus", `{job="worker"}`
		m, _, j := watching(t, config, fillSteady)
		m.ReadEarlierLives(func(context.Context, Config) (lives.Record, error) {
			time.Sleep(25 * time.Second)
			earlier := lives.New(1)
			start := time.Now().Add(-48 * time.Hour)
			earlier.Add(lives.Life{Start: start, First: start, End: start.Add(24 * time.Hour), Version: "0.9",
				Ended: lives.Replaced})
			return earlier, nil
		})
		_ = m.Start()
		time.Sleep(2 * time.Second)
		_ = first.Stop()
		time.Sleep(10 * time.Minute)
		_ = m.Stop()
		if diff := cmp.Diff([]string{"1.0 replaced", " running"}, livesOf(m)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if strings.Contains(j.text(), "earlier lives taught") {
			t.Errorf("logged:\n%s", j.text())
		}
	})
}
