//go:build go1.25

package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// fakeAlertmanager writes down each post as one line: time, then severity, start and end of each alert.
type fakeAlertmanager struct {
	t     *testing.T
	begin time.Time
	posts []string
	down  func(post int) bool
}

func (f *fakeAlertmanager) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != "http://am/api/v2/alerts" {
		f.t.Errorf("posted to %s", r.URL)
	}
	var alerts []struct {
		Labels           map[string]string
		StartsAt, EndsAt time.Time
	}
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
		f.t.Error(err)
	}
	offset := func(t time.Time) string { return t.Sub(f.begin).Truncate(time.Second).String() }
	line := offset(time.Now())
	for _, a := range alerts {
		if a.EndsAt.Before(a.StartsAt) || a.StartsAt.After(time.Now()) {
			f.t.Errorf("starts %v, ends %v, now %v", a.StartsAt, a.EndsAt, time.Now())
		}
		line += fmt.Sprintf("; %s %s %s to %s", a.Labels["resource"], a.Labels["severity"], offset(a.StartsAt),
			offset(a.EndsAt))
	}
	n := len(f.posts)
	f.posts = append(f.posts, line)
	resp := &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}
	if f.down != nil && f.down(n) {
		resp.StatusCode, resp.Header = 503, http.Header{"Retry-After": {"60"}}
	}
	return resp, nil
}

func amAlert(id, resource string, status alerting.Status, severity alerting.Severity) alerting.Alert {
	return alerting.Alert{ID: id, Event: alerting.Event{Resource: resource, Status: status, Severity: severity,
		Time: time.Now()}}
}

// bubble runs a test with a dispatcher that posts to a fake Alertmanager, and compares the posts.
// running runs a dispatcher until the function that it returns is called.
func running(t *testing.T, d *alerting.Dispatcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func bubble(t *testing.T, down func(int) bool, f func(d *alerting.Dispatcher), want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		am := &fakeAlertmanager{t: t, begin: time.Now(), down: down}
		w := newWebhook(t, Config{URL: "http://am/api/v1/alerts", Client: &http.Client{Transport: am}})
		d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "am", Sink: w})
		stop := running(t, d)
		f(d)
		stop()
		if diff := cmp.Diff(want, am.posts); diff != "" {
			t.Errorf("posts (-want +got):\n%s", diff)
		}
	})
}

func TestAlertmanagerKeepsFiringAlertsAlive(t *testing.T) {
	bubble(t, nil, func(d *alerting.Dispatcher) {
		time.Sleep(10 * time.Second)
		d.Notify(amAlert("1", "threads", alerting.Firing, alerting.Warning))
		time.Sleep(2 * time.Minute)
		d.Notify(amAlert("1", "threads", alerting.Firing, alerting.High))
		time.Sleep(time.Minute)
		d.Notify(amAlert("1", "threads", alerting.Resolved, alerting.Warning))
		time.Sleep(10 * time.Minute)
	},
		"10s; threads warning 10s to 5m10s",
		"1m0s; threads warning 10s to 6m0s",
		"2m0s; threads warning 10s to 7m0s",
		"2m10s; threads warning 10s to 2m10s; threads high 2m10s to 7m10s",
		"3m0s; threads high 2m10s to 8m0s",
		"3m10s; threads high 2m10s to 3m10s",
	)
}

// An alert stamped ahead of the wall clock starts and ends at the time of delivery; a repeated one keeps its start.
func TestAlertmanagerTimesAreOfDelivery(t *testing.T) {
	bubble(t, nil, func(d *alerting.Dispatcher) {
		ahead := amAlert("1", "threads", alerting.Firing, alerting.Warning)
		ahead.Time = ahead.Time.Add(24 * time.Hour)
		d.Notify(ahead)
		time.Sleep(20 * time.Second)
		again := ahead
		again.Time = again.Time.Add(20 * time.Second)
		d.Notify(again)
		time.Sleep(10 * time.Second)
		ahead.Status = alerting.Resolved
		d.Notify(ahead)
		time.Sleep(10 * time.Minute)
	},
		"0s; threads warning 0s to 5m0s",
		"20s; threads warning 0s to 5m20s",
		"30s; threads warning 0s to 30s",
	)
}

// While the resolved alert waits for its retry, the finding is ended rather than repeated, with the severity that it
// was posted under.
func TestAlertmanagerResolvedDuringAnOutage(t *testing.T) {
	down := func(post int) bool { return post == 2 }
	bubble(t, down, func(d *alerting.Dispatcher) {
		d.Notify(amAlert("1", "threads", alerting.Firing, alerting.Critical))
		time.Sleep(10 * time.Second)
		d.Notify(amAlert("2", "open_fds", alerting.Firing, alerting.Warning))
		time.Sleep(20 * time.Second)
		d.Notify(amAlert("1", "threads", alerting.Resolved, alerting.Warning))
		time.Sleep(95 * time.Second)
		d.Notify(amAlert("2", "open_fds", alerting.Resolved, alerting.Warning))
		time.Sleep(10 * time.Minute)
	},
		"0s; threads critical 0s to 5m0s",
		"10s; open_fds warning 10s to 5m10s",
		"30s; threads critical 0s to 30s", // fails
		"1m0s; threads critical 0s to 1m0s; open_fds warning 10s to 6m0s",
		"1m30s; threads critical 0s to 1m30s",
		"2m0s; open_fds warning 10s to 7m0s",
		"2m5s; open_fds warning 10s to 2m5s",
	)
}

