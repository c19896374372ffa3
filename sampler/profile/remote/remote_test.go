package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gopprof "github.com/google/pprof/profile"

	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// served is this process, as a server of its own profiles.
func served(t *testing.T) *Process {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

//go:noinline
func waitHere(c chan int) { <-c }

var kept [][]byte

//go:noinline
func keepHere() { kept = append(kept, make([]byte, 1<<20)) }

// The sites of a process are the same from inside and through its address.
func TestSameAsFromInside(t *testing.T) {
	over := make(chan int)
	defer close(over)
	for range 6 {
		go waitHere(over)
	}
	await.True(t, "six goroutines that wait", func() bool {
		sites, err := profile.NewSelf().Profile(t.Context(), profile.Goroutine)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(sites.Sites, func(s profile.Site) bool {
			return strings.HasSuffix(s.Function, ".waitHere")
		})
		return i >= 0 && sites.Sites[i].Count == 6 && sites.Sites[i].WaitReason == "chan receive"
	})
	for range 20 {
		keepHere()
	}
	defer func() { kept = nil }()
	runtime.GC()
	runtime.GC()
	outside, inside := served(t), profile.NewSelf()
	for kind, function := range map[profile.Kind]string{profile.Goroutine: ".waitHere", profile.Heap: ".keepHere"} {
		type site struct {
			Frame       profile.Frame
			Application bool
			Entry, Wait string
			Count       float64
			MB          float64
		}
		sitesOf := func(p *profile.Profile, err error) (all []site) {
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Sites {
				if strings.HasSuffix(s.Function, function) { // where goroutines wait, a small object may be sampled too
					all = append(all, site{s.Frame, s.Application, s.Entry, s.WaitReason, float64(int(s.Count)),
						float64(int(s.Bytes) >> 20)})
				}
				if s.Function != "" && len(s.Frames()) == 0 {
					t.Errorf("no stack at %+v", s)
				}
			}
			if p.Kind != kind || kind == profile.Heap && p.Resolution != float64(runtime.MemProfileRate) ||
				p.Cost.Elapsed <= 0 {
				t.Errorf("%s: kind %s, resolution %v, cost %+v", kind, p.Kind, p.Resolution, p.Cost)
			}
			return all
		}
		want := sitesOf(inside.Profile(t.Context(), kind))
		got := sitesOf(outside.Profile(t.Context(), kind))
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 1 {
			t.Errorf("%s (-from inside +through the address):\n%s", kind, diff)
		}
	}
	text, err := outside.Dump(t.Context())
	if err != nil || len(profile.ParseDump(text)) < 6 {
		t.Errorf("traceback: %v\n%s", err, text)
	}
	raw, err := outside.Raw(t.Context(), profile.Heap)
	if _, parseErr := gopprof.ParseData(raw); err != nil || parseErr != nil {
		t.Errorf("raw profile: %v %v", err, parseErr)
	}
	if _, err = outside.Profile(t.Context(), profile.GoroutineLeak); errors.Is(err,
		profile.ErrUnsupported) != (pprof.Lookup("goroutineleak") == nil) {
		t.Errorf("goroutineleak: %v", err)
	}
}

// The collections of the process are counted by what its heap profile shows of them.
func TestCollections(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only when asked
	defer func() { kept = nil }()
	p := served(t)
	count := func() uint64 {
		sites, err := p.Profile(t.Context(), profile.Heap)
		if err != nil {
			t.Fatal(err)
		}
		return sites.GC
	}
	runtime.GC()
	first := count()
	var got []uint64
	for range 2 {
		for range 20 { // one alone may not be sampled
			keepHere()
		}
		got = append(got, count()-first)
		runtime.GC()
		got = append(got, count()-first, count()-first)
	}
	if want := []uint64{0, 1, 1, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("collections %v, want %v", got, want)
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not there", func(w http.ResponseWriter, _ *http.Request) {
			http.NotFound(w, nil)
		}, profile.ErrUnsupported.Error()},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
		}, "http://u:xxxxx@HOST/debug/pprof/goroutine: 403 Forbidden"},
		{"no profile", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hello")
		}, "http://u:xxxxx@HOST/debug/pprof/goroutine: parsing profile: unrecognized profile format"},
		{"another profile", func(w http.ResponseWriter, _ *http.Request) {
			_ = pprof.Lookup("heap").WriteTo(w, 0)
		}, "http://u:xxxxx@HOST/debug/pprof/goroutine: it is not a goroutine profile"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, "http://u:xxxxx@HOST/debug/pprof: context deadline exceeded"},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte{0x1f})
		}, "http://u:xxxxx@HOST/debug/pprof/goroutine: unexpected EOF"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for block := make([]byte, 1<<20); r.Context().Err() == nil; {
				_, _ = w.Write(block)
			}
		}, "http://u:xxxxx@HOST/debug/pprof/goroutine: more than 64 MB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requested atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requested.Store(true)
				test.handler(w, r)
			}))
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			p, err := New("http://u:secret@" + host + "/debug/pprof/?seconds=9#x")
			if err != nil {
				t.Fatal(err)
			}
			for limit := 100 * time.Millisecond; ; limit *= 2 {
				ctx, cancel := context.WithCancel(t.Context())
				if test.name == "hangs" {
					ctx, cancel = context.WithTimeout(t.Context(), limit)
				}
				_, err = p.Profile(ctx, profile.Goroutine)
				cancel()
				if requested.Load() {
					break // else it was over before it was connected
				}
			}
			if got := strings.ReplaceAll(fmt.Sprint(err), host, "HOST"); got != test.want {
				t.Errorf("error %s\nwant  %s", got, test.want)
			}
		})
	}
	for _, address := range []string{"", "127.0.0.1:6060", "ftp://host/", "http://", "http://a b/"} {
		if _, err := New(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

// Whatever a process sends, there is a profile or an error.
func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 0)
	f.Add(b.Bytes())
	f.Add([]byte("heap profile: 1: 2 [3: 4] @ heap/1048576\n1: 2 [3: 4] @ 0x1 0x2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []profile.Kind{profile.Goroutine, profile.Heap} {
			p, _, err := parse(data, kind, time.Unix(0, 0))
			if err == nil && (p.Count < 0 || p.Bytes < 0) {
				t.Errorf("%v goroutines or objects, %v bytes", p.Count, p.Bytes)
			}
		}
	})
}
