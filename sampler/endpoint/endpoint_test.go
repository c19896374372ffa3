package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// serve starts a server whose handler the test may change from request to request.
func serve(t *testing.T) (server *httptest.Server, handle func(http.HandlerFunc)) {
	t.Helper()
	var handler atomic.Pointer[http.HandlerFunc]
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load())(w, r)
	}))
	t.Cleanup(server.Close)
	return server, func(h http.HandlerFunc) { handler.Store(&h) }
}

func newTestEndpoint(t *testing.T, metricsURL string, client *http.Client) *Source {
	t.Helper()
	e, err := New(metricsURL, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// one makes a sample of pairs of resource and value.
func one(t time.Time, pairs ...any) sampler.Sample {
	s := sampler.Sample{Time: t}
	for i := 0; i < len(pairs); i += 2 {
		s.Readings = append(s.Readings, sampler.Reading{Resource: pairs[i].(string), Value: pairs[i+1].(float64)})
	}
	return s
}

func TestEndpoint(t *testing.T) {
	server, handle := serve(t)
	e := newTestEndpoint(t, server.URL+"/metrics", nil)
	type step struct {
		body string
		want sampler.Sample
		err  string
	}
	maxFDs := []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 64, Source: "process_max_fds"}}
	fdsAndHeap := []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 64, Source: "process_max_fds"},
		{Resource: sampler.HeapLiveBytes, Level: 1 << 30, Source: "GOMEMLIMIT"}}
	reading := func(sec int64, ceilings []sampler.Ceiling, pairs ...any) sampler.Sample {
		s := one(time.Time{}, pairs...)
		s.Ceilings = ceilings
		if sec > 0 {
			s.Start = time.Unix(sec, 0).UTC()
		}
		return s
	}
	last := time.Time{}
	for i, step := range []step{
		{"go_goroutines 5\nprocess_open_fds 9\nprocess_max_fds 64\ngo_gc_gomemlimit_bytes 9.223372036854775807e+18\n" +
			"process_start_time_seconds 1.7e9\nqueue 1\n# TYPE x counter\nx 5\nnan NaN\n",
			reading(1_700_000_000, maxFDs, sampler.Goroutines, 5., sampler.OpenFDs, 9., "queue", 1.), ""},
		{"process_open_fds 9\nprocess_max_fds 64\nprocess_start_time_seconds 1700000001\nqueue{q=\"a\"} 1\n" +
			"queue{q=\"b\"} 2\ngo_gc_gomemlimit_bytes 1073741824",
			reading(1_700_000_000, fdsAndHeap, sampler.OpenFDs, 9., `queue{q="a"}`, 1., `queue{q="b"}`, 2.), ""},
		{"queue{q=\"a\"} 1\nprocess_start_time_seconds 1700000010\n", reading(1_700_000_010, nil, `queue{q="a"}`, 1.),
			""},
		{"go_goroutines 5\n{bad\ngo_goroutines 6\n", reading(1_700_000_010, nil, sampler.Goroutines, 5.),
			`2 lines could not be read, the first: line 2, "{bad": not a line of the Prometheus text format`},
		{"{\"a\u202eb\"} 5\nc{d=\"\x1b[2J\u2066\"} 6\nc{d=\"e\"} 7\n",
			reading(1_700_000_010, nil, `"a\u202eb"`, 5., `c{d="\x1b[2J\u2066"}`, 6., `c{d="e"}`, 7.), ""},
		{"", sampler.Sample{}, "the answer has no metrics"},
		{"a_total 5\n", reading(0, nil), "no usable gauge among its 1 metric"},
		{"<!DOCTYPE html>\nUptime 5\n", sampler.Sample{}, `the answer is not Prometheus text format: line 1, ` +
			`"<!DOCTYPE html>": not a line of the Prometheus text format`},
		{`{"status":"success"}`, sampler.Sample{}, `the answer is not Prometheus text format: line 1, ` +
			`"{\"status\":\"success\"}": not a line of the Prometheus text format`},
		{"a 1\n" + strings.Repeat("# x\n", maxAnswer/4) + "b", reading(1_700_000_010, nil, "a", 1.),
			"the answer is larger than 8 MiB: the rest is not read"},
		{strings.Repeat("#xy\n", maxAnswer/4) + "a 1\n", sampler.Sample{}, "the answer has no metrics"},
		{"go_goroutines 7\n", reading(1_700_000_010, nil, sampler.Goroutines, 7.), ""},
	} {
		handle(text(step.body))
		var got sampler.Sample
		err := e.Sample(context.Background(), &got)
		if text := fmt.Sprint(err); step.err == "" && err != nil || step.err != "" && text != e.String()+": "+step.err {
			t.Errorf("step %d: got error %v, want %s", i, err, step.err)
		}
		if !got.Time.After(last) || time.Since(got.Time).Abs() > time.Hour {
			t.Errorf("step %d: time %v after %v", i, got.Time, last)
		}
		last, got.Time = got.Time, time.Time{}
		if len(got.Readings) == 0 {
			got.Readings = nil
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// A gauge is a gauge by its declared type, whatever its name is; 0 of what a process always has is no reading.
// What comes without an end, or with more series than anybody has, costs no more than it may, and what stands first in
// it is read, as is what has a meaning here.
func TestEndpointIsBounded(t *testing.T) {
	server, handle := serve(t)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		err    string
		more   int // readings beside that of the goroutines
	}{
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "go_goroutines 5\n")
			for chunk := strings.Repeat("x_metric 1\n", 1000); r.Context().Err() == nil; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, "the answer is larger than 8 MiB: the rest is not read", 1},
		{"many series", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 10 * maxSeries {
				fmt.Fprintf(w, "m{i=\"%d\"} 1\n", i)
			}
			_, _ = io.WriteString(w, "go_goroutines 5\n")
		}, "the answer has more than 20000 gauges: the rest is not read", maxSeries},
		{"many counters", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 10 * maxSeries {
				fmt.Fprintf(w, "m_total{i=\"%d\"} 1\n", i)
			}
			_, _ = io.WriteString(w, "go_goroutines 5\n")
		}, "", 0},
	} {
		handle(test.answer)
		e := newTestEndpoint(t, server.URL, nil)
		var s sampler.Sample
		err := e.Sample(t.Context(), &s)
		if test.err == "" && err != nil || test.err != "" && fmt.Sprint(err) != e.String()+": "+test.err {
			t.Errorf("%s: %v", test.name, err)
		}
		if goroutines, ok := s.Value(sampler.Goroutines); !ok || goroutines != 5 || len(s.Readings) != 1+test.more {
			t.Errorf("%s: %d readings, %g goroutines", test.name, len(s.Readings), goroutines)
		}
		if c := e.answer.Cap(); c > 4*maxAnswer {
			t.Errorf("%s: %d bytes are held", test.name, c)
		}
	}
}