// Findings follow each other under the same labels: the late end of the first must not end the second.
func TestAlertmanagerSuccession(t *testing.T) {
	bubble(t, nil, func(d *alerting.Dispatcher) {
		d.Notify(amAlert("1", "threads", alerting.Firing, alerting.Warning))
		time.Sleep(10 * time.Second)
		d.Notify(amAlert("2", "threads", alerting.Firing, alerting.Warning))
		time.Sleep(10 * time.Second)
		d.Notify(amAlert("1", "threads", alerting.Resolved, alerting.Warning))
		time.Sleep(time.Minute)
		d.Notify(amAlert("2", "threads", alerting.Resolved, alerting.Warning))
		time.Sleep(10 * time.Minute)
	},
		"0s; threads warning 0s to 5m0s",
		"10s; threads warning 10s to 5m10s",
		"1m0s; threads warning 10s to 6m0s",
		"1m20s; threads warning 10s to 1m20s",
	)
}

// The end of a process is not the end of its findings.
func TestAlertmanagerStopResolvesNothing(t *testing.T) {
	bubble(t, nil, func(d *alerting.Dispatcher) {
		d.Notify(amAlert("1", "open_fds", alerting.Firing, alerting.High))
		time.Sleep(30 * time.Second)
	},
		"0s; open_fds high 0s to 5m0s",
	)
}

func TestAlertmanagerPostedSetIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &fakeAlertmanager{t: t, begin: time.Now()}
		w := newWebhook(t, Config{URL: "http://am/api/v2/alerts", Client: &http.Client{Transport: am}})
		for i := range maxPosted + 5 {
			if err := w.Send(t.Context(), amAlert(fmt.Sprint(i), fmt.Sprint(i), alerting.Firing,
				alerting.Warning)); err != nil {
				t.Fatal(err)
			}
		}
		held := &toAlertmanager(w).posted
		if oldest := held.soonest()[0]; len(held.byID) != maxPosted || len(held.byLabels) != maxPosted ||
			oldest.alert.ID != "5" {
			t.Errorf("%d alerts held, the oldest is %s", len(held.byID), oldest.alert.ID)
		}
	})
}

// Thousands of alerts are repeated in posts of a size that any proxy takes, and one that is refused keeps no other
// back.
func TestAlertmanagerRepeatsManyInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		am := roundTrip(func(r *http.Request) (*http.Response, error) {
			var alerts []json.RawMessage
			if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
				t.Error(err)
			}
			sizes = append(sizes, len(alerts))
			status := http.StatusOK
			if len(sizes) == 1002 { // the second of a refresh
				status = http.StatusRequestEntityTooLarge
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
		})
		w := newWebhook(t, Config{URL: "http://am/api/v2/alerts", Client: &http.Client{Transport: am}})
		for i := range 1000 {
			if err := w.Send(t.Context(), amAlert(fmt.Sprint(i), fmt.Sprint(i), alerting.Firing,
				alerting.Warning)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		all := func(string) bool { return true }
		if err := w.Refresh(t.Context(), all); err == nil {
			t.Error("no error of the part that was refused")
		}
		if diff := cmp.Diff([]int{200, 200, 200, 200, 200}, sizes[1000:]); diff != "" {
			t.Errorf("sizes of the posts (-want +got):\n%s", diff)
		}
		late := toAlertmanager(w).posted.soonest()
		if first, next := time.Until(late[0].ends), time.Until(late[200].ends); first != holdTime-time.Minute ||
			next != holdTime || late[0].alert.ID != "200" {
			t.Errorf("alert %s ends in %v, and the 201st in %v", late[0].alert.ID, first, next)
		}
	})
}

// After the clock was set back, an alert starts no later than it ends.
func TestAlertmanagerClockSetBack(t *testing.T) {
	w := newWebhook(t, Config{URL: "http://am/api/v2/alerts"})
	now := at("2026-11-23T10:00:00Z")
	if got := toAlertmanager(w).until(postedAlert{starts: now.Add(time.Hour)}, now); !got.StartsAt.Equal(now) ||
		!got.EndsAt.Equal(now) {
		t.Errorf("starts %v, ends %v, want both %v", got.StartsAt, got.EndsAt, now)
	}
}

// A finding whose end could not be posted before Alertmanager ended it by itself is forgotten.
func TestAlertmanagerForgetsWhatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &fakeAlertmanager{t: t, begin: time.Now(), down: func(post int) bool { return post > 0 }}
		w := newWebhook(t, Config{URL: "http://am/api/v2/alerts", Client: &http.Client{Transport: am}})
		if err := w.Send(t.Context(), amAlert("1", "threads", alerting.Firing, alerting.Warning)); err != nil {
			t.Fatal(err)
		}
		none := func(string) bool { return false }
		if err := w.Refresh(t.Context(), none); err == nil || len(toAlertmanager(w).posted.byID) != 1 {
			t.Errorf("at once: error %v, %d held", err, len(toAlertmanager(w).posted.byID))
		}
		time.Sleep(holdTime)
		if err := w.Refresh(t.Context(), none); err != nil || len(toAlertmanager(w).posted.byID) != 0 {
			t.Errorf("later: error %v, %d held", err, len(toAlertmanager(w).posted.byID))
		}
	})
}

// An alert that nobody repeats lives as long as the configuration says.
func TestAlertmanagerHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		am := &fakeAlertmanager{t: t, begin: time.Now()}
		w := newWebhook(t, Config{URL: "http://am/api/v2/alerts", Client: &http.Client{Transport: am},
			Hold: 25 * time.Hour})
		if err := w.Send(t.Context(), amAlert("1", "threads", alerting.Firing, alerting.Warning)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := w.Refresh(t.Context(), func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"0s; threads warning 0s to 25h0m0s", "1h0m0s; threads warning 0s to 26h0m0s"},
			am.posts); diff != "" {
			t.Errorf("posts (-want +got):\n%s", diff)
		}
	})
}
