package detector

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/sites"
)

// Handler returns the live page of the monitor: plots over the past that is kept, sites, alerts, captures and what the monitor costs. Mount it
// below any path that ends in a slash, as in
//
//	mux.Handle("/debug/leaks/", monitor.Handler())
//
// with or without http.StripPrefix. At "status" below that path is the same as JSON, for programs.
//
// The page only reads: it answers GET and HEAD alone, and the only files that it hands out are the captures that the monitor wrote. It names the lines
// of code of the process, so it belongs where net/http/pprof does: on an address that only its operators reach. Rendering never delays the
// sampling.
func (m *ResourceMonitor) Handler() http.Handler { return &pageHandler{monitor: m} }

//go:embed live.js
var liveScript string

//go:embed live.css
var liveStyle string

type pageHandler struct {
	monitor *ResourceMonitor
	one     sync.Mutex // renders at a time: however many look, they take no more than a core
	once    sync.Once
	policy  string // Content-Security-Policy
	style   string
	script  string
}

// prepare computes what is the same for every request.
func (h *pageHandler) prepare() {
	h.style, h.script = plot.Style()+liveStyle, plot.Script+liveScript
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	h.policy = "default-src 'none'; style-src " + hash(h.style) + "; script-src " + hash(h.script) +
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// ServeHTTP answers by the end of the path, as what comes before depends on where the page is mounted.
func (h *pageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.prepare)
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page only reads", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "" && withoutSlash(r) {
		// Relative, as only the client knows the whole path; with a dot, as a name may contain a colon.
		asked, _, _ := strings.Cut(r.RequestURI, "?")
		header.Set("Location", "./"+path.Base(asked)+"/")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	dir, name := path.Split(r.URL.Path)
	switch {
	case path.Base(dir) == "captures" && name != "":
		h.capture(w, r, name)
	case name == "":
		h.write(w, "text/html; charset=utf-8", h.alone(func() string { return h.document(r) }))
	case name == "live":
		h.write(w, "text/html; charset=utf-8", h.alone(func() string { return h.monitor.look(spanOf(r)).main() }))
	case name == "status":
		h.status(w)
	default:
		http.NotFound(w, r)
	}
}

// withoutSlash reports whether a prefix was stripped of all of the path, so that links relative to it would go astray.
func withoutSlash(r *http.Request) bool {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	return asked != "" && !strings.HasSuffix(asked, "/")
}

func (h *pageHandler) alone(render func() string) string {
	h.one.Lock()
	defer h.one.Unlock()
	return render()
}

func (h *pageHandler) write(w http.ResponseWriter, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = io.WriteString(w, body)
}

