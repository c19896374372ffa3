package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/detector/plot"
)

// Pictures writes each plot to an SVG file. Its methods may be called at once.
type Pictures struct {
	dir   string
	force bool
	zone  *time.Location
	stems map[string]string

	mu     sync.Mutex
	faults []error
}

// extension ends the name of each picture.
const extension = ".svg"

// NewPictures prepares pictures of recordings in a directory, which is made where it is missing. It fails where there
// already are some, unless they are to be replaced.
func NewPictures(dir string, force bool, zone *time.Location, files []string) (*Pictures, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = replay.NameOf(file)
	}
	p := &Pictures{dir: dir, force: force, zone: zone, stems: stemsOf(names)}
	there, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range there {
		stem, _, _ := cutLast(strings.TrimSuffix(entry.Name(), extension), ".")
		for _, other := range p.stems {
			if !force && strings.EqualFold(stem, other) && strings.HasSuffix(entry.Name(), extension) {
				return nil, fmt.Errorf("%s is there; --force replaces it", filepath.Join(dir, entry.Name()))
			}
		}
	}
	return p, nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// stemsOf names the pictures of each file: by its own name and, as far as it takes to tell files apart, those of its
// directories.
func stemsOf(files []string) map[string]string {
	stems := make(map[string]string)
	for depth := 1; ; depth++ {
		var used []string
		deeper := false
		for _, file := range files {
			stem, whole := stemOf(file, depth)
			if slices.Contains(used, strings.ToLower(stem)) {
				deeper = deeper || !whole
				for i := 2; slices.Contains(used, strings.ToLower(stem)); i++ {
					stem, _ = stemOf(file, depth)
					stem = fmt.Sprintf("%s-%d", stem, i)
				}
			}
			used = append(used, strings.ToLower(stem))
			stems[file] = stem
		}
		if !deeper {
			return stems
		}
	}
}

// stemOf joins the last parts of a path without the endings of recordings; whole says that these are all.
func stemOf(file string, depth int) (stem string, whole bool) {
	parts := strings.FieldsFunc(filepath.ToSlash(file), func(c rune) bool { return c == '/' })
	if len(parts) == 0 {
		return "recording", true
	}
	last := &parts[len(parts)-1]
	for _, ending := range []string{".gz", ".csv", ".om", ".prom", ".json"} {
		*last = strings.TrimSuffix(*last, ending)
	}
	whole = depth >= len(parts)
	return plainName(strings.Join(parts[max(0, len(parts)-depth):], "-"), "."), whole
}

// plainName replaces what not every file system takes in a name.
func plainName(name, also string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-',
			strings.ContainsRune(also, c):
			return c
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-."); name == "" {
		return "plot"
	}
	return name[:min(len(name), 100)]
}

// Add writes the pictures of a result while it has its charts.
func (p *Pictures) Add(result *replay.Result) {
	var used []string
	for i := range result.Resources {
		c := &result.Resources[i]
		if c.Chart == nil || !shown(result, c) {
			continue
		}
		name := plainName(c.Resource.Name, "")
		for k := 2; slices.Contains(used, strings.ToLower(name)); k++ {
			name = fmt.Sprintf("%s-%d", plainName(c.Resource.Name, ""), k)
		}
		used = append(used, strings.ToLower(name))
		e := entryOf(result, c)
		chart := e.chart(c.Chart, p.zone)
		if err := p.write(&chart, p.stems[result.File]+"."+name+extension); err != nil {
			p.mu.Lock()
			p.faults = append(p.faults, err)
			p.mu.Unlock()
			return
		}
	}
}

func (p *Pictures) write(chart *plot.Chart, name string) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if p.force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(filepath.Join(p.dir, name), flags, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(chart.WriteSVG(file), file.Close())
}

// Fault returns what failed.
func (p *Pictures) Fault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.faults...)
}
