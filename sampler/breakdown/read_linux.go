package breakdown

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

const (
	// maxSlots bounds the descriptor table from which numbers are drawn.
	maxSlots = 1 << 28
	// drawsPerHit is how many numbers are drawn for each descriptor that is to be found, in a table that may be sparse.
	drawsPerHit = 32
	// checkEvery is how many small reads pass between two checks of the context.
	checkEvery = 64
)

// Read breaks down the open descriptors (OpenFDs), the threads (Threads) or the resident memory (RSSBytes) of a
// process; for another resource the error wraps errors.ErrUnsupported. It reads no more than limit descriptors or
// threads, and at fewer if ctx ends first. A descriptor takes some ten microseconds, the connections of a network
// namespace one or two microseconds each, a gigabyte of memory some milliseconds. It waits for no disk and no network.
// It is Linux only.
func Read(ctx context.Context, p Process, resource string, limit int) (*Breakdown, error) {
	b := newBreakdown(resource, time.Now().UTC())
	dir := p.ProcDir()
	var err error
	switch resource {
	case sampler.OpenFDs:
		err = b.readDescriptors(ctx, dir, limit)
	case sampler.Threads:
		err = b.readThreads(ctx, dir, limit)
	case sampler.RSSBytes:
		err = readMemory(ctx, b, p)
	default:
		err = errors.ErrUnsupported
	}
	if err == nil && b.Seen == 0 && b.Total > 0 {
		err = errors.Join(errors.New("none could be read"), ctx.Err())
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (run as the user of the process, or as root)", err)
	}
	if err == nil {
		err = p.Alive()
	}
	if err != nil {
		return nil, fmt.Errorf("breakdown of %s: %w", resource, err)
	}
	b.fold(maxGroups)
	return b, nil
}

// numbers lists a directory of numbered entries, without that of skip, in random order.
func numbers(ctx context.Context, f *os.File, skip int) ([]int, error) {
	var list []int
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if n, err := strconv.Atoi(name); err == nil && n != skip {
				list = append(list, n)
			}
		}
		switch {
		case err == io.EOF:
			rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return list, nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// readThreads reads name and state of threads.
func (b *Breakdown) readThreads(ctx context.Context, dir string, limit int) error {
	f, err := os.Open(filepath.Join(dir, "task"))
	if err != nil {
		return err
	}
	defer f.Close()
	ids, err := numbers(ctx, f, -1)
	if err != nil {
		return err
	}
	b.Total = len(ids)
	for i, id := range ids[:min(len(ids), limit)] {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(dir, "task", strconv.Itoa(id), "stat"))
		if err != nil {
			if live.IsGone(err) {
				b.Total-- // ended meanwhile
			}
			continue
		}
		if name, state, ok := parseThread(data); ok {
			b.add(1, threadLabels(name, state)...)
		}
	}
	return nil
}

// parseThread reads the beginning of a stat file: "id (name) S ...". The name may hold any character.
func parseThread(data []byte) (name string, state byte, ok bool) {
	from, to := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if from < 0 || to < from || len(data) < to+3 || data[to+1] != ' ' {
		return "", 0, false
	}
	return string(data[from+1 : to]), data[to+2], true
}

// threadStates are those of proc(5).
var threadStates = map[byte]string{
	'R': "running", 'S': "sleeping", 'D': "in uninterruptible sleep", 'T': "stopped", 't': "stopped by a tracer",
	'Z': "zombie", 'X': "dead", 'I': "idle",
}

// threadLabels groups names that differ in their numbers, as those of a pool do.
func threadLabels(name string, state byte) []string {
	word, ok := threadStates[state]
	if !ok {
		word = "state " + string(rune(state))
	}
	var pattern strings.Builder
	digits := false
	for _, r := range name {
		digit := '0' <= r && r <= '9'
		switch {
		case !digit:
			pattern.WriteRune(r)
		case !digits:
			pattern.WriteByte('*')
		}
		digits = digit
	}
	if pattern.String() == name {
		return []string{whatThread, name, word}
	}
	return []string{whatThread, pattern.String(), word, name}
}

