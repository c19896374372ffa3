// Package page shows a monitor to people: a static page, and a JSON document that its script displays, so that
// everything on the page is there for programs too. Package plot draws the plots. What is shown is decided
// elsewhere: this package does not know the engine, and knows of the monitor only the interface Monitor.
package page

import (
	"bytes"
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
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// Monitor is what a page shows. Status and Plot are called for all viewers at once, and what they return is the page's
// own.
type Monitor interface {
	// Version changes with every sample and every alert. It is asked by every viewer, and costs next to nothing.
	Version() string
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
	monitor  Monitor
	pictures pictures
	once     sync.Once
	policy   string            // Content-Security-Policy
	static   *strings.Replacer // what is the same in every document
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
		requested, _, _ := strings.Cut(r.RequestURI, "?")
		header.Set("Location", "./"+path.Base(requested)+"/")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	dir, name := path.Split(r.URL.Path)
	switch {
	case path.Base(dir) == "captures" && name != "":
		h.capture(w, r, name)
	case name == "":
		h.show(w, r, "text/html; charset=utf-8", pictureKey{"", spanOf(r)}, func() ([]byte, error) {
			return h.document(h.draw(spanOf(r)))
		})
	case name == "live":
		h.show(w, r, "application/json", pictureKey{name, spanOf(r)}, func() ([]byte, error) {
			return line(json.Marshal(h.draw(spanOf(r))))
		})
	case name == "status":
		// Indented, as people read it too.
		h.show(w, r, "application/json", pictureKey{of: name}, func() ([]byte, error) {
			return line(json.MarshalIndent(h.monitor.Status(), "", "  "))
		})
	default:
		http.NotFound(w, r)
	}
}

// withoutSlash reports whether a prefix was stripped of all of the path, so that links relative to it would go astray.
func withoutSlash(r *http.Request) bool {
	requested, _, _ := strings.Cut(r.RequestURI, "?")
	return requested != "" && !strings.HasSuffix(requested, "/")
}

// show sends a picture.
func (h *handler) show(w http.ResponseWriter, r *http.Request, kind string, key pictureKey,
	draw func() ([]byte, error)) {
	p := h.pictures.of(r.Context(), key, h.monitor.Version(), draw)
	switch {
	case p == nil:
		w.Header().Set("Retry-After", "2")
		http.Error(w, "too many are looking at this page", http.StatusServiceUnavailable)
	case p.err != nil:
		http.Error(w, p.err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", kind)
		w.Header().Set("ETag", p.tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
	}
}

// draw takes a picture of the monitor.
func (h *handler) draw(span int) *view { return newScene(h.monitor, span, time.Now()).draw() }

// document returns the page: the same for everybody but for its title and the data that its script shows.
func (h *handler) document(v *view) ([]byte, error) {
	data, err := json.Marshal(v) // in which < is escaped, so that it ends no element
	if err != nil {
		return nil, err
	}
	page := strings.NewReplacer("{{title}}", html.EscapeString(v.Title), "{{data}}",
		string(figure.RoundJSON(data))).Replace(h.static.Replace(document))
	return []byte(page), nil
}

// line ends a document of JSON.
func line(body []byte, err error) ([]byte, error) { return append(figure.RoundJSON(body), '\n'), err }

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
