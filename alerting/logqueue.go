package alerting

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	maxLines    = 256             // that wait for the logger
	lineTimeout = time.Second     // for the logger to take one, when there is an end to wait for
	maxFlush    = 5 * time.Second // for all that wait
)

// LogStats counts the log lines that are not alerts. The counts are since NewDispatcher.
type LogStats struct {
	Written uint64 `json:"written"` // lines that the logger took
	Dropped uint64 `json:"dropped"` // lines for which there was no room while the logger did not return
	Panics  uint64 `json:"panics"`  // of the logger, or of one of its hooks, each in the place of a line
	Queued  int    `json:"queued"`  // lines that wait or are being written, 0 to 257
	Stuck   bool   `json:"stuck"`   // the logger has not returned for more than a second
	// LastError is the latest panic.
	LastError string `json:"last_error,omitempty"`
}

// logQueue passes log lines on to a logger that is somebody else's: it may block, panic, or end the goroutine that
// calls it. Who logs is never held up. One goroutine passes the lines on in their order, and ends when there are none.
type logQueue struct {
	to *logrus.Logger

	mu       sync.Mutex
	lines    []logLine // oldest first
	active   bool      // a goroutine passes lines on
	taken    time.Time // when it took the one that is being written; zero for none
	moved    chan struct{}
	stats    LogStats
	reported uint64 // of the lines dropped, those that a line has reported
}

// logLine is one entry, with all that may change later as it was at the call.
type logLine struct {
	at      time.Time
	level   logrus.Level
	message string
	fields  logrus.Fields
}

func newLogQueue(to *logrus.Logger) *logQueue { return &logQueue{to: to, moved: make(chan struct{})} }

// logger returns a logger whose lines go through the queue.
func (q *logQueue) logger() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.SetLevel(logrus.TraceLevel) // the level that counts is that of the other
	logger.SetFormatter(q)
	return logger
}

// Format queues an entry. There is nothing to write here.
func (q *logQueue) Format(e *logrus.Entry) ([]byte, error) {
	if !q.to.IsLevelEnabled(e.Level) {
		return nil, nil
	}
	for key, value := range e.Data { // a map of this entry alone
		if err, ok := value.(error); ok {
			e.Data[key] = asLogged(err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == maxLines {
		q.lines = q.lines[1:]
		q.stats.Dropped++
	}
	q.lines = append(q.lines, logLine{e.Time, e.Level, e.Message, e.Data})
	if !q.active {
		q.active = true
		go q.pass()
	}
	return nil, nil
}

// loggedError has the text that an error had when it was logged.
type loggedError struct {
	text string
	err  error
}

func (e *loggedError) Error() string { return e.text }
func (e *loggedError) Unwrap() error { return e.err }

// asLogged keeps the text of an error. Where even its method panics, as that of a nil pointer does, nothing else is
// kept.
func asLogged(err error) (e *loggedError) {
	defer func() {
		if r := recover(); r != nil {
			e = &loggedError{text: fmt.Sprintf("%T: panic in Error: %v", err, r)}
		}
	}()
	return &loggedError{err.Error(), err}
}

// pass writes what waits.
func (q *logQueue) pass() {
	ended := false
	defer func() {
		if !ended { // the logger has ended this goroutine
			go q.pass()
		}
	}()
	for {
		line, ok := q.pop()
		if !ok {
			ended = true
			return
		}
		q.write(line)
	}
}

// pop returns the next line. Without one the goroutine is to end.
func (q *logQueue) pop() (line logLine, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.moved)
	q.moved = make(chan struct{})
	q.taken = time.Time{}
	if missing := q.stats.Dropped - q.reported; missing > 0 && q.to.IsLevelEnabled(logrus.WarnLevel) {
		q.reported = q.stats.Dropped
		q.taken = time.Now()
		return logLine{q.taken, logrus.WarnLevel, "alerting: log lines were dropped while the logger did not return",
			logrus.Fields{"lines": missing}}, true
	}
	if len(q.lines) == 0 {
		q.lines, q.active = nil, false
		return logLine{}, false
	}
	line, q.lines = q.lines[0], q.lines[1:]
	q.taken = time.Now()
	return line, true
}

func (q *logQueue) write(line logLine) {
	written := false
	defer func() {
		r := recover()
		q.mu.Lock()
		defer q.mu.Unlock()
		switch {
		case written:
			q.stats.Written++
		case r == nil:
			q.stats.Panics++
			q.stats.LastError = "the logger ended the goroutine that called it"
		default:
			q.stats.Panics++
			q.stats.LastError = clip(fmt.Sprintf("panic: %v", r))
		}
	}()
	entry := &logrus.Entry{Logger: q.to, Data: line.fields, Time: line.at}
	entry.Log(line.level, line.message)
	written = true
}

// flush waits until all lines are written. It does not wait for a logger that has not returned for a second. The error
// says how many lines are left.
func (q *logQueue) flush() error {
	end := time.Now().Add(maxFlush)
	for {
		q.mu.Lock()
		active, taken, moved, left := q.active, q.taken, q.moved, len(q.lines)+1
		q.mu.Unlock()
		if !active {
			return nil
		}
		wait := time.Until(end)
		if !taken.IsZero() {
			wait = min(wait, time.Until(taken.Add(lineTimeout)))
		}
		over := time.NewTimer(wait)
		select {
		case <-moved:
			over.Stop()
		case <-over.C:
			return fmt.Errorf("the logger does not return: %d lines wait", left)
		}
	}
}

func (q *logQueue) snapshot() LogStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Queued = len(q.lines)
	if !q.taken.IsZero() {
		s.Queued++
		s.Stuck = time.Since(q.taken) > lineTimeout
	}
	return s
}
