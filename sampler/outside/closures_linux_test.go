package outside

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// caught are how closures of testdata/holders keep alive what functions have allocated: what is named, and the way.
// Large variables that do not change are in the closure, and debuggers are told nothing of them.
var caught = map[string]string{
	"main.caughtValue": "main.callbacks map[int]func() int 500\n" +
		"main.callbacks map[int]func() int […] map[int]func() int 500 <\nmain.intoCallbacks.func1 closures.go 32 x\n" +
		"main.item 1024",
	"main.caughtNested": "main.finished []func() int 2500\nmain.finished []func() int […] []func() int 2500 <\n" +
		"main.intoNestedClosures.func2 closures.go 16 inner\nmain.intoNestedClosures.func1 closures.go 16 x\n" +
		"main.item 1024",
	"main.caughtInterface": "main.finished []func() int 2500\nmain.finished []func() int […] []func() int 2500 <\n" +
		"main.intoInterfaces.func1 closures.go 48 value\nmain.item 1024",
	"main.caughtArray": "main.finished []func() int 2500\nmain.finished []func() int […] []func() int 2500 <\n" +
		"main.intoArrays.func1 closures.go 64\nmain.item 1024",
	"main.caughtPair": "main.handlers []main.handler 501\n" +
		"main.handlers []main.handler […] []main.handler 501 <\nmain.intoPairs.func1 closures.go 32\nmain.item 1024",
	"main.caughtMap": "main.handlers []main.handler 501\nmain.handlers []main.handler […] []main.handler 501\n" +
		"main.intoMemoized.func1 closures.go 16 known[…] map[int]*main.item 500 <\nmain.item 1024",
	"main.caughtSlice": "main.generic []func(int) 501\nmain.generic []func(int) […] []func(int) 501\n" +
		"main.intoCaught.func1 closures.go 16 add\nmain.intoAppender.func1 closures.go 16 seen\n" +
		"[]*main.item 24 […] []*main.item 500 <\nmain.item 1024",
	"main.caughtGeneric": "main.generic []func(int) 501\nmain.generic []func(int) […] []func(int) 501 <\n" +
		"main.intoGeneric[...].func1 closures.go 32 one\nmain.item 1024",
	"main.caughtMethod": "main.finished []func() int 2500\nmain.finished []func() int […] []func() int 2500 <\n" +
		"main.(*page).count 16\nmain.page 16 .content\nmain.item 1024",
	"main.caughtReceiver": "main.finished []func() int 2500\nmain.finished []func() int […] []func() int 2500 <\n" +
		"main.page.number 24 .content\nmain.item 1024",
	"main.caughtTimer": "timers that call main.intoCallbackTimers.func1 500\n<\ntimer 112\n" +
		"main.intoCallbackTimers.func1 closures.go 16 session\nmain.item 1024",
	"main.caughtParameter": "goroutine main.waitFor in callback\ncallback func() <\n" +
		"main.intoClosureGoroutines.func3 closures.go 16 x\nmain.item 1024",
	"main.caughtOwn": "goroutine main.intoClosureGoroutines.func1 in own\nown *main.item <\nmain.item 1024",
	"main.caughtOwnMap": "goroutine main.intoClosureGoroutines.func4 in byKey\n" +
		"byKey map[int]*main.item […] map[int]*main.item 500 <\nmain.item 1024",
	"main.caughtOwnArray": "goroutine main.intoClosureGoroutines.func2\n<\n" +
		"main.intoClosureGoroutines.func2 closures.go 64\nmain.item 1024",
}

// A variable of another function that a closure has is named, or none is: never another one. With LEAKTREND_OUTSIDE by
// each of its toolchains.
func TestCaught(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/holders"}}) {
		process := startHolders(t, options)
		got := make(map[string]string)
		for function := range caught {
			h := holderOf(t, process, function)
			got[function] = heldAs(h) + "\n" + stepsOf(t, function, h)
		}
		if d := cmp.Diff(caughtOf(toolchainOf(options)), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
}

// caughtOf is caught for programs of a release.
func caughtOf(release string) map[string]string {
	switch {
	case strings.HasPrefix(release, "go1.21."):
		return caughtBefore(true)
	case strings.HasPrefix(release, "go1.22."):
		return caughtBefore(false)
	}
	return maps.Clone(caught)
}

// caughtBefore is caught for programs of Go 1.21 and 1.22: debuggers are not told where closures have variables, so
// what these point to has no type unless it tells that itself, which objects of 1.21 do not.
func caughtBefore(untyped bool) map[string]string {
	all := maps.Clone(caught)
	all["main.caughtMap"], _, _ = strings.Cut(all["main.caughtMap"], " known")
	all["main.caughtSlice"], _, _ = strings.Cut(all["main.caughtSlice"], " add")
	all["main.caughtMap"] += "\n48\n[]map.bucket[int]*main.item 20480 <\nmain.item 1024"
	all["main.caughtSlice"] += "\nmain.intoAppender.func1 closures.go 16\n24\n[]*main.item 4864 <\nmain.item 1024"
	variable := regexp.MustCompile(`(?m)(closures\.go \d+) \w+$`)
	typed := regexp.MustCompile(`(?m)^(?:main\.item|\[\]\S+(?: \S+)?) (1024|20480|4096)( <)?$`)
	for function, text := range all {
		text = strings.ReplaceAll(variable.ReplaceAllString(text, "$1"), "timer 112", "timer 80")
		if untyped {
			switch function {
			case "main.caughtInterface", "main.caughtMethod", "main.caughtReceiver", "main.caughtOwn",
				"main.caughtOwnMap":
			default:
				text = typed.ReplaceAllString(strings.ReplaceAll(text, "4864", "4096"), "$1$2")
			}
		}
		all[function] = text
	}
	return all
}
