package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/process"
)

// Succession samples the processes of a name one after the other: when one has ended, the next one that runs. Its
// methods are for one goroutine.
type Succession struct {
	pattern string
	current *Process          // nil while there is none
	name    string            // of the latest
	ended   error             // how that ended
	seen    map[int]time.Time // when those came that may not have executed their program yet
}

// SettleTime is how long a process that began meanwhile is left alone: until it has executed its program it goes by the
// name of whoever started it.
const SettleTime = 300 * time.Millisecond

// Succession returns the processes of the name of the flags, of which just one must run now.
func (f *Flags) Succession() (*Succession, error) {
	first, err := f.Open()
	if err != nil {
		return nil, err
	}
	p := first.(*Process)
	return &Succession{pattern: f.Name, current: p, name: p.String()}, nil
}

// String returns the process that runs, or that did.
func (s *Succession) String() string { return s.name }

// Note says what is not read of the process that runs.
func (s *Succession) Note() string {
	if s.current == nil {
		return ""
	}
	return s.current.Note()
}

// Sample reads the process that runs. While there is none the sample is empty, and the error says so.
func (s *Succession) Sample(ctx context.Context, into *sampler.Sample) error {
	if s.current != nil {
		err := s.current.Sample(ctx, into)
		if !errors.Is(err, io.EOF) {
			return err
		}
		_ = s.current.Close()
		s.current, s.ended = nil, err
	}
	into.Readings = into.Readings[:0]
	next, err := s.next()
	switch {
	case err != nil:
		return err
	case next != nil:
		s.current, s.name = next, next.String()
		return s.current.Sample(ctx, into)
	}
	return fmt.Errorf("%v; waiting for the next of --name %s", s.ended, s.pattern) // which is not the end of all
}

// next returns the process that began last of those that run, or nil where none does.
func (s *Succession) next() (latest *Process, err error) {
	pids, err := process.Find(s.pattern)
	if err != nil {
		return nil, err
	}
	seen := s.seen
	s.seen = make(map[int]time.Time)
	for _, pid := range pids {
		first, known := seen[pid]
		if !known {
			first = time.Now()
		}
		s.seen[pid] = first
		if time.Since(first) < SettleTime {
			continue
		}
		p, err := OpenProcess(pid)
		if err != nil {
			continue // it has ended since
		}
		if latest == nil || p.Started().After(latest.Started()) {
			latest, p = p, latest
		}
		if p != nil {
			_ = p.Close()
		}
	}
	return latest, nil
}

// Close ends the sampling.
func (s *Succession) Close() error {
	if s.current == nil {
		return nil
	}
	return s.current.Close()
}
