package profile

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var bare = cmpopts.IgnoreUnexported(Site{})

// stackOf makes a stack of "FUNCTION FILE:LINE" entries.
func stackOf(t *testing.T, lines ...string) (stack []Frame) {
	t.Helper()
	for i, line := range lines {
		space := strings.LastIndexByte(line, ' ')
		if space < 0 {
			t.Fatalf("no file in %q", line)
		}
		stack = append(stack, Frame{line[:space], line[space+1:], 10 * (i + 1)})
	}
	return stack
}

func TestSiteOf(t *testing.T) {
	for _, test := range []struct {
		name  string
		kind  Kind
		stack []string
		want  Site
	}{
		{"blocked send", Goroutine, []string{
			"runtime.gopark /go/src/runtime/proc.go", "runtime.chansend /go/src/runtime/chan.go",
			"runtime.chansend1 /go/src/runtime/chan.go",
			"example.com/shop/conn.(*Conn).write /home/a/shop/conn/conn.go",
			"runtime.goexit /go/src/runtime/asm_amd64.s",
		}, Site{
			Frame:       Frame{"example.com/shop/conn.(*Conn).write", "/home/a/shop/conn/conn.go", 40},
			Application: true, Callee: "runtime.chansend1", Entry: "example.com/shop/conn.(*Conn).write",
			WaitReason: "chan send",
		}},
		{"module without a dot, paths trimmed", Goroutine, []string{
			"runtime.gopark runtime/proc.go", "internal/poll.runtime_pollWait runtime/netpoll.go",
			"internal/poll.(*FD).Read internal/poll/fd_unix.go",
			"net.(*conn).Read net/net.go", "ssw-logs-capture/pkg/syslog.(*Server).serve " +
				"ssw-logs-capture/pkg/syslog/server.go", "runtime.goexit runtime/asm.s",
		}, Site{
			Frame: Frame{"ssw-logs-capture/pkg/syslog.(*Server).serve", "ssw-logs-capture/pkg/syslog/server.go",
				50},
			Application: true, Callee: "net.(*conn).Read", Entry: "ssw-logs-capture/pkg/syslog.(*Server).serve",
			WaitReason: "IO wait",
		}},
		// A library that waits on behalf of the application.
		{"application under a dependency", Goroutine, []string{
			"runtime.selectgo /go/src/runtime/select.go",
			"github.com/x/redis.(*Pool).Get /home/a/go/pkg/mod/github.com/x/redis@v1.2.3/pool.go",
			"main.lookup /home/a/shop/main.go", "main.main.func1 /home/a/shop/main.go",
		}, Site{
			Frame:       Frame{"main.lookup", "/home/a/shop/main.go", 30},
			Application: true, Callee: "github.com/x/redis.(*Pool).Get", Entry: "main.main.func1", WaitReason: "select",
		}},
		{"dependency alone, vendored", Goroutine, []string{
			"time.Sleep /go/src/runtime/time.go", "github.com/x/redis.(*Pool).reap /home/a/shop/vendor/github.com/x/" +
				"redis/pool.go", "runtime.goexit /go/src/runtime/asm.s",
		}, Site{
			Frame:  Frame{"github.com/x/redis.(*Pool).reap", "/home/a/shop/vendor/github.com/x/redis/pool.go", 20},
			Callee: "time.Sleep", Entry: "github.com/x/redis.(*Pool).reap", WaitReason: "sleep",
		}},
		{"memory of the runtime itself", Heap, []string{
			"runtime.mallocgc /go/src/runtime/malloc.go", "runtime.newobject /go/src/runtime/malloc.go",
			"runtime.malg /go/src/runtime/proc.go",
			"runtime.newproc1 /go/src/runtime/proc.go",
		}, Site{Frame: Frame{"runtime.malg", "/go/src/runtime/proc.go", 30}, Callee: "runtime.newobject"}},
		{"standard library alone", Goroutine, []string{
			"runtime.gopark /go/src/runtime/proc.go", "runtime.selectgo /go/src/runtime/select.go",
			"net/http.(*persistConn).readLoop /go/src/net/http/transport.go", "runtime.goexit /go/src/runtime/asm.s",
		}, Site{
			Frame:  Frame{"net/http.(*persistConn).readLoop", "/go/src/net/http/transport.go", 30},
			Callee: "runtime.selectgo", Entry: "net/http.(*persistConn).readLoop", WaitReason: "select",
		}},
		// What a callback of the application waits for is not what the library below would wait for.
		{"runs", Goroutine, []string{"main.spin /a/main.go", "sync.(*Once).doSlow /go/src/sync/once.go",
			"main.main /a/main.go", "runtime.main /go/src/runtime/proc.go", "runtime.goexit /x.s"},
			Site{Frame: Frame{"main.spin", "/a/main.go", 10}, Application: true, Entry: "main.main"}},
		{"generic", GoroutineLeak, []string{"runtime.chanrecv1 /r.go", "a.org/p%2ev3.Wait[go.shape.struct { b/c.X }] " +
			"/home/p/wait.go"}, Site{
			Frame:       Frame{"a.org/p%2ev3.Wait[go.shape.struct { b/c.X }]", "/home/p/wait.go", 20},
			Application: true, Callee: "runtime.chanrecv1", Entry: "a.org/p%2ev3.Wait[go.shape.struct { b/c.X }]",
			WaitReason: "chan receive",
		}},
		{"memory", Heap, []string{"runtime.growslice /r.go", "main.(*T).add /a/t.go", "main.main /a/main.go"},
			Site{Frame: Frame{"main.(*T).add", "/a/t.go", 20}, Application: true, Callee: "runtime.growslice"}},
		{"open file", Heap, []string{"os.newFile /go/src/os/file_unix.go", "os.openFileNolog /go/src/os/file_unix.go",
			"os.OpenFile /go/src/os/file.go", "main.load /a/main.go"},
			Site{Frame: Frame{"main.load", "/a/main.go", 40}, Application: true, Callee: "os.OpenFile",
				Descriptor: true}},
		{"memory of the standard library", Heap,
			[]string{"runtime.newobject /r.go", "net/http.newBufioReader /go/src/net/http/server.go",
				"net/http.(*conn).serve /go/src/net/http/server.go"},
			Site{Frame: Frame{"net/http.newBufioReader", "/go/src/net/http/server.go", 20},
				Callee: "runtime.newobject"}},
		{"memory of the runtime", Heap, []string{"runtime.malg /r.go", "runtime.newproc1 /r.go"},
			Site{Frame: Frame{"runtime.malg", "/r.go", 10}}},
		{"nothing known", Heap, nil, Site{}},
		{"C code", Goroutine, []string{"_cgo_wait ?"}, Site{Frame: Frame{"_cgo_wait", "?", 10}, Entry: "_cgo_wait"}},
	} {
		if diff := cmp.Diff(test.want, siteOf(stackOf(t, test.stack...), test.kind), bare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The table holds the toolchain's whole standard library.
func TestStandard(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	cmd := exec.Command(tool, "list", "std")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, path := range strings.Fields(string(out)) {
		if first, _, _ := strings.Cut(path, "/"); !standard[first] {
			missing[first] = true
		}
	}
	if len(missing) > 0 {
		t.Errorf("not in the table: %v", missing)
	}
}

func TestScaled(t *testing.T) {
	type amounts struct{ Objects, Bytes float64 }
	for _, test := range []struct{ count, size, rate, objects, bytes float64 }{
		{0, 0, 524288, 0, 0},
		{3, 300, 1, 3, 300}, // every allocation is sampled
		// 100 bytes: 1 - exp(-100/524288) = 1.9072e-4
		{2, 200, 524288, 2 / 1.9071667e-4, 200 / 1.9071667e-4},
		// 1 MB: 1 - exp(-2) = .864665
		{1, 1 << 20, 524288, 1 / .8646647, (1 << 20) / .8646647},
	} {
		var got amounts
		got.Objects, got.Bytes = Scaled(test.count, test.size, test.rate)
		if diff := cmp.Diff(amounts{test.objects, test.bytes}, got, cmpopts.EquateApprox(1e-6, 0)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test, diff)
		}
	}
}
