package webhook

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
)

//go:embed testdata/alert.json
var alertJSON []byte

// fullAlert has every field set.
func fullAlert() (a alerting.Alert) {
	if err := json.Unmarshal(alertJSON, &a); err != nil {
		panic(err)
	}
	return a
}

func resolvedAlert() alerting.Alert {
	a := fullAlert()
	a.Status, a.Severity = alerting.Resolved, alerting.Warning
	a.Summary = "goroutines fell back to 320"
	a.Value, a.Time = 320, at("2026-11-23T11:00:00Z")
	a.Sites, a.Parts, a.Profiles, a.Missing, a.Exhaustion, a.Evidence = nil, nil, nil, nil, nil, nil
	return a
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func newWebhook(t *testing.T, cfg Config) *Webhook {
	t.Helper()
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// describe returns the format of a webhook and what posts for it.
func describe(w *Webhook) (format string, p poster) {
	switch f := w.form.(type) {
	case jsonForm:
		return "json", f.poster
	case slack:
		return "slack", f.poster
	case *alertmanager:
		return "alertmanager", f.poster
	}
	return "", poster{}
}

func TestWebhookFormatAndTarget(t *testing.T) {
	for _, tc := range []struct{ url, format, wantFormat, wantTarget string }{
		{"http://h/hook?x=1#frag", "", "json", "http://h/hook?x=1"},
		{"https://hooks.slack.com/services/T/B/X", "auto", "slack", ""},
		{"https://HOOKS.slack.com/workflows/T", "auto", "slack", ""},
		{"https://eu.slack.com/services/T/B/X", "auto", "slack", ""},
		{"https://eu.slack.com/other", "auto", "json", ""},
		{"https://hooks.slack.com.evil.example/services/T", "auto", "json", ""},
		{"https://hooks.slack.com/services/T/B/X", "json", "json", ""},
		{"http://am:9093/api/v2/alerts", "auto", "alertmanager", ""},
		{"http://am:9093/api/v1/alerts", "auto", "alertmanager", "http://am:9093/api/v2/alerts"},
		{"http://u:p@am/pre%2Ffix/api/v1/alerts/?a=b", "auto", "alertmanager",
			"http://u:p@am/pre%2Ffix/api/v2/alerts?a=b"},
		{"http://am:9093", "alertmanager", "alertmanager", "http://am:9093/api/v2/alerts"},
		{"http://am:9093/prefix/", "alertmanager", "alertmanager", "http://am:9093/prefix/api/v2/alerts"},
		{"http://h/api/v1/alerts", "slack", "slack", ""},
	} {
		w := newWebhook(t, Config{URL: tc.url, Format: tc.format})
		want := tc.wantTarget
		if want == "" {
			want = tc.url
		}
		format, p := describe(w)
		if format != tc.wantFormat || !strings.EqualFold(p.target, want) {
			t.Errorf("%s as %q: %s to %s, want %s to %s", tc.url, tc.format, format, p.target, tc.wantFormat, want)
		}
	}
}

func TestNewWebhookErrors(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "alerting: webhook URL must begin with http:// or https://"},
		{Config{URL: "ftp://s3cret@h/"}, "alerting: webhook URL must begin with http:// or https://"},
		{Config{URL: "s3cret:x"}, "alerting: webhook URL must begin with http:// or https://"},
		{Config{URL: "http://u:s3cret%zz@h/"}, "alerting: webhook URL cannot be parsed"},
		{Config{URL: "http://h:s3cret/"}, "alerting: webhook URL cannot be parsed"},
		{Config{URL: "http:///s3cret"}, "alerting: webhook URL names no host"},
		{Config{URL: "http://:80/s3cret"}, "alerting: webhook URL names no host"},
		{Config{URL: "http://h", Format: "s3cret"}, "alerting: unknown webhook format: want auto, json, slack or " +
			"alertmanager"},
		{Config{URL: "http://h", Hold: time.Second}, "alerting: an alert must be held for a minute or more"},
		{Config{URL: "http://h", Hold: -time.Hour}, "alerting: an alert must be held for a minute or more"},
		{Config{URL: "http://h", GeneratorURL: "s3cret"}, "alerting: generator URL must begin with http:// or " +
			"https://"},
	} {
		_, err := New(tc.cfg)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%+v: %v, want %s", tc.cfg, err, tc.want)
		}
	}
}

