//go:build go1.25

package detector

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
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
		first, _, delivered := aLife{"1.0", true}.begin(t, dir)
		time.Sleep(3 * time.Hour)
		_ = first.Stop()
		if len(*delivered) != 1 || (*delivered)[0].Process.Version != "1.0" ||
			(*delivered)[0].Process.Instance != "one" {
			t.Fatalf("the first life told %+v", *delivered)
		}
		time.Sleep(time.Minute)
		second, j, deliveredNext := aLife{"1.1", false}.begin(t, dir)
		time.Sleep(3 * time.Hour)
		_ = second.Stop()
		if diff := cmp.Diff([]string{"1.0 replaced", "1.1 running"}, livesOf(second)); diff != "" {
			t.Errorf("lives (-want +got):\n%s", diff)
		}
		if len(*deliveredNext) != 1 || (*deliveredNext)[0].Status != alerting.Resolved ||
			(*deliveredNext)[0].ID != (*delivered)[0].ID ||
			!(*deliveredNext)[0].Process.Start.Equal((*delivered)[0].Process.Start) {
			t.Errorf("the second life told\n%+v, want the end of\n%+v", *deliveredNext, *delivered)
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
		live := func(version string, perHour float64, lasts time.Duration) (delivered []string, id string) {
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
				delivered = append(delivered, fmt.Sprint(a.Kind, " ", a.Status, " in ", a.Process.Version))
			})
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lasts)
			_ = m.Stop()
			return delivered, id
		}
		first, id := live("1.0", 30, 30*time.Hour)
		second, _ := live("1.1", 30, 30*time.Hour)
		third, ended := live("1.2", 0, 40*time.Hour)
		if diff := cmp.Diff([][]string{{"trend firing in 1.0"}, nil, {"trend resolved in 1.0"}},
			[][]string{first, second, third}); diff != "" {
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
		if err != nil || len(entries) != 1 || !strings.HasSuffix(entries[0].Name(), saved.Suffix) {
			t.Errorf("%v: the directory after the reload holds %v, want a state alone", err, entries)
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
	earlier.Add(lives.Life{Start: began, First: began, End: began.Add(24 * time.Hour), Version: "0.9",
		Ended: lives.Replaced})
	for _, test := range []struct {
		name string
		read earlierLives
		want []string
		logs int // warnings
	}{
		{"at once", func(context.Context, Config) (lives.Record, error) {
			return earlier, nil
		}, []string{"0.9 replaced", " running"}, 0},
		{"slowly", func(ctx context.Context, _ Config) (lives.Record, error) {
			time.Sleep(20 * time.Second)
			return earlier, ctx.Err()
		}, []string{"0.9 replaced", " running"}, 0},
		{"too slowly", func(ctx context.Context, _ Config) (lives.Record, error) {
			<-ctx.Done()
			return earlier, ctx.Err()
		}, []string{" running"}, 1},
		{"nothing", func(context.Context, Config) (lives.Record, error) {
			return lives.New(1), nil
		}, []string{" running"}, 0},
		{"panics", func(context.Context, Config) (lives.Record, error) {
			panic("by the test")
		}, []string{" running"}, 1},
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

// A leak that no life is long enough for is called over lives: a process that is deployed daily and leaks a third of
// its descriptors in each life is called by the sixth, which names the versions; a replay of all samples decides the
// same.
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
