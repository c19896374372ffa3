package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

const (
	captureEvery  = time.Hour // between two profiles of healthy times, scaled
	maxKept       = 4         // of them in memory, of each kind
	maxRemembered = 100       // captures and alerts that are remembered
	maxText       = 4 << 20   // bytes of the goroutines as text
	capturePrefix = "leaktrend-"
	captureSuffix = ".pb.gz" // of profiles for pprof
	textSuffix    = ".txt"   // of goroutines for people
)

// stacker is a ProfileSource that can list its stacks with the number of goroutines on each, as the goroutine profile
// with debug=1.
type stacker interface {
	Stacks(ctx context.Context) ([]byte, error)
}

// captures writes profiles of before and after a finding as files, and beside them the goroutines as text.
type captures struct {
	profiler *profiler
	posted   func(name string, data []byte, of Capture) // also receives each one; may be nil

	// For the goroutine that works for the evidence alone.
	kept     [2][]keptProfile // of healthy times, oldest first
	nextKept [2]time.Time

	mu      sync.Mutex
	written []Capture // oldest first
	done    []string  // ids of the alerts for which there are some, or should be
}

// list returns the latest files that were written, oldest first.
func (c *captures) list() []Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.written)
}

// forget drops what was kept of another process.
func (c *captures) forget() { c.kept, c.nextKept = [2][]keptProfile{}, [2]time.Time{} }

// keptProfile is a profile of healthy times, for comparison.
type keptProfile struct {
	time time.Time
	data []byte
}

// keepBefore keeps a profile of a kind while nothing is suspected, so that a leak has one from before it began.
func (c *captures) keepBefore(ctx context.Context, i int, now View) {
	p := c.profiler
	if !now.captures() {
		c.kept[i] = nil
		return
	}
	if time.Now().Before(c.nextKept[i]) || p.suspected(i) || now.Unwell || i == goroutineSites &&
		now.Goroutines > maxGoroutines {
		return
	}
	start := time.Now()
	data, err := p.raw(ctx, p.watched[i].kind)
	elapsed := time.Since(start)
	c.nextKept[i] = time.Now().Add(max(finding.Stretch(captureEvery, now.Scale),
		time.Duration(float64(elapsed)/now.share())))
	if err != nil {
		return // the profile of the same kind reports what is wrong
	}
	c.kept[i] = thinOut(append(c.kept[i], keptProfile{start.UTC(), data}))
	p.mu.Lock()
	p.cost.CPU += elapsed
	p.mu.Unlock()
}

// thinOut keeps the first and the latest profiles, and of those between the ones that lie furthest apart for their age.
func thinOut(kept []keptProfile) []keptProfile {
	if len(kept) <= maxKept {
		return kept
	}
	last := kept[len(kept)-1].time
	closest, minRatio := 1, 2.
	for i := 1; i < len(kept)-1; i++ {
		gap := kept[i+1].time.Sub(kept[i-1].time).Seconds()
		if ratio := gap / (last.Sub(kept[i-1].time).Seconds() + 1); ratio < minRatio {
			closest, minRatio = i, ratio
		}
	}
	return slices.Delete(kept, closest, closest+1)
}

// beforeOf returns the latest profile kept that is no later than an instant, else the oldest.
func beforeOf(kept []keptProfile, since time.Time) (before keptProfile, ok bool) {
	for i, k := range kept {
		if i == 0 || !k.time.After(since) {
			before, ok = k, true
		}
	}
	return before, ok
}

// add writes profiles of before and after as files, once for each finding, and names them in the alert.
func (c *captures) add(ctx context.Context, a *alerting.Alert, now View) error {
	if !now.captures() || c.named(a) {
		return nil
	}
	files, faults := c.files(ctx, a, now)
	written, err := c.write(files, a, now)
	a.Profiles = append(a.Profiles, written...)
	return errors.Join(append(faults, err)...)
}

