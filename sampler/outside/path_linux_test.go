package outside

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// waysByFunction are the ways to what the functions of testdata/holders have allocated: a step a line, with what of it
// leads on, the container with its entries, and where the ways part.
var waysByFunction = map[string]string{
	"main.intoMap":     "main.global main.state .byName[…] map[string]*main.item 500 <\nmain.item 1024",
	"main.intoSlice":   "main.global main.state .all[…] []*main.item 500 <\nmain.item 1024",
	"main.intoChannel": "main.global main.state .queue[…] chan *main.item 500 <\nmain.item 1024",
	"main.intoClosures": "main.global main.state .hooks[…] []func() int 500 <\n" +
		"main.intoClosures.func1 main.go 16 x\nmain.item 1024",
	"main.newItem":       "x *main.item <\nmain.item 1024",
	"main.intoSyncMap":   "main.global main.state .shared[…] sync.Map <\nmain.item 1024",
	"main.intoInterface": "main.boxed interface {}\n[]*main.item 24 […] []*main.item 500 <\nmain.item 1024",
	"main.intoNested":    "main.global main.state .inner.values[…] []interface {} 500 <\nmain.item 1024",
	"main.intoPointer":   "main.parent main.state .all[…] []*main.item 500 <\nmain.item 1024",
	"main.intoArray":     "main.pages [4][]*main.item […][…] []*main.item 250 <\nmain.item 1024",
	"main.intoList":      "main.first *main.item\nmain.item 1024 .next several <\nmain.item 1024",
	"main.intoTimers":    "<\ntimer 112\nmain.intoTimers.func1 main.go 16 x\nmain.item 1024",
	"main.intoRecords":   "main.records []main.record []main.record 2000 <\n[]main.record 49152",
	"main.intoPool":      "main.pool sync.Pool […] sync.Pool <\nmain.item 1024",
}

