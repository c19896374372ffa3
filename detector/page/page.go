// Package page shows a monitor to people: a static page and a JSON document that its script shows, so that whatever is
// on the page is there for programs too. The plots are drawn here, by package plot. What is shown is decided elsewhere:
// this package knows no engine, and of the monitor only what the interface Monitor has.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

// Monitor is what a page shows. Its methods are called for one viewer at a time, and what they return is the page's
// own.
type Monitor interface {
	// Status returns all but the plots.
	Status() Status
	// Plot describes the plot of a resource from an instant on, the zero time for all that is kept; nil where nothing
	// is.
	Plot(resource string, from time.Time) *plot.Chart
}

// New returns the page of a monitor. Mount it below any path that ends in a slash, with or without http.StripPrefix. At
// "status" below that path is the Status as JSON.
//
// It answers GET and HEAD alone, and the only files that it hands out are the captures of the Status. Drawing never
// holds the monitor up.
func New(m Monitor) http.Handler { return &handler{monitor: m} }

//go:embed page.html
var document string

//go:embed page.js
var script string

//go:embed page.css
var style string

type handler struct {
	monitor Monitor
	one     sync.Mutex // draws at a time: however many look, they take no more than a core
	once    sync.Once
	policy  string            // Content-Security-Policy
	static  *strings.Replacer // what is the same in every document
}

// prepare computes what is the same for every request.
func (h *handler) prepare() {
	css, code := plot.Style()+style, plot.Script+script
	h.static = strings.NewReplacer("{{style}}", css, "{{script}}", code)
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	h.policy = "default-src 'none'; style-src " + hash(css) + "; script-src " + hash(code) +
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// ServeHTTP answers by the end of the path, as what comes before depends on where the page is mounted.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		h.document(w, h.draw(r))
	case name == "live":
		body, err := json.Marshal(h.draw(r))
		h.json(w, body, err)
	case name == "status":
		body, err := json.MarshalIndent(h.monitor.Status(), "", "  ") // people read it too
		h.json(w, body, err)
	default:
		http.NotFound(w, r)
	}
}

// withoutSlash reports whether a prefix was stripped of all of the path, so that links relative to it would go astray.
func withoutSlash(r *http.Request) bool {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	return asked != "" && !strings.HasSuffix(asked, "/")
}

// draw takes a picture of the monitor.
func (h *handler) draw(r *http.Request) *view {
	h.one.Lock()
	defer h.one.Unlock()
	return look(h.monitor, spanOf(r), time.Now()).draw()
}

// document writes the page: the same for everybody but for its title and the data that its script shows.
func (h *handler) document(w http.ResponseWriter, v *view) {
	data, err := json.Marshal(v) // in which < is escaped, so that it ends no element
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	page := strings.NewReplacer("{{title}}", html.EscapeString(v.Title), "{{data}}", string(data)).Replace(h.static.Replace(document))
	h.write(w, "text/html; charset=utf-8", page)
}

func (h *handler) json(w http.ResponseWriter, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.write(w, "application/json", string(body)+"\n")
}

func (h *handler) write(w http.ResponseWriter, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = io.WriteString(w, body)
}

// capture hands out a file that the monitor wrote, by its name. What is not on the monitor's own list does not exist,
// whatever is on the disk; nor does what somebody put in its place.
func (h *handler) capture(w http.ResponseWriter, r *http.Request, name string) {
	for _, c := range h.monitor.Status().Captures {
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