// write writes files that belong to an alert, and has them posted.
func (c *captures) write(files []captureFile, a *alerting.Alert, now View) (all []alerting.Profile, err error) {
	var faults []error
	dir := cmp.Or(now.Config.ProfileDir, os.TempDir())
	for _, f := range files {
		name := fileName(fmt.Sprintf("%s%s-%d-%s-%s-%s-%s%s", capturePrefix, f.time.Format("20060102T150405.000Z"),
			a.Process.PID, a.Resource, a.ID,
			f.kind, f.when, f.suffix))
		one := Capture{Profile: alerting.Profile{Kind: string(f.kind), Bytes: int64(len(f.data))}, Time: f.time,
			Resource: a.Resource, AlertID: a.ID}
		if c.posted != nil {
			c.posted(name, f.data, one)
		}
		if now.Config.ProfileMaxMB == 0 {
			continue
		}
		path, err := writeCapture(dir, name, f.data, now.Config.ProfileMaxMB<<20)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		one.Path = path
		all = append(all, one.Profile)
		c.mu.Lock()
		c.written = append(c.written, one)
		c.written = c.written[max(0, len(c.written)-maxRemembered):]
		c.mu.Unlock()
	}
	return all, errors.Join(once(dir, faults)...)
}

// once returns the errors of several files that were to be written to a directory, each cause once.
func once(dir string, faults []error) (distinct []error) {
	var causes []error
	alike := make(map[string]int)
	for _, err := range faults {
		failed := (*fs.PathError)(nil)
		if !errors.As(err, &failed) {
			distinct = append(distinct, err)
			continue
		}
		if alike[failed.Err.Error()]++; alike[failed.Err.Error()] == 1 {
			causes = append(causes, err)
		}
	}
	for _, err := range causes {
		failed := (*fs.PathError)(nil)
		errors.As(err, &failed)
		if n := alike[failed.Err.Error()]; n > 1 {
			err = fmt.Errorf("%d files in %s: %w", n, dir, failed.Err)
		}
		distinct = append(distinct, err)
	}
	return distinct
}

// named names in an alert what was written for its finding before. It reports whether that was tried.
func (c *captures) named(a *alerting.Alert) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.written {
		if w.AlertID == a.ID {
			a.Profiles = append(a.Profiles, w.Profile)
		}
	}
	if slices.Contains(c.done, a.ID) {
		return true
	}
	c.done = append(c.done, a.ID)
	c.done = c.done[max(0, len(c.done)-maxRemembered):]
	return false
}

// files takes the profiles that belong to an alert.
func (c *captures) files(ctx context.Context, a *alerting.Alert, now View) (files []captureFile, faults []error) {
	p := c.profiler
	for _, i := range capturedFor(a.Resource) {
		if i == goroutineSites && now.Goroutines > maxGoroutines {
			continue
		}
		if before, ok := beforeOf(c.kept[i], a.Since); ok {
			files = append(files, captureFile{p.watched[i].kind, "before", captureSuffix, before})
		}
		kinds := []profile.Kind{p.watched[i].kind}
		if i == goroutineSites && !p.proof.missing {
			kinds = append(kinds, profile.GoroutineLeak)
		}
		for _, kind := range kinds {
			at := time.Now().UTC()
			data, err := p.raw(ctx, kind)
			switch {
			case errors.Is(err, profile.ErrUnsupported):
			case err != nil:
				faults = append(faults, err)
			default:
				files = append(files, captureFile{kind, "after", captureSuffix, keptProfile{at, data}})
			}
		}
	}
	at := time.Now().UTC()
	text, err := p.text(ctx, now)
	if err != nil {
		faults = append(faults, err)
	}
	if len(text) > 0 {
		files = append(files, captureFile{profile.Goroutine, "after", textSuffix, keptProfile{at, text}})
	}
	return files, faults
}

