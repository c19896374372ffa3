package screen

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
)

// newScreen opens the terminal. Tests have one of their own.
var newScreen = func() (tcell.Screen, error) {
	// Where nobody said which characters the terminal has, those of the plain output are assumed.
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" && value != "C" && value != "POSIX" {
			return tcell.NewScreen()
		}
	}
	os.Setenv("LC_ALL", "C.UTF-8")
	return tcell.NewScreen()
}

// redraw is the least time between two pictures, unless a key was pressed.
const redraw = 250 * time.Millisecond

// Run shows the screen, on a terminal, until ctx ends or the user asks to end. Elsewhere it waits for ctx. However it
// returns, the terminal is as it was before.
func (v *View) Run(ctx context.Context) {
	if !v.terminal {
		<-ctx.Done()
		return
	}
	tc, err := newScreen()
	if err == nil {
		err = tc.Init()
	}
	if err != nil {
		v.Logger().WithError(err).Warn("no screen on this terminal: plain lines instead")
		v.mu.Lock()
		v.plain = true
		v.mu.Unlock()
		<-ctx.Done()
		return
	}
	v.mu.Lock()
	v.screen, v.restore = true, tc.Fini
	v.mu.Unlock()
	defer func() {
		tc.Fini() // on a panic too
		v.mu.Lock()
		defer v.mu.Unlock()
		v.screen = false
		for _, l := range v.later {
			fmt.Fprintln(v.w, l.format(terminal.StyleOf(v.w)))
		}
		v.later = nil
	}()
	newScene(v, tc).run(ctx)
}

// Restore gives the terminal back at once. It is for who is about to panic on another goroutine.
func (v *View) Restore() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.restore != nil {
		v.restore()
	}
}

// windows are the lengths of time that sparks and plots can show; 0 is all.
var windows = []time.Duration{0, 24 * time.Hour, 6 * time.Hour, time.Hour, 15 * time.Minute, 5 * time.Minute,
	time.Minute}

func windowName(window time.Duration) string {
	if window == 0 {
		return "since start"
	}
	return "last " + strings.TrimSuffix(strings.TrimSuffix(window.String(), "0s"), "0m")
}

// entry is a line of the list: a resource, or the head of a process.
type entry struct {
	process *Process
	status  *detector.Status // nil for a head
}

// picked identifies a resource of a process.
type picked struct {
	process  *Process
	resource string
}

// drawn is a spark and what it was drawn of.
type drawn struct {
	version, window, width int
	text                   string
}

// overlay is what covers the list.
type overlay uint8

const (
	nothing overlay = iota
	help
	journal
)

// scene is the state of the screen. Only its own goroutine uses it.
type scene struct {
	view  *View
	tc    tcell.Screen
	color bool

	window  int // index of windows
	plot    bool
	context bool // whether what is not judged is listed
	over    overlay
	scroll  int // lines of the journal below the screen
	pick    picked
	chosen  bool // by a key
	top     int  // first entry that is shown

	sparks map[picked]drawn
}

func newScene(v *View, tc tcell.Screen) *scene {
	return &scene{view: v, tc: tc, color: tc.Colors() > 0, sparks: make(map[picked]drawn)}
}

func (s *scene) run(ctx context.Context) {
	events, end := make(chan tcell.Event), make(chan struct{})
	defer close(end)
	go s.tc.ChannelEvents(events, end)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	shown, second := -1, int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-events:
			if !open {
				return // the terminal is gone
			}
			switch e := e.(type) {
			case *tcell.EventResize:
				s.tc.Sync()
			case *tcell.EventKey:
				if s.key(e) {
					s.view.mu.Lock()
					s.view.quit = true
					s.view.mu.Unlock()
					return
				}
			default:
				continue
			}
			shown = -1
		case <-ticker.C:
		}
		s.view.mu.Lock()
		version := s.view.version
		s.view.mu.Unlock()
		if now := time.Now(); version != shown || now.Unix() != second {
			shown, second = version, now.Unix()
			s.draw(now)
		}
	}
}

