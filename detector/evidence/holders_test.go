package evidence

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// keeper answers what keeps a line alive, and counts how often it was asked.
type keeper struct {
	ProfileSource
	text      string
	path      *alerting.Path
	all       int
	err       error
	requested []profile.Frame
}

func (k *keeper) Holder(_ context.Context, line profile.Frame) (alerting.Holder, error) {
	k.requested = append(k.requested, line)
	return alerting.Holder{Text: k.text, Path: k.path, All: k.all}, k.err
}

// viewed is a monitor of which only the configuration is seen.
type viewed struct {
	Monitor
	holders bool
	crowded bool
}

func (v viewed) View() View {
	now := View{Config: config.Default()}
	now.Config.Holders, now.Crowded = v.holders, v.crowded
	return now
}

func TestHold(t *testing.T) {
	goroutines := alerting.Site{Function: "main.wait", File: "/src/a.go", Line: 1, Count: 5}
	memory := alerting.Site{Function: "main.load", File: "/src/b.go", Line: 2, Bytes: 5}
	other := alerting.Site{Function: "main.other", File: "/src/c.go", Line: 3, Bytes: 1}
	const cache = "main.cache (map[string]*main.entry), 1,204,113 entries"
	for _, test := range []struct {
		name, resource string
		source         *keeper
		sites          []alerting.Site
		holders        []string
		summary        string
		requests       int
		err            string
		off            bool
	}{
		{"memory", "heap_live_bytes", &keeper{text: cache}, []alerting.Site{memory, other}, []string{cache, ""},
			", kept by " + cache, 1, "", false},
		{
			"not the first", "rss_bytes", &keeper{text: cache}, []alerting.Site{goroutines, memory},
			[]string{"", cache},
			"; what b.go:2 allocated is kept by " + cache, 1, "", false,
		},
		{"not known", "heap_live_bytes", &keeper{}, []alerting.Site{memory}, []string{""}, "", 1, "", false},
		{"goroutines alone", "goroutines", &keeper{text: cache}, []alerting.Site{goroutines}, []string{""},
			"", 0, "", false},
		{"descriptors", "open_fds", &keeper{text: cache}, []alerting.Site{memory}, []string{"", "of all: " + cache},
			"; kept open by " + cache, 1, "", false},
		{"descriptors, not known", "open_fds", &keeper{}, nil, nil, "", 1, "", false},
		{"descriptors, off", "open_fds", &keeper{text: cache}, nil, nil, "", 0, "", true},
		{"no line", "heap_live_bytes", &keeper{text: cache}, nil, nil, "", 0, "", false},
		{"fault", "heap_live_bytes", &keeper{err: errors.New("gone")}, []alerting.Site{memory}, []string{""},
			"", 1, "gone", false},
		{"off", "heap_live_bytes", &keeper{text: cache}, []alerting.Site{memory}, []string{""}, "", 0, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := NewLines(test.source, viewed{holders: !test.off}, nil)
			if !lines.Holds() {
				t.Fatal("the source can tell")
			}
			for range 2 { // the second time it is known
				var a alerting.Alert
				a.ID, a.Resource, a.Sites = "one", test.resource, append([]alerting.Site(nil), test.sites...)
				err := lines.Hold(t.Context(), &a)
				if test.err == "" && err != nil || test.err != "" && (err == nil || err.Error() != test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				var holders []string
				for _, s := range a.Sites {
					holders = append(holders, s.Holder)
				}
				if a.Holder != "" {
					holders = append(holders, "of all: "+a.Holder)
				}
				if d := cmp.Diff(test.holders, holders); d != "" || a.Summary != test.summary {
					t.Errorf("summary %q, want %q; holders (-want +got):\n%s", a.Summary, test.summary, d)
				}
				if r := (request{alert: a}); test.summary != "" && r.amount() != len(a.Sites)+1 {
					t.Errorf("amount %d of evidence", r.amount())
				}
			}
			if len(test.source.requested) != test.requests {
				t.Errorf("asked for %v, want %d questions", test.source.requested, test.requests)
			}
		})
	}
	var none struct{ ProfileSource }
	lines := NewLines(none, viewed{holders: true}, nil)
	a := alerting.Alert{Sites: []alerting.Site{memory}}
	if a.Resource = "heap_live_bytes"; lines.Holds() || lines.Hold(t.Context(), &a) != nil {
		t.Error("a source that cannot tell")
	}
}

