package screen

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/ttytest"
	"github.com/mdzesseis/leaktrend/detector"
)

var update = flag.Bool("update", false, "write the golden files anew")

// simulated returns a terminal in memory.
func simulated(t *testing.T, width, height int) tcell.SimulationScreen {
	t.Helper()
	tc := tcell.NewSimulationScreen("UTF-8")
	if err := tc.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tc.Fini)
	tc.SetSize(width, height)
	return tc
}

// lines returns what a screen shows.
func lines(tc tcell.SimulationScreen) []string {
	cells, width, height := tc.GetContents()
	var all []string
	for y := range height {
		var b strings.Builder
		for x := range width {
			b.WriteString(string(cells[y*width+x].Runes))
		}
		all = append(all, strings.TrimRight(b.String(), " "))
	}
	return all
}

// service is a process of five resources, of which one leaks.
func service() *fake {
	leak := status("open_fds", detector.Firing, 2911)
	leak.Exhaustion = &alerting.Exhaustion{Limit: 4096, Source: "RLIMIT_NOFILE",
		At: at(20*time.Minute + 80*time.Second)}
	leak.Since, leak.Why = at(5*time.Minute), "sustained growth that never came back"
	suspect := status("heap_live_bytes", detector.Suspected, 150<<20)
	suspect.SlopePerHour, suspect.Why = 120<<20, "grew by 30 MB (25 %) in 12m, not yet for long enough"
	cpu := status("cpu_seconds", detector.Healthy, 30)
	cpu.Judged, cpu.Why = false, "not judged: a counter"
	rising := func(i int) float64 { return 2000 + float64(i)*911/1200 }
	return &fake{
		statuses: []detector.Status{
			status("goroutines", detector.Healthy, 120), suspect, status("rss_bytes", detector.Learning, 312<<20), leak,
			cpu,
		},
		past: map[string][]detector.Point{
			"goroutines":      pastOf(1201, func(i int) float64 { return 100 + 60*math.Sin(float64(i)/90) }),
			"heap_live_bytes": pastOf(1201, func(i int) float64 { return float64(120+i/40) * (1 << 20) }),
			"rss_bytes":       pastOf(1201, func(int) float64 { return 312 << 20 }),
			"open_fds":        pastOf(1201, rising),
			"cpu_seconds":     pastOf(1201, func(i int) float64 { return float64(i) / 40 }),
		},
	}
}

// scenes opens a view of some processes on a simulated screen.
func sceneOf(t *testing.T, tc tcell.Screen, processes int) (*scene, []*Process) {
	t.Helper()
	v := New(os.Stderr, os.Stderr, "pid 4242 redis-server every 1s")
	v.terminal, v.screen = true, true
	var all []*Process
	for i := range processes {
		p := watch(v, fmt.Sprintf("pid %d redis-server", 4242+i), service())
		p.Sampled(at(20 * time.Minute))
		all = append(all, p)
	}
	log := all[0].Logger()
	log.WithTime(at(0)).Info("Resource monitor started")
	log.WithTime(at(9 * time.Minute)).WithFields(logrus.Fields{"severity": "critical", "status": "firing"}).Error(
		"open_fds leak: +2,733/h for 15m without ever coming back, 2,911 now, baseline 2,228, growing since " +
			"2026-11-23 10:05:00 UTC; 26m left to the limit of 4,096")
	v.Flush() // of the lines before there was a screen
	return newScene(v, tc), all
}

func press(s *scene, keys ...any) {
	for _, k := range keys {
		switch k := k.(type) {
		case rune:
			s.key(tcell.NewEventKey(tcell.KeyRune, k, tcell.ModNone))
		case tcell.Key:
			s.key(tcell.NewEventKey(k, 0, tcell.ModNone))
		}
	}
}

// The goldens hold times of day. The zone is set before anything runs: what outlives a test may read it.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

