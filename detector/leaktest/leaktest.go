// Package leaktest finds leaks in tests. A leak repeats: what grows with every round of the same work is one. What
// is there once, such as a cache, a pool or a connection that is kept, is not.
//
//	func TestRefreshLeaksNothing(t *testing.T) {
//		cache := NewCache()
//		defer cache.Close()
//		leaktest.Check(t, func() { cache.Refresh() })
//	}
//
// Check runs rounds until nothing grows any more, or until the same lines of code have grown in every stretch of
// them. Soak watches a service under test for a time, as the detector watches one in production. VerifyTestMain
// checks what the tests of a package leave behind. How growth over hours is judged belongs to the engine, and how
// profiles are read to sampler/profile.
package leaktest

import (
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// TestingT is what Check and Soak need of a test; *testing.T, *testing.B and *testing.F have it. Of one that has them
// too, Logf takes notes, and Failed ends a check whose round has failed.
type TestingT interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Option changes what Check, Soak and VerifyTestMain do.
type Option func(*options)

type options struct {
	allowed []string
	rounds  int
	budget  time.Duration
	settle  time.Duration
}

// The defaults of the options.
const (
	defaultRounds = 5
	defaultBudget = time.Second
	defaultSettle = 2 * time.Second
)

func optionsOf(all []Option) options {
	o := options{budget: defaultBudget, settle: defaultSettle}
	for _, set := range all {
		set(&o)
	}
	return o
}

// AllowFunction leaves out what has a function in its stack, by its full name as in
// "example.com/store.(*Cache).refresh", with the closures in it. The path of a package, as in "example.com/store",
// stands for all its functions.
func AllowFunction(name string) Option {
	return func(o *options) { o.allowed = append(o.allowed, name) }
}

// Rounds sets how many rounds the first stretch has, 1 or more; without it 5, or fewer where they take long. A leak
// that not every round shows needs enough of them to show in every stretch.
func Rounds(n int) Option { return func(o *options) { o.rounds = max(n, 1) } }

// Budget sets how long the rounds may take together that Check plays while something grows; without it a second. A
// cache that takes longer to fill looks like a leak. At least four stretches are played, whatever they take, and no
// more than twelve.
func Budget(d time.Duration) Option { return func(o *options) { o.budget = d } }

// Settle sets how long goroutines and timers have to end after the last round, before they count as left behind;
// without it two seconds. Where nothing grows, nobody waits.
func Settle(d time.Duration) Option { return func(o *options) { o.settle = d } }

// allows reports whether a stack has a function that is allowed.
func (o *options) allows(stack []profile.Frame) bool {
	for _, name := range o.allowed {
		for _, f := range stack {
			if rest, found := strings.CutPrefix(f.Function, name); found &&
				(rest == "" || rest[0] == '.' || rest[0] == '[') {
				return true
			}
		}
	}
	return false
}

// Check plays rounds of the same work and fails the test with the lines of code at which goroutines, memory or open
// descriptors grow with every round. A round that fails the test ends it.
//
// After some rounds to warm up, it takes stock, collects garbage first, and plays stretches of rounds, each as long as
// all before it together, with stock taken after each. It passes as soon as nothing has grown in all stretches, so
// that a check of what is in order takes some ten rounds and milliseconds. It fails with what has grown in each of four
// stretches or more, in proportion to their rounds, and for as long as Budget allows: what comes to rest, as caches and
// pools do, is no leak. Where the runtime can prove that nothing will wake a goroutine (Go 1.27, and Go 1.26 built with
// GOEXPERIMENT=goroutineleakprofile), two stretches are enough and Settle is not waited for.
//
// A round must end what it began: t.Cleanup runs when the test is over, so what it ends is still there after the round.
// A round that needs it does its work in t.Run.
//
// Every allocation is recorded meanwhile (runtime.MemProfileRate is 1, or more where a round allocates so much that it
// would take long), so that even a few bytes a round have their line. Where the test binary was asked for a memory
// profile, the rate stays as it is, and small leaks are not seen. Descriptors are known on Linux.
//
// Tests that run beside this one, by t.Parallel, cannot be told apart in memory and descriptors: these are then not
// looked at, which the test's log says. Goroutines are told apart by a label of runtime/pprof: they count if a round,
// or what it started, has started them. The labels of the calling goroutine are gone when Check returns.
func Check(t TestingT, round func(), opts ...Option) {
	t.Helper()
	if found := examine(t, round, optionsOf(opts)); found != nil {
		annotate(found)
		t.Errorf("%s", found.text())
	}
}
