package profile

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

const dump = `goroutine 1 [running]:
main.main()
	/home/a/shop/main.go:20 +0x1d

goroutine 18 [chan receive, 125 minutes]:
example.com/shop/conn.(*Conn).read(0xc00001, {0x1, 0x2})
	/home/a/shop/conn/conn.go:42 +0x1d
created by example.com/shop/conn.(*Server).accept in goroutine 1
	/home/a/shop/conn/server.go:17 +0x99

goroutine 19 [select, 3 minutes, locked to thread]:
net/http.(*persistConn).readLoop(0xc00001)
	/go/src/net/http/transport.go:2325 +0xca5
created by net/http.(*Transport).dialConn in goroutine 7
	/go/src/net/http/transport.go:1874 +0x154f

goroutine 20 [chan send (nil chan) (leaked)]:
main.wait[...](...)
	/home/a/shop/wait.go:9
main.main.func1()
	/home/a/shop/main.go:12 +0x20
...additional frames elided...
created by main.main
	/home/a/shop/main.go:11 +0x2b

goroutine 21 [

goroutine 22 [idle]:
no frames at all
`

func TestParseDump(t *testing.T) {
	site := func(function, file string, line int, application bool, callee, entry, reason string) Site {
		return Site{
			Frame: Frame{function, file, line}, Application: application, Callee: callee, Entry: entry,
			WaitReason: reason, Count: 1,
		}
	}
	want := []Detail{
		{Site: site("main.main", "/home/a/shop/main.go", 20, true, "", "main.main", "running")},
		{
			Site: site("example.com/shop/conn.(*Conn).read", "/home/a/shop/conn/conn.go", 42, true, "",
				"example.com/shop/conn.(*Conn).read", "chan receive"),
			Waited: 125 * time.Minute, CreatedBy: Frame{"example.com/shop/conn.(*Server).accept",
				"/home/a/shop/conn/server.go", 17},
		},
		{
			Site: site("net/http.(*persistConn).readLoop", "/go/src/net/http/transport.go", 2325, false, "",
				"net/http.(*persistConn).readLoop", "select"),
			Waited: 3 * time.Minute, Locked: true, CreatedBy: Frame{"net/http.(*Transport).dialConn",
				"/go/src/net/http/transport.go", 1874},
		},
		{
			Site: site("main.wait[...]", "/home/a/shop/wait.go", 9, true, "", "main.main.func1",
				"chan send (nil chan)"),
			CreatedBy: Frame{"main.main", "/home/a/shop/main.go", 11},
		},
	}
	if diff := cmp.Diff(want, ParseDump([]byte(dump)), bare); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The sites of a traceback are those of the profile.
func TestDumpAgrees(t *testing.T) {
	over := make(chan int)
	var ended sync.WaitGroup
	for range 3 {
		ended.Add(1)
		go func() { defer ended.Done(); waitReceive(over) }()
	}
	defer func() { close(over); ended.Wait() }()
	self := NewSelf()
	await.True(t, "three goroutines that wait", func() bool {
		p, err := self.Profile(t.Context(), Goroutine)
		if err != nil {
			t.Fatal(err)
		}
		waiting := hereOf(p, "waitReceive")
		return len(waiting) == 1 && waiting[0].Count == 3 && waiting[0].WaitReason == "chan receive"
	})
	text, err := self.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fromDump := &Profile{}
	counts := map[Site]float64{}
	for _, d := range ParseDump(text) {
		key := Site{Frame: d.Site.Frame, Application: d.Site.Application, Entry: d.Site.Entry,
			WaitReason: d.Site.WaitReason}
		counts[key]++
		if d.CreatedBy.Function == "" && d.Site.Entry != "testing.Main" && d.Site.Entry != "main.main" {
			t.Errorf("nobody created %+v", d.Site)
		}
	}
	for s, n := range counts {
		s.Count = n
		fromDump.Sites = append(fromDump.Sites, s)
	}
	p, err := self.Profile(t.Context(), Goroutine)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hereOf(p, "waitReceive"), hereOf(fromDump, "waitReceive")); diff != "" ||
		len(hereOf(p, "waitReceive")) != 1 {
		t.Errorf("profile and traceback (-profile +traceback):\n%s", diff)
	}
}

func FuzzParseDump(f *testing.F) {
	f.Add([]byte(dump))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, d := range ParseDump(text) {
			if d.Waited < 0 || d.Site.Line < 0 || d.Site.Count != 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}

func BenchmarkDump(b *testing.B) {
	for _, n := range []int{1_000, 2_000, 5_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			over := make(chan int)
			var ended sync.WaitGroup
			for range n {
				ended.Add(1)
				go func() { defer ended.Done(); atDepth(8, func() { waitReceive(over) }) }()
			}
			defer func() { close(over); ended.Wait() }()
			time.Sleep(50 * time.Millisecond)
			self := NewSelf()
			self.pauses.longest()
			for b.Loop() {
				if _, err := self.Dump(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(self.pauses.longest())/1e6, "ms-pause")
		})
	}
}

// Where there are too many to list each, every stack stands there with their number.
func TestStacks(t *testing.T) {
	over := make(chan int)
	var ended sync.WaitGroup
	for range 3 {
		ended.Add(1)
		go func() { defer ended.Done(); waitReceive(over) }()
	}
	defer func() { close(over); ended.Wait() }()
	await.True(t, "three goroutines on one stack", func() bool {
		text, err := NewSelf().Stacks(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			if strings.Contains(block, "profile.waitReceive+") && strings.Contains("\n"+block, "\n3 @ ") {
				return true
			}
		}
		return false
	})
}
