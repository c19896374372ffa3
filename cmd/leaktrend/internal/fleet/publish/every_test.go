//go:build go1.25

package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

// fakeAlertmanager keeps alerts as a real one does: they end at the time that their last post gave. It writes down what
// begins and ends.
type fakeAlertmanager struct {
	t      *testing.T
	begin  time.Time
	status func(since time.Duration) int // nil: 200
	ends   map[string]time.Time          // of what fires, by job
	posts  int
	course []string
}

func (f *fakeAlertmanager) RoundTrip(r *http.Request) (*http.Response, error) {
	now := time.Now()
	f.posts++
	status := http.StatusOK
	if f.status != nil {
		status = f.status(now.Sub(f.begin))
	}
	var alerts []struct {
		Labels   map[string]string
		StartsAt time.Time
		EndsAt   time.Time
	}
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
		f.t.Error(err)
	}
	f.expire()
	for _, a := range alerts {
		job := a.Labels["job"]
		_, fires := f.ends[job]
		switch {
		case status != http.StatusOK:
		case a.EndsAt.After(now):
			if !fires {
				f.note(now, job, "begins")
			}
			f.ends[job] = a.EndsAt
		case fires:
			f.note(now, job, "is resolved")
			delete(f.ends, job)
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (f *fakeAlertmanager) note(at time.Time, job, what string) {
	f.course = append(f.course, fmt.Sprintf("%v %s %s", at.Sub(f.begin).Round(time.Minute), job, what))
}

// expire ends what was not repeated in time.
func (f *fakeAlertmanager) expire() {
	for job, at := range f.ends {
		if !at.After(time.Now()) {
			f.note(at, job, "expires")
			delete(f.ends, job)
		}
	}
}

// alertsTo returns alerts that go to a fake Alertmanager.
func alertsTo(t *testing.T, am *fakeAlertmanager) *Alerts {
	t.Helper()
	am.t, am.begin, am.ends = t, time.Now(), map[string]time.Time{}
	webhook, err := webhook.New(webhook.Config{URL: "http://am", Format: "alertmanager",
		Client: &http.Client{Transport: am}})
	if err != nil {
		t.Fatal(err)
	}
	return NewAlerts(webhook)
}

// leakOf is a finding in a job.
func leakOf(job string) fleet.Finding {
	return fleet.Finding{
		Group: []fleet.Label{{Name: "job", Value: job}}, Kind: alerting.Trend, Growing: 1, Replicas: 1,
		Worst: fleet.Replica{Labels: map[string]string{"job": job}},
	}
}

func leaksOf(jobs ...string) *fleet.Report {
	r := &fleet.Report{Start: time.Now().Add(-7 * 24 * time.Hour), End: time.Now(), Hypotheses: 1}
	for _, job := range jobs {
		leak := leakOf(job)
		leak.Worst.Last = r.End
		r.Findings = append(r.Findings, leak)
	}
	return r
}

// A finding appears, is repeated as long as it stands, and is resolved when a scan that read all of its job does not
// find it. Neither a scan that fails, nor one that misses a part, nor one that takes longer than alerts live, ends it.
func TestScanEvery(t *testing.T) {
	missing := func(r *fleet.Report, of ...fleet.Label) *fleet.Report {
		for _, label := range of {
			r.Missing = append(r.Missing, fleet.Missing{Of: label, What: "a part", Why: "status 503"})
		}
		return r
	}
	rounds := []func() (*fleet.Report, error){
		func() (*fleet.Report, error) { return leaksOf(), nil },
		func() (*fleet.Report, error) { return leaksOf("a"), nil },
		// from 2h to 2h20m
		func() (*fleet.Report, error) { time.Sleep(20 * time.Minute); return leaksOf("a", "b", "c"), nil },
		func() (*fleet.Report, error) { return nil, errors.New("does not answer") },
		func() (*fleet.Report, error) {
			return missing(leaksOf("b"), fleet.Label{Name: "job", Value: "a"}), nil // 4h: c is gone, a may be there
		},
		func() (*fleet.Report, error) { return missing(leaksOf("a"), fleet.Label{}), nil }, // 5h: anything may be there
		func() (*fleet.Report, error) { return leaksOf("b"), nil },                         // 6h: a is gone
		func() (*fleet.Report, error) { time.Sleep(90 * time.Minute); return leaksOf(), nil },
		func() (*fleet.Report, error) { return leaksOf("a"), nil }, // 8h30m, at once
		func() (*fleet.Report, error) { // 9h30m
			r := leaksOf("a")
			r.Findings[0].Ended = true
			return r, nil
		},
		func() (*fleet.Report, error) { return leaksOf(), nil },
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		am := &fakeAlertmanager{status: func(since time.Duration) int {
			if since >= time.Hour && since < time.Hour+7*time.Minute { // when a is told for the first time
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}}
		alerts := alertsTo(t, am)
		began := time.Now()
		var stdout, stderr bytes.Buffer
		p := &Publisher{
			Server: "http://prometheus:9090", JSON: true, Page: filepath.Join(t.TempDir(), "fleet.html"),
			Alerts: alerts, Stdout: &stdout, Stderr: &stderr,
		}
		var scans []string
		scan := func(context.Context) (*fleet.Report, error) {
			n := len(scans)
			scans = append(scans, time.Since(began).String())
			if n == len(rounds) {
				cancel()
				return nil, ctx.Err()
			}
			return rounds[n]()
		}
		if err := p.Every(ctx, time.Hour, scan); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"0s", "1h0m0s", "2h0m0s", "3h0m0s", "4h0m0s", "5h0m0s", "6h0m0s", "7h0m0s",
			"8h30m0s", "9h30m0s", "10h30m0s", "11h30m0s"}, scans); diff != "" {
			t.Errorf("scans (-want +got):\n%s", diff)
		}
		am.expire()
		want := []string{
			"1h7m0s a begins", "2h20m0s b begins", "2h20m0s c begins", "4h0m0s c is resolved", "6h0m0s a is resolved",
			"8h30m0s b is resolved",
			"8h30m0s a begins", "9h30m0s a is resolved",
		}
		if diff := cmp.Diff(want, am.course); diff != "" {
			t.Errorf("alerts (-want +got):\n%s", diff)
		}
		var lines []string
		for text := range strings.Lines(stdout.String()) {
			var x line
			if err := json.Unmarshal([]byte(text), &x); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, x.Time.Sub(began).String()+" "+x.Group["job"]+" "+x.State)
		}
		want = []string{
			"1h0m0s a firing", "2h20m0s a firing", "2h20m0s b firing", "2h20m0s c firing", "4h0m0s b firing",
			"4h0m0s c resolved", "4h0m0s a missing",
			"5h0m0s a firing", "5h0m0s  missing", "6h0m0s b firing", "6h0m0s a resolved", "8h30m0s b resolved",
			"8h30m0s a firing", "9h30m0s a resolved",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		for _, says := range []string{"http://prometheus:9090: does not answer\n", "missing: a part: status 503\n",
			"alerts: webhook http://am"} {
			if !strings.Contains(stderr.String(), says) {
				t.Errorf("stderr lacks %q:\n%s", says, &stderr)
			}
		}
		if page, err := os.ReadFile(p.Page); err != nil || !strings.Contains(string(page), "Nothing was found.") {
			t.Errorf("the page is not that of the last scan (%v):\n%s", err, page)
		}
		if len(alerts.standing) != 0 || len(alerts.unsent) != 0 {
			t.Errorf("%d alerts stand, %d wait", len(alerts.standing), len(alerts.unsent))
		}
	})
}

