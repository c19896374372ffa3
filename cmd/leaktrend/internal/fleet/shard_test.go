package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"": {}, "1/1": {1, 1}, "3/16": {3, 16}, "0/4": {0, 4}, "4/4": {4, 4}} {
		if got, err := ParseShard(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"3", "0/0", "5/4", "-1/4", "a/b", "1/", "1/2/3", "1/100000"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// The shards of a fleet together find what one scan does, each finding once, and none of them reads nearly all: a job
// of a discovery is divided by its namespaces.
func TestShards(t *testing.T) {
	m := &memory{}
	for i := range 8 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=service%d,instance=a:1,version=v1", i), growing(100, 60, 0))
		m.add(fmt.Sprintf("__name__=go_goroutines,job=service%d,instance=b:1,version=v1", i), constant(100))
		m.add(fmt.Sprintf("__name__=go_goroutines,job=kubernetes-pods,namespace=team%d,app=web,instance=10.0.0.%d:1", i,
			i), growing(100, 60, 0))
		m.add(fmt.Sprintf("__name__=container_memory_working_set_bytes,job=kubelet,namespace=team%d,pod=web-%d,"+
			"container=web", i, i), growing(1e9, 3e8, 0))
	}
	m.add("__name__=go_goroutines,instance=of-no-job:1", growing(100, 60, 0))
	whole, err := scanOf(t, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	processes := 0
	const shards = 4
	for n := range shards {
		r, err := scanOf(t, m, func(o *Options) { o.Shard = Shard{n + 1, shards} })
		if err != nil {
			t.Fatal(err)
		}
		if r.Processes > whole.Processes/2 || len(r.Missing) > 0 {
			t.Errorf("shard %d has %d of %d processes, missing %v", n+1, r.Processes, whole.Processes, r.Missing)
		}
		processes += r.Processes
		got = append(got, brief(r.Findings)...)
	}
	want := brief(whole.Findings)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 25 || processes != whole.Processes {
		t.Errorf("%d of %d processes, findings (-one scan +shards):\n%s", processes, whole.Processes, diff)
	}
}

// workloadOfPlace returns a workload whose goroutines were read in one place.
func workloadOfPlace(name string, p place) *workload {
	w := &workload{labels: []Label{{jobLabel, name}}, stays: map[string][]stay{}}
	for _, s := range p {
		w.stays[sampler.Goroutines] = append(w.stays[sampler.Goroutines], *s)
	}
	return w
}

// Parts that know of each other's growth over lives find what one scan finds of it, with the same chances: what came to
// nothing in one part counts in all of them.
func TestShardsShareTheirLives(t *testing.T) {
	days := func(n int, level func(age float64) float64) []lifeOf {
		return slices.Repeat([]lifeOf{{"v1", 24, level}}, n)
	}
	const shards = 4
	var parts []*collector
	for range shards + 1 {
		parts = append(parts, newCollector(&Options{GroupBy: []string{jobLabel}, Calibration: calibration.Default()}))
	}
	var end time.Time
	for i := range 60 {
		lives := slices.Concat(days(6, rests), days(8, climbs)) // one in four leaks
		switch i % 4 {
		case 1:
			lives = slices.Concat(days(5, climbs), days(9, rests)) // it came to nothing
		case 2, 3:
			lives = days(14, rests)
		}
		name := fmt.Sprintf("service%d", i)
		p := placeOf(0, lives...)
		end = p[len(p)-1].last
		for _, c := range []*collector{parts[i/15], parts[shards]} {
			c.workloads[workloadName([]Label{{jobLabel, name}})] = workloadOfPlace(name, p)
		}
	}
	chancesOf := func(reports ...*Report) map[string]float64 {
		all := map[string]float64{}
		for _, r := range reports {
			for _, f := range slices.Concat(r.Findings, r.Suspects) {
				all[f.Group[0].Value] = f.Chance.Mean
			}
		}
		return all
	}
	report := func(c *collector) *Report { return c.report(.05, 0, end) }
	whole := report(parts[shards])
	var alone, together []*Report
	for _, c := range parts[:shards] {
		alone = append(alone, report(c))
	}
	for i, c := range parts[:shards] {
		for k, other := range alone {
			if k != i {
				told := other.ForOthers()
				c.others = c.others.With(&told)
			}
		}
		together = append(together, report(c))
	}
	if diff := cmp.Diff(chancesOf(whole), chancesOf(together...), cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" ||
		len(whole.Findings) == 0 || len(chancesOf(alone...)) != len(chancesOf(whole)) {
		t.Errorf("%d findings; chances (-one scan +parts):\n%s", len(whole.Findings), diff)
	}
	if cmp.Equal(chancesOf(whole), chancesOf(alone...), cmpopts.EquateApprox(1e-3, 1e-3)) {
		t.Error("parts alone have the chances of all of them: the test tells nothing")
	}
	inOrder := cmpopts.SortSlices(func(a, b backtest.Candidate) bool { return a.Strength < b.Strength })
	if diff := cmp.Diff(whole.Lives, joined(together).Lives, inOrder, cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
		t.Errorf("what lives tell (-one scan +parts):\n%s", diff)
	}
}

// Of calls that are equally likely the parts of a fleet have those that one scan has, by their strength.
func TestCutOfParts(t *testing.T) {
	all := []ranked{{.99, 50}, {.9, 30}, {.9, 20}, {.9, 20}, {.9, 10}, {.5, 1}}
	for _, test := range []struct {
		name            string
		mine, elsewhere []ranked
		share           float64
		want            int
	}{
		{"one scan", all, nil, .083, 5},
		{"one scan, the border between equals", all, nil, .071, 3},
		{"a part, all of a chance", all[1:4], append(all[4:], all[0]), .08, 3},
		{"a part, the stronger of a chance", []ranked{all[0], all[1], all[4]}, append(all[2:4:4], all[5]), .075, 2},
		{"a part, equals that one scan has some of", all[1:3], append(all[3:6:6], all[0]), .071, 1},
		{"none is likely enough", all[5:], all[1:5], .01, 0},
	} {
		if got := cutOf(test.mine, test.elsewhere, test.share, minChance); got != test.want {
			t.Errorf("%s: %d calls, want %d", test.name, got, test.want)
		}
	}
}

// Parts that know of each other's pasts have what one scan has: the same counts, and a history that is long enough
// where that of one part is not.
func TestShardsShareTheirPast(t *testing.T) {
	m := &memory{}
	for i := range 24 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=service%d,instance=a:1", i), growing(100, 60*float64(i%2), i*40))
	}
	whole, err := scanOf(t, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	const shards = 3
	parts := make([]*Report, shards)
	for n := range parts {
		if parts[n], err = scanOf(t, m, func(o *Options) { o.Shard = Shard{n + 1, shards} }); err != nil {
			t.Fatal(err)
		}
	}
	var others Past
	for _, r := range parts[1:] {
		others.Hypotheses += r.Hypotheses
		others.Table = *others.Table.With(&r.Past)
	}
	sameUpToRounding := cmpopts.EquateApprox(1e-9, 1e-9)
	if diff := cmp.Diff(whole.Past, *parts[0].Past.With(&others.Table), sameUpToRounding); diff != "" {
		t.Errorf("pasts together (-one scan +shards):\n%s", diff)
	}
	together, err := scanOf(t, m, func(o *Options) { o.Shard, o.Others = Shard{1, shards}, others })
	if err != nil {
		t.Fatal(err)
	}
	chanceOf := func(r *Report) map[string]backtest.Chance {
		all := map[string]backtest.Chance{}
		for _, f := range append(r.Findings, r.Suspects...) {
			all[f.Group[0].Value] = f.Chance
		}
		return all
	}
	alone, shared := chanceOf(parts[0]), chanceOf(together)
	if len(alone) == 0 || len(alone) != len(shared) {
		t.Fatalf("%d candidates alone, %d with the others' past", len(alone), len(shared))
	}
	for job, chance := range shared {
		// More is known, so the bounds are closer.
		if before := alone[job]; !(chance.High-chance.Low < before.High-before.Low) {
			t.Errorf("%s: %+v with the others' past, %+v without", job, chance, before)
		}
	}
}