// key obeys a key, and reports whether it was one to end.
func (s *scene) key(e *tcell.EventKey) (end bool) {
	switch e.Key() {
	case tcell.KeyCtrlC:
		return true
	case tcell.KeyCtrlZ:
		suspend(s)
	case tcell.KeyCtrlL:
		s.tc.Sync()
	case tcell.KeyEscape:
		if s.over == nothing {
			s.plot = false
		}
		s.over = nothing
	case tcell.KeyEnter:
		s.over, s.plot = nothing, !s.plot
	case tcell.KeyUp:
		s.move(-1)
	case tcell.KeyDown:
		s.move(1)
	case tcell.KeyPgUp:
		s.move(-10)
	case tcell.KeyPgDn:
		s.move(10)
	case tcell.KeyHome:
		s.move(-1 << 20)
	case tcell.KeyEnd:
		s.move(1 << 20)
	case tcell.KeyTab:
		s.nextProcess(1)
	case tcell.KeyBacktab:
		s.nextProcess(-1)
	case tcell.KeyRune:
		return s.letter(e.Rune())
	}
	return false
}

func (s *scene) letter(r rune) (end bool) {
	switch r {
	case 'q':
		return true
	case 'k':
		s.move(-1)
	case 'j':
		s.move(1)
	case 'g':
		s.move(-1 << 20)
	case 'G':
		s.move(1 << 20)
	case 'p', ' ':
		s.over, s.plot = nothing, !s.plot
	case 'w', '+':
		s.window = (s.window + 1) % len(windows)
	case 'W', '-':
		s.window = (s.window + len(windows) - 1) % len(windows)
	case 'c':
		s.context = !s.context
	case 'a':
		s.toggle(journal)
	case '?', 'h':
		s.toggle(help)
	}
	return false
}

func (s *scene) toggle(o overlay) {
	if s.over == o {
		o = nothing
	}
	s.over, s.scroll = o, 0
}

// move goes on by so many resources, or scrolls the journal.
func (s *scene) move(by int) {
	if s.over == journal {
		s.scroll = max(s.scroll-by, 0) // drawing bounds it above
		return
	}
	list := s.resources()
	if len(list) == 0 {
		return
	}
	s.pick, s.chosen = list[min(max(slices.Index(list, s.pick)+by, 0), len(list)-1)], true
}

// nextProcess goes to the first resource of another process.
func (s *scene) nextProcess(by int) {
	var firsts []picked
	now := 0
	for _, p := range s.resources() {
		if len(firsts) == 0 || firsts[len(firsts)-1].process != p.process {
			firsts = append(firsts, p)
		}
		if p == s.pick {
			now = len(firsts) - 1
		}
	}
	if len(firsts) > 0 {
		s.pick, s.chosen = firsts[(now+by+len(firsts))%len(firsts)], true
	}
}

func (s *scene) resources() []picked {
	var list []picked
	for _, e := range s.entries(s.processes()) {
		if e.status != nil {
			list = append(list, picked{e.process, e.status.Resource.Name})
		}
	}
	return list
}

// seen is a process at the instant of a picture.
type seen struct {
	*Process
	statuses []detector.Status
	sampled  time.Time
	ended    time.Time
	version  int
}

// processes asks all monitors, which must not be done under the mutex.
func (s *scene) processes() []seen {
	v := s.view
	v.mu.Lock()
	all := make([]seen, 0, len(v.processes))
	for _, p := range v.processes {
		all = append(all, seen{Process: p, sampled: p.sampled, ended: p.ended, version: p.version})
	}
	v.mu.Unlock()
	for i := range all {
		if m := all[i].monitor; m != nil && !all[i].sampled.IsZero() {
			all[i].statuses = m.Status()
		}
	}
	// The living first.
	slices.SortStableFunc(all, func(a, b seen) int {
		switch x, y := a.ended.IsZero(), b.ended.IsZero(); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return all
}

// entries lists the resources; where there are several processes, each below its head.
func (s *scene) entries(processes []seen) []entry {
	var list []entry
	for i := range processes {
		p := &processes[i]
		if len(processes) > 1 {
			list = append(list, entry{process: p.Process})
		}
		for k := range p.statuses {
			st := &p.statuses[k]
			judged := st.Judged || st.State == detector.Firing
			if s.context || judged && table.WorthARow(st, len(p.statuses)) {
				list = append(list, entry{p.Process, st})
			}
		}
	}
	return list
}
