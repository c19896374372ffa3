//go:build go1.25

package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// idsIn returns the alerts of a post, as "ID status".
func idsIn(t *testing.T, format string, body []byte) (ids []string) {
	t.Helper()
	switch format {
	case "json":
		var a alerting.Alert
		if err := json.Unmarshal(body, &a); err != nil {
			t.Error(err)
		}
		return []string{a.ID + " " + string(a.Status)}
	case "slack":
		var message struct{ Text string }
		if err := json.Unmarshal(body, &message); err != nil {
			t.Error(err)
		}
		status, rest, _ := strings.Cut(strings.TrimPrefix(message.Text, "["), "] ")
		id, _, _ := strings.Cut(rest, "\n")
		return []string{id + " " + strings.ToLower(status)}
	}
	var alerts []struct {
		Annotations map[string]string
		EndsAt      time.Time
	}
	if err := json.Unmarshal(body, &alerts); err != nil {
		t.Error(err)
	}
	for _, a := range alerts {
		status := alerting.Firing
		if !a.EndsAt.After(time.Now()) {
			status = alerting.Resolved
		}
		ids = append(ids, a.Annotations["alert_id"]+" "+string(status))
	}
	return ids
}

// An alert that is refused arrives once the receiver is mended, in every format and whatever the refusal was, and its
// end arrives after it. What ended before is not told of.
func TestRefusedAlertArrivesOnceTheReceiverIsMended(t *testing.T) {
	for _, format := range []string{"json", "slack", "alertmanager"} {
		for _, status := range []int{301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422} {
			t.Run(fmt.Sprint(format, " ", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mended atomic.Bool
					var got []string
					receiver := roundTrip(func(r *http.Request) (*http.Response, error) {
						body, err := io.ReadAll(r.Body)
						if err != nil {
							t.Error(err)
						}
						resp := &http.Response{StatusCode: status, Header: http.Header{},
							Body: io.NopCloser(bytes.NewReader(nil))}
						resp.Header.Set("Location", "http://elsewhere/")
						if mended.Load() {
							resp.StatusCode = http.StatusOK
							got = append(got, idsIn(t, format, body)...)
						}
						return resp, nil
					})
					w := newWebhook(t, Config{URL: "http://h/", Format: format,
						Client: &http.Client{Transport: receiver}})
					d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "webhook", Sink: w})
					stop := running(t, d)
					notify := func(id string, status alerting.Status) {
						a := amAlert(id, id, status, alerting.Warning)
						a.Summary = id
						d.Notify(a)
					}
					notify("holds", alerting.Firing)
					notify("over", alerting.Firing)
					time.Sleep(24 * time.Hour)
					notify("over", alerting.Resolved)
					mended.Store(true)
					time.Sleep(6 * time.Minute)
					synctest.Wait()
					got = slices.Compact(got) // an Alertmanager is told every minute
					notify("holds", alerting.Resolved)
					time.Sleep(time.Hour)
					stop()
					got = slices.Compact(got)
					if diff := cmp.Diff([]string{"holds firing", "holds resolved"}, got); diff != "" {
						t.Errorf("posted (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// A server that answers 404 at first and 200 later gets what it refused.
func TestServerIsMended(t *testing.T) {
	for _, format := range []string{"json", "slack", "alertmanager"} {
		t.Run(format, func(t *testing.T) {
			const burst = 500
			var mended atomic.Bool
			taken := make(chan string, 2*burst)
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				body, err := io.ReadAll(req.Body)
				if err != nil {
					t.Error(err)
				}
				if !mended.Load() {
					http.NotFound(rw, req)
					return
				}
				for _, id := range idsIn(t, format, body) {
					taken <- id
				}
			}))
			defer server.Close()
			w := newWebhook(t, Config{URL: server.URL, Format: format})
			d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "webhook", Sink: w})
			d.DrainTimeout = time.Hour
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- d.Run(ctx) }()
			want := map[string]int{}
			for i := range burst {
				a := amAlert(fmt.Sprint(i), fmt.Sprint(i), alerting.Firing, alerting.Warning)
				a.Summary = a.ID
				d.Notify(a)
				if i%2 > 0 {
					want[a.ID+" firing"] = 1
				}
			}
			await.True(t, "all are refused", func() bool { return d.Stats()[0].Waiting == burst })
			for i := 0; i < burst; i += 2 { // of which nobody is told
				d.Notify(alerting.Alert{ID: fmt.Sprint(i), Event: alerting.Event{Status: alerting.Resolved}})
			}
			mended.Store(true)
			cancel() // at the end there is no time to wait
			if err := <-ended; err != nil {
				t.Error(err)
			}
			close(taken)
			got := map[string]int{}
			for id := range taken {
				got[id]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
		})
	}
}

