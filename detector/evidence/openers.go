package evidence

import (
	"cmp"
	"context"
	"strings"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
)

// openers are the functions that open a descriptor, by what it is. What is inlined stands here with what it calls.
var openers = map[string][]string{
	"file": {
		"os.OpenFile", "os.openFileNolog", "os.NewFile", "os.Create", "os.CreateTemp", "os.OpenInRoot",
		"syscall.Open", "syscall.Openat", "golang.org/x/sys/unix.Open", "golang.org/x/sys/unix.Openat",
		"golang.org/x/sys/unix.Openat2",
		"syscall.Creat", "golang.org/x/sys/unix.Creat", "syscall.openat", "golang.org/x/sys/unix.openat",
		"golang.org/x/sys/unix.openat2",
	},
	listening: {
		"net.(*sysListener).listenTCPProto", "net.(*sysListener).listenTCP", "net.FileListener", "syscall.Socket",
		"golang.org/x/sys/unix.Socket", "golang.org/x/sys/unix.socket", "syscall.socket",
	},
	"tcp": {
		"net.(*sysDialer).dialTCP", "net.(*TCPListener).accept", "syscall.Socket", "syscall.Accept", "syscall.Accept4",
		"golang.org/x/sys/unix.Socket", "golang.org/x/sys/unix.socket", "syscall.socket",
		"golang.org/x/sys/unix.Accept", "golang.org/x/sys/unix.Accept4", "golang.org/x/sys/unix.accept4",
		"syscall.accept4",
	},
	"udp": {
		"net.(*sysDialer).dialUDP", "net.(*sysListener).listenUDP", "syscall.Socket", "golang.org/x/sys/unix.Socket",
		"golang.org/x/sys/unix.socket", "syscall.socket",
	},
	"unix": {
		"net.(*sysDialer).dialUnix", "net.(*sysListener).listenUnix", "net.(*UnixListener).accept", "syscall.Socket",
		"syscall.Accept", "syscall.Accept4",
		"syscall.Socketpair", "golang.org/x/sys/unix.Socket", "golang.org/x/sys/unix.socket", "syscall.socket",
		"golang.org/x/sys/unix.Accept", "golang.org/x/sys/unix.Accept4", "golang.org/x/sys/unix.accept4",
		"syscall.accept4", "golang.org/x/sys/unix.Socketpair",
	},
	"pipe": {"os.Pipe", "syscall.Pipe", "syscall.Pipe2", "golang.org/x/sys/unix.Pipe",
		"golang.org/x/sys/unix.Pipe2", "golang.org/x/sys/unix.pipe2", "syscall.pipe2"},
	"pidfd": {"os.StartProcess", "os.startProcess", "os.FindProcess", "golang.org/x/sys/unix.PidfdOpen"},
	"inotify": {"syscall.InotifyInit", "syscall.InotifyInit1", "golang.org/x/sys/unix.InotifyInit",
		"golang.org/x/sys/unix.InotifyInit1"},
	"eventpoll": {"syscall.EpollCreate", "syscall.EpollCreate1", "golang.org/x/sys/unix.EpollCreate",
		"golang.org/x/sys/unix.EpollCreate1"},
	"eventfd":  {"golang.org/x/sys/unix.Eventfd"},
	"memfd":    {"golang.org/x/sys/unix.MemfdCreate"},
	"timerfd":  {"golang.org/x/sys/unix.TimerfdCreate"},
	"signalfd": {"golang.org/x/sys/unix.Signalfd"},
	"netlink":  {"syscall.Socket", "golang.org/x/sys/unix.Socket", "golang.org/x/sys/unix.socket", "syscall.socket"},
	"socket":   {"syscall.Socket", "golang.org/x/sys/unix.Socket", "golang.org/x/sys/unix.socket", "syscall.socket"},
}

// listening are those of TCP that wait for connections.
const listening = "tcp LISTEN"

// sameAs are kinds of descriptors that are opened as another is.
var sameAs = map[string]string{
	"directory": "file", "device": "file", "fifo": "file", "deleted file": "file", "deleted directory": "file",
	"deleted fifo": "file",
	"packet":       "socket", "raw": "socket", "icmp": "socket",
}

// minPart is the minimum share of a growth of descriptors for which the openers of a kind are searched.
const minPart = .25

// opening returns the functions that open what the descriptors of an alert grew by; none where that is not known.
func (p *Parts) opening(ctx context.Context, a *alerting.Alert) map[string]bool {
	grown, err := p.find(ctx, a, maxRead)
	if err != nil {
		return make(map[string]bool)
	}
	return openersOf(grown.parts)
}

func openersOf(parts []breakdown.Part) map[string]bool {
	functions := make(map[string]bool)
	for _, part := range parts {
		if part.Share < minPart {
			continue
		}
		what := cmp.Or(sameAs[part.What], part.What)
		if strings.HasPrefix(what+" "+part.Detail, listening) {
			what = listening
		}
		for _, f := range openers[what] {
			functions[f] = true
		}
	}
	return functions
}