func TestScreen(t *testing.T) {
	for _, test := range []struct {
		name          string
		width, height int
		processes     int
		keys          []any
	}{
		{"one-80x24", 80, 24, 1, nil},
		{"one-200x60", 200, 60, 1, nil},
		{"plot-80x24", 80, 24, 1, []any{tcell.KeyEnter}},
		{"plot-120x40", 120, 40, 1, []any{'p', 'w', 'w', 'w', 'w'}},
		{"several-80x24", 80, 24, 3, []any{tcell.KeyTab, tcell.KeyTab}},
		{"context-80x24", 80, 24, 1, []any{'c', tcell.KeyEnd}},
		{"alerts-60x12", 60, 12, 1, []any{'a'}},
		{"help-80x24", 80, 24, 1, []any{'?'}},
		{"small-40x8", 40, 8, 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			tc := simulated(t, test.width, test.height)
			s, _ := sceneOf(t, tc, test.processes)
			s.draw(at(20*time.Minute + time.Second))
			press(s, test.keys...)
			s.draw(at(20*time.Minute + time.Second))
			got := strings.Join(lines(tc), "\n") + "\n"
			path := filepath.Join("testdata", test.name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The colours stress what the words say; without colours nothing but the words is left.
func TestColors(t *testing.T) {
	tc := simulated(t, 80, 24)
	s, _ := sceneOf(t, tc, 1)
	for _, color := range []bool{true, false} {
		s.color = color
		s.draw(at(20 * time.Minute))
		colored := 0
		cells, width, _ := tc.GetContents()
		for i, c := range cells {
			fg, _, _ := c.Style.Decompose()
			if fg != tcell.ColorDefault {
				colored++
			}
			row := lines(tc)[i/width]
			if color && strings.Contains(row, "LEAK      open_fds") && i%width == 2 && fg != tcell.ColorMaroon {
				t.Errorf("LEAK is drawn in %s", fg)
			}
		}
		if (colored > 0) != color {
			t.Errorf("color %t: %d coloured characters", color, colored)
		}
	}
}

// The mark goes to what leaks, unless a key has put it somewhere.
func TestPickFollowsLeak(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []any
		want string
	}{
		{"no key", nil, "▸ LEAK     open_fds"},
		{"plot", []any{tcell.KeyEnter}, "▸ LEAK     open_fds"},
		{"down", []any{tcell.KeyDown}, "▸ ok       heap_live_bytes"},
		{"tab", []any{tcell.KeyTab}, "▸ ok       goroutines"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tc := simulated(t, 80, 24)
			monitor := &fake{statuses: []detector.Status{
				status("goroutines", detector.Healthy, 120), status("heap_live_bytes", detector.Healthy, 9),
				status("open_fds", detector.Healthy, 9),
			}}
			v := New(os.Stderr, os.Stderr, "pid 4242")
			p := watch(v, "pid 4242", monitor)
			s := newScene(v, tc)
			show := func() {
				p.Sampled(at(20 * time.Minute))
				s.draw(at(20 * time.Minute))
			}
			show()
			press(s, test.keys...)
			monitor.statuses[2] = status("open_fds", detector.Firing, 90)
			show()
			if all := strings.Join(lines(tc), "\n"); !strings.Contains(all, test.want) {
				t.Errorf("no %q in\n%s", test.want, all)
			}
		})
	}
}

// Whatever the size and whatever the keys, there is a picture, and the leak is to be seen where there is room for a
// row.
func TestAnySizeAndKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	keys := []any{
		'j', 'k', 'g', 'G', 'p', 'w', 'W', 'c', 'a', '?', 'x', tcell.KeyEscape, tcell.KeyEnter, tcell.KeyUp,
		tcell.KeyDown, tcell.KeyPgUp, tcell.KeyPgDn,
		tcell.KeyHome, tcell.KeyEnd, tcell.KeyTab, tcell.KeyBacktab, tcell.KeyCtrlL,
	}
	for round := range 40 {
		tc := simulated(t, 1+random.IntN(140), 1+random.IntN(50))
		s, processes := sceneOf(t, tc, 1+random.IntN(4))
		for range 20 {
			if random.IntN(5) == 0 {
				tc.SetSize(1+random.IntN(140), 1+random.IntN(50))
			}
			if random.IntN(20) == 0 {
				processes[random.IntN(len(processes))].End(at(0))
			}
			press(s, keys[random.IntN(len(keys))])
			s.draw(at(20 * time.Minute))
		}
		// Back to the list, at its first process that leaks.
		s.over, s.plot, s.pick = nothing, false, picked{}
		tc.SetSize(20+random.IntN(140), 6+random.IntN(50))
		s.draw(at(20 * time.Minute))
		if all := strings.Join(lines(tc), "\n"); !strings.Contains(all, "▸ LEAK") {
			t.Fatalf("round %d: the leak is not shown:\n%s", round, all)
		}
	}
}

// Names of processes and metrics cannot write to the terminal: a screen keeps what is a character, the rest is replaced
// before.
func TestNamesAreHarmless(t *testing.T) {
	tc := simulated(t, 80, 24)
	v := New(os.Stderr, os.Stderr, "pid 7 x\x1b[2J\n")
	v.Note("a\x1b]0;b")
	watch(v, "pid 7 x", &fake{statuses: []detector.Status{status("a\x1b]0;owned\a\rb", detector.Healthy, 1)}}).Sampled(
		at(0))
	s := newScene(v, tc)
	press(s, 'p')
	s.draw(at(0))
	all := strings.Join(lines(tc), "\n")
	if strings.ContainsAny(all, "\x1b\a\r") || !strings.Contains(all, "a�]0;owned��b") ||
		!strings.Contains(all, "pid 7 x�[2J�") {
		t.Errorf("%q", all)
	}
}

// onTerminal makes views run on a simulated screen, below which there is a terminal.
func onTerminal(t *testing.T) (*kept, *View, *ttytest.Terminal) {
	t.Helper()
	tty := ttytest.New(t, 100, 24)
	tc := &kept{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	old := newScreen
	newScreen = func() (tcell.Screen, error) { return tc, nil }
	t.Cleanup(func() { newScreen = old })
	return tc, New(tty.File, tty.File, "pid 7 x"), tty
}

// kept is a screen that keeps what it showed, and how often it was given back.
type kept struct {
	tcell.SimulationScreen
	mu       sync.Mutex
	shown    string
	restored int
}

func (k *kept) Show() {
	k.SimulationScreen.Show()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shown = strings.Join(lines(k), "\n")
}

func (k *kept) Fini() {
	k.mu.Lock()
	k.restored++
	k.mu.Unlock()
	k.SimulationScreen.Fini()
}

func (k *kept) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shown
}

func (k *kept) timesRestored() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.restored
}

