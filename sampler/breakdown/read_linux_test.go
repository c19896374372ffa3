package breakdown

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
	"github.com/mdzesseis/leaktrend/sampler/process"
	"github.com/mdzesseis/leaktrend/sampler/self"
)

func examined(t testing.TB, pid int) Process {
	t.Helper()
	p, err := process.New(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// holder opens descriptors and keeps them until the test ends.
type holder struct {
	t    testing.TB
	many int
}

// hold calls open for each descriptor that is to be kept.
func (h holder) hold(open func(i int) (int, error)) {
	h.t.Helper()
	for i := range h.many {
		fd, err := open(i)
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { _ = unix.Close(fd) })
	}
}

func (h holder) listen(network, address string) net.Listener {
	h.t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	return l
}

// dial keeps connections to a listener. It returns the other ends.
func (h holder) dial(l net.Listener) []net.Conn {
	h.t.Helper()
	var accepted []net.Conn
	for range h.many {
		client, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			h.t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { _, _ = client.Close(), server.Close() })
		accepted = append(accepted, server)
	}
	return accepted
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// Each kind of descriptor that a process can leak is named, the same from inside and from outside.
func TestBreakdownKinds(t *testing.T) {
	const n = 20
	for _, test := range []struct {
		name string
		leak func(t *testing.T, h holder) []Part // returns what is to be found
	}{
		{"tcp of both ends, closed by the server", func(t *testing.T, h holder) []Part {
			l := h.listen("tcp4", "127.0.0.1:0")
			for _, server := range h.dial(l) {
				_ = server.Close()
			}
			return []Part{{"tcp", "CLOSE_WAIT to 127.0.0.1:" + portOf(l), n, n, float64(n) / (n + 1)}}
		}},
		{"tcp6, both ends", func(t *testing.T, h holder) []Part {
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			h.dial(l)
			return []Part{
				{"tcp", "ESTABLISHED on port " + portOf(l) + " from ::1", n, n, float64(n) / (2*n + 1)},
				{"tcp", "ESTABLISHED to [::1]:" + portOf(l), n, n, float64(n) / (2*n + 1)},
			}
		}},
		{"tcp that the other end has reset", func(t *testing.T, h holder) []Part {
			l := h.listen("tcp4", "127.0.0.1:0")
			for _, server := range h.dial(l) {
				_ = server.(*net.TCPConn).SetLinger(0)
				_ = server.Close()
			}
			return []Part{{"tcp", "not connected", n, n, float64(n) / (n + 1)}}
		}},
		{"listening", func(t *testing.T, h holder) []Part {
			for range n {
				h.listen("tcp4", "127.0.0.1:0")
			}
			return []Part{{"tcp", "LISTEN", n, n, 1}}
		}},
		{"udp, connected", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return 0, err
				}
				return fd, unix.Connect(fd, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}})
			})
			return []Part{{"udp", "connected to 127.0.0.1:53", n, n, 1}}
		}},
		{"unix, by path", func(t *testing.T, h holder) []Part {
			path := filepath.Join(t.TempDir(), "s")
			h.dial(h.listen("unix", path))
			return []Part{
				{"unix", "connected at " + path, n, n, float64(n) / (2*n + 1)},
				{"unix", "connected without a name", n, n, float64(n) / (2*n + 1)},
			}
		}},
		{"netlink", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) })
			return []Part{{"netlink", "", n, n, 1}}
		}},
		{"one file", func(t *testing.T, h holder) []Part {
			path := filepath.Join(t.TempDir(), "a")
			h.hold(func(int) (int, error) { return unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600) })
			return []Part{{"file", path, n, n, 1}}
		}},
		{"files of a directory", func(t *testing.T, h holder) []Part {
			dir := t.TempDir()
			h.hold(func(i int) (int, error) {
				return unix.Open(filepath.Join(dir, strconv.Itoa(i)), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
			})
			return []Part{{"file", "in " + dir, n, n, 1}}
		}},
		{"deleted files", func(t *testing.T, h holder) []Part {
			dir := t.TempDir()
			h.hold(func(i int) (int, error) {
				path := filepath.Join(dir, strconv.Itoa(i))
				fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
				return fd, errors.Join(err, os.Remove(path))
			})
			return []Part{{"deleted file", "in " + dir, n, n, 1}}
		}},
		{"directories", func(t *testing.T, h holder) []Part {
			dir := t.TempDir()
			h.hold(func(int) (int, error) { return unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
			return []Part{{"directory", dir, n, n, 1}}
		}},
		{"pipes", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) {
				var p [2]int
				err := unix.Pipe2(p[:], unix.O_CLOEXEC)
				t.Cleanup(func() { _ = unix.Close(p[1]) })
				return p[0], err
			})
			return []Part{{"pipe", "", 2 * n, 2 * n, 1}}
		}},
		{"fifos by path", func(t *testing.T, h holder) []Part {
			path := filepath.Join(t.TempDir(), "f")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			h.hold(func(int) (int, error) { return unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0) })
			return []Part{{"fifo", path, n, n, 1}}
		}},
		{"eventfd", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.Eventfd(0, unix.EFD_CLOEXEC) })
			return []Part{{"eventfd", "", n, n, 1}}
		}},
		{"eventpoll", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.EpollCreate1(unix.EPOLL_CLOEXEC) })
			return []Part{{"eventpoll", "", n, n, 1}}
		}},
		{"timerfd", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC) })
			return []Part{{"timerfd", "", n, n, 1}}
		}},
		{"inotify", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.InotifyInit1(unix.IN_CLOEXEC) })
			return []Part{{"inotify", "", n, n, 1}}
		}},
		{"memfd", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.MemfdCreate("buffer", unix.MFD_CLOEXEC) })
			return []Part{{"memfd", "buffer", n, n, 1}}
		}},
		{"devices", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) })
			return []Part{{"device", "/dev/null", n, n, 1}}
		}},
		{"pidfd", func(t *testing.T, h holder) []Part {
			h.hold(func(int) (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })
			return []Part{{"pidfd", "", n, n, 1}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			self, err := self.New()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = self.Close() })
			process := examined(t, os.Getpid())
			sources := map[string]Process{"from inside": self, "from outside": process}
			before := map[string]*Breakdown{}
			for name, s := range sources {
				if before[name], err = Read(t.Context(), s, sampler.OpenFDs, 10000); err != nil {
					t.Fatal(err)
				}
			}
			want := test.leak(t, holder{t, n})
			for name, s := range sources {
				now, err := Read(t.Context(), s, sampler.OpenFDs, 10000)
				if err != nil {
					t.Fatal(err)
				}
				if now.Seen != now.Total {
					t.Errorf("%s: looked at %d of %d", name, now.Seen, now.Total)
				}
				// Counts may hold what the test program had open before.
				same := cmpopts.IgnoreFields(Part{}, "Count")
				if diff := cmp.Diff(want, now.Parts(before[name]), same); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// The number is that of the process, without the descriptor by which it is read.
func TestBreakdownTotal(t *testing.T) {
	c := testchild.Start(t)
	p := examined(t, c.PID)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(t.Context(), p, sampler.OpenFDs, 10000)
	if err != nil {
		t.Fatal(err)
	}
	if b.Total != len(entries) || b.Seen != len(entries) {
		t.Errorf("looked at %d of %d, want %d", b.Seen, b.Total, len(entries))
	}
}

// Of more descriptors than are to be looked at, a random draw tells the shares.
func TestBreakdownDraw(t *testing.T) {
	h := holder{t, 600}
	h.hold(func(i int) (int, error) {
		if i%3 == 0 {
			return unix.Eventfd(0, unix.EFD_CLOEXEC)
		}
		return unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	})
	b, err := Read(t.Context(), examined(t, os.Getpid()), sampler.OpenFDs, 300)
	if err != nil {
		t.Fatal(err)
	}
	if b.Seen > 300 || b.Seen < 200 || b.Total < 600 {
		t.Errorf("looked at %d of %d", b.Seen, b.Total)
	}
	parts := b.Parts(nil)
	if len(parts) < 2 || parts[0].What != "timerfd" || parts[1].What != "eventfd" {
		t.Fatalf("parts %+v", parts)
	}
	if n := parts[0].Count; n < 300 || n > 500 {
		t.Errorf("%.0f timerfd, there are 400", n)
	}
}

func TestBreakdownEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, resource := range []string{sampler.OpenFDs, sampler.Threads} {
		_, err := Read(ctx, examined(t, os.Getpid()), resource, 1000)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", resource, err)
		}
	}
}

