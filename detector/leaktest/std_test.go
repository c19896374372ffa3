package leaktest_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"image"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/rpc"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
	"unique"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// Adder is served by net/rpc.
type Adder struct{}

// Add adds.
func (Adder) Add(args [2]int, sum *int) error { *sum = args[0] + args[1]; return nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// standard are rounds of work with packages of the standard library, which none leaks.
func standard(t *testing.T) map[string]func(*testing.T) {
	secure := httptest.NewTLSServer(http.FileServerFS(fstest.MapFS{"file": {Data: []byte("text")}}))
	t.Cleanup(secure.Close)
	server := rpc.NewServer()
	must(t, server.Register(Adder{}))
	n := 0
	return map[string]func(*testing.T){
		"archive/zip": func(t *testing.T) {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			f, err := w.Create("file")
			must(t, err)
			_, _ = f.Write(make([]byte, 10_000))
			must(t, w.Close())
			r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
			must(t, err)
			in, err := r.File[0].Open()
			must(t, err)
			_, _ = io.Copy(io.Discard, in)
			_ = in.Close()
		},
		"bufio": func(*testing.T) {
			for s := bufio.NewScanner(strings.NewReader("a\nb\n")); s.Scan(); {
			}
		},
		"compress/gzip": func(t *testing.T) {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(make([]byte, 1000))
			must(t, w.Close())
			r, err := gzip.NewReader(&b)
			must(t, err)
			_, _ = io.Copy(io.Discard, r)
		},
		"context": func(*testing.T) {
			type key struct{}
			ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, 1))
			stop := context.AfterFunc(ctx, func() {})
			child, end := context.WithDeadline(ctx, time.Now().Add(time.Hour))
			stop()
			cancel(errors.New("over"))
			<-child.Done()
			end()
		},
		"crypto": func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			must(t, err)
			sum := sha256.Sum256([]byte("text"))
			_, err = ecdsa.SignASN1(rand.Reader, key, sum[:])
			must(t, err)
		},
		"crypto/tls": func(t *testing.T) {
			config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec
			c, err := tls.Dial("tcp", secure.Listener.Addr().String(), config)
			must(t, err)
			must(t, c.Close())
		},
		"encoding/binary": func(*testing.T) { _ = binary.Write(io.Discard, binary.BigEndian, [2]uint32{1, 2}) },
		"encoding/csv": func(*testing.T) {
			_, _ = csv.NewReader(strings.NewReader("a,b\n1,2\n")).ReadAll()
		},
		"encoding/gob": func(t *testing.T) {
			var b bytes.Buffer
			must(t, gob.NewEncoder(&b).Encode(map[string]int{"a": 1}))
			var m map[string]int
			must(t, gob.NewDecoder(&b).Decode(&m))
		},
		"encoding/json": func(t *testing.T) {
			var v any
			must(t, json.Unmarshal([]byte(`{"a":[1,{"b":null}]}`), &v))
			_, err := json.Marshal(v)
			must(t, err)
		},
		"encoding/xml": func(*testing.T) {
			_, _ = xml.Marshal(struct {
				XMLName xml.Name `xml:"a"`
				B       int      `xml:"b"`
			}{B: 1})
		},
		"expvar": func(*testing.T) { new(expvar.Map).Init().Add("a", 1) },
		"fmt":    func(*testing.T) { n++; _ = fmt.Sprintf("%v %q %+v", n, "a", struct{ A int }{n}) },
		"go/parser": func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a\nfunc f() { g(1) }", parser.ParseComments)
			must(t, err)
			ast.Inspect(f, func(ast.Node) bool { return true })
		},
		"html/template": func(t *testing.T) {
			must(t, template.Must(template.New("").Parse(`<a href="{{.}}">{{.}}</a>`)).Execute(io.Discard, "x"))
		},
		"image/png": func(t *testing.T) { must(t, png.Encode(io.Discard, image.NewRGBA(image.Rect(0, 0, 50, 50)))) },
		"io": func(*testing.T) {
			r, w := io.Pipe()
			go func() { _, _ = w.Write(make([]byte, 100)); _ = w.Close() }()
			_, _ = io.Copy(io.Discard, r)
		},
		"log/slog": func(*testing.T) {
			slog.New(slog.NewJSONHandler(io.Discard, nil)).With("a", 1).Info("text", "b", 2)
		},
		"math/big": func(*testing.T) { new(big.Int).Exp(big.NewInt(3), big.NewInt(1000), nil) },
		"mime/multipart": func(t *testing.T) {
			w := multipart.NewWriter(io.Discard)
			_, err := w.CreateFormFile("a", "b")
			must(t, err)
			must(t, w.Close())
		},
		"net": func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			accepted := make(chan net.Conn)
			go func() { c, _ := l.Accept(); accepted <- c }()
			c, err := net.Dial("tcp", l.Addr().String())
			must(t, err)
			must(t, (<-accepted).Close())
			must(t, c.Close())
			must(t, l.Close())
		},
		"net/http": func(t *testing.T) {
			r, err := secure.Client().Get(secure.URL + "/file")
			must(t, err)
			_, _ = io.Copy(io.Discard, r.Body)
			must(t, r.Body.Close())
		},
		"net/http/httptest": func(t *testing.T) {
			s := httptest.NewServer(http.NotFoundHandler())
			r, err := s.Client().Get(s.URL)
			must(t, err)
			must(t, r.Body.Close())
			s.Close()
		},
		"net/netip": func(*testing.T) { n++; _ = netip.MustParseAddr(fmt.Sprintf("fe80::1%%eth%d", n%3)) },
		"net/rpc": func(t *testing.T) {
			a, b := net.Pipe()
			go server.ServeConn(a)
			c := rpc.NewClient(b)
			var sum int
			must(t, c.Call("Adder.Add", [2]int{1, 2}, &sum))
			must(t, c.Close())
		},
		"net/url": func(*testing.T) { _, _ = url.Parse("http://user@host/path?a=1#b") },
		"os": func(t *testing.T) {
			dir, err := os.MkdirTemp("", "leaktest")
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o600))
			_, err = os.ReadDir(dir)
			must(t, err)
			must(t, os.RemoveAll(dir))
		},
		"os/exec": func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
			_, err := cmd.CombinedOutput()
			must(t, err)
		},
		"os/signal": func(*testing.T) {
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGHUP)
			signal.Stop(c)
		},
		"reflect": func(*testing.T) {
			n++
			reflect.New(
				reflect.StructOf(
					[]reflect.StructField{{Name: "A", Type: reflect.ArrayOf(n%5, reflect.TypeFor[int]())}}))
		},
		"regexp":  func(*testing.T) { regexp.MustCompile(`(a|b)+c`).FindAllString("abcabac", -1) },
		"runtime": func(*testing.T) { debug.FreeOSMemory(); _ = pprof.Lookup("heap").WriteTo(io.Discard, 0) },
		"slices":  func(*testing.T) { slices.Sort([]int{3, 1, 2}) },
		"sync": func(*testing.T) {
			var m sync.Map
			var all sync.WaitGroup
			for i := range 10 {
				all.Add(1)
				go func() { defer all.Done(); m.Store(i, i); m.Range(func(any, any) bool { return true }) }()
			}
			all.Wait()
		},
		"sync/atomic": func(*testing.T) { var v atomic.Value; v.Store(1) },
		"time": func(*testing.T) {
			ticker := time.NewTicker(time.Millisecond)
			<-ticker.C
			ticker.Stop()
			_, _ = time.LoadLocation("Europe/Berlin")
		},
		"unique": func(*testing.T) { n++; _ = unique.Make(fmt.Sprint("text", n)) },
	}
}

// No check of a clean package finds a leak.
func TestStandardLibrary(t *testing.T) {
	rounds := standard(t)
	if strings.HasPrefix(runtime.Version(), "go1.24") {
		delete(rounds, "unique") // the map behind it kept what was forgotten, up to Go 1.25
	}
	for i, name := range slices.Sorted(maps.Keys(rounds)) {
		if testing.Short() && i%4 != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) { leaktest.Check(t, func() { rounds[name](t) }) })
	}
}
