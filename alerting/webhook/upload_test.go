//go:build go1.25

package webhook

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// posts is a receiver of files that may fail.
type posts struct {
	mu     sync.Mutex
	status []int // of the answers, in order; then 200
	got    []string
}

func (p *posts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	user, _, _ := r.BasicAuth()
	p.got = append(p.got, strings.Join([]string{
		r.Method, r.URL.Path, user, r.Header.Get("Content-Type"), r.Header.Get("Content-Disposition"),
		r.Header.Get("X-Leaktrend-Resource"),
		r.Header.Get("X-Leaktrend-Alert"), string(body),
	}, " "))
	if len(p.status) > 0 {
		w.WriteHeader(p.status[0])
		p.status = p.status[1:]
	}
}

// A capture is posted as it is, once, and again where that fails; no error holds what is secret.
func TestUploader(t *testing.T) {
	receiver := &posts{status: []int{503}}
	server := httptest.NewServer(receiver)
	defer server.Close()
	var u Uploader
	var changes []string
	u.OnChange = func(err error) {
		if err == nil {
			changes = append(changes, "works")
		} else {
			changes = append(changes, err.Error())
		}
	}
	u.Add(File{Name: "lost", Data: []byte("there is no address")})
	if err := u.Use(strings.Replace(server.URL, "http://", "http://user:geheim@", 1) + "/token123"); err != nil {
		t.Fatal(err)
	}
	u.Add(File{Name: "a.pb.gz", Type: "application/octet-stream", Resource: "open_fds", AlertID: "01ab",
		Data: []byte("data")})
	u.Flush(t.Context())
	post := "POST /token123 user application/octet-stream attachment; filename=a.pb.gz open_fds 01ab data"
	if diff := cmp.Diff([]string{post, post}, receiver.got); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	if len(changes) != 2 || changes[1] != "works" {
		t.Fatalf("changes: %q", changes)
	}
	stats := u.Stats()
	if diff := cmp.Diff(UploadStats{Posted: 1, LastError: changes[0]}, stats); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"geheim", "token123"} {
		if strings.Contains(changes[0], secret) {
			t.Errorf("shown: %s", changes[0])
		}
	}
	for _, address := range []string{"ftp://h/geheim", "http://", "://geheim"} {
		if err := u.Use(address); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What can never be posted is given up, and what waits is bounded.
func TestUploaderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u Uploader
		if err := u.Use("http://192.0.2.1/"); err != nil {
			t.Fatal(err)
		}
		attempts := 0
		u.to.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			attempts++
			return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
		})
		u.Add(File{Name: "a", Data: []byte("a")})
		u.Flush(t.Context())
		if diff := cmp.Diff(UploadStats{Dropped: 1, LastError: "capture URL http://192.0.2.1: status 404 Not Found"},
			u.Stats()); diff != "" {
			t.Errorf("refused (-want +got):\n%s", diff)
		}
		if attempts != fileAttempts {
			t.Errorf("%d attempts", attempts)
		}

		u.Add(File{Name: "too large", Data: make([]byte, maxFileBytes+1)})
		for range 3 {
			u.Add(File{Name: "large", Data: make([]byte, maxFileBytes/2)})
		}
		if s := u.Stats(); s.Dropped != 3 || s.Waiting != 2 {
			t.Errorf("large files: %+v", s)
		}
		for range maxFiles + 1 {
			u.Add(File{Name: "small"})
		}
		if s := u.Stats(); s.Dropped != 6 || s.Waiting != maxFiles {
			t.Errorf("many files: %+v", s)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		u.Flush(soon)
		if elapsed := time.Since(start); elapsed != time.Second {
			t.Errorf("Flush took %s", elapsed)
		}
		if s := u.Stats(); s.Dropped != 6+maxFiles || s.Waiting != 0 {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// What joins while the work is being ended does not keep it from its end.
func TestUploaderEndsBesideAdds(t *testing.T) {
	var u Uploader
	if err := u.Use("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	ended, added := make(chan struct{}), make(chan struct{})
	u.Add(File{Name: "a"})
	go func() {
		defer close(added)
		for {
			select {
			case <-ended:
				return
			default:
				u.Add(File{Name: "a"})
			}
		}
	}()
	for range 20 {
		u.Flush(over)
	}
	close(ended)
	<-added
	u.Flush(over)
}
