package detector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

const (
	captureEvery  = time.Hour // between two profiles of healthy times, scaled
	mostKept      = 4         // of them in memory, of each kind
	mostCaptured  = 100       // captures and alerts that are remembered
	capturePrefix = "leaktrend-"
	captureSuffix = ".pb.gz"
)

// Capture is a file that was written as evidence of a finding.
type Capture = evidence.Capture

// Captures returns the latest files that were written as evidence, oldest first.
func (m *ResourceMonitor) Captures() []Capture {
	s := m.profiling
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.captures)
}

// keptProfile is a profile of healthy times, for comparison.
type keptProfile struct {
	time time.Time
	data []byte
}

// keepBefore keeps a profile of a kind while nothing is suspected, so that a leak has one from before it began.
func (m *ResourceMonitor) keepBefore(ctx context.Context, i int, now situation) {
	s := m.profiling
	w := &s.watched[i]
	if !now.config.StackTraceOnLeak || now.config.ProfileMaxMB == 0 {
		s.kept[i] = nil
		return
	}
	s.mu.Lock()
	suspected := s.trackers[i].Suspected()
	s.mu.Unlock()
	if time.Now().Before(w.nextKept) || suspected || now.unwell || i == goroutineSites && now.count > mostGoroutines {
		return
	}
	began := time.Now()
	data, err := s.source.Raw(ctx, w.kind)
	took := time.Since(began)
	w.nextKept = time.Now().Add(max(finding.Stretch(captureEvery, now.scale), time.Duration(float64(took)/now.share())))
	if err != nil {
		return // the profile of the same kind says what is wrong
	}
	s.kept[i] = thinOut(append(s.kept[i], keptProfile{began.UTC(), data}))
	s.mu.Lock()
	s.cost.CPU += took
	s.mu.Unlock()
}

// thinOut keeps the first and the latest profiles, and of those between the ones that lie furthest apart for their age.
func thinOut(kept []keptProfile) []keptProfile {
	if len(kept) <= mostKept {
		return kept
	}
	last := kept[len(kept)-1].time
	closest, least := 1, 2.
	for i := 1; i < len(kept)-1; i++ {
		gap := kept[i+1].time.Sub(kept[i-1].time).Seconds()
		if ratio := gap / (last.Sub(kept[i-1].time).Seconds() + 1); ratio < least {
			closest, least = i, ratio
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

// addCaptures writes profiles of before and after as files, once for each finding, and names them in the alert.
func (m *ResourceMonitor) addCaptures(ctx context.Context, a *alerting.Alert) error {
	s, now := m.profiling, m.situation()
	if !now.config.StackTraceOnLeak || now.config.ProfileMaxMB == 0 {
		return nil
	}
	s.mu.Lock()
	for _, c := range s.captures {
		if c.AlertID == a.ID {
			a.Profiles = append(a.Profiles, c.Profile)
		}
	}
	done := slices.Contains(s.captured, a.ID)
	if !done {
		s.captured = append(s.captured, a.ID)
		s.captured = s.captured[max(0, len(s.captured)-mostCaptured):]
	}
	s.mu.Unlock()
	if done {
		return nil
	}
	var files []captureFile
	var faults []error
	for _, i := range capturedFor(a.Resource) {
		w := &s.watched[i]
		if i == goroutineSites && now.count > mostGoroutines {
			continue
		}
		if before, ok := beforeOf(s.kept[i], a.Since); ok {
			files = append(files, captureFile{w.kind, "before", before})
		}
		kinds := []profile.Kind{w.kind}
		if i == goroutineSites && !s.proof.missing {
			kinds = append(kinds, profile.GoroutineLeak)
		}
		for _, kind := range kinds {
			at := time.Now().UTC()
			data, err := s.source.Raw(ctx, kind)
			switch {
			case errors.Is(err, profile.ErrUnsupported):
			case err != nil:
				faults = append(faults, err)
			default:
				files = append(files, captureFile{kind, "after", keptProfile{at, data}})
			}
		}
	}
	dir := cmp.Or(now.config.ProfileDir, os.TempDir())
	for _, f := range files {
		name := fmt.Sprintf("%s%s-%d-%s-%s-%s-%s%s", capturePrefix, f.time.Format("20060102T150405.000Z"), a.Process.PID, a.Resource, a.ID,
			f.kind, f.when, captureSuffix)
		path, err := writeCapture(dir, fileName(name), f.data, now.config.ProfileMaxMB<<20)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		written := alerting.Profile{Kind: string(f.kind), Path: path, Bytes: int64(len(f.data))}
		a.Profiles = append(a.Profiles, written)
		s.mu.Lock()
		s.captures = append(s.captures, Capture{Profile: written, Time: f.time, Resource: a.Resource, AlertID: a.ID})
		s.captures = s.captures[max(0, len(s.captures)-mostCaptured):]
		s.mu.Unlock()
	}
	return errors.Join(faults...)
}

type captureFile struct {
	kind profile.Kind
	when string // before or after
	keptProfile
}

// capturedFor returns which profiles tell of a resource: both for what has no profile of its own, as descriptors and threads.
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

// writeCapture writes a file that only its owner may read, and removes the captures that were written least recently to keep all of them
// within most bytes. What could not be written whole is removed.
func writeCapture(dir, name string, data []byte, most int64) (path string, err error) {
	if int64(len(data)) > most {
		return "", fmt.Errorf("%s: %d bytes are more than profile_max_mb allows", name, len(data))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := makeRoom(dir, most-int64(len(data))); err != nil {
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

// makeRoom removes captures, those written least recently first, until the rest takes no more than most bytes.
func makeRoom(dir string, most int64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var files []os.FileInfo
	total := int64(0)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), capturePrefix) || !strings.HasSuffix(e.Name(), captureSuffix) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if total <= most {
			return nil
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil {
			return err
		}
		total -= info.Size()
	}
	return nil
}