func FuzzNewWebhook(f *testing.F) {
	f.Add("http://bob:s3cr3t@h/hook")
	f.Add("https://hooks.slack.com/services/T000/B000/s3cr3t")
	f.Add("http://h:s3cr3t/%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		w, err := New(Config{URL: raw})
		if err != nil {
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error repeats the URL: %v", err)
			}
			return
		}
		_, p := describe(w)
		if _, err := http.NewRequest(http.MethodPost, p.target, nil); err != nil {
			t.Errorf("%q was taken but makes no request: %v", raw, err)
		}
		if strings.Contains(p.shown, "s3cr3t") && !strings.Contains(urlHost(p.target), "s3cr3t") {
			t.Errorf("%q is shown as %q", raw, p.shown)
		}
	})
}

func urlHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// capture is a server's side of one post.
type capture struct {
	method, path, contentType, user string
	body                            []byte
}

func captureServer(t *testing.T, got *capture) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		*got = capture{r.Method, r.URL.Path, r.Header.Get("Content-Type"), user, body}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestWebhookPayloads(t *testing.T) {
	for _, format := range []string{"json", "slack"} {
		for _, a := range []alerting.Alert{fullAlert(), resolvedAlert()} {
			var got capture
			srv := captureServer(t, &got)
			w := newWebhook(t, Config{URL: strings.Replace(srv.URL, "://", "://bob:pass@", 1) + "/hook",
				Format: format})
			if err := w.Send(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			w.CloseIdleConnections()
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got.body, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, format+"_"+string(a.Status), append(pretty.Bytes(), '\n'))
			got.body = nil
			want := capture{"POST", "/hook", "application/json", "bob", nil}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(capture{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", format, diff)
			}
			if err := w.Refresh(t.Context(), func(string) bool { return true }); err != nil || got.body != nil {
				t.Errorf("%s: Refresh posted %q, error %v", format, got.body, err)
			}
		}
	}
}

// verdict is what a failed Send means to the dispatcher.
type verdict struct {
	Failed, Final bool
	After         time.Duration
}

func verdictOf(err error) verdict {
	v := verdict{Failed: err != nil, Final: alerting.IsFinal(err)}
	var later *alerting.RetryAfterError
	if errors.As(err, &later) {
		v.After = later.After
	}
	return v
}

const secretPath = "/services/T0s3cret/B0s3cret/Xs3cret"

// secretURL puts secrets wherever a URL can hold them.
func secretURL(base string) string {
	return strings.Replace(base, "://", "://us3cret:pas3cret@", 1) + secretPath + "?token=qs3cret&x=%73%33cret"
}

func checkSecrets(t *testing.T, name string, text string) {
	t.Helper()
	if strings.Contains(text, "s3cret") || strings.Contains(text, "%73%33cret") {
		t.Errorf("%s: secret in %q", name, text)
	}
}

func TestWebhookResponses(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer elsewhere.Close()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				rw.Header().Set(header[i], header[i+1])
			}
			rw.WriteHeader(code)
			fmt.Fprintf(rw, "cannot post %s", r.URL)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			conn, _, err := rw.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, strings.ReplaceAll(text, "URL", r.URL.String()))
			conn.Close()
		}
	}
	retry, final := verdict{Failed: true}, verdict{Failed: true, Final: true}
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    verdict
	}{
		{"200", status(200), verdict{}},
		{"204", status(204), verdict{}},
		{"400", status(400), final},
		{"403", status(403), final},
		{"404 with Retry-After", status(404, "Retry-After", "3"), final},
		{"408", status(408), retry},
		{"429", status(429), retry},
		{"429 with Retry-After", status(429, "Retry-After", "7"), verdict{Failed: true, After: 7 * time.Second}},
		{"500", status(500), retry},
		{"503 with a long Retry-After", status(503, "Retry-After", "3600"), verdict{Failed: true, After: time.Minute}},
		{"302", status(302, "Location", elsewhere.URL+"/s3cret"), final},
		{"307", status(307, "Location", elsewhere.URL), final},
		{"308 to itself", status(308, "Location", "/"), final},
		{"304 without target", status(304), final},
		{"closed at once", raw(""), retry},
		{"closed in the header", raw("HTTP/1.1 200 OK\r\nContent-"), retry},
		{"closed in the body", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal"), verdict{}},
		{"no HTTP", raw("you said URL ?\r\n\r\n"), retry},
		{"secret in the status", raw("HTTP/1.1 404 no URL here\r\n\r\n"), final},
		{"target no URL", raw("HTTP/1.1 302 Found\r\nLocation: http://h:s3cret/\r\n\r\n"), retry},
	} {
		srv := httptest.NewServer(tc.handler)
		w := newWebhook(t, Config{URL: secretURL(srv.URL)})
		err := w.Send(t.Context(), fullAlert())
		if diff := cmp.Diff(tc.want, verdictOf(err)); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tc.name, err, diff)
		}
		if err != nil {
			checkSecrets(t, tc.name, fmt.Sprintf("%v %+v %q", err, err, err))
			if !strings.Contains(err.Error(), srv.URL) {
				t.Errorf("%s: the error does not name the host: %v", tc.name, err)
			}
		}
		w.CloseIdleConnections()
		srv.Close()
	}
}

func TestWebhookTransportErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	hangs := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(hangs)
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	defer tlsServer.Close()

	for _, tc := range []struct {
		name, url string
		is        error
	}{
		{"refused", closed, nil},
		{"hangs", srv.URL, context.DeadlineExceeded},
		{"certificate of nobody", tlsServer.URL, nil},
	} {
		w := newWebhook(t, Config{URL: secretURL(tc.url), Format: "json"})
		ctx, cancel := context.WithCancel(t.Context())
		if tc.is == context.DeadlineExceeded {
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		}
		err := w.Send(ctx, fullAlert())
		cancel()
		w.CloseIdleConnections()
		if err == nil || alerting.IsFinal(err) {
			t.Errorf("%s: %v: want an error worth a retry", tc.name, err)
		}
		if tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v is not %v", tc.name, err, tc.is)
		}
		checkSecrets(t, tc.name, fmt.Sprintf("%v %+v %q", err, err, err))
	}
}

func TestWebhookUnencodable(t *testing.T) {
	w := newWebhook(t, Config{URL: "http://127.0.0.1:1/"})
	a := fullAlert()
	a.Value = math.Inf(1)
	if err := w.Send(t.Context(), a); !alerting.IsFinal(err) {
		t.Errorf("an infinite value: %v, want a final error", err)
	}
}

// An own client of the caller is used, but neither changed nor allowed to follow redirects.
func TestWebhookClient(t *testing.T) {
	var got capture
	srv := captureServer(t, &got)
	used := false
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		used = true
		return http.DefaultTransport.RoundTrip(r)
	})}
	w := newWebhook(t, Config{URL: srv.URL, Client: client})
	if err := w.Send(t.Context(), fullAlert()); err != nil || !used || got.method != "POST" {
		t.Errorf("error %v, client used %v, got %+v", err, used, got)
	}
	if client.CheckRedirect != nil || client.Timeout != 0 {
		t.Error("the caller's client was changed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfter(t *testing.T) {
	now := at("2026-11-23T10:00:00Z")
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "5": 5 * time.Second, "61": time.Minute, "4294967295": time.Minute, "99999999999999999999": 0,
		"-5": 0, "soon": 0, "1.5": 0,
		"Mon, 23 Nov 2026 10:00:20 GMT": 20 * time.Second,
		"Mon, 23 Nov 2026 12:00:00 GMT": time.Minute,
		"Mon, 23 Nov 2026 09:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7")
	f.Add("Mon, 23 Nov 2026 10:00:20 GMT")
	f.Add("18446744073709551615")
	f.Fuzz(func(t *testing.T, header string) {
		if got := retryAfter(header, at("2026-11-23T10:00:00Z")); got < 0 || got > time.Minute {
			t.Errorf("%q: %v", header, got)
		}
	})
}

// From a failing webhook to log and statistics, nothing shows its secrets; the alert arrives in the end.
func TestWebhookThroughDispatcher(t *testing.T) {
	var got capture
	posts := 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		posts++
		body, _ := io.ReadAll(r.Body)
		if posts == 1 {
			http.Error(rw, "cannot post "+r.URL.String(), http.StatusInternalServerError)
			return
		}
		got.body = body
	}))
	defer srv.Close()
	var out bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&out)
	d := alerting.NewDispatcher(logger,
		alerting.NamedSink{Name: "webhook", Sink: newWebhook(t, Config{URL: secretURL(srv.URL)})})
	d.DrainTimeout = time.Hour
	d.Notify(fullAlert())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var arrived alerting.Alert
	if err := json.Unmarshal(got.body, &arrived); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullAlert(), arrived); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
	stats := d.Stats()
	want := []alerting.SinkStats{{Name: "webhook", Sent: 1, Retried: 1, LastErrorAt: stats[0].LastErrorAt,
		LastError: "webhook " + srv.URL + "/...: status 500 Internal Server Error"}}
	if diff := cmp.Diff(want, stats); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), "status 500") {
		t.Errorf("the failure is not logged: %s", &out)
	}
	checkSecrets(t, "log", out.String())
}
