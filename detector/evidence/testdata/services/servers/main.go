// Command servers serves what the services call, in a process of its own, so that its goroutines, descriptors and code
// are not theirs. It writes the addresses as JSON.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gorilla/websocket"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// addresses are where the services find what they call.
type addresses struct {
	HTTP, GRPC, RPC, Redis, Postgres, NATS, Echo, Unix string
	Dead                                               string // where nothing listens
}

// Adder is the service of net/rpc.
type Adder struct{}

// Add adds two numbers.
func (Adder) Add(numbers [2]int, sum *int) error {
	*sum = numbers[0] + numbers[1]
	return nil
}

func listen() net.Listener { return must(net.Listen("tcp", "127.0.0.1:0")) }

func main() {
	check(json.NewEncoder(os.Stdout).Encode(startServers()))
	select {}
}

// must ends the program where the measure itself fails.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

// startServers starts all that services call, and returns where.
func startServers() (a addresses) {
	web := listen()
	a.HTTP = "http://" + web.Addr().String()
	go func() { check(http.Serve(web, pages())) }()

	calls := listen()
	a.GRPC = calls.Addr().String()
	g := grpc.NewServer(grpc.MaxConcurrentStreams(1 << 20))
	grpc_health_v1.RegisterHealthServer(g, health.NewServer())
	go func() { check(g.Serve(calls)) }()

	adder := listen()
	a.RPC = adder.Addr().String()
	r := rpc.NewServer()
	check(r.Register(Adder{}))
	go r.Accept(adder)

	a.Redis = must(miniredis.Run()).Addr()

	n := must(natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
		MaxConn: 100_000}))
	n.Start()
	n.ReadyForConnections(10 * time.Second)
	a.NATS = n.ClientURL()

	db := listen()
	host, port, _ := net.SplitHostPort(db.Addr().String())
	a.Postgres = "host=" + host + " port=" + port + " user=a dbname=a sslmode=disable"
	go accept(db, servePostgres)

	back := listen()
	a.Echo = back.Addr().String()
	go accept(back, func(c net.Conn) { _, _ = io.Copy(c, c) })

	a.Unix = filepath.Join(must(os.MkdirTemp("", "services")), "socket")
	go accept(must(net.Listen("unix", a.Unix)), func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })

	dead := listen()
	a.Dead = dead.Addr().String()
	dead.Close()
	return a
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c := must(l.Accept())
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 8<<10)) })
	mux.HandleFunc("/form", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, text, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, text) != nil {
				return
			}
		}
	})
	return mux
}

// servePostgres speaks as much of PostgreSQL's protocol as its drivers need to run a query without arguments.
func servePostgres(c net.Conn) {
	in, out := bufio.NewReader(c), bufio.NewWriter(c)
	read := func() (text []byte, ok bool) {
		var size uint32
		if binary.Read(in, binary.BigEndian, &size) != nil || size < 4 {
			return nil, false
		}
		text = make([]byte, size-4)
		_, err := io.ReadFull(in, text)
		return text, err == nil
	}
	write := func(kind byte, text string) {
		_ = out.WriteByte(kind)
		_ = binary.Write(out, binary.BigEndian, uint32(len(text)+4))
		_, _ = out.WriteString(text)
	}
	if _, ok := read(); !ok {
		return
	}
	write('R', "\x00\x00\x00\x00")
	write('Z', "I")
	_ = out.Flush()
	state := "I"
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		text, ok := read()
		if !ok {
			return
		}
		if kind != 'Q' {
			continue
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimRight(string(text), ";\x00")), " "); verb {
		case "BEGIN":
			state = "T"
			write('C', "BEGIN\x00")
		case "ROLLBACK":
			state = "I"
			write('C', "ROLLBACK\x00")
		case "":
			write('I', "")
		default:
			write('T', "\x00\x01name\x00"+"\x00\x00\x00\x00\x00\x00"+"\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00")
			for range 3 {
				write('D', "\x00\x01\x00\x00\x00\x01a")
			}
			write('C', "SELECT 3\x00")
		}
		write('Z', state)
		_ = out.Flush()
	}
}