// raw takes a profile for a file: that of the heap without the memory of the monitor itself.
func (p *profiler) raw(ctx context.Context, kind profile.Kind) ([]byte, error) {
	data, err := p.source.Raw(ctx, kind)
	if err != nil || kind != profile.Heap {
		return data, err
	}
	if pruned, err := profile.Prune(data, sites.IsOurs); err == nil {
		return pruned, nil
	}
	return data, nil // a form that is not known: all of it is better than none
}

// text returns the goroutines for people to read: each one with its state and creator where the traceback of all is
// cheap, else each stack with their number. It is cut where it is long, and empty where there is none to be had.
func (p *profiler) text(ctx context.Context, now View) ([]byte, error) {
	dump := func(context.Context) ([]byte, error) { return nil, nil }
	count := max(now.Goroutines, p.goroutines)
	if s, ok := p.source.(stacker); ok && count <= maxGoroutines {
		dump = s.Stacks
	}
	if d, ok := p.source.(dumper); ok && count <= maxDumped {
		dump = d.Dump
	}
	text, err := dump(ctx)
	if errors.Is(err, profile.ErrUnsupported) {
		return nil, nil
	}
	if len(text) > maxText {
		end := bytes.LastIndex(text[:maxText], []byte("\n\n")) + 1
		if end == 0 {
			end = maxText
		}
		text = fmt.Appendf(text[:end:end], "\n... %d bytes more\n", len(text)-end)
	}
	return text, err
}

type captureFile struct {
	kind         profile.Kind
	when, suffix string // before or after; of its name
	keptProfile
}

// capturedFor returns which profiles explain a resource: both for what has no profile of its own, as descriptors and
// threads.
func capturedFor(resource string) []int {
	switch resource {
	case sampler.Goroutines, sampler.StackBytes:
		return []int{goroutineSites}
	case sampler.HeapLiveBytes, sampler.HeapInuseBytes:
		return []int{heapSites}
	}
	return []int{goroutineSites, heapSites}
}

// fileName replaces what a name of a file should not hold, as the braces and slashes in names of metrics.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}

// writeCapture writes a file that only its owner may read, and removes the captures that were written least recently to
// keep all of them within limit bytes. What could not be written whole is removed.
func writeCapture(dir, name string, data []byte, limit int64) (path string, err error) {
	if int64(len(data)) > limit {
		return "", fmt.Errorf("%s: %d bytes are more than profile_max_mb allows", name, len(data))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := makeRoom(dir, limit-int64(len(data))); err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return "", err
	}
	return path, nil
}

// Kept is what lies in a directory of captures, of this process and of others.
type Kept struct {
	Dir      string    `json:"dir"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	MaxBytes int64     `json:"max_bytes"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Newest   time.Time `json:"newest,omitzero"`
}

// Directory lists the files in a directory of captures; the empty name is the system's temporary directory.
func Directory(dir string, maxMB int64) Kept {
	k := Kept{Dir: cmp.Or(dir, os.TempDir()), MaxBytes: maxMB << 20}
	files, err := capturesIn(k.Dir)
	if err != nil {
		return k // not there yet
	}
	for _, info := range files {
		at := info.ModTime().UTC()
		if k.Files == 0 || at.Before(k.Oldest) {
			k.Oldest = at
		}
		if at.After(k.Newest) {
			k.Newest = at
		}
		k.Files, k.Bytes = k.Files+1, k.Bytes+info.Size()
	}
	return k
}

// capturesIn returns the captures in a directory.
func capturesIn(dir string) (files []os.FileInfo, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		ours := strings.HasSuffix(e.Name(), captureSuffix) || strings.HasSuffix(e.Name(), textSuffix)
		if !strings.HasPrefix(e.Name(), capturePrefix) || !ours || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			files = append(files, info)
		}
	}
	return files, nil
}

// makeRoom removes captures, those written least recently first, until the rest takes no more than limit bytes.
func makeRoom(dir string, limit int64) error {
	files, err := capturesIn(dir)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, info := range files {
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if total <= limit {
			return nil
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil {
			return err
		}
		total -= info.Size()
	}
	return nil
}
