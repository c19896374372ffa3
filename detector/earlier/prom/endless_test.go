package prom

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A server whose answers have no end is given up: no answer is read past its bound, nor are ever smaller queries asked
// for without an end.
func TestEndlessAnswers(t *testing.T) {
	var requests, sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		for chunk := strings.Repeat(`{"metric":{"job":"a"},"values":[[1700000000,"1"]]},`,
			1000); r.Context().Err() == nil; {
			n, err := fmt.Fprint(w, chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL})
	for range 3 {
		if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, MaxPoints}, true); !errors.Is(err,
			ErrTooLarge) && !errors.Is(err, ErrGone) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, MaxPoints}, true); !errors.Is(err, ErrGone) {
		t.Errorf("in the end the error is %v", err)
	}
	// The kernel's buffers take some more than is read.
	if perAnswer := sent.Load() / requests.Load(); requests.Load() > maxOversize || perAnswer > maxAnswer+16<<20 {
		t.Errorf("%d queries, of which each took %d bytes", requests.Load(), perAnswer)
	}
}

// An answer without end is not read to its end.
func TestEndlessAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL, Timeout: 30 * time.Second})
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}