// A finding at the border of being one does not come and go: it stands as long as it is near to being found, also by a
// scan that missed its job before, and begins only when it is found.
func TestScanEveryHasHysteresis(t *testing.T) {
	suspected := func(near bool, jobs ...string) *fleet.Report {
		r := leaksOf(jobs...)
		for i := range r.Findings {
			r.Findings[i].Near = near
		}
		r.Findings, r.Suspects = nil, r.Findings
		return r
	}
	rounds := []func() *fleet.Report{
		func() *fleet.Report { return suspected(true, "a", "b") }, // near, and never found
		func() *fleet.Report { return leaksOf("a") },
		func() *fleet.Report { return suspected(true, "a", "b") },
		func() *fleet.Report { return suspected(true, "a", "b") },
		func() *fleet.Report {
			r := leaksOf()
			r.Missing = append(r.Missing, fleet.Missing{What: "a part", Why: "status 503"})
			return r
		},
		func() *fleet.Report { return suspected(true, "a") },
		func() *fleet.Report { return suspected(false, "a") }, // 6h: clearly less likely
		func() *fleet.Report { return suspected(true, "a") },
		func() *fleet.Report { return leaksOf("a") }, // 8h
		func() *fleet.Report { return leaksOf() },    // 9h: it fell back
	}
	for _, asJSON := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			am := &fakeAlertmanager{}
			p := &Publisher{JSON: asJSON, Alerts: alertsTo(t, am), Stdout: io.Discard, Stderr: io.Discard}
			n := 0
			scan := func(context.Context) (*fleet.Report, error) {
				if n == len(rounds) {
					cancel()
					return nil, ctx.Err()
				}
				n++
				return rounds[n-1](), nil
			}
			if err := p.Every(ctx, time.Hour, scan); err != nil {
				t.Error(err)
			}
			want := []string{"1h0m0s a begins", "6h0m0s a is resolved", "8h0m0s a begins", "9h0m0s a is resolved"}
			if diff := cmp.Diff(want, am.course); diff != "" {
				t.Errorf("as JSON %v (-want +got):\n%s", asJSON, diff)
			}
		})
	}
}

