package prom

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
)

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// quick makes a client that does not wait, and tells how long it would have.
func quick(t *testing.T, c Config) (*Client, *[]time.Duration) {
	t.Helper()
	c.Concurrency = max(c.Concurrency, 1)
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute // none of these tests waits for it
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var mu sync.Mutex
	waits := &[]time.Duration{}
	client.sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return client, waits
}

// answerRange answers a range query with a series whose values are the unix seconds of its instants.
func answerRange(w http.ResponseWriter, r *http.Request) {
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(r.FormValue(name), 64)
		if err != nil {
			panic(fmt.Sprintf("%s %q", name, r.FormValue(name)))
		}
		return v
	}
	fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[`)
	for at, first := number("start"), true; at <= number("end"); at += number("step") {
		if !first {
			fmt.Fprint(w, ",")
		}
		first = false
		fmt.Fprintf(w, `[%.3f,"%g"]`, at, at-float64(begin.Unix()))
	}
	fmt.Fprint(w, `]}]}}`)
}

func points(r *http.Request) int {
	start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
	end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
	step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
	return int(math.Round((end-start)/step)) + 1
}

func TestRangeInChunks(t *testing.T) {
	for _, test := range []struct {
		name   string
		n      int
		refuse int // more points are refused
		status int
		want   []int // points of the queries that succeed
	}{
		{"small", 10, 1e6, 0, []int{10}},
		{"the most", MaxPoints, 1e6, 0, []int{MaxPoints}},
		{"one more than the most", MaxPoints + 1, 1e6, 0, []int{MaxPoints, 1}},
		{"too many samples", 400, 100, 422, []int{100, 100, 100, 100}},
		{"uneven", 101, 60, 422, []int{50, 51}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n := points(r); n > test.refuse {
					w.WriteHeader(test.status)
					fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query processing would load `+
						`too many samples into memory in query execution"}`)
					return
				}
				got = append(got, points(r))
				answerRange(w, r)
			}))
			defer server.Close()
			client, _ := quick(t, Config{URL: server.URL})
			series, err := client.Range(t.Context(), "x", Grid{begin, 10 * time.Second, test.n}, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("queries (-want +got):\n%s", diff)
			}
			want := make([]float64, test.n)
			for i := range want {
				want[i] = 10 * float64(i)
			}
			if diff := cmp.Diff([]Series{{model.Metric{"job": "a"}, want}}, series); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("not to be split", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(422)
			fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query processing would load too many `+
				`samples into memory"}`)
		}))
		defer server.Close()
		client, _ := quick(t, Config{URL: server.URL})
		if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 100}, false); !errors.Is(err,
			ErrTooLarge) {
			t.Errorf("error %v, want ErrTooLarge", err)
		}
	})
}

func TestGaps(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := begin.Unix()
		fmt.Fprintf(w, `{"status":"success","warnings":["a store did not `+
			`answer"],"data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[[%d,"1"],[%d,"NaN"],`+
			`[%d,"+Inf"]]}]}}`, b+60, b+120, b+180)
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL})
	series, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, true)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := []Series{{model.Metric{"job": "a"}, []float64{nan, 1, nan, math.Inf(1), nan}}}
	if diff := cmp.Diff(want, series, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a store did not answer"}, client.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// What servers and what stands before them do: it is retried where that makes sense, and told in plain words.
func TestFaults(t *testing.T) {
	page := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, "<html><body>Please log in</body></html>")
	}
	for _, test := range []struct {
		name     string
		answer   func(w http.ResponseWriter, r *http.Request)
		attempts int64
		says     string
	}{
		{"429", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, attempts, "status 429"},
		{"503", func(w http.ResponseWriter, r *http.Request) { page(w, 503) }, attempts, "status 503"},
		{"a proxy's page", func(w http.ResponseWriter, r *http.Request) { page(w, 200) }, 1 + rereads, "web page"},
		{"cut off", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"mat`)
		}, 1 + rereads, "cut off"},
		{"closed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"status":`)
			panic(http.ErrAbortHandler)
		}, attempts, "closed before"},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, attempts, "no answer within 50ms"},
		{"denied", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, 1, "access denied"},
		{"bad query", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`)
		}, 1, "parse error: unexpected end"},
		{"not there", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, 1, "status 404"},
		{"another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:1/x", http.StatusFound)
		}, 1, "redirects to another host"},
		{"timeout of the server", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			fmt.Fprint(w, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`)
		}, 1, "the server ran out of time"},
		{"another type", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		}, attempts, "with a vector"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				requests.Add(1)
				test.answer(w, r)
			}))
			defer server.Close()
			timeout := time.Duration(0)
			if test.name == "slow" {
				timeout = 50 * time.Millisecond
			}
			client, _ := quick(t, Config{URL: server.URL, Timeout: timeout})
			_, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q in it", err, test.says)
			}
			if requests.Load() != test.attempts {
				t.Errorf("asked %d times, want %d", requests.Load(), test.attempts)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
			return
		}
		answerRange(w, r)
	}))
	defer server.Close()
	client, waits := quick(t, Config{URL: server.URL})
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{7 * time.Second}, *waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	got := client.Stats()
	got.Busy = 0
	if diff := cmp.Diff(Stats{Queries: 2, Retries: 1, Points: 5}, got); diff != "" {
		t.Errorf("cost (-want +got):\n%s", diff)
	}
}

