package outside

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// ways are how testdata/holders keeps memory alive, and what is named.
var ways = map[string]string{
	"main.intoMap":           "main.global.byName map[string]*main.item 500",
	"main.intoSlice":         "main.global.all []*main.item 500",
	"main.intoChannel":       "main.global.queue chan *main.item 500",
	"main.intoClosures":      "main.global.hooks []func() int 500",
	"main.newItem":           "goroutine main.intoGoroutines.func1 in x",
	"main.intoTimers":        "timers that call main.intoTimers.func1 500",
	"main.intoFinalizers":    "finalizer of *main.item 500",
	"main.intoSyncMap":       "main.global.shared sync.Map",
	"main.intoList":          "main.first *main.item",
	"main.intoInterface":     "main.boxed interface {}",
	"main.intoNested":        "main.global.inner.values []interface {} 500",
	"main.intoPointer":       "main.parent.all []*main.item 500",
	"main.intoArray":         "main.pages [4][]*main.item",
	"main.intoContainerList": "main.chain *container/list.List",
	"main.intoPool":          "main.pool sync.Pool",
	"main.intoRecords":       "main.records []main.record 2000",
	"main.intoBuffer":        "main.buffer []uint8 50000",
}

// descriptorHolders are what keeps its descriptors open, by the types of their objects: of all, two thirds are sockets.
var descriptorHolders = map[string]string{
	"*net.netFD":          "main.global.conns map[string]net.PacketConn 200",
	"*os.file":            "main.global.files map[string]*os.File 100",
	"*net.netFD *os.file": "main.global.conns map[string]net.PacketConn 200",
}

// What keeps memory alive is named for the ways in which services hold it, or nothing is: never another one. With
// LEAKTREND_OUTSIDE by each of its toolchains.
func TestHolders(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another program")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/holders"}}) {
		got := make(map[string]string)
		process := startHolders(t, options)
		want := maps.Clone(ways)
		if raceEnabled { // one goroutine looks for them, slowly
			maps.DeleteFunc(want, func(function, _ string) bool {
				return !slices.Contains([]string{"main.intoMap", "main.newItem", "main.intoTimers"}, function)
			})
		}
		for function := range want {
			got[function] = heldBy(t, process, function)
		}
		for types, held := range descriptorHolders {
			want[types] = held
			h, err := process.FinalizedHolder(t.Context(), choose, strings.Fields(types)...)
			if err != nil {
				t.Fatal(err)
			}
			got[types] = heldAs(h)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
}

// strippedWays are what is named in a program without symbols: the functions that use a variable, and what its content
// tells of its type. Of fields whose address is not in the code, and of what a pointer leads to, nothing but where it
// is.
var strippedWays = map[string]string{
	"main.intoMap":           "a variable that main.intoMap uses map[string]*main.item 500",
	"main.intoSlice":         "a variable that main.intoSlice uses []*main.item 500",
	"main.intoChannel":       "a variable that main.intoChannel uses chan *main.item 500",
	"main.intoClosures":      "a variable that main.intoClosures uses []func() int 500",
	"main.newItem":           "goroutine main.intoGoroutines.func1",
	"main.intoTimers":        "timers that call main.intoTimers.func1 500",
	"main.intoFinalizers":    "finalizer of *main.item 500",
	"main.intoSyncMap":       "a variable at 0x ",
	"main.intoList":          "a variable that main.intoList and main.main use *main.item",
	"main.intoInterface":     "a variable that main.intoInterface uses an interface with []*main.item",
	"main.intoNested":        "a variable that main.intoNested uses []interface {} 500",
	"main.intoPointer":       "a variable at 0x []*main.item 500",
	"main.intoContainerList": "a variable that main.intoContainerList and main.main use ",
	"main.intoPool":          "a variable that main.intoPool and main.main use ",
	"main.intoRecords":       "a variable that main.intoRecords and main.main use []main.record 2000",
	"main.intoBuffer":        "a variable that main.intoBuffer and main.main use ",
	"*net.netFD":             "a variable that main.intoSockets uses map[string]net.PacketConn 200",
	"*os.file":               "a variable that main.intoFiles uses map[string]*os.File 100",
}

var addresses = regexp.MustCompile(`0x[0-9a-f]+`)

// untyped is what is named in a program of Go 1.21, which does not keep the types of objects.
var untyped = regexp.MustCompile(`^(a variable (?:at 0x|that .* uses?) )(?:map\[|\[\]|\*).*`)

// strippedOf is strippedWays for programs of a release.
func strippedOf(release string) map[string]string {
	all := maps.Clone(strippedWays)
	switch {
	case strings.HasPrefix(release, "go1.21."):
		for way, held := range all {
			all[way] = untyped.ReplaceAllString(held, "$1")
		}
	case strings.HasPrefix(release, "go1.22."), strings.HasPrefix(release, "go1.23."):
		all["main.intoSyncMap"] = "a variable at 0x map[interface {}]*sync.entry 500"
	}
	return all
}

// Also in a program without symbols, or with symbols alone as go run and go test build them, nothing is named wrong.
func TestHoldersStripped(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds other programs")
	}
	needsRow(t)
	for _, options := range byToolchains([][]string{{"testdata/holders", stripped}},
		[]string{"testdata/holders", stripped, "-buildmode=exe"},
		[]string{"testdata/holders", stripped, "-buildmode=pie"}) {
		got := make(map[string]string)
		process := startHolders(t, options)
		want := strippedOf(toolchainOf(options))
		for way := range want {
			if strings.HasPrefix(way, "*") {
				h, err := process.FinalizedHolder(t.Context(), choose, way)
				if err != nil {
					t.Fatal(err)
				}
				got[way] = heldAs(h)
			} else {
				got[way] = heldBy(t, process, way)
			}
			got[way] = addresses.ReplaceAllString(got[way], "0x")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", options, d)
		}
	}
	process := startHolders(t, []string{"testdata/holders", "-ldflags=-w"})
	for way, want := range map[string]string{
		"main.intoMap":       "main.global+0x10 map[string]*main.item 500",
		"main.intoInterface": "main.boxed an interface with []*main.item",
		"main.intoPool":      "main.pool ",
	} {
		if got := heldBy(t, process, way); got != want {
			t.Errorf("with symbols alone: %s by %q, want %q", way, got, want)
		}
	}
}

