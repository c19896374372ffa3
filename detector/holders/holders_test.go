package holders

import (
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside"
)

func TestDescribe(t *testing.T) {
	stack := []outside.Frame{{Function: "runtime.gopark", File: "/go/src/runtime/proc.go", Line: 1}, {Function: "main.work", File: "/src/main.go", Line: 88}}
	for _, test := range []struct {
		held outside.Holder
		want string
	}{
		{outside.Holder{Variable: "main.sessions", Type: "map[string]*main.session", Entries: 1204113}, "main.sessions (map[string]*main.session), 1,204,113 entries"},
		{outside.Holder{Variable: "main.pool", Type: "sync.Pool", Entries: -1}, "main.pool (sync.Pool)"},
		{outside.Holder{Variable: "main.list", Entries: -1}, "main.list"},
		{outside.Holder{Timer: "app.(*Session).expire", Entries: 12000}, "12,000 timers that call app.(*Session).expire"},
		{outside.Holder{Timer: "time.sendTime", Entries: 500}, "500 timers that have a channel"},
		{outside.Holder{Finalizer: "*app.Conn", Entries: 3204}, "the finalizers of 3,204 *app.Conn"},
		{outside.Holder{Entries: -1, Frames: stack}, "the goroutine at main.work /src/main.go:88"},
	} {
		if got := describe(&test.held); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