// The ways to end: keys, the context, and a panic. All of them give the terminal back.
func TestRunEnds(t *testing.T) {
	for name, end := range map[string]func(tc tcell.SimulationScreen, stop func()){
		"q":       func(tc tcell.SimulationScreen, _ func()) { tc.InjectKey(tcell.KeyRune, 'q', tcell.ModNone) },
		"ctrl-c":  func(tc tcell.SimulationScreen, _ func()) { tc.InjectKey(tcell.KeyCtrlC, 0, tcell.ModNone) },
		"context": func(_ tcell.SimulationScreen, stop func()) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			tc, v, _ := onTerminal(t)
			p := watch(v, "pid 7 x", service())
			p.Sampled(at(0))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			done := make(chan struct{})
			go func() {
				defer close(done)
				v.Run(ctx)
			}()
			waitFor(t, func() bool { return strings.Contains(tc.text(), "open_fds") })
			p.Logger().Warn("said on the screen")
			if tc.timesRestored() != 0 {
				t.Fatal("given back too early")
			}
			end(tc, stop)
			<-done
			if tc.timesRestored() == 0 || v.Quit() != (name != "context") {
				t.Errorf("given back %d times, quit %t", tc.timesRestored(), v.Quit())
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		tc, v, _ := onTerminal(t)
		p := v.Add("pid 7 x")
		p.Watch(broken{})
		p.noteSample(at(0))
		func() {
			defer func() {
				if r := recover(); r != "broken" {
					t.Errorf("recovered %v", r)
				}
			}()
			v.Run(t.Context())
		}()
		if tc.timesRestored() == 0 {
			t.Error("the terminal was not given back")
		}
	})
	t.Run("no screen", func(t *testing.T) {
		_, v, _ := onTerminal(t)
		newScreen = func() (tcell.Screen, error) { return nil, os.ErrNotExist }
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, stop)
		v.Run(ctx)
		if len(v.journal) != 1 || !strings.Contains(v.journal[0].text, "plain lines instead") {
			t.Errorf("%v", v.journal)
		}
	})
}

// What was said while the screen was there stays on the terminal.
func TestJournalOutlivesScreen(t *testing.T) {
	tc, v, tty := onTerminal(t)
	p := watch(v, "pid 7 x", service())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Run(ctx)
	}()
	waitFor(t, func() bool { return strings.Contains(tc.text(), "waiting") })
	p.Logger().WithTime(at(0)).Warn("a leak")
	p.Logger().Info("no news")
	waitFor(t, func() bool { return strings.Contains(tc.text(), "a leak") })
	if got := tty.Raw(); got != "" {
		t.Errorf("written below the screen: %q", got)
	}
	stop()
	<-done
	if diff := cmp.Diff([]string{at(0).Local().Format(time.TimeOnly) + "  warning   a leak"}, tty.Lines()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// broken is a monitor that panics.
type broken struct{}

func (broken) Status() []detector.Status               { panic("broken") }
func (broken) Past(string, time.Time) []detector.Point { return nil }

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for range 12_000 { // two minutes
		if what() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come")
}

// Samples, log lines and ends come from goroutines of their own while the screen draws.
func TestConcurrentUse(t *testing.T) {
	tc, v, _ := onTerminal(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		v.Run(ctx)
	}()
	waitFor(t, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.screen
	})
	var work sync.WaitGroup
	for i := range 4 {
		work.Add(1)
		go func() {
			defer work.Done()
			p := watch(v, fmt.Sprintf("pid %d x", i), service())
			for k := range 100 {
				p.Sampled(at(time.Duration(k) * time.Second))
				p.Logger().Warnf("line %d", k)
				tc.InjectKey(tcell.KeyTab, 0, tcell.ModNone)
			}
			p.End(at(time.Hour))
		}()
	}
	work.Wait()
	stop()
	wg.Wait()
	if n := len(v.journal); n != 400 {
		t.Errorf("%d lines, want 400", n)
	}
}
