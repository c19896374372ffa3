package fleet

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// The shards of a fleet together find what one scan does, each finding once, and none of them reads nearly all: a job of
// a discovery is divided by its namespaces.
func TestShards(t *testing.T) {
	m := &memory{}
	for i := range 8 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=service%d,instance=a:1,version=v1", i), growing(100, 60, 0))
		m.add(fmt.Sprintf("__name__=go_goroutines,job=service%d,instance=b:1,version=v1", i), constant(100))
		m.add(fmt.Sprintf("__name__=go_goroutines,job=kubernetes-pods,namespace=team%d,app=web,instance=10.0.0.%d:1", i, i), growing(100, 60, 0))
		m.add(fmt.Sprintf("__name__=container_memory_working_set_bytes,job=kubelet,namespace=team%d,pod=web-%d,container=web", i, i), growing(1e9, 3e8, 0))
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
