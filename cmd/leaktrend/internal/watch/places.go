package watch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
)

// StateDir returns where the user's programs keep their state: the directory leaktrend in $XDG_STATE_HOME, else in
// ~/.local/state, or as the system has it; empty where that is not known.
func StateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // others are to be ignored
		return filepath.Join(dir, "leaktrend")
	}
	switch runtime.GOOS {
	case "windows", "darwin":
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "leaktrend", "state")
		}
		return ""
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, ".local", "state", "leaktrend")
}

// Executable names what a target runs, for its state: by its file, as a program may change the name that it goes by.
func Executable(target source.Source) string {
	process, ok := target.(*source.Process)
	if !ok {
		return target.String()
	}
	if path := process.Executable(); path != "" {
		return filepath.Base(path)
	}
	return process.Name() // that of another user, or of the kernel
}

// Instance names a target among those of its executable, for its state: of a process that is found by its name by the
// pattern, which stays from one to the next; of one that is named by its id by its command line.
func Instance(target source.Source, pattern string, config detector.Config) string {
	instance := cmp.Or(config.Instance, alerting.ThisProcess().Host)
	process, ok := target.(*source.Process)
	switch {
	case pattern != "":
		instance += " " + pattern
	case ok:
		instance += " " + commandOf(process)
	}
	return instance
}

// commandOf tells one command line from another. It may hold secrets, and so is not kept itself.
func commandOf(process *source.Process) string {
	arguments, err := process.Arguments()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(arguments, "\x00")))
	return hex.EncodeToString(sum[:4])
}

// place is where processes of one executable come one after the other, each the next life of the one before.
type place struct {
	executable string
	number     int // from 1, of those at one time
	inUse      bool
	command    string       // of the latest
	pid        int          // of who left that
	left       *state.Saved // by the latest; nil for none
}

// leftTo returns what the process before left to one with an id; nil for nothing. The start times of processes that
// began within seconds of each other may be the same: another id tells that the life of the one before is over.
func (p *place) leftTo(pid int) *state.Saved {
	if p.left != nil && pid != p.pid {
		p.left.Record.CloseLatest(lives.Replaced)
	}
	return p.left
}

// instance names the place in the state.
func (p *place) instance(of string) string {
	if p.number > 1 {
		of += fmt.Sprintf(" #%d", p.number)
	}
	return of
}

// places are those of the processes of a name.
type places struct {
	all []*place
	// known returns, for an executable, when the running life began that the state of each place has, by number; it may
	// be nil.
	known func(executable string) map[int]time.Time
}

// claim returns the place of a process that began: the one in whose state it runs, else a free one of its executable in
// which its command line was the latest, else the first free one, else a new one.
func (all *places) claim(process *source.Process) *place {
	name, command, used := Executable(process), commandOf(process), map[int]bool{}
	var free []*place
	for _, p := range all.all {
		switch {
		case p.executable != name:
		case p.inUse:
			used[p.number] = true
		default:
			used[p.number] = true
			free = append(free, p)
		}
	}
	if len(free) == 0 {
		p := &place{executable: name, number: all.next(process, used)}
		all.all, free = append(all.all, p), []*place{p}
	}
	best := slices.MaxFunc(free, func(a, b *place) int {
		return cmp.Or(a.fits(command)-b.fits(command), b.number-a.number)
	})
	best.inUse, best.command = true, command
	return best
}

func (p *place) fits(command string) int {
	if p.command == command {
		return 1
	}
	return 0
}

// next returns the number of a new place for a process.
func (all *places) next(process *source.Process, used map[int]bool) int {
	if all.known != nil {
		for number, start := range all.known(Executable(process)) {
			if !used[number] && engine.SameProcess(start, process.Started()) &&
				engine.SameProcess(process.Started(), start) {
				return number
			}
		}
	}
	number := 1
	for used[number] {
		number++
	}
	return number
}

// readingWait is how long the states may take to be looked at before a process is watched.
const readingWait = 500 * time.Millisecond

// knownIn returns what finds the running lives in the states of a directory. It asks once for each executable, and goes
// without where the directory does not answer.
func knownIn(dir, instance string) func(executable string) map[int]time.Time {
	cached := map[string]map[int]time.Time{}
	return func(executable string) map[int]time.Time {
		if found, ok := cached[executable]; ok {
			return found
		}
		read := make(chan map[int]time.Time, 1)
		go func() {
			found := map[int]time.Time{}
			for number := 1; number <= maxWatched; number++ {
				key := state.Key{Executable: executable, Instance: (&place{number: number}).instance(instance)}
				saved, err := state.Read(filepath.Join(dir, key.FileName()))
				if err != nil {
					break
				}
				if latest := saved.Record.Latest(); latest != nil && latest.Ended == lives.Running &&
					!latest.Start.IsZero() {
					found[number] = latest.Start
				}
			}
			read <- found
		}()
		select {
		case cached[executable] = <-read:
		case <-time.After(readingWait):
			cached[executable] = nil
		}
		return cached[executable]
	}
}
