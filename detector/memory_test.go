//go:build go1.25

package detector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
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

// aLife is one process whose goroutines pass a limit, or not.
type aLife struct {
	version string
	leaks   bool
}

// begin begins to watch a life with a state in a directory. What comes of it is in alerts.
func (l aLife) begin(t *testing.T, dir string) (m *ResourceMonitor, j *journal, alerts *[]alerting.Alert) {
	t.Helper()
	config := DefaultConfig()
	config.StateDir, config.Instance, config.GoroutineThreshold = dir, "one", 100
	start := time.Now()
	m, _, j = watching(t, config, func(n int, s *sampler.Sample) error {
		s.Start, s.Version = start, l.version
		level := 50.
		if l.leaks && n > 60 {
			level = 500
		}
		s.Add(sampler.Goroutines, level)
		return nil
	})
	alerts = new([]alerting.Alert)
	m.OnAlert(func(a alerting.Alert) { *alerts = append(*alerts, a) })
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	return m, j, alerts
}

func livesOf(m *ResourceMonitor) (all []string) {
	r := m.Lives()
	for i := range r.Lives {
		all = append(all, r.Lives[i].Version+" "+string(r.Lives[i].Ended))
	}
	return all
}

// What a monitor learned reaches the next one through the state directory, the end of what it alerted among it.
func TestMonitorKeepsItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, _, told := aLife{"1.0", true}.begin(t, dir)
		time.Sleep(3 * time.Hour)
		_ = first.Stop()
		if len(*told) != 1 || (*told)[0].Process.Version != "1.0" || (*told)[0].Process.Instance != "one" {
			t.Fatalf("the first life told %+v", *told)
		}
		time.Sleep(time.Minute)
		second, j, toldNext := aLife{"1.1", false}.begin(t, dir)
		time.Sleep(3 * time.Hour)
		_ = second.Stop()
		if diff := cmp.Diff([]string{"1.0 replaced", "1.1 running"}, livesOf(second)); diff != "" {
			t.Errorf("lives (-want +got):\n%s", diff)
		}
		if len(*toldNext) != 1 || (*toldNext)[0].Status != alerting.Resolved || (*toldNext)[0].ID != (*told)[0].ID ||
			!(*toldNext)[0].Process.Start.Equal((*told)[0].Process.Start) {
			t.Errorf("the second life told\n%+v, want the end of\n%+v", *toldNext, *told)
		}
		if text := j.text(); strings.Contains(text, "warning") {
			t.Errorf("logged:\n%s", text)
		}
	})
}

// A leak that goes on in the next life is the same finding, told once; its end in the life after that has its id.
func TestMonitorTellsOfALeakOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		live := func(version string, perHour float64, lasts time.Duration) (told []string, id string) {
			config := DefaultConfig()
			config.StateDir, config.Instance = dir, "one"
			start := time.Now()
			m, _, _ := watching(t, config, func(_ int, s *sampler.Sample) error {
				s.Start, s.Version = start, version
				s.Add(sampler.Goroutines, math.Floor(100+perHour*time.Since(start).Hours()))
				return nil
			})
			m.OnAlert(func(a alerting.Alert) {
				id = a.ID
				told = append(told, fmt.Sprint(a.Kind, " ", a.Status, " in ", a.Process.Version))
			})
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lasts)
			_ = m.Stop()
			return told, id
		}
		first, id := live("1.0", 30, 30*time.Hour)
		second, _ := live("1.1", 30, 30*time.Hour)
		third, ended := live("1.2", 0, 40*time.Hour)
		if diff := cmp.Diff([][]string{{"trend firing in 1.0"}, nil, {"trend resolved in 1.0"}}, [][]string{first, second, third}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if ended != id {
			t.Errorf("one leak has the ids %q and %q", id, ended)
		}
	})
}

// A state that comes when there are samples already, as that of a process which ends late, is learned all the same.
func TestMonitorLearnsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, _, _ := aLife{"1.0", false}.begin(t, dir)
		time.Sleep(3 * time.Hour)
		second, j, _ := aLife{"1.1", false}.begin(t, dir)
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff([]string{"1.1 running"}, livesOf(second)); diff != "" {
			t.Errorf("beside the first (-want +got):\n%s", diff)
		}
		_ = first.Stop()
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff([]string{"1.0 replaced", "1.1 running"}, livesOf(second)); diff != "" {
			t.Errorf("after the first (-want +got):\n%s", diff)
		}
		record := second.Lives()
		if err := record.Validate(); err != nil {
			t.Error(err)
		}
		_ = second.Stop()
		if n := strings.Count(j.text(), "warning"); n != 1 {
			t.Errorf("%d warnings, want 1:\n%s", n, j.text())
		}
		third, _, _ := aLife{"1.2", false}.begin(t, dir)
		time.Sleep(time.Hour)
		_ = third.Stop()
		if diff := cmp.Diff([]string{"1.0 replaced", "1.1 replaced", "1.2 running"}, livesOf(third)); diff != "" {
			t.Errorf("the third (-want +got):\n%s", diff)
		}
	})
}

