package wording

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func alertOf(resource string, parts ...alerting.Part) *alerting.Alert {
	return &alerting.Alert{Event: alerting.Event{Resource: resource}, Parts: parts}
}

// Growth that is told beside another one is told with the time since when it is.
func TestPartsSince(t *testing.T) {
	since := time.Date(2026, 11, 26, 13, 39, 20, 0, time.UTC)
	a := alertOf(sampler.OpenFDs, alerting.Part{What: "pipe", Count: 70, Growth: 57, Share: 1, Since: since})
	for _, test := range []struct {
		value float64
		since time.Time
		want  string
	}{
		{68, since.Add(300 * time.Millisecond), "all 57 new descriptors are pipes"}, // the onset says it
		{68, since.Add(14 * time.Second), "all 57 new descriptors since 13:39:20 are pipes"},
		{68, since.Add(24 * time.Hour), "all 57 new descriptors since 2026-11-26 13:39:20 are pipes"},
		{70, since.Add(14 * time.Second), "all 57 new descriptors are pipes"},
	} {
		a.Value, a.Baseline, a.Since = test.value, 13, test.since
		if got := PartClause(a, true); got != test.want {
			t.Errorf("%v since %v: %q, want %q", test.value, test.since, got, test.want)
		}
	}
	a = alertOf(sampler.RSSBytes, alerting.Part{What: "malloc", Unit: "bytes", Growth: 47.22 * (1 << 20), Share: .8,
		Since: since.Add(-time.Minute)})
	a.Value, a.Baseline, a.Since = 66.2*(1<<20), 12.9*(1<<20), since
	if got, want := PartClause(a, false), "47.2 MB of the +59.0 MB since 13:38:20 are malloc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPartClause(t *testing.T) {
	for _, test := range []struct {
		resource string
		part     alerting.Part
		want     string
	}{
		{sampler.OpenFDs, alerting.Part{What: "tcp", Detail: "CLOSE_WAIT to 10.0.0.5:5432", Count: 107, Growth: 95,
			Share: 95. / 97},
			"95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432"},
		{sampler.OpenFDs, alerting.Part{What: "pipe", Count: 70, Growth: 60, Share: 1},
			"all 60 new descriptors are pipes"},
		{sampler.OpenFDs, alerting.Part{What: "pipe", Count: 70, Share: .7}, "70 of 100 descriptors are pipes"},
		{sampler.OpenFDs, alerting.Part{What: "file", Detail: "in /tmp", Count: 70000, Growth: 60000, Share: .8,
			Estimated: true},
			"about 60,000 of 75,000 new descriptors are files in /tmp"},
		{sampler.OpenFDs, alerting.Part{What: "deleted file", Detail: "in /tmp", Growth: 37, Share: 37. / 38},
			"37 of 38 new descriptors are deleted files in /tmp"},
		{sampler.OpenFDs, alerting.Part{What: "file", Detail: "/etc/hostname", Growth: 40, Share: 1},
			"all 40 new descriptors are of the file /etc/hostname"},
		{sampler.OpenFDs, alerting.Part{What: "deleted directory", Detail: "/tmp/a", Growth: 40, Share: 1},
			"all 40 new descriptors are of the deleted directory /tmp/a"},
		{sampler.OpenFDs, alerting.Part{What: "inotify", Growth: 40, Share: 1}, "all 40 new descriptors are inotify"},
		{sampler.Threads, alerting.Part{What: "thread", Detail: "worker-*, sleeping", Count: 40, Growth: 38,
			Share: .95},
			"38 of 40 new threads are worker-*, sleeping"},
	} {
		if diff := cmp.Diff(test.want, PartClause(alertOf(test.resource, test.part), true)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestMemoryClause(t *testing.T) {
	const gb = 1 << 30
	part := func(what, detail string, growth, share float64) alerting.Part {
		return alerting.Part{What: what, Detail: detail, Unit: "bytes", Count: 2 * gb, Growth: growth, Share: share}
	}
	live, freed := part("Go heap", "live", .2*gb, .2), part("Go heap", "freed, not returned to the system (GOGC 100)",
		.8*gb, .8)
	newer := part("Go heap", "allocated since the last collection, live or garbage", .2*gb, .2)
	for _, test := range []struct {
		parts   []alerting.Part
		want    string
		foreign bool // no program of Go
	}{
		{[]alerting.Part{part("malloc", "(libfoo.so)", 1.1*gb, .9)},
			"1.1 GB of the +1.2 GB are malloc (libfoo.so), not " +
				"the Go heap", false},
		{[]alerting.Part{part("malloc", "", .8*gb, .8), live}, "819 MB of the +1.0 GB are malloc", false},
		{[]alerting.Part{freed}, "the live heap is flat: 819 MB of the +1.0 GB were freed, not returned to the " +
			"system " +
			"(GOGC 100)", false},
		{[]alerting.Part{freed, live}, "819 MB of the +1.0 GB are heap of Go that was freed, not returned to the " +
			"system (GOGC 100)",
			false},
		{[]alerting.Part{freed, newer}, "819 MB of the +1.0 GB are heap of Go that was freed, not returned to the " +
			"system (GOGC 100)",
			false},
		{[]alerting.Part{live}, "205 MB of the +1.0 GB are live Go heap", false},
		{[]alerting.Part{newer}, "205 MB of the +1.0 GB are Go heap allocated since the last collection, live or " +
			"garbage",
			false},
		{[]alerting.Part{part("mapped file", "/data/index", 1*gb, 1)},
			"all of the +1.0 GB are the mapped file /data/index, not the Go heap", false},
		{[]alerting.Part{part("anonymous memory", "", 0, .5)}, "2.0 GB of the 4.0 GB are anonymous memory", false},
		{[]alerting.Part{part("malloc", "", 1*gb, 1)}, "all of the +1.0 GB are malloc", true},
	} {
		if diff := cmp.Diff(test.want, PartClause(alertOf(sampler.RSSBytes, test.parts...),
			!test.foreign)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
