//go:build go1.25

package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// hookFunc is a hook of a logger.
type hookFunc func(*logrus.Entry) error

func (hookFunc) Levels() []logrus.Level { return logrus.AllLevels }

func (f hookFunc) Fire(e *logrus.Entry) error { return f(e) }

// hookedLogger writes nothing but what the hook does.
func hookedLogger(hook func(*logrus.Entry) error) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.AddHook(hookFunc(hook))
	return logger
}

func wantLogStats(t *testing.T, d *Dispatcher, want LogStats) {
	t.Helper()
	if diff := cmp.Diff(want, d.LogStats()); diff != "" {
		t.Errorf("log stats (-want +got):\n%s", diff)
	}
}

func TestLogLinesAreAsOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		start := time.Now()
		var got []string
		logger := hookedLogger(func(e *logrus.Entry) error {
			<-release
			if err := e.Data["error"].(error); err.Error() == "was" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what the error wraps is lost: %v", err)
			}
			got = append(got, fmt.Sprint(e.Time.Sub(start), " ", e.Level, " ", e.Message, " ", e.Data))
			return nil
		})
		logger.SetLevel(logrus.InfoLevel)
		d := NewDispatcher(logger)
		log := d.Logger()
		cause := &changing{"was", fs.ErrNotExist}
		entry := log.WithError(cause)
		entry.Warn("first")
		time.Sleep(time.Second / 2)
		cause.text = "is"
		entry.Data["more"] = 1
		entry.Error("second")
		log.Debug("below the logger's level")
		log.WithError((*fs.PathError)(nil)).Info("an error that panics") // as when a nil pointer becomes an error
		close(release)
		if err := d.FlushLog(); err != nil {
			t.Error(err)
		}
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ": runtime error") // whose words are the runtime's
		}
		want := []string{
			"0s warning first map[error:was]",
			"500ms error second map[error:is more:1]",
			"500ms info an error that panics map[error:*fs.PathError: panic in Error",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		wantLogStats(t, d, LogStats{Written: 3})
	})
}

// changing is an error whose text changes.
type changing struct {
	text  string
	cause error
}

func (e *changing) Error() string { return e.text }
func (e *changing) Unwrap() error { return e.cause }

func TestLoggerThatBlocks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		logger func(block func()) *logrus.Logger
	}{
		{"hook", func(block func()) *logrus.Logger {
			return hookedLogger(func(*logrus.Entry) error { block(); return nil })
		}},
		{"writer", func(block func()) *logrus.Logger {
			logger := logrus.New()
			logger.SetOutput(writerFunc(func(p []byte) (int, error) { block(); return len(p), nil }))
			return logger
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				lines := 0
				d := NewDispatcher(tc.logger(func() { <-release; lines++ }))
				start := time.Now()
				const logged = 1000
				for i := range logged {
					d.Logger().Info(i)
					if i == 0 {
						synctest.Wait() // it is being written
					}
				}
				if elapsed := time.Since(start); elapsed != 0 {
					t.Errorf("logging took %v", elapsed)
				}
				if err := d.FlushLog(); err == nil ||
					!strings.Contains(err.Error(), fmt.Sprintf(": %d lines", maxLines+1)) {
					t.Errorf("flush: %v, want the number of lines that are left", err)
				}
				if elapsed := time.Since(start); elapsed != lineTimeout {
					t.Errorf("the flush took %v, want %v", elapsed, lineTimeout)
				}
				time.Sleep(time.Nanosecond)
				wantLogStats(t, d, LogStats{Dropped: logged - maxLines - 1, Queued: maxLines + 1, Stuck: true})
				start = time.Now()
				if err := d.FlushLog(); err == nil || time.Since(start) != 0 {
					t.Errorf("the flush of what is stuck took %v: %v", time.Since(start), err)
				}
				close(release)
				synctest.Wait()
				if err := d.FlushLog(); err != nil {
					t.Error(err)
				}
				if lines != maxLines+2 {
					t.Errorf("%d lines, want the %d that had a place and one of the loss", lines, maxLines+1)
				}
				wantLogStats(t, d, LogStats{Written: maxLines + 2, Dropped: logged - maxLines - 1})
			})
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A logger that takes its time is waited for while it moves, but not for ever.
func TestLoggerThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher(hookedLogger(func(*logrus.Entry) error { time.Sleep(lineTimeout / 2); return nil }))
		for range 3 {
			d.Logger().Info("few")
		}
		if err := d.FlushLog(); err != nil {
			t.Error(err)
		}
		for range 30 {
			d.Logger().Info("many")
		}
		start := time.Now()
		if err := d.FlushLog(); err == nil || time.Since(start) != maxFlush {
			t.Errorf("the flush took %v, want %v: %v", time.Since(start), maxFlush, err)
		}
		time.Sleep(time.Minute)
		wantLogStats(t, d, LogStats{Written: 33})
	})
}