// A transport that is somebody else's may panic, block, and ignore its context: the alert waits, others go their way,
// and Run ends.
func TestTransportOfOthers(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *http.Request, release <-chan struct{}) (*http.Response, error)
		left alerting.SinkStats // while it does so
	}{
		{"panics", func(*http.Request, <-chan struct{}) (*http.Response, error) { panic("transport") },
			alerting.SinkStats{Queued: 1, Waiting: 1, Failing: true, LastError: "panic: transport"}},
		{"blocks until its time is over", func(r *http.Request, _ <-chan struct{}) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, alerting.SinkStats{Queued: 1, Failing: true}},
		{"ignores its context", func(r *http.Request, release <-chan struct{}) (*http.Response, error) {
			<-release
			return nil, io.ErrUnexpectedEOF
		}, alerting.SinkStats{Queued: 1, Stuck: true}},
		{"returns neither", func(*http.Request, <-chan struct{}) (*http.Response, error) { return nil, nil },
			alerting.SinkStats{Queued: 1, Failing: true}},
		{"returns no body", func(*http.Request, <-chan struct{}) (*http.Response, error) {
			return &http.Response{StatusCode: 404}, nil
		}, alerting.SinkStats{Queued: 1, Waiting: 1, Failing: true,
			LastError: "webhook http://h/...: status 404 Not Found"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				transport := roundTrip(func(r *http.Request) (*http.Response, error) { return tc.do(r, release) })
				w := newWebhook(t, Config{URL: "http://h/x", Client: &http.Client{Transport: transport}})
				other := 0
				d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "webhook", Sink: w},
					alerting.NamedSink{Name: "other", Sink: alerting.SinkFunc(func(alerting.Alert) { other++ })})
				stop := running(t, d)
				d.Notify(alertOf("a", alerting.Warning))
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				if other != 1 {
					t.Errorf("the other sink was called %d times", other)
				}
				got := d.Stats()[0]
				if got.LastError != "" && tc.left.LastError == "" && tc.left.Failing {
					tc.left.LastError = got.LastError // in the words of net/http
				}
				if got.Failing != (got.LastError != "") || (got.Panics > 0) != (tc.name == "panics") {
					t.Errorf("%+v", got)
				}
				got.Retried, got.Refused, got.Panics, got.LastErrorAt = 0, 0, 0, time.Time{}
				tc.left.Name = "webhook"
				if diff := cmp.Diff(tc.left, got); diff != "" {
					t.Errorf("stats (-want +got):\n%s", diff)
				}
				start := time.Now()
				stop()
				if elapsed := time.Since(start); elapsed > 6*time.Second {
					t.Errorf("Run took %v to end", elapsed)
				}
				close(release)
				time.Sleep(attemptTimeout) // for what net/http left behind
			})
		})
	}
}

// alertOf returns a firing alert.
func alertOf(id string, severity alerting.Severity) alerting.Alert {
	return alerting.Alert{Version: "1", ID: id, Event: alerting.Event{Status: alerting.Firing, Severity: severity}}
}
