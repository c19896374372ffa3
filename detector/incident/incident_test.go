package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

var began = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// site is a line of the application that made most of a growth.
func site(function string, way ...string) alerting.Site {
	return alerting.Site{Function: function, File: "/src/app.go", Line: 330, Share: .9, Stack: way}
}

// alert is one on a finding that is named by its resource and kind.
func alert(minute int, resource string, kind alerting.Kind, status alerting.Status,
	sites ...alerting.Site) alerting.Alert {
	return alerting.Alert{
		ID: resource + " " + string(kind), Sites: sites, Process: alerting.Process{Executable: "server"},
		Event: alerting.Event{
			Time: began.Add(time.Duration(minute) * time.Minute), Resource: resource, Kind: kind, Status: status,
			Value: 200, Baseline: 100, SlopePerHour: 10, Since: began.Add(-10 * time.Hour),
		},
	}
}

// message is a decision in short.
type message struct {
	ID, Incident, Of string // the resource of the event
	Resources        string // with their states
	Deliver          bool
}

func sayOf(d Decision) message {
	var all []string
	for _, r := range d.Alert.Resources {
		all = append(all, r.Resource+" "+string(r.Status))
	}
	return message{d.Alert.ID, d.Alert.Incident, d.Alert.Resource + " " + string(d.Alert.Status),
		strings.Join(all, ", "),
		d.Deliver}
}