// A state that comes after hours is not learned, and stays as it is.
func TestMonitorDoesNotLearnTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first, _, _ := aLife{"1.0", false}.begin(t, dir)
		time.Sleep(time.Hour)
		second, j, _ := aLife{"1.1", false}.begin(t, dir)
		time.Sleep(9 * time.Hour)
		_ = first.Stop()
		time.Sleep(time.Hour)
		_ = second.Stop()
		if diff := cmp.Diff([]string{"1.1 running"}, livesOf(second)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := strings.Count(j.text(), "warning"); n != 2 {
			t.Errorf("%d warnings, want 2:\n%s", n, j.text())
		}
		third, _, _ := aLife{"1.2", false}.begin(t, dir)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"1.0 replaced", "1.2 running"}, livesOf(third)); diff != "" {
			t.Errorf("the next one knows (-want +got):\n%s", diff)
		}
		_ = third.Stop()
	})
}

// A monitor that is stopped and started goes on where it was, and one of the same process that is watched anew, too.
func TestMonitorGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		m, j, _ := aLife{"1.0", false}.begin(t, dir)
		time.Sleep(2 * time.Hour)
		_ = m.Stop()
		time.Sleep(time.Minute)
		_ = m.Start()
		time.Sleep(2 * time.Hour)
		config := m.state.config()
		config.StateDir = filepath.Join(dir, "other")
		if err := m.Reload(config); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		_ = m.Stop()
		if diff := cmp.Diff([]string{"1.0 running"}, livesOf(m)); diff != "" || strings.Contains(j.text(), "warning") {
			t.Errorf("logged %s\n(-want +got):\n%s", j.text(), diff)
		}
		entries, err := os.ReadDir(config.StateDir)
		if err != nil || len(entries) != 2 {
			t.Errorf("%v: the directory after the reload holds %d files, want a state and its lock", err, len(entries))
		}
		other, _, _ := watching(t, config, fillSteady)
		if err := other.Restore(m.Handover()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(livesOf(m), livesOf(other)); diff != "" {
			t.Errorf("handed over (-want +got):\n%s", diff)
		}
		if other.Restore(saved.Saved{Record: lives.New(2)}) == nil {
			t.Error("a second state is taken beside the first")
		}
	})
}

// What a reader of earlier lives finds is learned, though it takes its time, and once.
func TestMonitorReadsEarlierLives(t *testing.T) {
	earlier := lives.New(1)
	began := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC) // bubbles begin in 2000
	earlier.Add(lives.Life{Start: began, First: began, End: began.Add(24 * time.Hour), Version: "0.9", Ended: lives.Replaced})
	for _, test := range []struct {
		name string
		read earlierLives
		want []string
		logs int // warnings
	}{
		{"at once", func(context.Context, Config) (lives.Record, error) { return earlier, nil }, []string{"0.9 replaced", " running"}, 0},
		{"slowly", func(ctx context.Context, _ Config) (lives.Record, error) {
			time.Sleep(20 * time.Second)
			return earlier, ctx.Err()
		}, []string{"0.9 replaced", " running"}, 0},
		{"too slowly", func(ctx context.Context, _ Config) (lives.Record, error) {
			<-ctx.Done()
			return earlier, ctx.Err()
		}, []string{" running"}, 1},
		{"nothing", func(context.Context, Config) (lives.Record, error) { return lives.New(1), nil }, []string{" running"}, 0},
		{"panics", func(context.Context, Config) (lives.Record, error) { panic("by the test") }, []string{" running"}, 1},
		{"no reader", nil, []string{" running"}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := DefaultConfig()
			config.HistoryFrom, config.HistorySelector = "http://prometheus", `{job="worker"}`
			m, _, j := watching(t, config, fillSteady)
			if test.read != nil {
				m.ReadEarlierLives(test.read)
			}
			_ = m.Start()
			time.Sleep(time.Hour)
			if err := m.Stop(); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			if diff := cmp.Diff(test.want, livesOf(m)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			if n := strings.Count(j.text(), "warning"); n != test.logs {
				t.Errorf("%s: %d warnings, want %d:\n%s", test.name, n, test.logs, j.text())
			}
		})
	}
}

