package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
)

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// Only what the monitor wrote can be fetched, by its name alone, and not what somebody put in its place.
func TestPageCaptures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mine, gone, swapped := write("leaktrend-1.pb.gz", "profile"), filepath.Join(dir, "leaktrend-2.pb.gz"),
		filepath.Join(dir, "leaktrend-3.pb.gz")
	secret := write("secret", "password")
	if err := os.Symlink(secret, swapped); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	var m scripted
	for _, path := range []string{mine, gone, swapped} {
		m.status.Captures = append(m.status.Captures,
			evidence.Capture{Profile: alerting.Profile{Kind: "goroutine", Path: path, Bytes: 7},
				Resource: "goroutines"})
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/leaks/", New(&m))
	w := get(mux, http.MethodGet, "/debug/leaks/captures/leaktrend-1.pb.gz")
	if w.Code != http.StatusOK || w.Body.String() != "profile" ||
		w.Header().Get("Content-Disposition") != `attachment; filename="leaktrend-1.pb.gz"` {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if body := get(mux, http.MethodGet, "/debug/leaks/live").Body.String(); !strings.Contains(body,
		`leaktrend-1.pb.gz"`) {
		t.Error("the page does not name the capture")
	}
	// Without a mux, which cleans paths, too.
	for _, h := range []http.Handler{mux, New(&m)} {
		for _, name := range []string{
			"leaktrend-2.pb.gz", "leaktrend-3.pb.gz", "secret", "../secret", "..%2fsecret", "%2e%2e%2fsecret",
			"..%5csecret", "x/../secret", "", ".", "..",
			"%2e", url.PathEscape(secret), "leaktrend-1.pb.gz%00", "*",
		} {
			w := get(h, http.MethodGet, "/debug/leaks/captures/"+name)
			if strings.Contains(w.Body.String(), "password") || w.Header().Get("Content-Disposition") != "" {
				t.Errorf("%q: %d %q", name, w.Code, w.Body)
			}
		}
	}
}
