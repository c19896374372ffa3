package prom

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