func TestBreakdownErrors(t *testing.T) {
	p := examined(t, os.Getpid())
	if _, err := Read(t.Context(), p, sampler.HeapLiveBytes, 1000); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("heap: error %v", err)
	}
	cmd := testchild.Sleep(t)
	gone := examined(t, cmd.Process.Pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := Read(t.Context(), gone, sampler.OpenFDs, 1000); err == nil {
		t.Error("a process that has ended has a breakdown")
	}
}

func TestBreakdownThreads(t *testing.T) {
	cmd := testchild.Sleep(t)
	b, err := Read(t.Context(), examined(t, cmd.Process.Pid), sampler.Threads, 1000)
	if err != nil {
		t.Fatal(err)
	}
	want := []Part{{"thread", "sleep, sleeping", 1, 0, 1}}
	if diff := cmp.Diff(want, b.Parts(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseThread(t *testing.T) {
	type result struct {
		Name  string
		State byte
		OK    bool
	}
	for line, want := range map[string]result{
		"17 (worker-3) S 1 2 3":  {"worker-3", 'S', true},
		"17 (a) R) (b) D 1 2":    {"a) R) (b", 'D', true},
		"17 () Z":                {"", 'Z', true},
		"17 (cut":                {},
		"17 (cut)":               {},
		"":                       {},
		") (":                    {},
		"17 (no space)S 1 2 3 4": {},
	} {
		var got result
		got.Name, got.State, got.OK = parseThread([]byte(line))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func TestThreadLabels(t *testing.T) {
	for _, test := range []struct {
		name  string
		state byte
		want  string
	}{
		{"redis-server", 'S', "thread,redis-server,sleeping"},
		{"pool-12-thread-", 'R', "thread,pool-*-thread-,running,pool-12-thread-"},
		{"7", 'D', "thread,*,in uninterruptible sleep,7"},
		{"x", 'Q', "thread,x,state Q"},
	} {
		if got := strings.Join(threadLabels(test.name, test.state), ","); got != test.want {
			t.Errorf("%s %c: %s, want %s", test.name, test.state, got, test.want)
		}
	}
}

// Lines of a machine in the kernel's form.
func TestSocketTables(t *testing.T) {
	listening := map[uint16]bool{}
	for _, test := range []struct{ table, line, want string }{
		{"tcp", "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 642 1 0 " +
			"100 0 0 10 0", "642 tcp,LISTEN,on port 8080"},
		{"tcp", "   1: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 643 1 0",
			"643 tcp,ESTABLISHED,on port 8080,127.0.0.2"},
		{"tcp", "   2: 0100007F:C350 0500000A:1538 08 00000000:00000000 00:00000000 00000000     0        0 644 1 0",
			"644 tcp,CLOSE_WAIT,to port 5432,10.0.0.5"},
		{"tcp", "   3: 0100007F:0050 0500000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 645 1 0",
			"645 tcp,ESTABLISHED,on port 80,10.0.0.5"},
		{"tcp6", "   4: 0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000500000A:1538 01 0:0 0:0 0     " +
			"0        0 646 1 0", "646 tcp,ESTABLISHED,to port 5432,10.0.0.5"},
		{"tcp6", "   5: 00000000000000000000000001000000:C350 B80D0120000000000000000001000000:01BB 02 0:0 0:0 0     " +
			"0        0 647 1 0", "647 tcp,SYN_SENT,to port 443,2001:db8::1"},
		{"tcp", "   6: 0100007F:C350 0500000A:1538 7F 0:0 0:0 0     0        0 648 1 0",
			"648 tcp,state 127,to port 5432,10.0.0.5"},
		{"tcp", "   7: 0100007F:C350 0500000A 01 0:0 0:0 0     0        0 648 1 0", "bad"},
		{"tcp", "   8: 0100007F:C350 0500000A:1538 zz 0:0 0:0 0     0        0 648 1 0", "bad"},
		{"tcp", "   9: 01007F:C350 0500000A:1538 01 0:0 0:0 0     0        0 648 1 0", "bad"},
		{"tcp", "short", "bad"},
		{"udp", "  10: 0100007F:0035 00000000:0000 07 0:0 0:0 0     0        0 700 2 0 0",
			"700 udp,unconnected,on port 53"},
		{"udp", "  11: 0100007F:C350 08080808:0035 01 0:0 0:0 0     0        0 701 2 0 0",
			"701 udp,connected,to port 53,8.8.8.8"},
		{"raw", "  12: 00000000:0001 00000000:0000 07 0:0 0:0 0     0        0 702 2 0 0", "702 raw"},
		{"unix", "0000000000000000: 00000002 00000000 00010000 0001 01 800 /run/a b.sock",
			"800 unix,LISTEN ,at /run/a b.sock"},
		{"unix", "0000000000000000: 00000003 00000000 00000000 0001 03 801 @abstract",
			"801 unix,connected ,at @abstract"},
		{"unix", "0000000000000000: 00000003 00000000 00000000 0002 01 802", "802 unix,unconnected ,without a name"},
		{"unix", "0000000000000000: 00000003 00000000 00000000 0002 01 x", "bad"},
		{"netlink", "000000004a56508e 0   0          00000000 0        0        0     2        0        4       ",
			"4 netlink"},
		{"packet", "0000000000000000 3      3    0003   2     1 0      0      900", "900 packet"},
		{"packet", "0000000000000000 3      3    0003   2     1 0      0", "bad"},
	} {
		got := "no such table"
		for _, table := range tables {
			if table.name == test.table {
				inode, labels, ok := table.parse(test.line, listening)
				got = fmt.Sprintf("%d %s", inode, strings.Join(labels, ","))
				if !ok {
					got = "bad"
				}
			}
		}
		if got != test.want {
			t.Errorf("%s %q: %q, want %q", test.table, test.line, got, test.want)
		}
	}
}

func FuzzSocketTables(f *testing.F) {
	f.Add("   2: 0100007F:C350 0500000A:1538 08 00000000:00000000 00:00000000 00000000     0        0 644 1 0")
	f.Add("   5: 00000000000000000000000001000000:C350 B80D0120000000000000000001000000:01BB 02 0:0 0:0 0     0      " +
		"  0 647 1 0")
	f.Add("0000000000000000: 00000003 00000000 00000000 0001 03 801 @abstract")
	f.Fuzz(func(t *testing.T, line string) {
		for _, table := range tables {
			_, labels, ok := table.parse(line, map[uint16]bool{})
			if !ok {
				continue
			}
			b := newBreakdown(sampler.OpenFDs, time.Unix(0, 0).UTC())
			b.add(1, labels...)
			b.Total = 1
			if parts := b.Parts(nil); len(parts) != 1 || parts[0].Count != 1 {
				t.Errorf("%s %q: parts %+v", table.name, line, parts)
			}
		}
	})
}

func FuzzParseThread(f *testing.F) {
	f.Add([]byte("17 (worker-3) S 1 2 3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if name, state, ok := parseThread(data); ok {
			b := newBreakdown(sampler.Threads, time.Unix(0, 0).UTC())
			b.add(1, threadLabels(name, state)...)
			b.Total = 1
			if parts := b.Parts(nil); len(parts) != 1 {
				t.Errorf("%q: parts %+v", data, parts)
			}
		}
	})
}

// What a breakdown costs with few descriptors and with many, files and connections, beside a listing alone.
func BenchmarkBreakdown(b *testing.B) {
	for _, many := range []int{100, 5000} {
		b.Run(strconv.Itoa(many), func(b *testing.B) {
			h := holder{b, many / 2}
			h.hold(func(int) (int, error) { return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) })
			h.hold(func(int) (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) })
			p := examined(b, os.Getpid())
			b.Run("all", func(b *testing.B) {
				for b.Loop() {
					if _, err := Read(b.Context(), p, sampler.OpenFDs, 10000); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("draw of 1000", func(b *testing.B) {
				for b.Loop() {
					if _, err := Read(b.Context(), p, sampler.OpenFDs, 1000); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("listing alone", func(b *testing.B) {
				for b.Loop() {
					if _, err := os.ReadDir("/proc/self/fd"); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