// readDescriptors reads what descriptors are. Where they are more than limit, a random sample of them is read.
func (b *Breakdown) readDescriptors(ctx context.Context, dir string, limit int) error {
	f, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return err
	}
	defer f.Close()
	own := -1 // the number of f, where the process is this one
	if pid, err := os.Readlink(filepath.Join(filepath.Dir(dir), "self")); err == nil {
		if name := filepath.Base(dir); name == "self" || name == pid {
			own = int(f.Fd())
		}
	}
	sockets := make(map[uint64]socket)
	inspect := func(number int) bool {
		path := filepath.Join(dir, "fd", strconv.Itoa(number))
		link, err := os.Readlink(path)
		if err != nil {
			return false
		}
		if inode, ok := bracketed(link, "socket:["); ok {
			s := sockets[inode]
			sockets[inode] = socket{number, s.count + 1}
			return true
		}
		b.add(1, fileLabels(path, link)...)
		return true
	}

	var info unix.Stat_t
	total := 0
	if err := unix.Fstat(int(f.Fd()), &info); err == nil && info.Size > 0 {
		total = int(info.Size) // Linux 6.2 and later
		if own >= 0 {
			total--
		}
	}
	slots := 0
	if total > limit {
		slots = tableSize(dir)
	}
	if slots > 0 {
		b.Total = total
		b.draw(ctx, slots, own, limit, inspect)
	} else {
		list, err := numbers(ctx, f, own)
		if err != nil {
			return err
		}
		b.Total = len(list)
		for i, number := range list[:min(len(list), limit)] {
			if i%checkEvery == 0 && ctx.Err() != nil {
				break
			}
			if !inspect(number) {
				b.Total-- // closed meanwhile
			}
		}
	}
	b.addSockets(ctx, dir, sockets)
	return nil
}

// draw inspects descriptors of random numbers, each at most once, until limit were found.
func (b *Breakdown) draw(ctx context.Context, slots, own, limit int, inspect func(int) bool) {
	drawn := make([]uint64, (slots+63)/64)
	for i, found := 0, 0; found < limit && i < drawsPerHit*limit; i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return
		}
		n := rand.IntN(slots)
		if bit := uint64(1) << (n % 64); drawn[n/64]&bit == 0 && n != own {
			drawn[n/64] |= bit
			if inspect(n) {
				found++
			}
		}
	}
}

// tableSize returns how many numbers of descriptors a process may have given out, 0 if that is not known.
func tableSize(dir string) int {
	data, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(data, []byte("\nFDSize:"))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil || n < 0 || n > maxSlots {
		return 0
	}
	return n
}

// bracketed returns the number in a link like "socket:[4711]".
func bracketed(link, before string) (uint64, bool) {
	rest, ok := strings.CutPrefix(link, before)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return n, err == nil
}

const deleted = " (deleted)"

// fileLabels returns what a descriptor is that is not a socket, from its link and from what the kernel knows without
// asking a disk.
func fileLabels(path, link string) []string {
	if kind, rest, ok := strings.Cut(link, ":"); ok && !strings.Contains(kind, "/") {
		switch kind {
		case "anon_inode":
			return []string{strings.Trim(rest, "[]")} // [eventfd], inotify, ...
		case "pipe", "pidfd":
			return []string{kind}
		}
		return []string{"namespace", kind}
	}
	if name, ok := strings.CutPrefix(link, "/memfd:"); ok {
		return []string{"memfd", strings.TrimSuffix(name, deleted)}
	}
	var info unix.Statx_t
	const flags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_TYPE|unix.STATX_NLINK, &info); err != nil {
		info.Mode, info.Nlink = 0, 1
		if strings.HasSuffix(link, deleted) {
			info.Nlink = 0
		}
	}
	what := whatFile
	switch info.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		what = "directory"
	case unix.S_IFIFO:
		what = "fifo"
	case unix.S_IFCHR, unix.S_IFBLK:
		what = "device"
	}
	if info.Nlink == 0 {
		what, link = "deleted "+what, strings.TrimSuffix(link, deleted)
	}
	if link == "/" {
		return []string{what, "/."} // which is no directory of the parts, but one itself
	}
	return pathLabels(what, link)
}

// socket is what is known of a socket before its inode was found in a table.
type socket struct{ descriptor, count int }

// tables are the files of /proc/PID/net that list sockets, the most likely first.
var tables = []struct {
	name  string
	parse func(line string, listening map[uint16]bool) (inode uint64, labels []string, ok bool)
}{
	{"tcp", parseInet(whatTCP)}, {"tcp6", parseInet(whatTCP)}, {"unix", parseUnixSocket}, {"udp", parseInet(whatUDP)},
	{"udp6", parseInet(whatUDP)},
	{"netlink", parseLast("netlink", 9)}, {"packet", parseLast("packet", 8)},
	{"raw", parseInet("raw")}, {"raw6", parseInet("raw")}, {"icmp", parseInet("icmp")}, {"icmp6", parseInet("icmp")},
}