// A server that has gone is not asked by each of a thousand queries, but by the next scan.
func TestGone(t *testing.T) {
	var back atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !back.Load() {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, `{"status":"success","data":["a"],"warnings":["half of it"]}`)
	}))
	defer server.Close()
	client, waits := quick(t, Config{URL: server.URL})
	ask := func() error {
		_, err := client.LabelValues(t.Context(), "job", nil, begin, begin.Add(time.Hour))
		return err
	}
	var last error
	for range 10 {
		last = ask()
	}
	if !errors.Is(last, ErrGone) {
		t.Errorf("error %v, want ErrGone", last)
	}
	if want := maxFailures * (attempts - 1); len(*waits) != want {
		t.Errorf("waited %d times, want %d", len(*waits), want)
	}
	back.Store(true)
	client.Begin()
	if err := ask(); err != nil || len(client.Warnings()) != 1 {
		t.Errorf("the server is back: %v, warnings %q", err, client.Warnings())
	}
	if client.Begin(); len(client.Warnings()) != 0 {
		t.Errorf("warnings of before: %q", client.Warnings())
	}
}

// One that denies some is asked for the rest; one that denies all is left alone.
func TestDenied(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%maxDenied != 0 || strings.HasSuffix(r.URL.Path, "/secret/values") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":["a"]}`)
	}))
	defer server.Close()
	client, waits := quick(t, Config{URL: server.URL})
	ask := func(label string) error {
		_, err := client.LabelValues(t.Context(), label, nil, begin, begin.Add(time.Hour))
		return err
	}
	for i := 1; i <= 3*maxDenied; i++ {
		if err := ask("job"); (i%maxDenied == 0) != (err == nil) || err != nil && !errors.Is(err, ErrDenied) {
			t.Fatalf("query %d: %v", i, err)
		}
	}
	for range maxDenied {
		if err := ask("secret"); !errors.Is(err, ErrDenied) {
			t.Fatal(err)
		}
	}
	if err := ask("job"); !errors.Is(err, ErrGone) || requests.Load() != 4*maxDenied || len(*waits) != 0 {
		t.Errorf("%v after %d queries, waits %v", err, requests.Load(), *waits)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var running, peak atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		answerRange(w, r)
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL, Concurrency: 3})
	var wg sync.WaitGroup
	for range 30 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if peak.Load() > 3 {
		t.Errorf("%d queries at a time, want at most 3", peak.Load())
	}
}

func TestInterrupted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		<-r.Context().Done()
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Range(ctx, "x", Grid{begin, time.Minute, 5}, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAuthentication(t *testing.T) {
	var got http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		answerRange(w, r)
	}))
	defer server.Close()
	authority := write(t, "ca.pem",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	tls := "tls_config:\n  ca_file: " + authority + "\n"
	plain := write(t, "http.yml", tls)
	withUser := strings.Replace(server.URL, "https://", "https://ada:lovelace@", 1)
	for _, test := range []struct {
		name   string
		config Config
		want   string
		tenant string
	}{
		{"in the URL", Config{URL: withUser, HTTPConfig: plain}, "Basic YWRhOmxvdmVsYWNl", ""},
		{"token", Config{URL: server.URL, HTTPConfig: plain, Token: "secret-token"}, "Bearer secret-token", ""},
		{"file",
			Config{URL: server.URL, HTTPConfig: write(t, "auth.yml", tls+"authorization: {credentials: from-file}\n"),
				Token: "ignored"}, "Bearer from-file", ""},
		{"headers", Config{URL: server.URL, HTTPConfig: plain,
			Headers: write(t, "headers", "# of the tenant\nX-Scope-OrgID: team a\nAuthorization: Token abc\n")},
			"Token abc", "team a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, _ := quick(t, test.config)
			if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); err != nil {
				t.Fatal(err)
			}
			if got.Get("Authorization") != test.want || got.Get("X-Scope-OrgID") != test.tenant {
				t.Errorf("sent %q for %q, want %q for %q", got.Get("Authorization"), got.Get("X-Scope-OrgID"),
					test.want, test.tenant)
			}
		})
	}
}

