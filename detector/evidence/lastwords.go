package evidence

import (
	"context"
	"errors"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// LastWords writes the captures of a process that is close to a limit of its memory, while there is time: the heap,
// then the goroutines, then these as text, each where it can be had. They belong to the finding that the alert is on. A
// panic and an error cost the rest alone.
func (l *Lines) LastWords(ctx context.Context, a *alerting.Alert) (all []alerting.Profile, err error) {
	now := l.monitor.View()
	if !now.captures() || l.absent() {
		return nil, nil
	}
	capture := func(kind profile.Kind, suffix string, read func() ([]byte, error)) {
		at := time.Now().UTC()
		data, failed := read()
		if failed == nil && len(data) > 0 {
			var written []alerting.Profile
			written, failed = l.captures.write([]captureFile{{kind, "last", suffix, keptProfile{at, data}}}, a, now)
			all = append(all, written...)
		}
		if !errors.Is(failed, profile.ErrUnsupported) {
			err = errors.Join(err, failed)
		}
	}
	capture(profile.Heap, captureSuffix, func() ([]byte, error) { return l.profiler.raw(ctx, profile.Heap) })
	if now.Goroutines <= maxGoroutines {
		capture(profile.Goroutine, captureSuffix, func() ([]byte, error) {
			return l.profiler.raw(ctx, profile.Goroutine)
		})
		capture(profile.Goroutine, textSuffix, func() ([]byte, error) { return l.profiler.text(ctx, now) })
	}
	return all, err
}

// Post has all captures that are written from now on passed to f too, with the name of the file. Call it before
// anything else.
func (l *Lines) Post(f func(name string, data []byte, of Capture)) { l.captures.posted = f }