// addSockets counts sockets by their entries in the tables of the process' network namespace.
func (b *Breakdown) addSockets(ctx context.Context, dir string, sockets map[uint64]socket) {
	listening := make(map[uint16]bool)
	complete := true
	for _, table := range tables {
		if len(sockets) == 0 {
			return
		}
		err := eachLine(ctx, filepath.Join(dir, "net", table.name), func(line string) bool {
			inode, labels, ok := table.parse(line, listening)
			if s, wanted := sockets[inode]; ok && wanted {
				b.add(s.count, labels...)
				delete(sockets, inode)
			}
			return len(sockets) > 0
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			complete = false
		}
	}
	state := "not looked up"
	if complete {
		state = "not connected" // never, or no longer
	}
	name := make([]byte, 64)
	for _, s := range sockets {
		what := "socket"
		path := filepath.Join(dir, "fd", strconv.Itoa(s.descriptor))
		if n, err := unix.Getxattr(path, "system.sockprotoname", name); err == nil && n > 0 {
			what = strings.ToLower(strings.TrimSuffix(strings.TrimRight(string(name[:n]), "\x00"), "v6"))
		}
		if complete && what != whatTCP && what != whatUDP {
			b.add(s.count, what) // a table names only those that are bound
			continue
		}
		b.add(s.count, what, state)
	}
}

// eachLine passes the lines after the first to f, until it returns false or ctx ends.
func eachLine(ctx context.Context, path string, f func(line string) bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 0; lines.Scan(); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if n > 0 && !f(lines.Text()) {
			return nil
		}
	}
	return lines.Err()
}

// inetStates are those of the kernel's tcp_states.h, from 1.
var inetStates = [...]string{
	"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
	"LISTEN", "CLOSING", "NEW_SYN_RECV",
}

const stateListen = 10

// firstEphemeral is the first port that the kernel assigns by itself, unless it is configured otherwise.
const firstEphemeral = 32768

// parseInet returns the parser of a line of tcp, udp, raw or icmp: number, local and remote address, state, two fields,
// and after three more the inode. listening collects the ports on which connections are accepted, which come first in a
// table.
func parseInet(what string) func(string, map[uint16]bool) (uint64, []string, bool) {
	return func(line string, listening map[uint16]bool) (uint64, []string, bool) {
		fields := strings.Fields(line)
		if len(fields) < 10 {
			return 0, nil, false
		}
		local, ok1 := parseEndpoint(fields[1])
		remote, ok2 := parseEndpoint(fields[2])
		state, err1 := strconv.ParseUint(fields[3], 16, 8)
		inode, err2 := strconv.ParseUint(fields[9], 10, 64)
		if !ok1 || !ok2 || err1 != nil || err2 != nil {
			return 0, nil, false
		}
		word := "state " + strconv.FormatUint(state, 10)
		if state < uint64(len(inetStates)) {
			word = inetStates[state]
		}
		switch {
		case what == "raw" || what == "icmp":
			return inode, []string{what}, true
		case what == whatTCP && state == stateListen:
			listening[local.Port()] = true
			return inode, []string{what, word, onPort + strconv.Itoa(int(local.Port()))}, true
		case remote.Port() == 0 && what == whatUDP:
			return inode, []string{what, "unconnected", onPort + strconv.Itoa(int(local.Port()))}, true
		case remote.Port() == 0:
			return inode, []string{what, word}, true
		}
		if what == whatUDP {
			word = "connected"
		}
		incoming := what == whatTCP && (listening[local.Port()] || local.Port() < firstEphemeral &&
			remote.Port() >= firstEphemeral && !listening[remote.Port()])
		port := toPort + strconv.Itoa(int(remote.Port()))
		if incoming {
			port = onPort + strconv.Itoa(int(local.Port()))
		}
		return inode, []string{what, word, port, remote.Addr().String()}, true
	}
}

// parseEndpoint reads an address as in "0100007F:1F90": 32-bit words in the order of the host's bytes.
func parseEndpoint(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err1 := hex.DecodeString(address)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), true
}

// parseUnixSocket reads a line of unix: address, references, protocol, flags, type, state, inode, path.
func parseUnixSocket(line string, _ map[uint16]bool) (uint64, []string, bool) {
	fields := strings.Fields(line)
	if len(fields) < 7 {
		return 0, nil, false
	}
	inode, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil {
		return 0, nil, false
	}
	state := "unconnected "
	const accepts = 1 << 16
	if flags, err := strconv.ParseUint(fields[3], 16, 32); err == nil && flags&accepts != 0 {
		state = "LISTEN "
	} else if fields[5] == "03" {
		state = "connected "
	}
	path := "without a name"
	if len(fields) > 7 {
		path = "at " + strings.Join(fields[7:], " ")
	}
	return inode, []string{"unix", state, path}, true
}

// parseLast returns the parser of a table that has only the inode, in the field of that index.
func parseLast(what string, index int) func(string, map[uint16]bool) (uint64, []string, bool) {
	return func(line string, _ map[uint16]bool) (uint64, []string, bool) {
		fields := strings.Fields(line)
		if len(fields) <= index {
			return 0, nil, false
		}
		inode, err := strconv.ParseUint(fields[index], 10, 64)
		return inode, []string{what}, err == nil
	}
}