func (h *pageHandler) status(w http.ResponseWriter) {
	body, err := json.MarshalIndent(h.monitor.statusDocument(), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.write(w, "application/json", string(body)+"\n")
}

// capture hands out a file that the monitor wrote, by its name. What is not on the monitor's own list does not exist, whatever is on the disk; nor does what
// somebody put in its place.
func (h *pageHandler) capture(w http.ResponseWriter, r *http.Request, name string) {
	for _, c := range h.monitor.Captures() {
		if filepath.Base(c.Path) != name {
			continue
		}
		before, err := os.Lstat(c.Path)
		if err != nil || !before.Mode().IsRegular() {
			break
		}
		f, err := os.Open(c.Path)
		if err != nil {
			break
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !os.SameFile(before, info) {
			break
		}
		header := w.Header()
		header.Set("Content-Type", "application/octet-stream")
		header.Set("Content-Disposition", "attachment; filename="+strconv.Quote(name))
		header.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
		_, _ = io.CopyN(w, f, info.Size())
		return
	}
	http.NotFound(w, r)
}

// spans are the lengths of time that the page offers; 0 is all that is kept.
var spans = []struct {
	name   string
	length time.Duration
}{{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"all", 0}}

// spanOf returns the length of time that a request asks for.
func spanOf(r *http.Request) time.Duration {
	asked := r.URL.Query().Get("last")
	for _, s := range spans {
		if s.name == asked {
			return s.length
		}
	}
	return 0
}

// statusOf is a verdict as JSON.
type statusOf struct {
	Resource     string               `json:"resource"`
	Unit         string               `json:"unit,omitempty"`
	State        State                `json:"state"`
	Trend        bool                 `json:"trend"`
	Limit        bool                 `json:"limit"`
	Severity     *alerting.Severity   `json:"severity,omitempty"`
	Value        float64              `json:"value"`
	Baseline     float64              `json:"baseline"`
	Deviation    float64              `json:"deviation"`
	Start        float64              `json:"start"`
	SlopePerHour float64              `json:"slope_per_hour"`
	Since        time.Time            `json:"since,omitzero"`
	Exhaustion   *alerting.Exhaustion `json:"exhaustion,omitempty"`
	Judged       bool                 `json:"judged"`
	Why          string               `json:"why"`
	Leaks        int                  `json:"leaks"`
	LimitsPassed int                  `json:"limits_passed"`
}

// statusDocument is what programs read.
type statusDocument struct {
	Version   string               `json:"version"`
	Time      time.Time            `json:"time,omitzero"` // of the latest sample
	Started   time.Time            `json:"started,omitzero"`
	Interval  float64              `json:"interval_seconds"`
	Soak      float64              `json:"soak_seconds,omitempty"`
	Process   alerting.Process     `json:"process"`
	Healthy   bool                 `json:"healthy"`
	Resources []statusOf           `json:"resources"`
	Alerts    []alerting.Alert     `json:"alerts"` // oldest first
	Delivery  []alerting.SinkStats `json:"delivery"`
	Sites     []sites.Status       `json:"sites"`
	Captures  []Capture            `json:"captures"` // oldest first
	Cost      Cost                 `json:"cost"`
	Evidence  EvidenceCost         `json:"evidence_cost"`
}

func (m *ResourceMonitor) statusDocument() statusDocument {
	m.mu.Lock()
	config := m.detector.Config()
	d := statusDocument{
		Version: "1", Time: m.latest.Time, Started: m.started.Round(0).UTC(), Process: m.process,
		Interval: config.CheckInterval.Seconds(), Soak: config.Adaptive.Soak.Seconds(),
	}
	d.Process.Start = m.latest.Start
	if m.started.IsZero() {
		d.Started = time.Time{}
	}
	m.mu.Unlock()
	d.Healthy, d.Delivery, d.Cost = true, m.Delivery(), m.CheckCost()
	d.Resources, d.Alerts = []statusOf{}, append([]alerting.Alert{}, m.History()...) // [] rather than null
	d.Sites, d.Captures = append([]sites.Status{}, m.Sites()...), append([]Capture{}, m.Captures()...)
	d.Evidence = m.EvidenceCost()
	for _, s := range m.Status() {
		one := statusOf{
			Resource: s.Resource.Name, Unit: s.Resource.Unit, State: s.State, Trend: s.Trend, Limit: s.Limit, Value: s.Value, Baseline: s.Baseline,
			Deviation: s.Deviation, Start: s.Start, SlopePerHour: s.SlopePerHour, Since: s.Since, Exhaustion: s.Exhaustion, Judged: s.Judged, Why: s.Why,
			Leaks: s.Leaks, LimitsPassed: s.LimitsPassed,
		}
		if s.State == Firing {
			one.Severity = &s.Severity
			d.Healthy = false
		}
		d.Resources = append(d.Resources, one)
	}
	return d
}

// look takes a picture of the monitor. The lock is held only while it is copied, a resource at a time.
func (m *ResourceMonitor) look(span time.Duration) *look {
	v := &look{statusDocument: m.statusDocument(), now: time.Now(), span: span, charts: make(map[string]*plot.Chart)}
	v.statuses = slices.DeleteFunc(m.Status(), func(s Status) bool { return !s.Judged && s.State != Firing })
	slices.SortStableFunc(v.statuses, func(a, b Status) int {
		return cmp.Or(cmp.Compare(b.State, a.State), cmp.Compare(b.Severity, a.Severity))
	})
	for i := range v.statuses {
		name := v.statuses[i].Resource.Name
		if c := m.chart(name, v.Time, span); c != nil {
			v.charts[name] = c
		}
	}
	return v
}

// document is the whole page.
func (h *pageHandler) document(r *http.Request) string {
	v := h.monitor.look(spanOf(r))
	var b strings.Builder
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<style>%s</style>
<noscript><meta http-equiv="refresh" content="30"></noscript>
</head>
<body>
<main id="live" data-every="%d">
%s</main>
<script>%s</script>
</body>
</html>
`, escape(v.title()), h.style, v.every().Milliseconds(), v.main(), h.script)
	return b.String()
}

// link is a relative address with a query of its own.
func link(last string) string { return "?last=" + url.QueryEscape(last) }
