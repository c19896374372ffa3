// Package guard keeps the faults of a part from those that it serves: a panic becomes an error, and an error that is no
// news is not logged again.
package guard

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/sirupsen/logrus"
)

// Panic is a panic as an error.
type Panic struct {
	value any
	Stack string
}

// Error returns "panic: " and what was panicked with.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// Do calls f and makes an error of a panic in it. The error of f is one that can be asked for its text and for what it
// wraps: that of a nil pointer, as an error that is none often is, panics only then.
func Do(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{r, string(debug.Stack())}
		}
	}()
	if err = f(); err != nil {
		_, _ = err.Error(), IsPanic(err)
	}
	return err
}

// IsPanic reports whether an error is or wraps a Panic.
func IsPanic(err error) bool {
	var p *Panic
	return errors.As(err, &p)
}

// Entry returns a log entry with an error, and with the stack of a panic.
func Entry(logger *logrus.Logger, err error) *logrus.Entry {
	entry := logger.WithError(err)
	var p *Panic
	if errors.As(err, &p) {
		entry = entry.WithField("stack", p.Stack)
	}
	return entry
}

// News knows whether a problem differs from that of the last call. The zero value knows of none. It is not safe for
// concurrent use.
type News struct{ last string }

// Changed reports whether a text says something else than the one before, whatever digits are in it: ports, addresses
// and times differ from one time to the next. The empty text is for no problem.
func (n *News) Changed(problem string) bool {
	problem = strings.Map(withoutDigits, problem)
	changed := problem != n.last
	n.last = problem
	return changed
}

// ChangedError is Changed for the text of an error, nil for no problem.
func (n *News) ChangedError(err error) bool {
	if err == nil {
		return n.Changed("")
	}
	return n.Changed(err.Error())
}

// Reported remembers which problems were reported, whatever digits are in them. The zero value knows of none. It is not
// safe for concurrent use, and is for problems of a known number of texts.
type Reported struct{ texts map[string]bool }

// First reports whether a text is reported for the first time.
func (t *Reported) First(problem string) bool {
	problem = strings.Map(withoutDigits, problem)
	if t.texts[problem] {
		return false
	}
	if t.texts == nil {
		t.texts = make(map[string]bool)
	}
	t.texts[problem] = true
	return true
}

func withoutDigits(r rune) rune {
	if '0' <= r && r <= '9' {
		return -1
	}
	return r
}
