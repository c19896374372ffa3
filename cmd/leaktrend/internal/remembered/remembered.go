// Package remembered shows what is kept of a process between its lives: as tables, as JSON, and as a page with the
// curves of the lives over their age, on top of each other. How that is learned stands in detector/lives.
package remembered

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Process is what is kept of one.
type Process struct {
	File string
	state.Saved
	Resources []Resource // those that leaktrend knows first
	// Constant are the names of others, which never moved: there is nothing to see of them.
	Constant []string
}

// Resource is one over the lives of a process.
type Resource struct {
	sampler.Resource
	Lives []Life // in order of time
}

// Life is what one resource did in one life.
type Life struct {
	*lives.Life
	Curve *lives.Curve // nil where the life has none
}

// Rate is by how much the level rose per hour, from the first to the last floor; ok is false where there are not two.
func (l *Life) Rate() (perHour float64, ok bool) {
	if l.Curve == nil {
		return 0, false
	}
	first, last := -1, -1
	for i := range l.Curve.Floors {
		if _, read := l.Curve.Level(i); read {
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	if first == last {
		return 0, false
	}
	from, _ := l.Curve.Level(first)
	to, _ := l.Curve.Level(last)
	return (to - from) / (l.Curve.Age(last) - l.Curve.Age(first)) * 3600, true
}

// Read reads state files, and those in directories. The errors of those that cannot be read are joined; the others are
// returned.
func Read(paths []string) (all []*Process, err error) {
	var faults []error
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			faults = append(faults, err)
		}
		for _, file := range files {
			saved, err := state.Read(file)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			all = append(all, processOf(file, saved))
		}
	}
	return all, errors.Join(faults...)
}

// filesOf returns the state files that a path names.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(globbed(path), "*"+state.Suffix))
	if err == nil && len(files) == 0 {
		err = &fs.PathError{Op: "state", Path: path, Err: errors.New("no states in this directory")}
	}
	return files, err
}

// globbed returns a path as a pattern that matches it alone.
func globbed(path string) string {
	var escaped []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' && os.PathSeparator != '\\' {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, r)
	}
	return string(escaped)
}

func processOf(file string, saved state.Saved) *Process {
	p := &Process{File: file, Saved: saved}
	p.Executable, p.Instance = redact.Printable(saved.Executable), redact.Printable(saved.Instance)
	names := map[string]bool{}
	for i := range p.Record.Lives {
		life := &p.Record.Lives[i]
		life.Version, life.Revision = redact.Printable(life.Version), redact.Printable(life.Revision)
		for name := range life.Curves {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		described, _ := sampler.Lookup(name)
		described.Name = redact.Printable(name)
		r := Resource{Resource: described}
		for i := range p.Record.Lives {
			one := Life{Life: &p.Record.Lives[i]}
			if curve, ok := one.Curves[name]; ok {
				one.Curve = &curve
			}
			r.Lives = append(r.Lives, one)
		}
		p.Resources = append(p.Resources, r)
	}
	slices.SortStableFunc(p.Resources, func(a, b Resource) int {
		return cmp.Compare(rank(a.Name), rank(b.Name))
	})
	p.foldConstants()
	return p
}

// foldConstants takes out of the resources those that leaktrend does not know and that never moved, unless nothing else
// is there.
func (p *Process) foldConstants() {
	known := len(sampler.Resources())
	moving := slices.DeleteFunc(slices.Clone(p.Resources), func(r Resource) bool {
		return rank(r.Name) == known && constant(&r)
	})
	if len(moving) == 0 {
		return
	}
	for i := range p.Resources {
		if r := &p.Resources[i]; rank(r.Name) == known && constant(r) {
			p.Constant = append(p.Constant, r.Name)
		}
	}
	p.Resources = moving
}

// constant reports whether a resource had one level in all of its lives.
func constant(r *Resource) bool {
	var levels []float64
	for i := range r.Lives {
		c := r.Lives[i].Curve
		if c == nil {
			continue
		}
		levels = append(levels, c.Start, c.Last)
		for k := range c.Floors {
			if level, ok := c.Level(k); ok {
				levels = append(levels, level)
			}
		}
	}
	return len(levels) > 0 && slices.Min(levels) == slices.Max(levels)
}

// maxConstants is how many names of what never moved are written.
const maxConstants = 8

// unmoved says what never moved; "" where all did.
func (p *Process) unmoved() string {
	n := len(p.Constant)
	if n == 0 {
		return ""
	}
	text := "Never moved: " + strings.Join(p.Constant[:min(n, maxConstants)], ", ")
	if n > maxConstants {
		text += fmt.Sprintf(" and %d more", n-maxConstants)
	}
	return text + "."
}

// rank is the place of a resource in the table, or behind it.
func rank(name string) int {
	all := sampler.Resources()
	if i := slices.IndexFunc(all, func(r sampler.Resource) bool { return r.Name == name }); i >= 0 {
		return i
	}
	return len(all)
}

// Name names the process as in "worker (host-1)".
func (p *Process) Name() string {
	if p.Instance == "" {
		return p.Executable
	}
	return fmt.Sprintf("%s (%s)", p.Executable, p.Instance)
}

// count is how many lives there were.
func (p *Process) count() (n int) {
	for i := range p.Record.Lives {
		n += max(1, p.Record.Lives[i].Count)
	}
	return n
}

func (p *Process) counted() string {
	if n := p.count(); n != 1 {
		return fmt.Sprintf("%d lives", n)
	}
	return "1 life"
}

// build names what a life ran.
func build(l *lives.Life) string {
	revision := l.Revision[:min(len(l.Revision), 12)]
	switch {
	case l.Version == "":
		return revision
	case revision == "":
		return l.Version
	}
	return l.Version + " " + revision
}

// ended says how a life ended.
func ended(l *lives.Life) string {
	if l.Near != "" {
		return fmt.Sprintf("%s, close to the limit of %s", l.Ended, redact.Printable(l.Near))
	}
	if l.Ended == lives.Running {
		return "not ended when last seen"
	}
	return string(l.Ended)
}

// began returns when a life did, as far as known.
func began(l *lives.Life) time.Time {
	if l.Start.IsZero() {
		return l.First
	}
	return l.Start
}

// age returns how old a life became, or is.
func age(l *lives.Life) time.Duration { return l.End.Sub(began(l)) }
