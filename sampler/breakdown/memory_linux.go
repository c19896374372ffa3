package breakdown

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// More labels of resident memory.
const (
	whatMalloc  = "malloc"
	whatMapped  = "mapped file"
	whatShared  = "shared memory"
	whatThreads = "thread stacks"

	partLive  = "live"
	partNewer = "allocated since the last collection, live or garbage"
	// partUnused is also what the collector has found to be garbage and not swept yet, which takes it a moment.
	partUnused = "fragmentation"
	// partRest is both, where a runtime does not separate them.
	partRest  = "allocated since the last collection, or fragmentation"
	partFreed = "freed, not returned to the system"
)

const (
	kib = 1024
	// arenaFrom and arenaTo are between which addresses the Go runtime has its heap on 64-bit systems, unless something
	// else is there, or it is of Go 1.26 or later, which begins at any address. The heap begins at the first of them:
	// where nothing does, what lies between is another's, as of V8, which maps memory at random.
	arenaFrom, arenaTo = 0xc000000000, 0x10000000000
	// maxNamed is how many libraries are named that may have called malloc.
	maxNamed = 3
	// maxFiles is how many mapped files are listed separately.
	maxFiles = 1 << 12
)

// mappedMemory is the resident memory of a process by what is mapped, in bytes.
type mappedMemory struct {
	goHeap, malloc, anonymous, threads float64
	named                              []namedMemory      // files, and what is shared
	unnamed                            map[string]float64 // of these what is beyond maxFiles
	// of C that may have called malloc, up to one more than are named
	libraries []string
	// of the heap of Go; where there are none it is where it usually is
	arenas [][2]uint64
	begins bool // something does at arenaFrom
}

type namedMemory struct {
	what, name string
	bytes      float64
}

// readMemory breaks down the resident memory of a process: by what is mapped, and where it is this process or its
// runtime can be read by what that knows of it.
func readMemory(ctx context.Context, b *Breakdown, p Process) error {
	dir := p.ProcDir()
	smaps, err := os.Open(filepath.Join(dir, "smaps"))
	if err != nil {
		return err
	}
	defer smaps.Close()
	base := filepath.Base(dir)
	own := base == "self" || base == strconv.Itoa(os.Getpid())
	var known GoMemory
	if own {
		known, b.split = readRuntime(), true
	} else if g, ok := p.(goProcess); ok {
		known, b.split = g.GoMemory()
	}
	m := mappedMemory{arenas: known.Arenas}
	if err := m.parse(ctx, smaps); err != nil {
		return err
	}
	b.unit = kib
	if b.split {
		addRuntime(b, &m, known)
	} else {
		addBytes(b, m.goHeap, whatGoHeap)
	}
	addBytes(b, m.malloc, whatMalloc)
	// Programs that are not of Go call malloc themselves.
	if (b.split || m.goHeap > 0) && len(m.libraries) > 0 && len(m.libraries) <= maxNamed {
		b.note(strings.Join(m.libraries, " or "), whatMalloc)
	}
	addBytes(b, m.anonymous, whatAnonymous)
	addBytes(b, m.threads, whatThreads)
	for _, n := range m.named {
		addBytes(b, n.bytes, pathLabels(n.what, n.name)...)
	}
	for what, bytes := range m.unnamed {
		addBytes(b, bytes, what)
	}
	b.Total = b.Seen
	return nil
}

// addBytes counts memory.
func addBytes(b *Breakdown, bytes float64, labels ...string) {
	if n := int(bytes / kib); n > 0 {
		b.add(n, labels...)
	}
}

// addRuntime splits the resident memory of the heap by what the runtime knows, and takes what else is the runtime's out
// of what is anonymous. What the runtime has and never touched is not resident.
func addRuntime(b *Breakdown, m *mappedMemory, r GoMemory) {
	left := m.goHeap
	elsewhere := left == 0
	if elsewhere { // where is not known
		left, m.anonymous = m.anonymous, 0
	}
	add := func(bytes float64, labels ...string) {
		bytes = min(max(bytes, 0), left)
		left -= bytes
		addBytes(b, bytes, labels...)
	}
	add(r.Live, whatGoHeap, partLive)
	if r.Objects > 0 {
		add(r.Objects-r.Live, whatGoHeap, partNewer)
		add(r.InUse-r.Objects, whatGoHeap, partUnused)
	} else {
		add(r.InUse-r.Live, whatGoHeap, partRest)
	}
	add(r.Stacks, whatStacks)
	add(r.Free, whatGoHeap, partFreed)
	b.note(r.policy(), whatGoHeap, partFreed)
	if elsewhere {
		m.anonymous, left = left, 0
	}
	own := min(max(r.Own-left, 0), m.anonymous)
	m.anonymous -= own
	addBytes(b, left+own, whatRuntime) // some of it is in the arenas
}

