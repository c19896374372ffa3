package detector

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// leaking returns a monitor that has seen three days of a leak of descriptors.
func leaking(tb testing.TB) *ResourceMonitor {
	m := pastOf(tb)
	begin := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for i := range 3 * 24 * 12 {
		at := begin.Add(time.Duration(i) * 5 * time.Minute)
		m.give(tb, at, sampler.Reading{Resource: "open_fds", Value: 20 + float64(i)/4},
			sampler.Reading{Resource: "threads", Value: 9},
			sampler.Reading{Resource: `<script>alert("x")</script>`, Value: 3},
			sampler.Reading{Resource: "cpu_seconds", Value: float64(i)})
	}
	return m
}

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// The page works below any path, whether the prefix is stripped or not.
func TestPageMounts(t *testing.T) {
	h := leaking(t).Handler()
	for _, mount := range []struct {
		name string
		h    func(mux *http.ServeMux)
		at   string
	}{
		{"as pprof", func(mux *http.ServeMux) { mux.Handle("/debug/leaks/", h) }, "/debug/leaks/"},
		{"root", func(mux *http.ServeMux) { mux.Handle("/", h) }, "/"},
		{"stripped", func(mux *http.ServeMux) { mux.Handle("/a/b/", http.StripPrefix("/a/b", h)) }, "/a/b/"},
		{"stripped with the slash", func(mux *http.ServeMux) {
			mux.Handle("/a/b/", http.StripPrefix("/a/b/", h))
		}, "/a/b/"},
	} {
		t.Run(mount.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mount.h(mux)
			for path, want := range map[string]string{
				"": "text/html; charset=utf-8", "?last=1h": "text/html; charset=utf-8", "live": "application/json",
				"status": "application/json",
			} {
				w := get(mux, http.MethodGet, mount.at+path)
				if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want {
					t.Errorf("%q: %d %s", path, w.Code, w.Header().Get("Content-Type"))
				}
			}
			for _, path := range []string{"status.json", "favicon.ico", "captures", "captures/x", "live.js",
				"page.js"} {
				if w := get(mux, http.MethodGet, mount.at+path); w.Code != http.StatusNotFound {
					t.Errorf("%q: %d", path, w.Code)
				}
			}
		})
	}
	// A router that hands over the path without its slash: links would go astray.
	for path, want := range map[string]string{"/debug/leaks": "./leaks/",
		"/x/javascript:alert(1)": "./javascript:alert(1)/", "//evil.example/x?y=z": "./x/"} {
		w := get(http.StripPrefix(strings.Split(path, "?")[0], h), http.MethodGet, path)
		if w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != want {
			t.Errorf("%q: %d to %q, want %q", path, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestPageHeaders(t *testing.T) {
	h := leaking(t).Handler()
	for _, path := range []string{"/", "/live", "/status", "/no-such-thing", "/captures/x"} {
		header := get(h, http.MethodGet, path).Header()
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cache-Control":                "no-store",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'",
			"form-action 'none'", "script-src 'sha256-", "style-src 'sha256-"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: no %q in the policy %q", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
}

// Whatever is asked, nothing is changed: only reading methods are answered.
func TestPageOnlyReads(t *testing.T) {
	h := leaking(t).Handler()
	for _, path := range []string{"/", "/live", "/status", "/captures/x"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
			if w := get(h, method, path); w.Code != http.StatusMethodNotAllowed ||
				w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for _, path := range []string{"/", "/status"} {
		head, err := http.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		head.Body.Close()
		if head.StatusCode != http.StatusOK || head.ContentLength < 100 {
			t.Errorf("HEAD %s: %s, %d bytes", path, head.Status, head.ContentLength)
		}
	}
}

// shownTo is what a browser gets to show.
type shownTo struct {
	Title, Headline string
	Spans           []struct {
		Name    string
		Current bool
	}
	Shown []string
	Plots map[string]struct{ Spark, Plot, About string }
}

func showing(t *testing.T, m *ResourceMonitor, query string) (v shownTo, body string) {
	t.Helper()
	w := get(m.Handler(), http.MethodGet, "/live"+query)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v, w.Body.String()
}

func (v *shownTo) span() (current []string) {
	for _, s := range v.Spans {
		if s.Current {
			current = append(current, s.Name)
		}
	}
	return current
}

func TestPageSays(t *testing.T) {
	m := leaking(t)
	v, text := showing(t, m, "")
	if v.Headline != "Leak: open_fds" || !strings.HasPrefix(v.Title, "Leak: open_fds · ") {
		t.Errorf("headline %q, title %q", v.Headline, v.Title)
	}
	if diff := cmp.Diff([]string{"open_fds", "threads", `<script>alert("x")</script>`}, v.Shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	for _, want := range []string{`<svg class="plot"`, `class="l-fit"`} {
		if !strings.Contains(v.Plots["open_fds"].Plot, want) {
			t.Errorf("no %q in the plot of the leak", want)
		}
	}
	for name, d := range v.Plots {
		if !strings.HasPrefix(d.Spark, "<svg ") || strings.Contains(d.Plot+d.Spark, "<script") ||
			strings.Contains(d.Plot, `style="`) {
			t.Errorf("the pictures of %q are %q and %q", name, d.Spark, d.Plot)
		}
	}
	if !strings.Contains(text, "open_fds leak: ") {
		t.Error("the alert is not there")
	}

	// The document holds the same, as data.
	body := get(m.Handler(), http.MethodGet, "/").Body.String()
	for _, want := range []string{"<title>Leak: open_fds · ", `"headline":"Leak: open_fds"`,
		`\u003cscript\u003ealert(\"x\")\u003c/script\u003e`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	for _, bad := range []string{`<script>alert`, `style="`, ` on` + `click`, "http://", "https://"} {
		if strings.Contains(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""), bad) {
			t.Errorf("%q on the page", bad)
		}
	}

	day, less := showing(t, m, "?last=24h")
	if diff := cmp.Diff([]string{"24h"}, day.span()); diff != "" || len(less) >= len(text) {
		t.Errorf("a day takes %d bytes, all %d; %s", len(less), len(text), diff)
	}
	// An unknown stretch is all, and what is asked is never repeated.
	odd, repeated := showing(t, m, "?last=%3Cb%3E")
	if diff := cmp.Diff([]string{"all"}, odd.span()); diff != "" || strings.Contains(repeated, `<b>"`) ||
		strings.Contains(repeated, `003cb\u003e"`) {
		t.Errorf("an unknown stretch is not taken for all: %s", diff)
	}
	if empty, _ := showing(t, pastOf(t), ""); empty.Headline != "Nothing was sampled yet" {
		t.Errorf("before the first sample: %+v", empty)
	}
}

func TestPageStatus(t *testing.T) {
	m := leaking(t)
	w := get(m.Handler(), http.MethodGet, "/status")
	var got struct {
		Version   string    `json:"version"`
		Time      time.Time `json:"time"`
		Healthy   bool      `json:"healthy"`
		Interval  float64   `json:"interval_seconds"`
		Resources []struct {
			Resource string  `json:"resource"`
			State    string  `json:"state"`
			Severity string  `json:"severity"`
			Value    float64 `json:"value"`
			Judged   bool    `json:"judged"`
			Leaks    int     `json:"leaks"`
		} `json:"resources"`
		Alerts []struct {
			Resource string `json:"resource"`
			Status   string `json:"status"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "1" || got.Healthy || got.Interval != 30 || !got.Time.Equal(m.state.latest.Time) ||
		len(got.Resources) != 4 {
		t.Errorf("%+v", got)
	}
	fds := got.Resources[0]
	if fds.Resource != "open_fds" || fds.State != "firing" || fds.Severity != "warning" || fds.Value != 235.75 ||
		!fds.Judged || fds.Leaks != 1 {
		t.Errorf("%+v", fds)
	}
	if threads := got.Resources[1]; threads.Resource != "threads" || threads.State != "healthy" ||
		threads.Severity != "" {
		t.Errorf("%+v", threads)
	}
	if len(got.Alerts) != 1 || got.Alerts[0].Resource != "open_fds" || got.Alerts[0].Status != "firing" {
		t.Errorf("%+v", got.Alerts)
	}
	// Before anything is known there are no nulls and no zero times.
	if text := get(pastOf(t).Handler(), http.MethodGet, "/status").Body.String(); strings.Contains(text, "null") ||
		strings.Contains(text, "0001-01-01") {
		t.Errorf("before the first sample: %s", text)
	}
}

// Many look at once while samples come in.
func TestPageWhileSampling(t *testing.T) {
	m := leaking(t)
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, path := range []string{"/", "/live?last=1h", "/status", "/"} {
				answer, err := http.Get(server.URL + path)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
					t.Errorf("%d: %s: %s, %v", i, path, answer.Status, err)
				}
				answer.Body.Close()
			}
		}()
	}
	at := m.state.latest.Time
	for i := range 200 {
		m.give(t, at.Add(time.Duration(i+1)*time.Second),
			sampler.Reading{Resource: "open_fds", Value: float64(300 + i)},
			sampler.Reading{Resource: fmt.Sprint("m", i), Value: 1})
	}
	wg.Wait()
}

// What is drawn of a window begins in it.
func TestChartIsClipped(t *testing.T) {
	m := leaking(t)
	now := m.state.latest.Time
	from := now.Add(-6 * time.Hour)
	c := shown{m}.Plot("open_fds", from)
	if first := time.Unix(0, c.Bins[0].First); first.Before(from) {
		t.Errorf("the first sample is of %s", first)
	}
	for _, f := range c.Fits {
		want := 20 + f.From.Sub(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)).Minutes()/20
		if f.From.Before(from) || f.Value < want-2 || f.Value > want+2 {
			t.Errorf("the line begins at %s with %v, want about %v", f.From, f.Value, want)
		}
	}
	for _, f := range c.Minimums {
		if f.From.Before(from) {
			t.Errorf("a floor of %s", f.From)
		}
	}
	if len(c.Fits) == 0 || len(c.Minimums) == 0 {
		t.Errorf("%d lines and %d floors", len(c.Fits), len(c.Minimums))
	}
	if diff := cmp.Diff(len(m.Past("open_fds", from)), len(c.Bins)); diff != "" {
		t.Error(diff)
	}
}

// What one look at the page costs the process, with ten resources of which all that can be kept is kept.
func BenchmarkPage(b *testing.B) {
	m := pastOf(b)
	at := time.Unix(1e9, 0)
	for i := range 20_000 {
		s := sampler.Sample{Time: at.Add(time.Duration(i) * 30 * time.Second)}
		for _, r := range sampler.Resources() {
			s.Add(r.Name, 1e6+float64(i%97)*1e4)
		}
		if err := m.state.judge(&s); err != nil {
			b.Fatal(err)
		}
	}
	for _, path := range []string{"/", "/?last=6h", "/status"} {
		b.Run(path, func(b *testing.B) {
			h := m.Handler()
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(get(h, http.MethodGet, path).Body.Len()))
			}
		})
	}
}

// What 300 viewers who come at once wait for together.
func BenchmarkViewers(b *testing.B) {
	m := pastOf(b)
	at := time.Unix(1e9, 0)
	for i := range 5_000 {
		s := sampler.Sample{Time: at.Add(time.Duration(i) * 30 * time.Second)}
		for k := range 100 {
			s.Add(fmt.Sprint("metric", k), 1e6+float64((i+k)%97)*1e4)
		}
		if err := m.state.judge(&s); err != nil {
			b.Fatal(err)
		}
	}
	h := m.Handler()
	for b.Loop() {
		var wg sync.WaitGroup
		for range 300 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				get(h, http.MethodGet, "/")
			}()
		}
		wg.Wait()
	}
}
