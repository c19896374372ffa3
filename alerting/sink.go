package alerting

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Sink takes alerts to where people see them.
//
// A Dispatcher calls one sink from one goroutine at a time. Send should return soon after ctx has ended. An error means
// that the alert did not arrive and is worth another attempt soon or, if it is marked by Final, every few minutes while
// the finding holds. A panic counts as such a refusal. The alert belongs to the sink.
type Sink interface {
	Send(ctx context.Context, a Alert) error
}

// A Refresher is a Sink whose receiver forgets alerts that are not repeated. A Dispatcher calls Refresh once a minute,
// from the goroutine that calls Send. The function says whether the finding with that id still holds; it also knows of
// findings whose resolved alert is still queued, or was given up.
type Refresher interface {
	Refresh(ctx context.Context, firing func(id string) bool) error
}

type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// Final marks an error of a Sink as a refusal: the same alert would fail again if it was sent soon, until somebody
// mends the receiver or its address. Final(nil) is nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

// RetryAfterError is the error of a Sink whose receiver said when to come back.
type RetryAfterError struct {
	Err error
	// the next attempt comes so much later, or after a minute if that is sooner; 0 = as after any other error
	After time.Duration
}

// Error returns the text of Err.
func (e *RetryAfterError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// IsFinal reports whether an error was marked by Final.
func IsFinal(err error) bool {
	var f *finalError
	return errors.As(err, &f)
}

// SinkFunc makes a Sink of a function. It should return soon: until then no further alert reaches this sink.
type SinkFunc func(Alert)

// Send calls f. It never fails.
func (f SinkFunc) Send(_ context.Context, a Alert) error {
	f(a)
	return nil
}

// ChannelSink hands alerts to whoever reads its channel, if anyone does. It is safe for concurrent use.
type ChannelSink struct {
	c       chan Alert
	mu      sync.Mutex
	dropped uint64
}

// NewChannelSink returns a sink that holds up to size unread alerts, at least one.
func NewChannelSink(size int) *ChannelSink { return &ChannelSink{c: make(chan Alert, max(size, 1))} }

// C returns the channel. It is never closed: alerts may come for as long as the sink is in use.
func (s *ChannelSink) C() <-chan Alert { return s.c }

// Send never blocks and never fails: where the channel is full, the oldest unread alert is dropped and counted.
func (s *ChannelSink) Send(_ context.Context, a Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		select {
		case s.c <- a:
			return nil
		default:
		}
		select {
		case <-s.c:
			s.dropped++
		default: // a reader was quicker
		}
	}
}

// Dropped returns how many alerts were dropped unread.
func (s *ChannelSink) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}
