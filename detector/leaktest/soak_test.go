package leaktest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// serve works for a time as a service does.
func serve(d time.Duration, request func()) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(d); ; {
		select {
		case <-over:
			return
		case <-tick.C:
			request()
		}
	}
}

func TestSoak(t *testing.T) {
	t.Cleanup(func() { kept = nil })
	get := healthy(t)["a request"]
	var cache lru
	cache.max = 100
	n := 0
	for _, test := range []struct {
		name    string
		lines   []string // "RESOURCE went from" at which line
		lasts   time.Duration
		says    string
		request func()
	}{
		{"healthy", nil, 10 * time.Second, "", func() { n++; cache.put(n); get(t) }},
		{"leaking", []string{"goroutines abandoned", "heap_live_bytes large"}, 10 * time.Second,
			"leak: sustained growth in a soak of", func() {
				abandoned()
				keep(20_000)
				get(t)
			}},
		{"over at once", nil, 0, "the test was over after", func() {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			// Other tests of this process have left goroutines, and a busy machine makes fewer requests: a longer run
			// sees more.
			var r recorder
			for length := 10 * time.Second; ; length *= 3 {
				r = recorder{}
				leaktest.Soak(&r, length)
				serve(test.lasts*(length/(10*time.Second)), test.request)
				r.finish()
				if strings.Count(r.output(), " went from ") >= len(test.lines) || length > time.Minute {
					break
				}
			}
			if !strings.Contains(r.output(), test.says) || test.says == "" && r.output() != "" {
				t.Fatalf("%q, want %q", r.output(), test.says)
			}
			named := places.FindAllStringSubmatch(r.output(), -1)
			if len(named) != len(test.lines) {
				t.Fatalf("%d lines are named, want %q:\n%s", len(named), test.lines, r.output())
			}
			for i, line := range test.lines {
				resource, at, _ := strings.Cut(line, " ")
				if named[i][2] != lineOf(t, at) || !strings.HasPrefix(named[i][3], resource+" went from ") {
					t.Errorf("want %s at line %s:\n%s", resource, lineOf(t, at), r.output())
				}
			}
		})
	}
}

func TestSoakIsTooShort(t *testing.T) {
	var r recorder
	leaktest.Soak(&r, time.Second)
	if want := "a soak of 1s: it takes 10s or more to tell a leak"; r.output() != want || len(r.cleanups) > 0 {
		t.Errorf("%q, want %q", r.output(), want)
	}
}
