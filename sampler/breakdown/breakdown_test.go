package breakdown

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// brokenDown makes a breakdown of counts by labels that are joined by commas.
func brokenDown(counts map[string]int) *Breakdown {
	b := newBreakdown(sampler.OpenFDs, time.Unix(1e9, 0).UTC())
	for labels, n := range counts {
		if path, ok := strings.CutPrefix(labels, "file,"); ok {
			b.add(n, pathLabels(whatFile, path)...)
		} else {
			b.add(n, strings.Split(labels, ",")...)
		}
	}
	b.Total = b.Seen
	return b
}

func TestParts(t *testing.T) {
	many := func(n, each int, form string) map[string]int {
		counts := make(map[string]int)
		for i := range n {
			counts[fmt.Sprintf(form, i)] = each
		}
		return counts
	}
	with := func(counts, more map[string]int) map[string]int {
		sum := make(map[string]int)
		for _, c := range []map[string]int{counts, more} {
			for key, n := range c {
				sum[key] += n
			}
		}
		return sum
	}
	healthy := map[string]int{"tcp,LISTEN,on port 80": 1, "tcp,ESTABLISHED,to port 5432,10.0.0.5": 10, "pipe": 4,
		"eventpoll": 1, "file,/var/log/a": 3}
	for _, test := range []struct {
		name        string
		before, now map[string]int // nil before: not known
		want        []Part
	}{
		{"one peer", healthy, with(healthy, map[string]int{"tcp,CLOSE_WAIT,to port 5432,10.0.0.5": 95, "pipe": 2}),
			[]Part{
				{"tcp", "CLOSE_WAIT to 10.0.0.5:5432", 95, 95, 95. / 97},
			}},
		{"one peer, IPv6", healthy, with(healthy, map[string]int{"udp,connected,to port 53,fe80::1": 9}), []Part{
			{"udp", "connected to [fe80::1]:53", 9, 9, 1},
		}},
		{"one client", healthy, with(healthy, map[string]int{"tcp,CLOSE_WAIT,on port 80,10.0.0.9": 20}), []Part{
			{"tcp", "CLOSE_WAIT on port 80 from 10.0.0.9", 20, 20, 1},
		}},
		{"many clients", healthy, with(healthy, many(100, 1, "tcp,CLOSE_WAIT,on port 80,10.0.1.%d")), []Part{
			{"tcp", "CLOSE_WAIT on port 80", 100, 100, 1},
		}},
		{"one of many clients", healthy, with(many(50, 2, "tcp,CLOSE_WAIT,on port 80,10.0.1.%d"),
			with(healthy, map[string]int{"tcp,CLOSE_WAIT,on port 80,10.0.1.7": 50})), []Part{
			{"tcp", "CLOSE_WAIT on port 80, others", 98, 98, 98. / 150},
			{"tcp", "CLOSE_WAIT on port 80 from 10.0.1.7", 52, 52, 52. / 150},
		}},
		{"what was there does not count", map[string]int{"tcp,ESTABLISHED,to port 1,a": 500, "pipe": 10},
			map[string]int{"tcp,ESTABLISHED,to port 1,a": 490, "pipe": 60}, []Part{
				{"pipe", "", 60, 50, 1},
			}},
		{"one file", healthy, with(healthy, map[string]int{"file,/var/log/a": 40}),
			[]Part{{"file", "/var/log/a", 43, 40, 1}}},
		{"a directory", healthy, with(healthy, many(60, 1, "file,/var/spool/in/%d.tmp")),
			[]Part{{"file", "in /var/spool/in", 60, 60, 1}}},
		{"a tree of directories", healthy, with(healthy, many(60, 1, "file,/var/spool/%d/data")),
			[]Part{{"file", "in /var/spool", 60, 60, 1}}},
		{"directories all over", nil, many(30, 1, "file,/d%d/x"), []Part{{"file", "in /", 30, 0, 1}}},
		{"a pool of threads", nil, many(40, 1, "thread,worker-*,sleeping,worker-%d"),
			[]Part{{"thread", "worker-*, sleeping", 40, 0, 1}}},
		{"one thread's name", nil, map[string]int{"thread,a*,running,a1": 9},
			[]Part{{"thread", "a1, running", 9, 0, 1}}},
		{"before is not known", nil, map[string]int{"pipe": 30, "eventfd": 70, "inotify": 2}, []Part{
			{"eventfd", "", 70, 0, 70. / 102}, {"pipe", "", 30, 0, 30. / 102},
		}},
		{"nothing grew", map[string]int{"pipe": 10}, map[string]int{"pipe": 10}, []Part{{"pipe", "", 10, 0, 1}}},
		{"nothing", nil, nil, nil},
		{"names of others", nil, map[string]int{"file,/tmp/a\nb\x1b[1m\xff": 3},
			[]Part{{"file", "/tmp/a?b?[1m?", 3, 0, 1}}},
		{"a long name", nil, map[string]int{"file,/" + strings.Repeat("é", 120): 3},
			[]Part{{"file", "/" + strings.Repeat("é", 99) + "…", 3, 0, 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before *Breakdown
			if test.before != nil {
				before = brokenDown(test.before)
			}
			if diff := cmp.Diff(test.want, brokenDown(test.now).Parts(before)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What was folded on one side is folded on the other before they are compared, and neither is changed by it.
func TestPartsOfFolded(t *testing.T) {
	before := brokenDown(nil)
	for i := range 2 * maxGroups {
		before.add(1, whatTCP, "ESTABLISHED", "to port 80", fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	before.add(4, pathLabels(whatFile, "/var/log/a")...)
	before.Total = before.Seen
	before.fold(maxGroups)
	if n := len(before.counts); n > maxGroups {
		t.Fatalf("%d groups", n)
	}
	now := brokenDown(map[string]int{"tcp,ESTABLISHED,to port 80,10.0.0.1": 1100, "file,/var/log/a": 104})
	want := []Part{
		{"file", "/var/log/a", 104, 100, .5},
		{"tcp", "ESTABLISHED to port 80", 1100, 100, .5},
	}
	if diff := cmp.Diff(want, now.Parts(before)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = []Part{{"tcp", "ESTABLISHED to 10.0.0.1:80", 1100, 0, 1100. / 1204}}
	if diff := cmp.Diff(want, now.Parts(nil)); diff != "" {
		t.Errorf("now alone (-want +got):\n%s", diff)
	}
}

// Of a draw, the figures are estimates, and a growth that may be an error of the draw is no part.
func TestPartsOfDraw(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(whole map[string]int, seen int) *Breakdown {
		var all []string
		for key, n := range whole {
			for range n {
				all = append(all, key)
			}
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		b := newBreakdown(sampler.OpenFDs, time.Unix(1e9, 0).UTC())
		for _, key := range all[:seen] {
			b.add(1, key)
		}
		b.Total = len(all)
		return b
	}
	healthy := map[string]int{"pipe": 5000, "eventfd": 5000, "tcp": 10000}
	leaking := map[string]int{"pipe": 5000, "eventfd": 5000, "tcp": 20000}
	wrong, near := 0, 0
	for range 200 {
		before := draw(healthy, 1000)
		if parts := draw(healthy, 1000).Parts(before); parts[0].Growth != 0 {
			wrong++
		}
		parts := draw(leaking, 1000).Parts(before)
		if parts[0].What == "tcp" && parts[0].Growth > 8000 && parts[0].Growth < 12000 {
			near++
		}
	}
	if wrong > 4 || near < 190 {
		t.Errorf("of 200 draws, %d found growth where there was none, %d estimated the growth within a fifth", wrong,
			near)
	}
}

func BenchmarkParts(b *testing.B) {
	before, now := brokenDown(nil), brokenDown(nil)
	for i := range maxGroups {
		before.add(3, pathLabels(whatFile, fmt.Sprintf("/var/lib/app/%d/segment", i))...)
		now.add(4, pathLabels(whatFile, fmt.Sprintf("/var/lib/app/%d/segment", i))...)
	}
	b.ReportAllocs()
	for b.Loop() {
		now.Parts(before)
	}
}