func TestEndpointDeclares(t *testing.T) {
	server, handle := serve(t)
	e := newTestEndpoint(t, server.URL+"/metrics", nil)
	handle(text("# TYPE active_total gauge\nactive_total 5\n# TYPE queue gauge\nqueue 1\nprocess_open_fds 0\n" +
		"process_threads -1\n"))
	var got sampler.Sample
	if err := e.Sample(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sampler.Reading{{Resource: "active_total", Value: 5}, {Resource: "queue", Value: 1}},
		got.Readings); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sampler.Resource{{Name: "active_total", Sentence: "active_total"}},
		e.Resources()); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestEndpointAsks(t *testing.T) {
	server, handle := serve(t)
	handle(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "got{accept=%q,encoding=%q,user=%q,query=%q} 1\ngot 2\n", r.Header.Get("Accept"),
			r.Header.Get("Accept-Encoding"), user+":"+password, r.URL.RawQuery)
	})
	e := newTestEndpoint(t, strings.Replace(server.URL, "//", "//joe:secret@", 1)+"/metrics?token=hidden", nil)
	var got sampler.Sample
	if err := e.Sample(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	want := []sampler.Reading{{Resource: `got{accept="text/plain;version=0.0.4",encoding="gzip",query="token=hidden",` +
		`user="joe:secret"}`, Value: 1}, {Resource: "got", Value: 2}}
	if diff := cmp.Diff(want, got.Readings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEndpointFailsAndGoesOn(t *testing.T) {
	server, handle := serve(t)
	other := httptest.NewServer(text("go_goroutines 666\n"))
	t.Cleanup(other.Close)
	secretURL := strings.Replace(server.URL, "//", "//s3cretuser:s3cretpass@", 1) + "/metrics?token=s3crettoken&" +
		"s3cretbare"
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, test := range []struct {
		name   string
		handle http.HandlerFunc
		want   string
		is     error
	}{
		{name: "500", handle: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "s3cretpass", http.StatusInternalServerError)
		}, want: "answered 500 Internal Server Error"},
		{name: "a status that changes the terminal", handle: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 500 \x1b[2Jgone\u202e\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}, want: "answered 500 \ufffd[2Jgone\ufffd"},
		{name: "404 with a long body", handle: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}, want: "answered 404 Not Found"},
		{name: "hanging", handle: func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, want: "context deadline exceeded", is: context.DeadlineExceeded},
		{name: "hanging in the body", handle: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "go_goroutines 5\ngo_gor")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, want: "reading the answer: context deadline exceeded", is: context.DeadlineExceeded},
		{name: "cut off", handle: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "go_goroutines 5\ngo_gor")
		}, want: "reading the answer: unexpected EOF", is: io.ErrUnexpectedEOF},
		{name: "hung up", handle: func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, want: "without an answer"},
		{name: "redirect to another host", handle: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/?"+r.URL.RawQuery, http.StatusFound)
		}, want: "redirect to another host, " + other.Listener.Addr().String()},
		{name: "a page that repeats the query", handle: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "<p>no such page: %s</p>", r.URL.RawQuery)
		}, want: "not Prometheus text format"},
		{name: "redirect in a circle", handle: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/metrics?"+r.URL.RawQuery, http.StatusFound)
		}, want: "more than 5 redirects"},
		{name: "redirect to nonsense", handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[x/?token=s3crettoken")
			w.WriteHeader(http.StatusFound)
		}, want: "failed to parse Location header"},
	} {
		for how, client := range map[string]*http.Client{"own client": nil,
			"given client": {Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: sameHost}} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				e := newTestEndpoint(t, secretURL, client)
				handle(test.handle)
				s := one(time.Time{}, "old", 1.)
				var err error
				for limit := 50 * time.Millisecond; ; limit *= 2 {
					ctx, cancel := context.WithCancel(context.Background())
					if test.is == context.DeadlineExceeded {
						ctx, cancel = context.WithTimeout(context.Background(), limit)
					}
					err = e.Sample(ctx, &s)
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), test.want) {
						break // else it was over before the answer began
					}
				}
				if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil &&
					!errors.Is(err, test.is) || errors.Is(err, io.EOF) {
					t.Errorf("got %v, want %s", err, test.want)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					if strings.Contains(e.Error(), "s3cret") {
						t.Errorf("a secret in %v", e)
					}
				}
				if len(s.Readings) != 0 || s.Time.IsZero() {
					t.Errorf("the sample is %+v", s)
				}
				handle(text("go_goroutines 5\n"))
				if err := e.Sample(context.Background(), &s); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				if v, ok := s.Value(sampler.Goroutines); !ok || v != 5 {
					t.Errorf("afterwards the sample is %+v", s)
				}
			})
		}
	}
}