func TestLoggerThatPanics(t *testing.T) {
	for _, tc := range []struct {
		name string
		hook func()
		err  string
	}{
		{"panic", func() { panic("at http://h/s3cret") }, "panic: at http://h/..."},
		{"goexit", runtime.Goexit, "the logger ended the goroutine that called it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				d := NewDispatcher(hookedLogger(func(e *logrus.Entry) error {
					if strings.HasPrefix(e.Message, "bad") {
						tc.hook()
					}
					got = append(got, e.Message)
					return nil
				}))
				for _, message := range []string{"one", "bad", "two", "bad", "bad"} {
					d.Logger().Warn(message)
				}
				if err := d.FlushLog(); err != nil {
					t.Error(err)
				}
				d.Logger().Warn("three")
				if err := d.FlushLog(); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
				wantLogStats(t, d, LogStats{Written: 3, Panics: 3, LastError: tc.err})
			})
		})
	}
}

// The logger of a dispatcher may do whatever it likes: the alerts go their way, and Run ends in its time.
func TestDispatcherWithABadLogger(t *testing.T) {
	for _, tc := range []struct {
		name string
		hook func(release <-chan struct{})
	}{
		{"blocks", func(release <-chan struct{}) { <-release }},
		{"panics", func(<-chan struct{}) { panic("hook") }},
		{"exits", func(<-chan struct{}) { runtime.Goexit() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				logger := hookedLogger(func(*logrus.Entry) error { tc.hook(release); return nil })
				var up atomic.Bool
				b := &receiver{answer: func(int, Alert) error {
					if !up.Load() {
						return errors.New("down")
					}
					return nil
				}}
				d := NewDispatcher(logger, NamedSink{"log", NewLogSink(logger)}, NamedSink{"receiver", b})
				stop := running(t, d)
				d.Notify(alertN(1))
				d.Notify(alertN(2))
				time.Sleep(5 * time.Second)
				up.Store(true)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if got := d.Stats()[1]; got.Sent != 2 || got.Queued != 0 {
					t.Errorf("the other sink: %+v", got)
				}
				start := time.Now()
				stop()
				if elapsed := time.Since(start); elapsed > defaultDrain+grace {
					t.Errorf("Run took %v to end", elapsed)
				}
				close(release)
			})
		})
	}
}

func TestLogFromManyGoroutines(t *testing.T) {
	var mu sync.Mutex
	lines := map[string]int{}
	d := NewDispatcher(hookedLogger(func(e *logrus.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		lines[e.Message]++
		return nil
	}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.Run(ctx)
	}()
	var wg sync.WaitGroup
	const each = 500
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				d.Logger().WithField("i", i).Info(worker)
				_ = d.LogStats()
			}
		}()
	}
	wg.Wait()
	cancel()
	<-ended
	if err := d.FlushLog(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	total := 0
	for message, n := range lines {
		if !strings.HasPrefix(message, "alerting:") {
			total += n
		}
	}
	if s := d.LogStats(); uint64(total)+s.Dropped != 4*each || s.Queued != 0 {
		t.Errorf("%d lines and %+v, want %d in sum", total, s, 4*each)
	}
}
