package breakdown

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
)

const smaps = `5588523f000-555885241000 r--p 00000000 fe:00 247278 /usr/bin/server
Size:                  8 kB
Rss:                   8 kB
555885241000-555885247000 r-xp 00002000 fe:00 247278 /usr/bin/server
Rss:                  24 kB
Pss_Dirty:             9 kB
5588b0000000-5588b2000000 rw-p 00000000 00:00 0 [heap]
Rss:               30000 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Rss:               40000 kB
c004000000-c008000000 rw-p 00000000 00:00 0 [anon: Go: heap]
Rss:                5000 kB
7f0000000000-7f0000800000 rw-p 00000000 00:00 0
Rss:                 700 kB
7f0000900000-7f0000a00000 r-xp 00000000 fe:00 1 /opt/lib/libfoo.so.2
Rss:                 100 kB
7f0000b00000-7f0000c00000 r-xp 00000000 fe:00 2 /usr/lib/libc.so.6
Rss:                 200 kB
7f0000d00000-7f0000e00000 rw-s 00000000 fe:00 3 /data/my index (deleted)
Rss:                 300 kB
7f0001000000-7f0001100000 rw-s 00000000 00:01 9 /dev/shm/queue
Rss:                 400 kB
7ffd0000-7ffd1000 rw-p 00000000 00:00 0 [stack]
Rss:                  50 kB
bad line
Rss: much kB
`

