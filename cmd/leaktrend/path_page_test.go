package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	live "github.com/mdzesseis/leaktrend/detector/page"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/sites"
)

// found is a monitor whose alerts have paths.
type found struct{ alerts []alerting.Alert }

func (f found) Version() string { return "1" }

func (f found) Status() live.Status {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	site := func(resource, file string) sites.Status {
		return sites.Status{Resource: resource, Site: alerting.Site{Function: "app.f", File: "/src/app/" + file,
			Line: 17, Bytes: 5, Count: 5}}
	}
	return live.Status{
		Version: live.Version, Time: now, Started: now.Add(-time.Hour), Interval: .05, Alerts: f.alerts,
		Resources: []live.Resource{
			{Resource: "rss_bytes", Unit: "bytes", State: "healthy", Verdict: "ok", Judged: true, Why: "does not grow"},
			{Resource: "goroutines", State: "healthy", Verdict: "early", Judged: true, Why: "grows, too short to tell"},
			{Resource: "heap_live_bytes", Unit: "bytes", State: "healthy", Verdict: "early", Judged: true,
				Why: "grows, too short to tell"},
		},
		Delivery: []alerting.SinkStats{}, Captures: []evidence.Capture{},
		Sites: []sites.Status{site("goroutines", "wait.go"), site("heap_live_bytes", "buffer.go"),
			site("heap_live_bytes", "other.go")},
	}
}

func (f found) Plot(string, time.Time) *plot.Chart {
	var c plot.Chart
	for at := range int64(5) {
		c.Bins = append(c.Bins, plot.Bin{First: at * 1e9, Last: at * 1e9, MinAt: at * 1e9, MaxAt: at * 1e9, Min: 1,
			Max: 1, Value: 1})
	}
	return &c
}

// pathAlerts are an alert on memory that is kept through a map, with a name that would be an element, one on
// descriptors that goroutines keep open, and one that is over.
func pathAlerts() []alerting.Alert {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	alert := func(id, resource string, status alerting.Status, change func(a *alerting.Alert)) alerting.Alert {
		a := alerting.Alert{Version: alerting.Version, ID: id}
		a.Event = alerting.Event{Time: now, Status: status, Kind: alerting.Trend, Resource: resource,
			Summary: resource + " leak"}
		change(&a)
		return a
	}
	memory := alerting.Path{Objects: 32, Share: .97, Steps: []alerting.Step{
		{Kind: "variable", Name: "main.server", Type: "*app.Server", Share: .97, Bytes: 812e6},
		{
			Kind: "object", Type: "app.Server", Size: 480, Reference: ".tenants[…].sessions[…]",
			Container: "map[string]*app.Tenant", Entries: 1204113, Share: .97,
			Bytes: 812e6, Accumulates: true,
		},
		{Kind: "object", Type: "app.Session", Size: 1024, Reference: ".next", Repeated: 12, Share: .97, Bytes: 812e6},
		{Kind: "function", Name: "app.(*Session).onClose.func1", File: "/src/app/session.go", Line: 88, Size: 48,
			Share: .94, Bytes: 787e6},
		{Kind: "object", Size: 4096, Share: .94, Bytes: 787e6, File: "/src/app/buffer.go", Line: 17},
	}}
	const element = `main.<img src=x onerror=alert(1)>`
	hostile := alerting.Path{Objects: 8, Share: 1, Steps: []alerting.Step{
		{Kind: "goroutine", Name: element, Variable: element, Type: element, File: "/src/<b>.go", Line: 3,
			Reference: element, Container: "chan " + element, Share: 1, Accumulates: true},
		{Kind: "object", Type: element, Size: 96, Share: 1},
	}}
	return []alerting.Alert{
		alert("1", "rss_bytes", alerting.Firing, func(a *alerting.Alert) {
			a.Sites = []alerting.Site{
				{Function: "app.wait", File: "/src/app/wait.go", Line: 9, Count: 12, Resource: "goroutines"},
				{Function: "app.buffer", File: "/src/app/buffer.go", Line: 17, Bytes: 837e6, Share: .97,
					Resource: "heap_live_bytes", Holder: "main.server (*app.Server)", HolderPath: &memory},
			}
		}),
		alert("2", "open_fds", alerting.Firing, func(a *alerting.Alert) {
			a.Holder, a.HolderPath = "the goroutine at "+element, &hostile
		}),
		alert("1", "rss_bytes", alerting.Firing, func(*alerting.Alert) {}), // as it goes on, without the evidence
		alert("3", "heap_live_bytes", alerting.Firing, func(a *alerting.Alert) {
			a.Holder, a.HolderPath = "main.gone", &memory
		}),
		alert("3", "heap_live_bytes", alerting.Resolved, func(*alerting.Alert) {}),
	}
}

// Somebody looks at what keeps memory alive: the root first, a step a line, what grows marked in words. No line is said
// to be ok while its total is early, unless another one is blamed for that.
func TestPathInBrowser(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(live.New(found{pathAlerts()}))
	defer server.Close()
	for _, test := range []struct {
		name, scheme string
		width        int64
	}{{"light-1100", "light", 1100}, {"dark-390", "dark", 390}} {
		tab := browsertest.Open(t, server.URL+"/", test.width, 900, test.scheme)
		tab.Shot("path-" + test.name)
		const words = `Array.from(document.querySelectorAll('#kept h3, #kept li'), e => ` +
			`e.textContent.replace(/\s+/g, ' ').trim()).join('\n')`
		want := strings.Join([]string{
			"rss_bytes: 798 MB from buffer.go:17",
			"main.server *app.Server 97 %, 774 MB below ↓ by what it points to",
			"app.Server 480 B ↓ by .tenants[…].sessions[…] map[string]*app.Tenant, 1,204,113 entries it grows here",
			"app.Session × 12 1.0 KB each ↓ by .next",
			"closure app.(*Session).onClose.func1 48 B session.go:88 94 %, 751 MB below ↓ by a variable that it uses",
			"object 4.0 KB allocated at buffer.go:17",
			"open_fds: the open descriptors",
			"goroutine at main.<img src=x onerror=alert(1)>, in main.<img src=x onerror=alert(1)> main.<img src=x " +
				"onerror=alert(1)> <b>.go:3 100 % ↓ by main.<img src=x onerror=alert(1)> chan main.<img src=x " +
				"onerror=alert(1)> it grows here",
			"main.<img src=x onerror=alert(1)> 96 B",
		}, "\n")
		if got := browsertest.Eval[string](tab, words); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, want)
		}
		const verdicts = `Array.from(document.querySelectorAll('#sites tbody tr'), r => ` +
			`[r.querySelector('.tag').innerText, r.querySelector('.file').innerText].join(' ')).join(', ')`
		if got, want := browsertest.Eval[string](tab, verdicts),
			"LEAK buffer.go:17, early wait.go:17, ok other.go:17"; got != want {
			t.Errorf("%s: the lines are %q, want %q", test.name, got, want)
		}
		if got := browsertest.Eval[string](tab, `document.querySelector('header').innerText`); !strings.Contains(got,
			", every 50ms.") {
			t.Errorf("%s: no interval in %q", test.name, got)
		}
		if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > test.width {
			t.Errorf("%s: the page is %d wide", test.name, got)
		}
		if got := browsertest.Eval[int](tab, `document.querySelectorAll('#kept img, #kept b b').length`); got != 0 {
			t.Errorf("%s: %d elements of a name", test.name, got)
		}
		if bad := tab.Violations(); len(bad) > 0 {
			t.Errorf("%s: %s", test.name, strings.Join(bad, "\n"))
		}
	}
}
