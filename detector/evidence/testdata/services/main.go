// Command services is the measure of what an alert names: services that leak, each in one way, and the same services in
// good health, watched by the embedded monitor at its default rates. It is a module of its own so that the libraries it
// needs are no requirements of leaktrend.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// service is one way to leak. Its line is marked in the source with "// leak: NAME".
type service struct {
	name     string
	resource string // that leaks first of all
	library  string // that waits, opens or keeps on behalf of the line; "" for the service's own code
	// call does what is to be undone, and returns how: a service that leaks never does.
	call func(*world) (undo func())
	work func(*world) // what the service does beside, all the time: it uses the same library at other lines
	rate int          // calls a sample; 0 means 2
	hold int          // calls that are not yet undone in the service in good health; 0 means 40
	// endless is whether the library leaves something behind when all is undone: there is no such service in good
	// health.
	endless bool
}

// addresses are where the services find what they call.
type addresses struct {
	HTTP, GRPC, RPC, Redis, Postgres, NATS, Echo, Unix string
	Dead                                               string // where nothing listens
}

// world is what the services use.
type world struct {
	addresses
	dir   string
	n     int // calls so far
	kept  []any
	state map[string]any
}

// once returns what a service sets up at its first call.
func once[T any](w *world, key string, set func() T) T {
	if w.state[key] == nil {
		w.state[key] = set()
	}
	return w.state[key].(T)
}

// must ends the program where the measure itself fails.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

// told is an alert, and how long after the leak began it came and how many calls were not undone by then.
type told struct {
	After float64 // seconds
	Calls int64
	Alert alerting.Alert
}

// result is what the program writes as JSON on its standard output.
type result struct {
	CanProve bool
	Reported []told
	Cost     detector.EvidenceCost
	Captures []detector.Capture
}

func all() []service {
	return slices.Concat(httpServices, rpcServices, storeServices, busServices, toolServices, osServices, ownServices)
}

func main() {
	name := flag.String("service", "", "name of the service to run")
	healthy := flag.Bool("healthy", false, "in good health")
	list := flag.Bool("list", false, "list the services as JSON")
	where := flag.String("addresses", "", "what the servers wrote")
	captures := flag.String("captures", "", "directory for captures; empty for none")
	more := flag.Duration("more", 20*time.Second, "how long to go on after the first alert that does not name the line")
	lines := flag.String("lines", "", "lines that are to be named, as in a.go:12,a.go:14")
	flag.Parse()
	raiseLimit()
	switch {
	case *list:
		var names []map[string]any
		for _, s := range all() {
			names = append(names, map[string]any{"Name": s.name, "Resource": s.resource, "Library": s.library,
				"Endless": s.endless})
		}
		check(json.NewEncoder(os.Stdout).Encode(names))
	default:
		i := slices.IndexFunc(all(), func(s service) bool { return s.name == *name })
		if i < 0 {
			check(fmt.Errorf("there is no service %q", *name))
		}
		w := &world{state: map[string]any{}, dir: must(os.MkdirTemp("", "services"))}
		check(json.Unmarshal([]byte(*where), &w.addresses))
		r := watch(all()[i], w, *healthy, *captures, *more, strings.Split(*lines, ","))
		os.RemoveAll(w.dir)
		check(json.NewEncoder(os.Stdout).Encode(r))
	}
}

func raiseLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}

const (
	healthySamples = 900 // that a service in good health is watched for: the soak and a little more
	longest        = time.Minute
)

// watch runs a service under a monitor until its line is named, or the time for that is over.
func watch(s service, w *world, healthy bool, captures string, more time.Duration, lines []string) (r result) {
	config := detector.DefaultConfig()
	config.CheckInterval, config.Adaptive.Soak = 50*time.Millisecond, 40*time.Second
	if healthy {
		config.CheckInterval, config.Adaptive.Soak = 20*time.Millisecond, 16*time.Second
	}
	if captures != "" {
		config.StackTraceOnLeak, config.ProfileDir = true, captures
	}
	logger := logrus.New()
	logger.SetOutput(os.Stderr)
	logger.SetLevel(logrus.ErrorLevel)
	monitor := must(detector.NewMonitor(config, logger))
	r.CanProve = pprof.Lookup("goroutineleak") != nil

	var calls, samples, begun atomic.Int64
	rate, hold := cmp.Or(s.rate, 2), cmp.Or(s.hold, 40)
	var undo []func()
	step := func(leaks bool) {
		if s.work != nil {
			s.work(w)
		}
		for range rate {
			switch {
			case healthy:
				undo = append(undo, s.call(w))
				if len(undo) > hold {
					undo[0]()
					undo = slices.Delete(undo, 0, 1)
				}
			case leaks:
				s.call(w)
				calls.Add(1)
			case !s.endless:
				s.call(w)() // as it was before the fault came in
			}
			w.n++
		}
	}
	if healthy {
		for range 2*hold/rate + 20 { // in good health from the start on, as a service is that was there before
			step(false)
		}
	}
	found := make(chan alerting.Alert, 100)
	monitor.OnAlert(func(a alerting.Alert) { found <- a })
	ticks := make(chan struct{}, 1)
	over := make(chan struct{})
	go func() { // the service
		for range ticks {
			step(begun.Load() != 0)
		}
	}()
	monitor.OnSample(func(*sampler.Sample) {
		n := samples.Add(1)
		// A leak begins when it is known how the process was before: by 60 samples, and by profiles of both kinds.
		if begun.Load() == 0 && n > 60 && monitor.EvidenceCost().Profiles >= 10 && !healthy {
			begun.Store(time.Now().UnixNano())
		}
		if healthy && n == healthySamples {
			close(over)
		}
		select {
		case ticks <- struct{}{}:
		default: // the step before is not over
		}
		if n%5 == 0 {
			runtime.GC() // as a service does that allocates more than this one
		}
	})
	check(monitor.Start())
	deadline := time.NewTimer(longest)
	for ended := false; !ended; {
		select {
		case a := <-found:
			if a.Status != alerting.Firing {
				continue
			}
			t := told{Calls: calls.Load(), Alert: a}
			if at := begun.Load(); at != 0 {
				t.After = time.Since(time.Unix(0, at)).Seconds()
			}
			if len(r.Reported) == 0 && !healthy {
				deadline.Reset(more)
			}
			r.Reported = append(r.Reported, t)
			ended = len(a.Sites) > 0 &&
				slices.Contains(lines, fmt.Sprintf("%s:%d", filepath.Base(a.Sites[0].File), a.Sites[0].Line))
		case <-over:
			ended = true
		case <-deadline.C:
			ended = true
		}
	}
	_ = monitor.Stop()
	r.Cost, r.Captures = monitor.EvidenceCost(), monitor.Captures()
	return r
}
