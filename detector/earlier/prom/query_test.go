package prom

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A server reads a time in seconds, and not every one that Go writes; one that answers in part says so.
func TestWhatIsAskedAndWarned(t *testing.T) {
	var asked url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = r.Form
		fmt.Fprint(w, `{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]}}`)
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL, Timeout: 1500 * time.Millisecond})
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"query": {"x"}, "start": {"1772323200"}, "end": {"1772323440"}, "step": {"60"}, "timeout": {"1.5"}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a part of its storage did not answer (isPartial)"}, client.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// Of many series that each short range of time has room for, no more are held than there is memory for.
func TestManySeriesInParts(t *testing.T) {
	var many strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, `{"metric":{"a":"%d"},"values":[]},`, i)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s{"metric":{},"values":[]}]}}`, many.String())
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL})
	client.held = 100 * MaxPoints
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 10 * MaxPoints}, true); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "11 series or more") {
		t.Errorf("error %v, want that it is too large", err)
	}
}