// No error shows a credential, whatever a server sends back.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "correct-horse"
	status := 500
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":"error","errorType":"execution","error":"you sent %s"}`, secret)
	}))
	defer server.Close()
	withUser := strings.Replace(server.URL, "http://", "http://user:"+secret+"@", 1)
	file := write(t, "password", secret+"\n")
	for name, config := range map[string]Config{
		"URL":     {URL: withUser},
		"token":   {URL: server.URL, Token: secret},
		"headers": {URL: server.URL, Headers: write(t, "headers", "X-Key: "+secret)},
		"file": {URL: server.URL, HTTPConfig: write(t, "a.yml", "basic_auth: {username: u, password: "+secret+
			"}\n")},
		"its own": {URL: server.URL, HTTPConfig: write(t, "b.yml", "basic_auth: {username: u, password_file: "+file+
			"}\n")},
		"closed": {URL: strings.Replace(withUser, server.URL[len("http://"):], "127.0.0.1:1", 1)},
	} {
		for _, status = range []int{500, 422} {
			client, _ := quick(t, config)
			_, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false)
			if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(client.String(), secret) {
				t.Errorf("%s: error %v of %s", name, err, client)
			}
		}
	}
}

func TestBadConfiguration(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		says   string
	}{
		{"no host", Config{URL: "http://"}, "http://HOST"},
		{"scheme", Config{URL: "ftp://user:hunter2@x"}, "http://HOST"},
		{"bad URL", Config{URL: "http://user:hunter2@x:port"}, "http://HOST"},
		{"query", Config{URL: "http://x/?token=hunter2"}, "no query"},
		{"missing file", Config{URL: "http://x", HTTPConfig: "nowhere.yml"}, "nowhere.yml"},
		{"not YAML",
			Config{URL: "http://x", HTTPConfig: write(t, "bad.yml", "basic_auth: {username: u\npassword: hunter2")},
			"bad.yml"},
		{"unknown key", Config{URL: "http://x", HTTPConfig: write(t, "bad.yml", "authentification: hunter2\n")},
			"bad.yml"},
		{"two ways",
			Config{URL: "http://x", HTTPConfig: write(t, "bad.yml", "basic_auth: {username: u, password: hunter2}\n"+
				"authorization: {credentials: hunter2}\n")}, "at most one"},
		{"twice",
			Config{URL: "http://u:hunter2@x",
				HTTPConfig: write(t, "a.yml", "basic_auth: {username: u, password: hunter2}\n")}, "both in the URL"},
		{"header", Config{URL: "http://x", Headers: write(t, "headers", "\nX-Good: 1\nhunter2 without a colon\n")},
			"headers:3: want NAME: VALUE"},
		{"header name", Config{URL: "http://x", Headers: write(t, "headers", "X Bad: hunter2\n")},
			"headers:1: want NAME: VALUE"},
		{"authority", Config{URL: "https://x", HTTPConfig: write(t, "a.yml", "tls_config: {ca_file: nowhere.pem}\n")},
			"nowhere.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.Concurrency, test.config.Timeout = 1, time.Second
			_, err := New(test.config)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want %q in it and no secret", err, test.says)
			}
		})
	}
}

func FuzzReadHeaders(f *testing.F) {
	f.Add("X-Scope-OrgID: a\n# note\n\nB: c")
	f.Add("A:\x00")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "headers")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		headers, err := readHeaders(path)
		if err != nil {
			return
		}
		for name, values := range headers {
			if name == "" || len(values) == 0 || strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("header %q: %q", name, values)
			}
		}
	})
}
