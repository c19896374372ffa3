package holders

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler/outside"
)

func TestDescribe(t *testing.T) {
	stack := []outside.Frame{{Function: "runtime.gopark", File: "/go/src/runtime/proc.go", Line: 1},
		{Function: "main.work", File: "/src/main.go", Line: 88}}
	for _, test := range []struct {
		held outside.Holder
		want string
	}{
		{outside.Holder{Variable: "main.sessions", Type: "map[string]*main.session", Entries: 1204113},
			"main.sessions (map[string]*main.session), 1,204,113 entries"},
		{outside.Holder{Variable: "main.pool", Type: "sync.Pool", Entries: -1}, "main.pool (sync.Pool)"},
		{outside.Holder{Variable: "main.list", Entries: -1}, "main.list"},
		{outside.Holder{Timer: "app.(*Session).expire", Entries: 12000},
			"12,000 timers that call app.(*Session).expire"},
		{outside.Holder{Timer: "time.sendTime", Entries: 500}, "500 timers that have a channel"},
		{outside.Holder{Finalizer: "*app.Conn", Entries: 3204}, "the finalizers of 3,204 *app.Conn"},
		{outside.Holder{Entries: -1, Frames: stack, At: stack[1]}, "the goroutine at main.work /src/main.go:88"},
		{outside.Holder{Entries: -1, Frames: stack, At: stack[1], Local: "buf"},
			"the goroutine at main.work /src/main.go:88 in its variable buf"},
		{outside.Holder{Variable: "main.last", Type: "map[string]*main.session", Entries: 1},
			"main.last (map[string]*main.session), 1 entry"},
	} {
		if got := describe(&test.held); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestPathOf(t *testing.T) {
	work := outside.Frame{Function: "main.work", File: "/src/main.go", Line: 88}
	object := outside.Step{Type: "main.item", Size: 64, Entries: -1, Times: 1, Share: .75}
	item := alerting.Step{Kind: "object", Type: "main.item", Size: 64, Share: .75}
	for _, test := range []struct {
		held outside.Holder
		want []alerting.Step
	}{
		{outside.Holder{Variable: "main.byID", Path: []outside.Step{
			{Name: "main.byID", Type: "map[int]*main.list", Reference: "[…]", Container: "map[int]*main.list",
				Entries: 9, Times: 1, Share: 1, Parts: true},
			{Type: "main.list", Size: 16, Reference: ".next", Entries: -1, Times: 3, Share: .9}, object,
		}}, []alerting.Step{
			{Kind: "variable", Name: "main.byID", Type: "map[int]*main.list", Reference: "[…]",
				Container: "map[int]*main.list", Entries: 9, Share: 1, Accumulates: true},
			{Kind: "object", Type: "main.list", Size: 16, Reference: ".next", Repeated: 3, Share: .9}, item,
		}},
		{outside.Holder{Frames: []outside.Frame{work}, At: work, Entries: -1, Local: "buf", Path: []outside.Step{
			{Name: "buf", Type: "func()", Entries: -1, Times: 1, Share: 1},
			{Name: work.Function, Code: work, Size: 16, Entries: -1, Times: 1, Share: 1}, object,
		}}, []alerting.Step{
			{Kind: "goroutine", Name: work.Function, Variable: "buf", Type: "func()", File: work.File, Line: work.Line,
				Share: 1},
			{Kind: "function", Name: work.Function, File: work.File, Line: work.Line, Size: 16, Share: 1}, item,
		}},
		{outside.Holder{Timer: "main.late", Entries: 5, Path: []outside.Step{{Entries: -1, Times: 1, Share: 1},
			object}}, []alerting.Step{
			{Kind: "timers", Name: "5 timers that call main.late", Share: 1}, item,
		}},
		{outside.Holder{Finalizer: "*main.item", Entries: 5, Path: []outside.Step{{Entries: -1, Times: 1, Share: 1},
			object}}, []alerting.Step{
			{Kind: "finalizers", Name: "the finalizers of 5 *main.item", Share: 1}, item,
		}},
	} {
		test.held.Objects, test.held.Share = 32, .97
		want := &alerting.Path{Objects: 32, Share: .97, Steps: test.want}
		if d := cmp.Diff(want, pathOf(&test.held)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", test.held, d)
		}
	}
	if got := pathOf(&outside.Holder{Variable: "main.byID"}); got != nil {
		t.Errorf("a path without steps: %+v", got)
	}
}
