package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

func toAlertmanager(w *Webhook) *alertmanager { return w.form.(*alertmanager) }

func TestAlertmanagerPayload(t *testing.T) {
	w := newWebhook(t, Config{URL: "http://am:9093/api/v2/alerts", GeneratorURL: "http://node-7:8080/leaks"})
	now := at("2026-11-23T10:15:02.5Z")
	bare := alerting.Alert{Event: alerting.Event{Status: alerting.Firing, Kind: alerting.Limit, Resource: "open_fds",
		Time: now.Add(time.Hour)}}
	post := func(a alerting.Alert, hold time.Duration) postableAlert {
		return toAlertmanager(w).until(postedAlert{labels: toAlertmanager(w).labels(a), alert: a,
			starts: startOf(a, now)}, now.Add(hold))
	}
	posts := []postableAlert{post(fullAlert(), holdTime), post(resolvedAlert(), 0), post(bare, holdTime)}
	text, err := json.MarshalIndent(posts, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "alertmanager", append(text, '\n'))
}

func TestAlertmanagerInstance(t *testing.T) {
	for _, tc := range []struct {
		instance string
		p        alerting.Process
		want     string
	}{
		{"", alerting.Process{Host: "h", PID: 7, Executable: "x"}, "h:7"},
		{"", alerting.Process{Host: "h", Executable: "x"}, "h"},
		{"", alerting.Process{Executable: "x", PID: 7}, "x:7"},
		{"mine", alerting.Process{Host: "h", PID: 7}, "mine"},
	} {
		w := newWebhook(t, Config{URL: "http://am/api/v2/alerts", Instance: tc.instance})
		if got := toAlertmanager(w).labels(alerting.Alert{Process: tc.p}).Instance; got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.p, got, tc.want)
		}
	}
}

// The labels of a group stand for the instance, and cannot replace what an alert always has.
func TestAlertmanagerGroup(t *testing.T) {
	w := newWebhook(t, Config{URL: "http://am/api/v2/alerts"})
	a := alerting.Alert{
		Event: alerting.Event{Status: alerting.Firing, Kind: alerting.Trend, Resource: "goroutines",
			Severity: alerting.High},
		Process: alerting.Process{Host: "h"}, Incident: "4f",
		Labels: map[string]string{"job": "api", "version": "v1.9", "alertname": "Other"},
	}
	text, err := json.Marshal(toAlertmanager(w).labels(a))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"alertname":"LeakDetected","incident":"4f","job":"api","kind":"trend","resource":"goroutines",` +
		`"severity":"high","version":"v1.9"}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	if again := toAlertmanager(w).labels(a.Clone()); again != toAlertmanager(w).labels(a) {
		t.Errorf("the labels of a copy differ: %+v", again)
	}
	a.Summary, a.Annotations = "it leaks", map[string]string{"team": "pay", "summary": "other",
		"runbook_url": "https://w/leaks"}
	if got := annotations(a); got["team"] != "pay" || got["runbook_url"] != "https://w/leaks" ||
		got["summary"] != "it leaks" {
		t.Errorf("annotations %v", got)
	}
	a.Process = alerting.Process{}
	if got := description(a); !strings.HasPrefix(got, "goroutines of alertname Other, job api, version v1.9: ") {
		t.Error(got)
	}
}

