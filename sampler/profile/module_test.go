package profile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModuleOf(t *testing.T) {
	for _, test := range []struct{ frame, want string }{
		{"net/http.(*persistConn).readLoop /go/src/net/http/transport.go", "net/http"},
		{"runtime.chanrecv1 /go/src/runtime/chan.go", "runtime"},
		{"main.main /home/a/shop/main.go", ""},
		{"example.com/shop/conn.(*Conn).write /home/a/shop/conn/conn.go", ""},
		{"google.golang.org/grpc/internal/transport.(*http2Client).reader " +
			"/m/google.golang.org/grpc@v1.76.0/internal/transport/http2_client.go",
			"/m/google.golang.org/grpc@v1.76.0"},
		{"google.golang.org/grpc.NewClient google.golang.org/grpc@v1.76.0/clientconn.go",
			"google.golang.org/grpc@v1.76.0"},
		{"github.com/redis/go-redis/v9/internal/pool.(*ConnPool).Get " +
			"/src/vendor/github.com/redis/go-redis/v9/internal/pool/pool.go", "github.com/redis/go-redis"},
		{"go.uber.org/zap.New /src/vendor/go.uber.org/zap/logger.go", "go.uber.org/zap"},
		{"gopkg.in/yaml%2ev3.Unmarshal /src/vendor/gopkg.in/yaml.v3/yaml.go", "gopkg.in/yaml%2ev3"},
		// This program's own module, installed by its version.
		{"github.com/mdzesseis/leaktrend/trend.NewLadder /m/github.com/mdzesseis/leaktrend@v1.2.3/trend/ladder.go", ""},
		{"github.com/mdzesseis/leaktrends/trend.F /m/github.com/mdzesseis/leaktrends@v1.2.3/trend/f.go",
			"/m/github.com/mdzesseis/leaktrends@v1.2.3"},
	} {
		if got := moduleOf(stackOf(t, test.frame)[0]); got != test.want {
			t.Errorf("%s: %q, want %q", test.frame, got, test.want)
		}
	}
}

// The line of a service is traced to what waits in another package of the library that it called, also by way of
// others.
func TestCallsInto(t *testing.T) {
	const grpc = "/m/google.golang.org/grpc@v1.76.0"
	waiting := siteOf(stackOf(t, "runtime.netpollblock /go/src/runtime/netpoll.go",
		"internal/poll.(*FD).Read /go/src/internal/poll/fd_unix.go",
		"google.golang.org/grpc/internal/transport.(*http2Client).reader "+grpc+"/internal/transport/http2_client.go",
		"runtime.goexit /go/src/runtime/asm.s"), Goroutine)
	dials := siteOf(stackOf(t, "bufio.NewReaderSize /go/src/bufio/bufio.go",
		"google.golang.org/grpc.newCCBalancerWrapper "+grpc+"/balancer_wrapper.go",
		"google.golang.org/grpc.NewClient "+grpc+"/clientconn.go", "example.com/api.Dial /m/example.com/api@v1.0.0/"+
			"dial.go", "main.connect /src/main.go"), Heap)
	formats := siteOf(stackOf(t, "fmt.Sprintf /go/src/fmt/print.go", "main.name /src/main.go"), Heap)
	got := map[string]bool{
		"the library":          dials.CallsInto(waiting.Module()),
		"what is between":      dials.CallsInto("/m/example.com/api@v1.0.0"),
		"the standard library": dials.CallsInto("bufio"),
		"itself":               dials.CallsInto(""), "a part of a name": dials.CallsInto("/m/example.com/api"),
		"another line": formats.CallsInto(waiting.Module()),
	}
	want := map[string]bool{
		"the library": true, "what is between": true, "the standard library": true, "itself": false,
		"a part of a name": false, "another line": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
