package outside

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// localWays are how goroutines of testdata/holders keep memory alive, and by which variable.
var localWays = map[string]string{
	"main.newItem":       "goroutine main.intoGoroutines.func1 in x",
	"main.madeSlice":     "goroutine main.inSlice in mine",
	"main.madeWide":      "goroutine main.inWide in wide",
	"main.madeParameter": "goroutine main.inParameter in given",
	"main.madeReceiver":  "goroutine main.(*item).wait in it",
	"main.madeMap":       "goroutine main.inMap in byNumber",
	"main.madeArray":     "goroutine main.inArray in fixed",
	"main.madeStruct":    "goroutine main.inStruct in own",
	"main.madeInterface": "goroutine main.inInterface in value",
	"main.madeCaptured":  "goroutine main.inCaptured in seen",
	"main.madeInlined":   "goroutine main.inInlined in found",
	"main.madeGeneric":   "goroutine main.inGeneric[...] in kept",
	"main.madeBlock":     "goroutine main.inBlock in part",
	"main.madeBuffer":    "goroutine main.inRead in buf",
	"main.madeTwice":     "goroutine main.inTwice",
	"main.madeOld":       "main.old map[int]*main.item 64",
	"main.madeMixed":     "main.kept map[int]*main.item 40", // 40 of 540 objects: the others are garbage
}

// A goroutine is told with the variable that has what it keeps, and never with another one; without one in a program
// without debug information. With LEAKTREND_OUTSIDE by each
// of its toolchains.
func TestLocals(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/holders"}, {"testdata/holders", stripped}}) {
		process := startHolders(t, options)
		want, got := maps.Clone(localWays), make(map[string]string)
		if slices.Contains(options, stripped) {
			delete(want, "main.madeOld")
			delete(want, "main.madeMixed")
			for function, held := range want {
				want[function], _, _ = strings.Cut(held, " in ")
			}
		}
		for function := range want {
			got[function] = heldBy(t, process, function)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
}