// What leaks at one place is one alert, which others join, and which ends with the last of them.
func TestOneCause(t *testing.T) {
	const firing, resolved, trend, limit = alerting.Firing, alerting.Resolved, alerting.Trend, alerting.Limit
	var tracker Tracker
	first := "goroutines trend"
	theirs := site("main.serve")
	theirs.Resource, theirs.Share = "goroutines", .06
	for i, step := range []struct {
		take alerting.Alert
		want message
	}{
		{alert(0, "goroutines", trend, firing, site("main.serve")),
			message{first, first, "goroutines firing", "goroutines firing", true}},
		{alert(1, "heap_live_bytes", trend, firing, site("main.read", "main.serve")),
			message{first, first, "heap_live_bytes firing", "goroutines firing, heap_live_bytes firing", true}},
		{alert(2, "threads", trend, firing),
			message{first, first, "threads firing", "goroutines firing, heap_live_bytes firing, threads firing", true}},
		// So is the memory of which it has a small part, where no other line has more.
		{alert(2, "rss_bytes", trend, firing, theirs),
			message{first, first, "rss_bytes firing", "goroutines firing, heap_live_bytes firing, threads firing, " +
				"rss_bytes firing", true}},
		{alert(2, "rss_bytes", trend, resolved),
			message{first, first, "rss_bytes resolved", "goroutines firing, heap_live_bytes firing, threads firing, " +
				"rss_bytes resolved", false}},
		// Another line is another cause.
		{alert(3, "open_fds", trend, firing, site("main.open")),
			message{"open_fds trend", "open_fds trend", "open_fds firing", "open_fds firing", true}},
		// That a limit is passed has an end of its own.
		{alert(4, "goroutines", limit, firing, site("main.serve")),
			message{"goroutines limit", first, "goroutines firing",
				"goroutines firing", true}},
		{alert(5, "goroutines", limit, resolved), message{"goroutines limit", first, "goroutines resolved",
			"goroutines resolved", true}},
		{alert(6, "goroutines", trend, resolved),
			message{first, first, "goroutines resolved", "goroutines resolved, heap_live_bytes firing, threads " +
				"firing, " +
				"rss_bytes resolved", false}},
		{alert(7, "threads", trend, resolved),
			message{first, first, "threads resolved", "goroutines resolved, heap_live_bytes firing, threads " +
				"resolved, " +
				"rss_bytes resolved", false}},
		{alert(8, "heap_live_bytes", trend, resolved),
			message{first, first, "goroutines resolved", "goroutines resolved, heap_live_bytes resolved, threads " +
				"resolved, rss_bytes resolved", true}},
		{alert(9, "open_fds", trend, resolved), message{"open_fds trend", "open_fds trend", "open_fds resolved",
			"open_fds resolved", true}},
	} {
		d := tracker.Observe(step.take)
		if diff := cmp.Diff(step.want, sayOf(d)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		if want := step.take.Time; !d.Alert.Time.Equal(want) {
			t.Errorf("step %d is of %s, want %s", i, d.Alert.Time, want)
		}
	}
	if len(tracker.open)+len(tracker.byFinding) > 0 {
		t.Errorf("%d incidents and %d findings are kept after their end", len(tracker.open), len(tracker.byFinding))
	}
}

func TestSameCause(t *testing.T) {
	at := func(resource string, sites ...alerting.Site) alerting.Alert {
		return alert(0, resource, alerting.Trend, alerting.Firing, sites...)
	}
	growing := func(a alerting.Alert, perHour float64, since time.Duration) alerting.Alert {
		a.SlopePerHour, a.Since = perHour, a.Since.Add(since)
		return a
	}
	minor := site("main.other")
	minor.Share = .1
	called := alerting.Site{Function: "net/http.(*persistConn).readLoop", Share: .9,
		CalledFrom: "main.fetch /src/app.go:12"}
	malg := alerting.Site{Function: "main.accept", File: "/src/app.go", Line: 44, Share: .9}
	created := site("lib.wait")
	created.CreatedBy = "main.accept /src/app.go:44"
	ofGoroutines := site("main.g")
	ofGoroutines.Resource = "goroutines"
	stacks, mapped := at("rss_bytes"), at("rss_bytes")
	stacks.Parts, mapped.Parts = []alerting.Part{{What: "goroutine stacks"}},
		[]alerting.Part{{What: "anonymous memory"}}
	// Resident memory of the runtime, of which neither live heap nor stacks are most.
	garbage, atALine, shrunk := at("rss_bytes"), at("rss_bytes", site("main.other")), at("rss_bytes")
	garbage.Parts = []alerting.Part{
		{What: "Go heap", Detail: "allocated since the last collection, live or garbage", Growth: 4e6, Share: .4},
		{What: "malloc", Growth: 3e6, Share: .3},
		{What: "goroutine stacks", Growth: 2e6, Share: .2}, {What: "Go heap", Detail: "live", Growth: 1e6, Share: .1},
	}
	atALine.Parts = garbage.Parts
	shrunk.Parts = []alerting.Part{{What: "Go heap", Detail: "live", Share: .8}}
	for name, test := range map[string]struct {
		a, b alerting.Alert
		want bool
	}{
		"garbage that comes with goroutines": {garbage, at("goroutines", site("main.f")), true},
		"garbage that comes with live heap":  {garbage, growing(at("heap_live_bytes", site("main.f")), 1, 0), true},
		"garbage since another time": {garbage, growing(at("goroutines", site("main.f")), 10, 5*time.Hour),
			false},
		"garbage and a line of its own":      {atALine, at("goroutines", site("main.f")), false},
		"garbage and descriptors":            {garbage, at("open_fds", site("main.f")), false},
		"what the heap has and did not grow": {shrunk, at("goroutines", site("main.f")), false},
		"memory of what leaks": {at("heap_live_bytes", ofGoroutines), at("goroutines", site("main.f")),
			true},
		"stacks":           {stacks, at("goroutines", site("main.f")), true},
		"what is mapped":   {mapped, at("goroutines", site("main.f")), false},
		"one function":     {at("goroutines", site("main.f")), at("open_fds", site("main.f")), true},
		"another function": {at("goroutines", site("main.f")), at("open_fds", site("main.g")), false},
		"a small share": {at("goroutines", site("main.f")), at("open_fds", site("main.g"), minor),
			false},
		"through a library":              {at("goroutines", called), at("open_fds", site("main.fetch")), true},
		"memory of the line that starts": {at("goroutines", created), at("heap_live_bytes", malg), true},
		"below main alone": {at("goroutines", site("main.main")),
			at("heap_live_bytes", site("main.fill", "main.main")), false},
		"the heap in two ways": {at("heap_live_bytes", site("main.f")), at("heap_inuse_bytes"), true},
		"resident memory of the heap": {growing(at("heap_live_bytes", site("main.f")), 8, 0), at("rss_bytes"),
			true},
		"resident memory of its own": {growing(at("heap_live_bytes", site("main.f")), 2, 0), at("rss_bytes"),
			false},
		"counts without a place": {at("open_fds"), at("threads"), false},
		"another rate":           {growing(at("goroutines", site("main.f")), 100, 0), at("threads"), false},
		"since another time": {growing(at("goroutines", site("main.f")), 10, 5*time.Hour),
			at("threads"), false},
		"memory and a count": {at("rss_bytes"), at("goroutines", site("main.f")), false},
		"what nobody knows":  {at("queue_length"), at("goroutines", site("main.f")), false},
	} {
		for range 2 {
			if got := sameCause(&test.a, &test.b); got != test.want {
				t.Errorf("%s: %s and %s: %t", name, test.a.Resource, test.b.Resource, got)
			}
			test.a, test.b = test.b, test.a
		}
	}
}

// A fingerprint depends on the function and on what kind of resource it holds alone.
func TestFingerprints(t *testing.T) {
	of := func(resource string, kind alerting.Kind, pid int, sites ...alerting.Site) string {
		a := alert(0, resource, kind, alerting.Firing, sites...)
		a.Process.PID = pid
		all, _ := Fingerprints(&a)
		return strings.Join(all, " ")
	}
	moved := site("main.serve")
	moved.Line, moved.File = 12, "/build/other.go"
	library := alerting.Site{Function: "net/http.(*persistConn).readLoop", Share: 1,
		CalledFrom: "main.serve /src/app.go:9"}
	theirs := site("main.serve")
	theirs.Resource = "goroutines"
	base := of("goroutines", alerting.Trend, 1, site("main.serve"))
	for name, test := range map[string]struct {
		got  string
		same bool
	}{
		"another process":       {of("goroutines", alerting.Trend, 2, site("main.serve")), true},
		"a limit":               {of("goroutines", alerting.Limit, 1, site("main.serve")), true},
		"the line moved":        {of("goroutines", alerting.Trend, 1, moved), true},
		"its descriptors":       {of("open_fds", alerting.Trend, 1, site("main.serve")), true},
		"the line that called":  {of("goroutines", alerting.Trend, 1, library), true},
		"memory of goroutines":  {of("heap_live_bytes", alerting.Trend, 1, theirs), true},
		"memory":                {of("heap_live_bytes", alerting.Trend, 1, site("main.serve")), false},
		"another function":      {of("goroutines", alerting.Trend, 1, site("main.other")), false},
		"no line":               {of("goroutines", alerting.Trend, 1), false},
		"two lines of two":      {of("goroutines", alerting.Trend, 1, site("main.serve"), site("main.other")), false},
		"two lines of the same": {of("goroutines", alerting.Trend, 1, site("main.serve"), moved), true},
	} {
		if (test.got == base) != test.same {
			t.Errorf("%s: %s, and at first %s", name, test.got, base)
		}
	}
	for _, names := range [][2]string{
		{"main.serve.func1", "main.serve.func2"}, {"main.serve.func1.2", "main.serve.func3"},
		{"main.(*T).run.gowrap1", "main.(*T).run.gowrap4"},
		{"main.F[go.shape.int]", "main.F[go.shape.string]"}, {"main.(*T).run-fm", "main.(*T).run"},
		{"main.all-range1", "main.all-range2"},
	} {
		if a, b := stableName(names[0]), stableName(names[1]); a != b {
			t.Errorf("%s and %s: %s and %s", names[0], names[1], a, b)
		}
	}
	if a, b := stableName("main.serve.func1"), stableName("main.serve"); a == b {
		t.Errorf("a closure and its function: %s", a)
	}
}

// What is known is shown and not delivered, until another cause joins it, or it is known no more.
func TestKnownLeaks(t *testing.T) {
	prints := func(function string) string {
		a := alert(0, "goroutines", alerting.Trend, alerting.Firing, site(function))
		all, _ := Fingerprints(&a)
		return all[0]
	}
	type outcome struct {
		Fingerprint                 string
		Show, Deliver, Known, IsNew bool
	}
	of := func(d Decision) outcome {
		return outcome{d.Alert.Fingerprint, d.Show, d.Deliver, d.Alert.Known, d.Alert.New}
	}
	old, young := prints("main.old"), prints("main.young")
	fire := func(id string, functions ...string) alerting.Alert {
		a := alert(0, "goroutines", alerting.Trend, alerting.Firing)
		a.ID = id
		for _, f := range functions {
			a.Sites = append(a.Sites, site(f))
		}
		return a
	}
	end := func(id string) alerting.Alert {
		a := alert(9, "goroutines", alerting.Trend, alerting.Resolved)
		a.ID = id
		return a
	}
	var tracker Tracker
	tracker.Know([]string{old})
	got := []outcome{of(tracker.Observe(fire("1", "main.old"))), of(tracker.Observe(end("1")))}
	withheld := []bool{}
	tracker.Observe(fire("2", "main.old"))
	for _, f := range []string{"main.old", "main.young"} {
		withheld = append(withheld, tracker.Withholds("2", "goroutines", []alerting.Site{site(f)}))
	}
	got = append(got, of(tracker.Observe(fire("2", "main.old", "main.young"))), of(tracker.Observe(end("2"))))
	got = append(got, of(tracker.Observe(fire("3", "main.young"))), of(tracker.Observe(end("3"))))
	want := []outcome{
		{old, true, false, true, false}, {old, true, false, true, false},
		{young, true, true, false, true}, {young, true, true, false, false},
		{young, true, true, false, false}, {young, true, true, false, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bool{false, true}, withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}

	// What an earlier life saw is not new, and has an incident of its own.
	next := Tracker{}
	next.Saw(tracker.Seen(1))
	again := []outcome{of(next.Observe(fire("5", "main.young")))}
	next.Observe(end("5"))
	again = append(again, of(next.Observe(fire("6", "main.third"))))
	third := prints("main.third")
	if diff := cmp.Diff([]outcome{{young, true, true, false, false}, {third, true, true, false, true}},
		again); diff != "" {
		t.Errorf("in the next life (-want +got):\n%s", diff)
	}

	tracker = Tracker{}
	tracker.Know([]string{old})
	tracker.Observe(fire("4", "main.old"))
	var delivered []string
	for _, a := range tracker.Know(nil) {
		delivered = append(delivered, a.Resource+" "+string(a.Status))
	}
	if diff := cmp.Diff([]string{"goroutines firing"}, delivered); diff != "" {
		t.Errorf("when nothing is known any more (-want +got):\n%s", diff)
	}
	if twice := tracker.Know(nil); len(twice) > 0 {
		t.Errorf("told again: %v", twice)
	}
}

// The alert on a resource without lines has those of its incident, and all captures.
func TestEvidenceOfAnIncident(t *testing.T) {
	var tracker Tracker
	a := alert(0, "goroutines", alerting.Trend, alerting.Firing, site("main.f"))
	a.Severity, a.Profiles = alerting.Critical, []alerting.Profile{{Kind: "goroutine", Path: "/a"}}
	tracker.Observe(a)
	b := alert(1, "threads", alerting.Trend, alerting.Firing)
	b.Parts, b.Profiles = []alerting.Part{{What: "thread", Count: 3}}, []alerting.Profile{{Kind: "heap", Path: "/b"}}
	got := tracker.Observe(b).Alert
	want := b
	want.ID, want.Incident, want.Fingerprint, want.New, want.Severity = a.ID, a.ID, got.Fingerprint, true,
		alerting.Critical
	want.Sites = []alerting.Site{site("main.f")}
	want.Sites[0].Resource, want.Sites[0].AsOf = "goroutines", a.Time
	want.Profiles = []alerting.Profile{{Kind: "heap", Path: "/b"}, {Kind: "goroutine", Path: "/a"}}
	want.Resources = []alerting.Affected{affected(&a), affected(&b)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a.Time = b.Time.Add(time.Hour)
	got = tracker.Observe(a).Alert
	parts := []alerting.Part{{What: "thread", Count: 3, AsOf: b.Time}}
	if diff := cmp.Diff(parts, got.Parts) + cmp.Diff(a.Sites, got.Sites); diff != "" {
		t.Errorf("once more, with lines of its own (-want +got):\n%s", diff)
	}
}

// The incident of findings of an earlier life is the one that they had then, also where the finding is over that it
// began with.
func TestIncidentOverLives(t *testing.T) {
	var earlier, later Tracker
	goroutines := alert(0, "goroutines", alerting.Limit, alerting.Firing, site("main.serve"))
	growth := alert(1, "goroutines", alerting.Trend, alerting.Firing, site("main.serve"))
	other := alert(2, "connections", alerting.Trend, alerting.Firing)
	for _, a := range []alerting.Alert{goroutines, growth, other} {
		earlier.Observe(a)
	}
	goroutines.Status = alerting.Resolved
	earlier.Observe(goroutines)
	var got []string
	for _, a := range []alerting.Alert{growth, other} {
		a.Incident = earlier.Of(a.ID)
		got = append(got, later.Observe(a).Alert.Incident)
	}
	got = append(got, later.Of(growth.ID), later.Of("none"))
	if diff := cmp.Diff([]string{"goroutines limit", "connections trend", "goroutines limit", ""}, got); diff != "" {
		t.Errorf("incidents (-want +got):\n%s", diff)
	}
}