// Goroutines that leak beside it, more than there may be objects on the ways, hide nothing.
func TestHoldersBesideGoroutines(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	process := startHolders(t, []string{"testdata/holders"}, strconv.Itoa(search.MaxNodes+1))
	if got, want := heldBy(t, process, "main.intoMap"), ways["main.intoMap"]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func startHolders(t testing.TB, options []string, arguments ...string) *Process {
	t.Helper()
	return openProcess(t, startReady(t, append([]string{buildProgram(t, options...)}, arguments...)...))
}

// startReady starts a program that says when it is ready, and returns the number of its process.
func startReady(t testing.TB, command ...string) int {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	// From the first allocation on: until Go 1.23 each processor goes on as it began, for half a megabyte and more.
	cmd.Env = append(os.Environ(), "GODEBUG=memprofilerate=4096")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	return cmd.Process.Pid
}

// holderOf returns what holds the memory that a function has allocated; nil where that is not found.
func holderOf(t *testing.T, o *Process, function string) *Holder {
	t.Helper()
	h, err := o.Holder(t.Context(), allocatedBy(function), choose)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// allocatedBy reports of stacks of the heap whether their memory is from a function.
func allocatedBy(function string) func(stack []Frame) bool {
	return func(stack []Frame) bool {
		for _, f := range stack {
			if f.Function == function || strings.HasPrefix(f.Function, "main.") {
				return f.Function == function
			}
		}
		return false
	}
}

// choose chooses the innermost function of package main, else the outermost one that is not the runtime's.
func choose(stack []Frame) (chosen Frame, application bool) {
	for _, f := range stack {
		if strings.HasPrefix(f.Function, "main.") {
			return f, true
		}
		if !strings.HasPrefix(f.Function, "runtime.") {
			chosen = f
		}
	}
	return chosen, false
}

// heldBy names what holds the memory that a function has allocated.
func heldBy(t *testing.T, o *Process, function string) string {
	t.Helper()
	return heldAs(holderOf(t, o, function))
}

func heldAs(h *Holder) string {
	switch {
	case h == nil:
		return ""
	case h.Timer != "":
		return fmt.Sprintf("timers that call %s %d", h.Timer, h.Entries)
	case h.Finalizer != "":
		return fmt.Sprintf("finalizer of %s %d", h.Finalizer, h.Entries)
	case h.Variable == "":
		text := "goroutine " + h.At.Function
		if h.Local != "" {
			text += " in " + h.Local
		}
		return text
	}
	text := h.Variable + " " + h.Type
	if h.Entries >= 0 {
		text += fmt.Sprintf(" %d", h.Entries)
	}
	return text
}