// The way from what keeps memory alive leads through the fields and containers of the program, with their types, and
// says where what grows is. With LEAKTREND_OUTSIDE by each of its toolchains.
func TestPaths(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another program")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/holders"}}) {
		process := startHolders(t, options)
		want, got := pathsOf(toolchainOf(options)), make(map[string]string)
		if raceEnabled { // one goroutine looks for them, slowly
			maps.DeleteFunc(want, func(function, _ string) bool {
				return !slices.Contains([]string{"main.intoMap", "main.newItem"}, function)
			})
		}
		for function := range want {
			got[function] = pathTo(t, process, function)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
}

// pathsOf is waysByFunction for programs of a release.
func pathsOf(release string) map[string]string {
	all := maps.Clone(waysByFunction)
	untyped := strings.HasPrefix(release, "go1.21.")
	if untyped || strings.HasPrefix(release, "go1.22.") {
		for _, function := range []string{"main.intoClosures", "main.intoTimers"} {
			all[function] = strings.NewReplacer("112", "80", " x\n", "\n").Replace(all[function])
			if untyped { // objects do not tell their type
				all[function] = strings.Replace(all[function], "main.item ", "", 1)
			}
		}
	}
	return all
}

func pathTo(t *testing.T, o *Process, function string) string {
	t.Helper()
	return stepsOf(t, function, holderOf(t, o, function))
}

// stepsOf writes the path to what a function has allocated, a step a line.
func stepsOf(t *testing.T, function string, h *Holder) string {
	t.Helper()
	if h == nil {
		return "nothing"
	}
	var lines []string
	for i := range h.Path {
		s := &h.Path[i]
		var words []string
		add := func(word string) {
			if word != "" {
				words = append(words, word)
			}
		}
		add(s.Name)
		if s.Code.Line > 0 {
			add(s.Code.File[strings.LastIndexByte(s.Code.File, '/')+1:])
		}
		add(s.Type)
		if s.Size > 0 {
			add(fmt.Sprint(s.Size))
		}
		add(s.Reference)
		add(s.Container)
		if s.Entries >= 0 {
			add(fmt.Sprint(s.Entries))
		}
		if s.Times > 1 {
			add("several")
		}
		if s.Parts {
			add("<")
		}
		if s.Share <= 0 || s.Share > h.Share {
			t.Errorf("%s: step %d has %.2f of the objects, all have %.2f", function, i, s.Share, h.Share)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

// libraryWays are how testdata/libraries keeps memory alive, by functions on the stack that allocates: what is named,
// and the way.
var libraryWays = map[string]string{
	"main.intoHandles": "runtime/cgo.handles sync.Map\nruntime/cgo.handles sync.Map […] sync.Map <\nmain.item 1024",
	"main.intoContexts": "main.base context.Context\nmain.base context.Context\n" +
		"context.cancelCtx 80 .children[…] map[context.canceler]struct {} 500 <\ncontext.cancelCtx 80 .Context\n" +
		"context.valueCtx 48 .val\nmain.item 1024",
	// Connections that are idle are not held by the goroutines that serve them, of which no frame is the service's;
	// where a body was left open, they are.
	"main.newIdle": "net/http.DefaultTransport.idleConn map[net/http.connectMethodKey][]*net/http.persistConn 1\n" +
		"net/http.DefaultTransport net/http.Transport .idleConn[…][…] " +
		"map[net/http.connectMethodKey][]*net/http.persistConn 1 <\n" +
		"net/http.persistConn 320 .conn\nmain.counted 1024",
	"main.newCounted": "goroutine net/http.(*persistConn).readLoop in pc\npc *net/http.persistConn <\n" +
		"net/http.persistConn 320 .conn\nmain.counted 1024",
}

var (
	// oldMaps are releases in which the way is shorter through another map that has idle connections.
	oldMaps          = regexp.MustCompile(`=go1\.2[1-3]\.`)
	smallConnections = regexp.MustCompile(`=go1\.2[1-5]\.`)
)

// What libraries keep for a service is named as well: contexts that are never canceled, idle connections. With
// LEAKTREND_OUTSIDE by each of its toolchains, and by cgo with its handles.
func TestHoldersOfLibraries(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/libraries"}}, []string{"testdata/libraries", "cgo"}) {
		process := startHolders(t, options)
		want, got := maps.Clone(libraryWays), make(map[string]string)
		if !slices.Contains(options, "cgo") {
			delete(want, "main.intoHandles")
		} else if oldMaps.MatchString(options[2]) {
			want["main.newIdle"] = "net/http.DefaultTransport.idleLRU.m map[*net/http.persistConn]*container/" +
				"list.Element 64\n" +
				"net/http.DefaultTransport net/http.Transport .idleLRU.m[…] " +
				"map[*net/http.persistConn]*container/list.Element 64 <\n" +
				"net/http.persistConn 288 .conn\nmain.counted 1024"
		}
		if len(options) > 1 && smallConnections.MatchString(options[2]) {
			for function := range want {
				want[function] = strings.Replace(want[function], "persistConn 320", "persistConn 288", 1)
			}
		}
		for functions := range want {
			h, err := process.Holder(t.Context(), func(stack []Frame) bool {
				for function := range strings.FieldsSeq(functions) {
					if !slices.ContainsFunc(stack, func(f Frame) bool { return f.Function == function }) {
						return false
					}
				}
				return true
			}, choose)
			if err != nil {
				t.Fatal(err)
			}
			got[functions] = heldAs(h)
			got[functions] += "\n" + stepsOf(t, functions, h)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
}

// A long list is one step in a program without symbols too, where nothing but the sizes of its elements tells that they
// are alike; so no alert has a hundred of them.
func TestPathsWithoutSymbols(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	process := startHolders(t, []string{"testdata/holders", stripped})
	// Objects of more than 32 KB tell their type as well.
	if got, want := pathTo(t, process, "main.madeWide"),
		"[]*main.item 40960 <\nmain.item 1024"; strings.TrimSpace(got) != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	h := holderOf(t, process, "main.intoContainerList")
	if h == nil || len(h.Path) == 0 {
		t.Fatalf("held by %+v", h)
	}
	longest := 0
	for _, s := range h.Path {
		longest = max(longest, s.Times)
	}
	if len(h.Path) > 6 || longest < 50 {
		t.Errorf("%d steps, of which one stands for %d: %+v", len(h.Path), longest, h.Path)
	}
}
