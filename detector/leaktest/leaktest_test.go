package leaktest_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// recorder is a test that notes how it fails.
type recorder struct {
	mu       sync.Mutex
	errors   []string
	log      []string
	failed   bool
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
	r.failed = true
}

func (r *recorder) Logf(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Failed() bool { return r.failed }

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// finish calls the clean-up functions as package testing does.
func (r *recorder) finish() {
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

// output returns all that the test failed with.
func (r *recorder) output() string { return strings.Join(r.errors, "\n") }

// check is Check, with little time for what leaks.
func check(r *recorder, round func(), opts ...leaktest.Option) {
	leaktest.Check(r, round,
		append([]leaktest.Option{leaktest.Settle(100 * time.Millisecond), leaktest.Budget(100 * time.Millisecond)},
			opts...)...)
}

// checked returns what Check says of a round; "" where it is in order.
func checked(round func(), opts ...leaktest.Option) string {
	var r recorder
	check(&r, round, opts...)
	return r.output()
}

// places are the lines that a report names: FILE:LINE at the start of a line.
var places = regexp.MustCompile(`(?m)^([a-z_]+\.go):(\d+): (.*)$`)