// What is kept stays small however many findings come and go while the Alertmanager is away, and what stands is told
// when it is back.
func TestScanEveryIsBounded(t *testing.T) {
	const rounds = maxUnsent * 3 / 2
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var alerts *Alerts
		n, kept := 0, 0
		am := &fakeAlertmanager{status: func(since time.Duration) int {
			kept = max(kept, len(alerts.unsent)+len(alerts.standing)) // here, as the scans are in another goroutine
			if since < (rounds-1)*time.Minute {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}}
		alerts = alertsTo(t, am)
		p := &Publisher{Alerts: alerts, Stdout: io.Discard, Stderr: io.Discard}
		scan := func(context.Context) (*fleet.Report, error) {
			if n++; n > rounds {
				cancel()
				return nil, ctx.Err()
			}
			return leaksOf("always", fmt.Sprint("job ", n)), nil
		}
		if err := p.Every(ctx, time.Minute, scan); err != nil {
			t.Error(err)
		}
		if limit := maxUnsent + 2; kept > limit || len(alerts.unsent) > 0 {
			t.Errorf("%d alerts were kept, at most %d should be; %d wait", kept, limit, len(alerts.unsent))
		}
		if diff := cmp.Diff([]string{"always", fmt.Sprint("job ", rounds)},
			slices.Sorted(maps.Keys(am.ends))); diff != "" {
			t.Errorf("what fires (-want +got):\n%s", diff)
		}
	})
}

// unread is a pipe that is full, and that nobody reads.
type unread chan struct{}

func (u unread) Write(p []byte) (int, error) {
	<-u
	return len(p), nil
}

// Nobody reads what is printed: the scans and their alerts go on.
func TestScanEveryThatNobodyReads(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			am := &fakeAlertmanager{}
			full := make(unread)
			p := &Publisher{JSON: asJSON, Alerts: alertsTo(t, am), Stdout: full, Stderr: full}
			n := 0
			scan := func(context.Context) (*fleet.Report, error) {
				switch n++; n {
				case 1:
					return nil, errors.New("fails")
				case 5:
					cancel()
					return nil, ctx.Err()
				}
				return leaksOf(fmt.Sprint("job ", n)), nil
			}
			if err := p.Every(ctx, time.Hour, scan); err != nil {
				t.Error(err)
			}
			if took := time.Since(am.begin); took > 4*time.Hour+time.Minute {
				t.Errorf("it took %v", took)
			}
			want := []string{"1h0m0s job 2 begins", "2h0m0s job 3 begins", "2h0m0s job 2 is resolved",
				"3h0m0s job 4 begins", "3h0m0s job 3 is resolved"}
			if diff := cmp.Diff(want, am.course); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
			close(full)
		})
	}
}

// However many findings there are, the alert of each is sent.
func TestManyFindings(t *testing.T) {
	var jobs []string
	for i := range maxUnsent + 5 {
		jobs = append(jobs, fmt.Sprint("job ", i))
	}
	am := &fakeAlertmanager{}
	alerts := alertsTo(t, am)
	alerts.update(leaksOf(jobs...), &Links{})
	if err := alerts.deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(jobs)
	if diff := cmp.Diff(jobs, slices.Sorted(maps.Keys(am.ends))); diff != "" {
		t.Errorf("what fires (-want +got):\n%s", diff)
	}
}

