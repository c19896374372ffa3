package prom

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// Answers come compressed where that is asked for, and however they come they are read; one that is large only when it
// is unpacked is too large.
func TestCompressed(t *testing.T) {
	const answer = `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},` +
		`"values":[[1772323200,"7"]]}]}}`
	packed := zipped(t, answer)
	for _, test := range []struct {
		name     string
		compress bool
		sent     []byte
		encoding string
		accepts  string // what is asked for
		err      string
	}{
		{"not asked for", false, []byte(answer), "", "", ""},
		{"asked for", true, packed, "gzip", "gzip", ""},
		{"asked for, and not given", true, []byte(answer), "", "gzip", ""},
		{"cut off", true, packed[:len(packed)/2], "gzip", "gzip", "closed before the answer ended"},
		{"not what it says", true, []byte(answer), "gzip", "gzip", "gzip: invalid header"},
		{"a bomb", true, zipped(t, strings.Repeat(" ", maxAnswer+1)+answer), "gzip", "gzip", ErrTooLarge.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			var accepts string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				accepts = r.Header.Get("Accept-Encoding")
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.sent)
			}))
			defer server.Close()
			client, _ := quick(t, Config{URL: server.URL, Compress: test.compress})
			got, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 1}, false)
			if accepts != test.accepts {
				t.Errorf("accepts %q, want %q", accepts, test.accepts)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if diff := cmp.Diff([]Series{{model.Metric{"a": "b"}, []float64{7}}}, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What a server says of a failure is read compressed too.
func TestCompressedRefusal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, "%s", zipped(t, `{"status":"error","errorType":"execution","error":"query processing would `+
			`load too many samples into memory"}`))
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL, Compress: true})
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 1}, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want that it is too large", err)
	}
}
