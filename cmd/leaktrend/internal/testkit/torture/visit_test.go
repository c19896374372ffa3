//go:build go1.25

package torture

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// visit asks for a part of the page, in ways that browsers would not.
func (l *lane) visit(m *detector.ResourceMonitor) {
	page := l.page
	if l.oneIn(10) {
		page = m.Handler()
	}
	paths := []string{"/", "/status", "/live", "/?since=1h", "/live?since=-1", "/captures/..%2f..%2fetc%2fpasswd",
		"/captures/x", "//", "/%00"}
	methods := []string{http.MethodGet, http.MethodGet, http.MethodHead, http.MethodPost}
	ctx, cancel := context.WithTimeout(context.Background(), l.upTo(time.Second))
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, methods[l.below(len(methods))], paths[l.below(len(paths))], nil)
	w := httptest.NewRecorder()
	if l.oneIn(4) {
		l.add("fault: a viewer that is gone", 1)
		page.ServeHTTP(gone{w}, r)
		return
	}
	page.ServeHTTP(w, r)
	if w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable {
		l.t.Errorf("%s %s: %d\n%s", r.Method, r.URL, w.Code, w.Body)
	}
}

// gone is a viewer who has left.
type gone struct{ *httptest.ResponseRecorder }

func (gone) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