// freePort returns a loopback address that nothing listens on.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startAlertmanager runs a real Alertmanager on loopback and returns its base URL.
func startAlertmanager(t *testing.T) string {
	var binary string
	for _, name := range []string{"prometheus-alertmanager", "alertmanager"} {
		if path, err := exec.LookPath(name); err == nil {
			binary = path
			break
		}
	}
	if binary == "" {
		t.Skip("no Alertmanager on PATH: install the package prometheus-alertmanager to run this test")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(config,
		[]byte("global: {resolve_timeout: 5m}\nroute: {receiver: nobody}\nreceivers: [{name: nobody}]\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	addr := freePort(t)
	cmd := exec.Command(binary, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr,
		"--cluster.listen-address=")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Alertmanager's log:\n%s", &log)
		}
	})
	base := "http://" + addr
	await.True(t, "Alertmanager is ready", func() bool {
		resp, err := http.Get(base + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	return base
}

// heldAlert is an alert as Alertmanager's API shows it.
type heldAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// activeAlerts returns the alerts of one instance that Alertmanager holds as firing.
func activeAlerts(t *testing.T, base, instance string) []heldAlert {
	t.Helper()
	resp, err := http.Get(base + "/api/v2/alerts?active=true&filter=" +
		url.QueryEscape(fmt.Sprintf("instance=%q", instance)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var alerts []heldAlert
	if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

func severitiesOf(alerts []heldAlert) string {
	var s []string
	for _, a := range alerts {
		s = append(s, a.Labels["severity"])
	}
	return strings.Join(s, " ")
}

func TestRealAlertmanager(t *testing.T) {
	base := startAlertmanager(t)
	for _, path := range []string{"/api/v1/alerts", "/api/v2/alerts"} {
		t.Run(path, func(t *testing.T) {
			instance := "test" + path
			w := newWebhook(t, Config{URL: base + path, Instance: instance, GeneratorURL: "http://node-7/leaks?x=1"})
			defer w.CloseIdleConnections()
			d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "alertmanager", Sink: w})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- d.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}()

			a := fullAlert()
			a.Severity = alerting.Warning
			a.Time = time.Now().Add(time.Hour) // sample time ahead of the wall clock
			d.Notify(a)
			await.True(t, "the alert fires", func() bool {
				return severitiesOf(activeAlerts(t, base, instance)) == "warning"
			})
			now := time.Now()
			got := activeAlerts(t, base, instance)[0]
			if got.StartsAt.After(now) || !got.EndsAt.After(now) || got.EndsAt.After(now.Add(holdTime)) {
				t.Errorf("starts %v, ends %v, now %v", got.StartsAt, got.EndsAt, now)
			}
			want := heldAlert{
				Labels: map[string]string{"alertname": "LeakDetected", "resource": "goroutines", "kind": "trend",
					"severity": "warning",
					"instance": instance},
				Annotations: annotations(a), StartsAt: got.StartsAt, EndsAt: got.EndsAt,
				GeneratorURL: "http://node-7/leaks?x=1",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}

			a.Severity = alerting.Critical
			d.Notify(a)
			await.True(t, "the severity rises", func() bool {
				return severitiesOf(activeAlerts(t, base, instance)) == "critical"
			})
			if err := w.Refresh(ctx, func(string) bool { return true }); err != nil {
				t.Error(err)
			}
			if got := severitiesOf(activeAlerts(t, base, instance)); got != "critical" {
				t.Errorf("after a refresh: %q", got)
			}

			end := resolvedAlert()
			end.Time = a.Time.Add(time.Minute)
			d.Notify(end)
			await.True(t, "the alert ends", func() bool { return severitiesOf(activeAlerts(t, base, instance)) == "" })
			await.True(t, "all three are booked as sent", func() bool { return d.Stats()[0].Sent == 3 })
		})
	}
}

// Two leaks of one resource in one process are two alerts, whichever comes, rises or ends first.
func TestRealAlertmanagerTellsIncidentsApart(t *testing.T) {
	base := startAlertmanager(t)
	w := newWebhook(t, Config{URL: base + "/api/v2/alerts", Instance: "two"})
	defer w.CloseIdleConnections()
	alert := func(incident string, status alerting.Status, severity alerting.Severity) alerting.Alert {
		return alerting.Alert{ID: incident, Incident: incident, Event: alerting.Event{
			Status: status, Kind: alerting.Trend, Severity: severity, Resource: "goroutines", Time: time.Now()}}
	}
	for _, step := range []struct {
		send alerting.Alert
		want []string
	}{
		{alert("one", alerting.Firing, alerting.Warning), []string{"one warning"}},
		{alert("other", alerting.Firing, alerting.Warning), []string{"one warning", "other warning"}},
		{alert("one", alerting.Firing, alerting.High), []string{"one high", "other warning"}},
		{alert("other", alerting.Firing, alerting.Warning), []string{"one high", "other warning"}},
		{alert("one", alerting.Resolved, alerting.High), []string{"other warning"}},
		{alert("one", alerting.Firing, alerting.Warning), []string{"one warning", "other warning"}},
		{alert("other", alerting.Resolved, alerting.Warning), []string{"one warning"}},
	} {
		if err := w.Send(t.Context(), step.send); err != nil {
			t.Fatal(err)
		}
		var got []string
		await.True(t, strings.Join(step.want, ", "), func() bool {
			got = nil
			for _, a := range activeAlerts(t, base, "two") {
				got = append(got, a.Labels["incident"]+" "+a.Labels["severity"])
			}
			slices.Sort(got)
			return slices.Equal(got, step.want)
		})
	}
}

// Behind a path that is not there yet, an Alertmanager misses a burst of 10,000 findings. Once it is, it learns of
// those that hold, and of no other; and what it learned is ended with the finding.
func TestRealAlertmanagerAfterABurst(t *testing.T) {
	const burst, over = 10_000, 9_000
	base := startAlertmanager(t)
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	var mended atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if !mended.Load() {
			http.NotFound(rw, req)
			return
		}
		proxy.ServeHTTP(rw, req)
	}))
	defer server.Close()
	w := newWebhook(t, Config{URL: server.URL + "/api/v2/alerts", Instance: "burst"})
	defer w.CloseIdleConnections()
	d := alerting.NewDispatcher(nil, alerting.NamedSink{Name: "alertmanager", Sink: w})
	d.DrainTimeout = time.Hour
	run := func(while func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		while()
		cancel() // what was refused is offered once more now
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	notify := func(i int, status alerting.Status) {
		d.Notify(alerting.Alert{ID: fmt.Sprint(i),
			Event: alerting.Event{Status: status, Resource: fmt.Sprint("resource", i), Time: time.Now()}})
	}
	run(func() {
		for i := range burst {
			notify(i, alerting.Firing)
		}
		await.True(t, "all are refused", func() bool { return d.Stats()[0].Waiting == burst })
		for i := range over {
			notify(i, alerting.Resolved)
		}
		mended.Store(true)
	})
	held := activeAlerts(t, base, "burst")
	for _, a := range held {
		if n, err := strconv.Atoi(strings.TrimPrefix(a.Labels["resource"], "resource")); err != nil || n < over {
			t.Errorf("%s is held", a.Labels["resource"])
		}
	}
	if len(held) != burst-over {
		t.Errorf("%d are held, want %d", len(held), burst-over)
	}
	run(func() {
		for i := over; i < burst; i++ {
			notify(i, alerting.Resolved)
		}
	})
	if held := activeAlerts(t, base, "burst"); len(held) != 0 {
		t.Errorf("%d are held after their end", len(held))
	}
	got := d.Stats()[0]
	got.LastErrorAt, got.LastError, got.Retried, got.Refused = time.Time{}, "", 0, 0
	want := alerting.SinkStats{Name: "alertmanager", Sent: 2 * (burst - over), Failed: 2 * over}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// Most is said of more than half only.
func TestAlertmanagerShares(t *testing.T) {
	for share, want := range map[float64]string{
		.8: ". Most at main.f a.go:1: 80 % of the growth. Most are pipe: 50, up 40, 80 % of the growth.",
		.4: ". The largest share at main.f a.go:1: 40 % of the growth. The largest share: pipe: 50, up 40, 40 % of " +
			"the growth.",
		0: ". Perhaps at main.f a.go:1. Among them: pipe: 50, up 40, 0 % of the growth.",
	} {
		a := alerting.Alert{Event: alerting.Event{Resource: "open_fds"},
			Sites: []alerting.Site{{Function: "main.f", File: "a.go", Line: 1, Share: share}},
			Parts: []alerting.Part{{What: "pipe", Count: 50, Growth: 40, Share: share}}}
		if got := description(a); !strings.HasSuffix(got, want) {
			t.Errorf("a share of %v: %q, want it to end in %q", share, got, want)
		}
	}
}