// parse reads the smaps of a process, which may have hundreds of thousands of mappings.
func (m *mappedMemory) parse(ctx context.Context, smaps io.Reader) error {
	var head mapping
	lines := bufio.NewScanner(smaps)
	for n := 1; lines.Scan(); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := lines.Bytes()
		name, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok || bytes.IndexByte(name, ' ') >= 0 {
			if next, ok := parseMapping(string(line)); ok {
				head = next
				m.begins = m.begins || head.from == arenaFrom
				m.library(&head)
			}
			continue
		}
		if string(name) != "Rss" {
			continue
		}
		if fields := bytes.Fields(rest); len(fields) > 0 {
			if n, err := strconv.ParseFloat(string(fields[0]), 64); err == nil && n > 0 {
				m.count(&head, n*kib)
			}
		}
	}
	return lines.Err()
}

// mapping is the first line of an entry of smaps.
type mapping struct {
	from uint64
	code bool
	name string
}

func parseMapping(line string) (m mapping, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return m, false
	}
	from, _, ok := strings.Cut(fields[0], "-")
	if !ok {
		return m, false
	}
	at, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return m, false
	}
	m.from, m.code = at, strings.Contains(fields[1], "x")
	if len(fields) > 5 {
		m.name = strings.TrimSuffix(strings.Join(fields[5:], " "), " (deleted)")
	}
	return m, true
}

// count adds the resident memory of a mapping.
func (m *mappedMemory) count(head *mapping, bytes float64) {
	name := head.name
	switch {
	case m.isHeap(head):
		m.goHeap += bytes
	case name == "[heap]":
		m.malloc += bytes
	case strings.HasPrefix(name, "[stack"):
		m.threads += bytes
	case strings.HasPrefix(name, "/dev/shm/"), strings.HasPrefix(name, "/memfd:"), strings.HasPrefix(name, "/SYSV"),
		strings.HasPrefix(name, "[anon_shmem"):
		m.add(whatShared, name, bytes)
	case strings.HasPrefix(name, "/"):
		m.add(whatMapped, name, bytes)
	default:
		m.anonymous += bytes
	}
}

// isHeap reports whether a mapping is of the heap of Go.
func (m *mappedMemory) isHeap(head *mapping) bool {
	if head.name != "" && !strings.HasPrefix(head.name, "[anon: Go") {
		return false
	}
	if len(m.arenas) == 0 {
		// mappings come in the order of their addresses
		return m.begins && head.from >= arenaFrom && head.from < arenaTo
	}
	return slices.ContainsFunc(m.arenas, func(a [2]uint64) bool { return head.from >= a[0] && head.from < a[1] })
}

func (m *mappedMemory) add(what, name string, bytes float64) {
	if n := len(m.named); n > 0 && m.named[n-1].what == what && m.named[n-1].name == name { // they lie side by side
		m.named[n-1].bytes += bytes
		return
	}
	if len(m.named) >= maxFiles {
		if m.unnamed == nil {
			m.unnamed = make(map[string]float64)
		}
		m.unnamed[what] += bytes
		return
	}
	m.named = append(m.named, namedMemory{what, name, bytes})
}

// system are the libraries of C that come with every program.
var system = []string{
	"ld-", "libc.", "libc-", "libm.", "libm-", "libmvec", "libpthread", "libdl", "librt.", "librt-", "libresolv",
	"libnss_", "libgcc_s", "libstdc++",
	"libanl", "libutil", "libc++",
}

// library notes the code of a library that may call malloc, as long as they are few enough to be named.
func (m *mappedMemory) library(head *mapping) {
	name := printable(filepath.Base(head.name))
	if len(m.libraries) > maxNamed || !head.code || !strings.HasPrefix(head.name, "/") ||
		!strings.Contains(name, ".so") || slices.Contains(m.libraries, name) ||
		slices.ContainsFunc(system, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return
	}
	m.libraries = append(m.libraries, name)
}