// A leak that no life is long enough for is called over lives: a process that is deployed daily and leaks a third of its
// descriptors in each life is called by the sixth, which names the versions; a replay of all samples decides the same.
func TestMonitorCallsOverLives(t *testing.T) {
	if testing.Short() {
		t.Skip("a week of samples, and of states that are written")
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var live []alerting.Event
		var samples []sampler.Sample
		for life := range 6 {
			version := fmt.Sprintf("2.1.%d", life/3)
			config := DefaultConfig()
			config.StateDir, config.CheckInterval = dir, 5*time.Minute
			start := time.Now()
			m, _, j := watching(t, config, func(n int, s *sampler.Sample) error {
				s.Start, s.Version = start, version
				s.Add(sampler.OpenFDs, math.Round(100+33*time.Since(start).Hours()/24+3*jitterAt(n, life)))
				s.Add(sampler.CPUSeconds, float64(n))
				return nil
			})
			m.OnAlert(func(a alerting.Alert) { live = append(live, a.Event) })
			m.OnSample(func(s *sampler.Sample) { samples = append(samples, s.Clone()) })
			_ = m.Start()
			time.Sleep(24*time.Hour - 30*time.Second)
			_ = m.Stop()
			if text := j.text(); strings.Contains(text, "state") && strings.Contains(text, "warning") {
				t.Errorf("life %d:\n%s", life+1, text)
			}
			time.Sleep(30 * time.Second)
		}
		if len(live) == 0 || live[0].Status != alerting.Firing || !strings.Contains(live[0].Summary, "2.1.0") {
			t.Errorf("alerted: %+v", live)
		}
		d, err := New(DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		var replayed []string
		for i := range samples {
			for _, e := range d.Observe(&samples[i]) {
				replayed = append(replayed, fmt.Sprint(e.Time, e.Status, e.Resource, e.Summary))
			}
		}
		var alerted []string
		for _, e := range live {
			alerted = append(alerted, fmt.Sprint(e.Time, e.Status, e.Resource, e.Summary))
		}
		if diff := cmp.Diff(replayed, alerted); diff != "" {
			t.Errorf("(-replayed +live):\n%s", diff)
		}
	})
}

// leakOver is a life of a process whose goroutines leak or not, with a configuration of its own. It returns what was told.
// receiver takes the place of the webhook's; nil for none.
func leakOver(t *testing.T, config Config, perHour float64, lasts time.Duration, receiver *http.Client) (told []string, last alerting.Alert) {
	t.Helper()
	start := time.Now()
	m, _, _ := watching(t, config, func(_ int, s *sampler.Sample) error {
		s.Start = start
		s.Add(sampler.Goroutines, math.Floor(100+perHour*time.Since(start).Hours()))
		return nil
	})
	if receiver != nil {
		w, err := webhook.New(webhook.Config{URL: config.AlertWebhookURL, Format: config.AlertWebhookFormat, Client: receiver})
		if err != nil {
			t.Fatal(err)
		}
		m.webhook.Use(w)
	}
	m.OnAlert(func(a alerting.Alert) {
		last = a
		told = append(told, fmt.Sprint(a.Kind, " ", a.Status))
	})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lasts)
	_ = m.Stop()
	return told, last
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
		second, ended := leakOver(t, config, 0, 40*time.Hour, nil)
		if diff := cmp.Diff([][]string{{"trend firing"}, {"trend resolved"}}, [][]string{first, second}); diff != "" || ended.ID != alert.ID {
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
		if diff := cmp.Diff([][]string{nil, {"trend firing"}, {"trend resolved"}}, [][]string{first, second, third}); diff != "" {
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
		live := func(url string, status int, perHour float64, lasts time.Duration) (told []string) {
			config.AlertWebhookURL = url
			r := &answering{status: status}
			leakOver(t, config, perHour, lasts, &http.Client{Transport: r})
			for _, post := range r.posts {
				var a alerting.Alert
				if err := json.Unmarshal([]byte(post), &a); err != nil {
					t.Error(err)
				}
				if told = append(told, string(a.Status)); status != http.StatusOK {
					return []string{"refused"}
				}
			}
			return told
		}
		if diff := cmp.Diff([][]string{{"refused"}, {"firing"}, nil, {"firing"}, {"resolved"}}, [][]string{
			live("http://one.example", http.StatusNotFound, 30, 30*time.Hour), live("http://one.example", http.StatusOK, 30, time.Hour),
			live("http://one.example", http.StatusOK, 30, time.Hour), live("http://two.example", http.StatusOK, 30, time.Hour),
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