// What is resolved by one scan is told in order of name.
func TestResolvedLinesAreInOrder(t *testing.T) {
	var out bytes.Buffer
	p := &Publisher{JSON: true, Stdout: &out}
	var jobs, want []string
	for i := range 50 {
		jobs = append(jobs, fmt.Sprintf("job %02d", i))
		want = append(want, jobs[i]+" resolved")
	}
	if err := p.print(leaksOf(jobs...)); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := p.print(leaksOf()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for text := range strings.Lines(out.String()) {
		var x line
		if err := json.Unmarshal([]byte(text), &x); err != nil {
			t.Fatal(err)
		}
		got = append(got, x.Group["job"]+" "+x.State)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of a single scan alerts are sent with a few attempts, and the failure is told.
func TestDeliver(t *testing.T) {
	for _, test := range []struct {
		name   string
		status func(since time.Duration) int
		posts  int
		took   time.Duration
		says   string
	}{
		{"at once", nil, 2, 0, ""},
		{"after a while", func(since time.Duration) int {
			if since < 6*time.Second {
				return http.StatusBadGateway
			}
			return http.StatusOK
		}, 5, 7 * time.Second, ""},
		{"never", func(time.Duration) int { return http.StatusServiceUnavailable }, 5, 15 * time.Second, "status 503"},
		{"refused, each by itself", func(time.Duration) int { return http.StatusBadRequest }, 2, 0, "status 400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				am := &fakeAlertmanager{status: test.status}
				alerts := alertsTo(t, am)
				alerts.update(leaksOf("a", "b"), &Links{})
				err := alerts.deliver(t.Context())
				if (test.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("error %v, want %q", err, test.says)
				}
				if took := time.Since(am.begin); am.posts != test.posts || took != test.took {
					t.Errorf("%d posts in %v, want %d in %v", am.posts, took, test.posts, test.took)
				}
			})
		})
	}
}

// Without an Alertmanager alerts wait. What it refuses does not hold up the others, and is offered again while it
// stands; of what ended meanwhile it hears nothing.
func TestFleetAlertsWait(t *testing.T) {
	status := http.StatusServiceUnavailable
	am := &fakeAlertmanager{status: func(time.Duration) int { return status }}
	alerts := alertsTo(t, am)
	alerts.update(leaksOf("a", "b"), &Links{})
	if err := alerts.send(t.Context()); len(alerts.unsent) != 2 || am.posts != 1 || err == nil ||
		!strings.Contains(err.Error(), "status 503") {
		t.Errorf("%d wait after %d posts: %v", len(alerts.unsent), am.posts, err)
	}
	alerts.update(leaksOf("a", "b"), &Links{}) // in the place of those
	status = http.StatusNotFound
	if err := alerts.refresh(t.Context()); len(alerts.unsent) != 2 || am.posts != 3 || err == nil ||
		!strings.Contains(err.Error(), "status 404") {
		t.Errorf("%d wait after %d posts: %v", len(alerts.unsent), am.posts, err)
	}
	alerts.update(leaksOf("b"), &Links{})
	status = http.StatusOK
	if err := alerts.refresh(t.Context()); len(alerts.unsent) != 0 || err != nil {
		t.Errorf("%d wait: %v", len(alerts.unsent), err)
	}
	alerts.update(leaksOf(), &Links{})
	if err := alerts.send(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"0s b begins", "0s b is resolved"}, am.course); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A receiver that refuses everything is not asked for each of a thousand alerts every minute, but gets them all in
// time.
func TestReceiverThatRefusesEverything(t *testing.T) {
	status := http.StatusUnauthorized
	am := &fakeAlertmanager{status: func(time.Duration) int { return status }}
	alerts := alertsTo(t, am)
	var jobs []string
	for i := range 500 {
		jobs = append(jobs, fmt.Sprint("job ", i))
	}
	alerts.update(leaksOf(jobs...), &Links{})
	for range 100 {
		if err := alerts.send(t.Context()); err == nil {
			t.Fatal("no error")
		}
	}
	if am.posts != 100*maxRefused || len(alerts.unsent) != len(jobs) {
		t.Errorf("%d posts, %d wait", am.posts, len(alerts.unsent))
	}
	status = http.StatusOK
	if err := alerts.send(t.Context()); err != nil || len(am.ends) != len(jobs) {
		t.Errorf("%d of %d fire: %v", len(am.ends), len(jobs), err)
	}
}