func TestEndpointIsDown(t *testing.T) {
	server := httptest.NewServer(text(""))
	address := server.URL
	server.Close()
	e := newTestEndpoint(t, strings.Replace(address, "//", "//s3cretuser:s3cretpass@", 1)+"/?token=s3crettoken", nil)
	var s sampler.Sample
	err := e.Sample(context.Background(), &s)
	if err == nil || strings.Contains(err.Error(), "s3cret") || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	var netErr *net.OpError
	if !errors.As(err, &netErr) {
		t.Errorf("got %v, want a network error inside", err)
	}
}

func TestEndpointFollowsRedirectOnItsHost(t *testing.T) {
	server, handle := serve(t)
	handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			http.Redirect(w, r, "/real", http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, "go_goroutines 5\n")
	})
	e := newTestEndpoint(t, server.URL+"/metrics", nil)
	var s sampler.Sample
	if err := e.Sample(context.Background(), &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sampler.Reading{{Resource: sampler.Goroutines, Value: 5}}, s.Readings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEndpointKeepsOneConnection(t *testing.T) {
	opened := map[net.Conn]http.ConnState{}
	states := make(chan func(), 100)
	server := httptest.NewUnstartedServer(text("go_goroutines 5\n"))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) { states <- func() { opened[c] = state } }
	server.Start()
	t.Cleanup(server.Close)
	e := newTestEndpoint(t, server.URL, nil)
	var s sampler.Sample
	for range 5 {
		if err := e.Sample(context.Background(), &s); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		closed := len(opened) == 1
		for _, state := range opened {
			closed = closed && state == http.StateClosed
		}
		if closed {
			return
		}
		await.Receive(t, "one connection, closed", states)()
	}
}

func TestEndpointURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://localhost:9090/metrics":             "http://localhost:9090/metrics",
		"https://joe:pw@h/m?a=b&c=d&a=e#frag":       "https://xxxxx@h/m?a=xxxxx&c=xxxxx&a=xxxxx",
		"http://token@h/m?bare":                     "http://xxxxx@h/m?xxxxx",
		"http://h/m?a=b=c&&d=":                      "http://h/m?a=xxxxx&xxxxx&d=xxxxx",
		"http://[::1]:8080/a%20b":                   "http://[::1]:8080/a%20b",
		"localhost:9090/metrics":                    "",
		"ftp://hunter2@h/":                          "",
		"http://":                                   "",
		"http://joe:hunter2@h:port/":                "",
		"http://joe:hun%zzter2@h/":                  "",
		"/metrics?hunter2":                          "",
		"http://joe:hunter2@h\n/":                   "",
		"hunter2":                                   "",
		"http:hunter2":                              "",
		"https://example.org/metrics?format=s%3Dx;": "https://example.org/metrics?format=xxxxx",
	} {
		e, err := New(in, nil)
		if (err == nil) != (want != "") || err == nil && e.String() != want {
			t.Errorf("%q: got %v, %v, want %q", in, e, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hun") {
			t.Errorf("%q: a secret in %v", in, err)
		}
	}
}