func TestParseSmaps(t *testing.T) {
	var got mappedMemory
	if err := got.parse(t.Context(), strings.NewReader(smaps)); err != nil {
		t.Fatal(err)
	}
	want := mappedMemory{
		goHeap: 45000 * kib, malloc: 30000 * kib, anonymous: 700 * kib, threads: 50 * kib,
		libraries: []string{"libfoo.so.2"}, begins: true,
		named: []namedMemory{
			{whatMapped, "/usr/bin/server", 32 * kib}, {whatMapped, "/opt/lib/libfoo.so.2", 100 * kib},
			{whatMapped, "/usr/lib/libc.so.6", 200 * kib},
			{whatMapped, "/data/my index", 300 * kib}, {whatShared, "/dev/shm/queue", 400 * kib},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mappedMemory{}, namedMemory{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A process may have as many mappings as it likes, of files that it gives any name.
func TestParseManyMappings(t *testing.T) {
	var b strings.Builder
	for i := range 10 * maxFiles {
		fmt.Fprintf(&b, "%x000-%x000 r-xp 00000000 fe:00 1 /opt/lib%d\x1b[2J.so\nRss: 4 kB\n", i, i+1, i)
	}
	var m mappedMemory
	if err := m.parse(t.Context(), strings.NewReader(b.String())); err != nil {
		t.Fatal(err)
	}
	libraries := []string{"lib0?[2J.so", "lib1?[2J.so", "lib2?[2J.so", "lib3?[2J.so"}
	if want := map[string]float64{whatMapped: 9 * maxFiles * 4 * kib}; len(m.named) != maxFiles ||
		!maps.Equal(m.unnamed, want) || !slices.Equal(m.libraries, libraries) {
		t.Errorf("%d files are named, %v are not, libraries are %q", len(m.named), m.unnamed, m.libraries)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.parse(ended, strings.NewReader(b.String())); !errors.Is(err, context.Canceled) {
		t.Errorf("it is read on: %v", err)
	}
}

func FuzzSmaps(f *testing.F) {
	f.Add([]byte(smaps))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m mappedMemory
		_ = m.parse(t.Context(), bytes.NewReader(data))
		sum := m.goHeap + m.malloc + m.anonymous + m.threads
		for _, n := range m.named {
			sum += n.bytes
		}
		if sum < 0 || math.IsNaN(sum) {
			t.Errorf("%v bytes in all", sum)
		}
	})
}

// The runtime's figures split what is resident, and never add to it.
func TestAddRuntime(t *testing.T) {
	m := mappedMemory{goHeap: 100 << 20, anonymous: 10 << 20}
	b := newBreakdown(sampler.RSSBytes, time.Time{})
	b.unit = kib
	addRuntime(b, &m, GoMemory{Live: 20 << 20, Objects: 27 << 20, InUse: 30 << 20, Free: 500 << 20, Stacks: 5 << 20,
		Own: 4 << 20, GOGC: 100})
	want := map[string]int{
		whatGoHeap + separator + partLive: 20 << 10, whatGoHeap + separator + partNewer: 7 << 10,
		whatGoHeap + separator + partUnused: 3 << 10,
		whatGoHeap + separator + partFreed:  65 << 10, whatStacks: 5 << 10, whatRuntime: 4 << 10,
	}
	if diff := cmp.Diff(want, b.counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.anonymous != 6<<20 {
		t.Errorf("%v bytes are left of what is anonymous", m.anonymous)
	}
	elsewhere := mappedMemory{anonymous: 50 << 20}
	addRuntime(b, &elsewhere, GoMemory{Live: 20 << 20, InUse: 30 << 20, GOGC: -1, Limit: 1 << 30})
	if elsewhere.anonymous != 20<<20 {
		t.Errorf("%v bytes are left where the arenas are elsewhere", elsewhere.anonymous)
	}
	if n := b.counts[whatGoHeap+separator+partRest]; n != 10<<10 {
		t.Errorf("%d KiB are what a runtime does not tell apart", n)
	}
	if note := b.notes[whatGoHeap+separator+partFreed]; !strings.HasPrefix(note, "GOGC off, GOMEMLIMIT 1024 MiB") {
		t.Errorf("note %q", note)
	}
}

// inProc is a process that goes on, by its directory.
type inProc string

func (p inProc) ProcDir() string { return string(p) }
func (p inProc) Alive() error    { return nil }

// goInProc is one whose runtime is read from outside.
type goInProc struct {
	inProc
	known GoMemory
}

func (p goInProc) GoMemory() (GoMemory, bool) { return p.known, p.known.InUse > 0 }

// The heap of another process is where its runtime says, wherever that is, and is what it says. While that cannot be
// read, what grows is not called anything else.
func TestMemoryOfAnotherGoProgram(t *testing.T) {
	read := func(heap string, known GoMemory) *Breakdown {
		t.Helper()
		dir := t.TempDir()
		text := "1c2a40000000-1c2a44000000 rw-p 00000000 00:00 0 \nRss: " + heap + " kB\n1c2a44000000-1c2a45000000 " +
			"---p 00000000 00:00 0 \nRss: 0 kB\n" +
			"7f0000000000-7f0000800000 rw-p 00000000 00:00 0 \nRss: 9000 kB\n"
		if err := os.WriteFile(filepath.Join(dir, "smaps"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := newBreakdown(sampler.RSSBytes, time.Time{})
		if err := readMemory(t.Context(), b, goInProc{inProc(dir), known}); err != nil {
			t.Fatal(err)
		}
		return b
	}
	arenas := [][2]uint64{{0x1c2a40000000, 0x1c2a48000000}}
	before := read("20000", GoMemory{Live: 8e6, InUse: 12e6, Stacks: 2e6, Free: 10e6, Own: 3e6, GOGC: 100,
		Arenas: arenas})
	now := read("40000", GoMemory{Live: 9e6, InUse: 14e6, Stacks: 18e6, Free: 10e6, Own: 3e6, GOGC: 100,
		Arenas: arenas})
	unread := read("40000", GoMemory{})
	type grown struct {
		what string
		mb   float64
	}
	parts := func(now, before *Breakdown) (all []grown) {
		for _, p := range now.Parts(before) {
			detail, _, _ := strings.Cut(p.Detail, " (")
			all = append(all, grown{strings.TrimSpace(p.What + " " + detail), math.Round(p.Growth/1e5) / 10})
		}
		return all
	}
	for name, test := range map[string]struct {
		now, before *Breakdown
		want        []grown
	}{
		"read": {now, before, []grown{{"goroutine stacks", 16},
			{"Go heap freed, not returned to the system", 2.5}}},
		"not read before": {now, unread, []grown{{"anonymous memory", 0}}},
		"not read now":    {unread, before, []grown{{"anonymous memory", 20.5}}},
		"never read":      {unread, read("20000", GoMemory{}), []grown{{"anonymous memory", 20.5}}},
	} {
		if diff := cmp.Diff(test.want, parts(test.now, test.before), cmp.AllowUnexported(grown{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

var kept []byte

// What this process gets is seen as what it is: heap of which nobody knows yet whether it is live, live heap, then
// freed, then mapped.
func TestMemoryOfThisProcess(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok &&
		slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector's own memory grows with what the program touches, by more than that")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	read := func() *Breakdown {
		t.Helper()
		b, err := Read(context.Background(), inProc("/proc/self"), sampler.RSSBytes, 0)
		if err != nil {
			t.Skip("smaps cannot be read here: ", err)
		}
		return b
	}
	largest := func(before, now *Breakdown) string {
		parts := now.Parts(before)
		if len(parts) == 0 {
			return "none"
		}
		if parts[0].Growth < 60<<20 || parts[0].Growth > 80<<20 {
			t.Errorf("%+v: %.0f bytes more, want some 64 MiB", parts[0], parts[0].Growth)
		}
		detail, _, _ := strings.Cut(parts[0].Detail, " (")
		return strings.TrimSpace(parts[0].What + " " + detail)
	}
	debug.FreeOSMemory()
	collecting := debug.SetGCPercent(-1)
	before := read()
	kept = make([]byte, 64<<20)
	for i := 0; i < len(kept); i += 4096 {
		kept[i] = 1
	}
	if got := largest(before, read()); got != "Go heap allocated since the last collection, live or garbage" {
		t.Errorf("kept memory that no collection has seen is %s", got)
	}
	runtime.GC()
	if got := largest(before, read()); got != "Go heap live" {
		t.Errorf("kept memory is %s", got)
	}
	debug.SetGCPercent(collecting)
	kept = nil
	debug.FreeOSMemory()
	before = read()
	mapped, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mapped) }()
	for i := 0; i < len(mapped); i += 4096 {
		mapped[i] = 1
	}
	if got := largest(before, read()); got != "anonymous memory" {
		t.Errorf("mapped memory is %s", got)
	}
}

// A program that is not of Go calls malloc itself: no library is named for it.
func TestMallocOfOtherPrograms(t *testing.T) {
	const start = "55d0a000-55d0b000 r-xp 00000000 08:01 7 /usr/bin/python3\nRss: 32 kB\n" +
		"55d0b000-55d0c000 rw-p 00000000 00:00 0 [heap]\nRss: 30000 kB\n" +
		"7f000000-7f001000 r-xp 00000000 08:01 8 /usr/lib/libz.so.1\nRss: 100 kB\n"
	for _, test := range []struct{ smaps, note string }{
		{start, ""},
		{start + "c000000000-c004000000 rw-p 00000000 00:00 0 \nRss: 500 kB\n", "libz.so.1"},
		{start + "c000000000-c000400000 ---p 00000000 00:00 0 \nRss: 0 kB\n" +
			"c000400000-c004000000 rw-p 00000000 00:00 0 \nRss: 500 kB\n", "libz.so.1"},
		{start + "c5a1240000-c5a1280000 rw-p 00000000 00:00 0 \nRss: 500 kB\n", ""}, // as V8 maps its heap
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "smaps"), []byte(test.smaps), 0o600); err != nil {
			t.Fatal(err)
		}
		b := newBreakdown(sampler.RSSBytes, time.Time{})
		if err := readMemory(t.Context(), b, inProc(dir)); err != nil || b.notes[whatMalloc] != test.note ||
			b.Has(whatGoHeap) != (test.note != "") {
			t.Errorf("note %q, Go heap %t, %v, want %q", b.notes[whatMalloc], b.Has(whatGoHeap), err, test.note)
		}
	}
}