// A process that is close to a limit of its memory does not look through it.
func TestHoldNeedsRoom(t *testing.T) {
	here := &keeper{text: "main.cache"}
	lines := NewLines(struct{ ProfileSource }{}, viewed{holders: true, crowded: true}, nil)
	lines.NameHolders(here.Holder)
	a := alerting.Alert{Sites: []alerting.Site{{Function: "main.load", Bytes: 5}}}
	a.Resource = "heap_live_bytes"
	if err := lines.Hold(t.Context(), &a); !errors.Is(err, errNoRoom) || len(here.requested) > 0 {
		t.Errorf("error %v, asked for %v", err, here.requested)
	}
	another := NewLines(here, viewed{holders: true, crowded: true}, nil) // of which the memory is another's
	if err := another.Hold(t.Context(), &a); err != nil || a.Sites[0].Holder != here.text {
		t.Errorf("error %v, holder %q", err, a.Sites[0].Holder)
	}
}

// Descriptors that are no objects of Go are not held by what holds the few that are: that is said instead.
func TestHoldDescriptorsWithoutObjects(t *testing.T) {
	const without = "1,000 were added, and 499 have an object of package os or net: what is opened by package " +
		"syscall, or in C, has none"
	for all, want := range map[int]string{0: "", 499: without, 500: "", 1000: ""} {
		source := &keeper{text: "main.files (map[int]*os.File), 499 entries", all: all}
		lines := NewLines(source, viewed{holders: true}, nil)
		for range 2 {
			var a alerting.Alert
			a.Resource, a.Baseline, a.Value = "open_fds", 20, 1020
			err := lines.Hold(t.Context(), &a)
			if got := fmt.Sprint(err); want == "" && (err != nil || a.Holder != source.text) || want != "" &&
				(got != want || a.Holder != "") {
				t.Errorf("%d objects: held by %q, %s", all, a.Holder, got)
			}
		}
		if len(source.requested) != 1 {
			t.Errorf("asked %d times", len(source.requested))
		}
	}
}

// A search in this process that failed is not repeated: it costs the process itself.
func TestHoldFailsOnce(t *testing.T) {
	here := &keeper{err: errors.New("too much memory")}
	lines := NewLines(struct{ ProfileSource }{}, viewed{holders: true}, nil)
	lines.NameHolders(here.Holder)
	for range 2 {
		a := alerting.Alert{Sites: []alerting.Site{{Function: "main.load", Bytes: 5}}}
		a.Resource = "heap_live_bytes"
		if err := lines.Hold(t.Context(), &a); !errors.Is(err, here.err) || len(here.requested) != 1 {
			t.Errorf("error %v, asked %d times", err, len(here.requested))
		}
	}
}

// The path that was found comes with what hangs below each step, and is that of the alert alone.
func TestHoldPath(t *testing.T) {
	source := &keeper{text: "main.cache", path: &alerting.Path{Objects: 4, Share: 1, Steps: []alerting.Step{
		{Kind: "variable", Name: "main.cache", Reference: "[…]", Share: 1, Accumulates: true},
		{Kind: "object", Type: "main.entry", Size: 64, Share: .75},
	}}}
	lines := NewLines(source, viewed{holders: true}, nil)
	want := &alerting.Path{Objects: 4, Share: 1, Steps: []alerting.Step{
		{Kind: "variable", Name: "main.cache", Reference: "[…]", Share: 1, Accumulates: true, Bytes: 1000},
		{Kind: "object", Type: "main.entry", Size: 64, Share: .75, Bytes: 750, File: "/src/b.go", Line: 2},
	}}
	for range 2 {
		a := alerting.Alert{Sites: []alerting.Site{{Function: "main.load", File: "/src/b.go", Line: 2, Bytes: 1000}}}
		a.ID, a.Resource = "one", "heap_live_bytes"
		if err := lines.Hold(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, a.Sites[0].HolderPath); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		c := a.Clone()
		c.Sites[0].HolderPath.Steps[0].Name = "changed"
		if a.Sites[0].HolderPath.Steps[0].Name != "main.cache" {
			t.Error("a clone shares the path")
		}
		a.Sites[0].HolderPath.Steps[0].Name = "changed"
	}
	a := alerting.Alert{}
	a.ID, a.Resource = "two", "open_fds"
	if err := lines.Hold(t.Context(), &a); err != nil || cmp.Diff(source.path, a.HolderPath) != "" {
		t.Errorf("descriptors: %v, %+v", err, a.HolderPath)
	}
}
