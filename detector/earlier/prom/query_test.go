package prom

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A server reads a time in seconds, and not every one that Go writes; one that answers in part says so.
func TestQueryAndWarnings(t *testing.T) {
	var query url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		query = r.Form
		fmt.Fprint(w, `{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]}}`)
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL, Timeout: 1500 * time.Millisecond})
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 5}, false); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"query": {"x"}, "start": {"1772323200"}, "end": {"1772323440"}, "step": {"60"},
		"timeout": {"1.5"}}
	if diff := cmp.Diff(want, query); diff != "" {
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
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s{"metric":{},"values":[]}]}}`,
			many.String())
	}))
	defer server.Close()
	client, _ := quick(t, Config{URL: server.URL})
	client.held = 100 * MaxPoints
	if _, err := client.Range(t.Context(), "x", Grid{begin, time.Minute, 10 * MaxPoints}, true); !errors.Is(err,
		ErrTooLarge) || !strings.Contains(err.Error(), "11 series or more") {
		t.Errorf("error %v, want that it is too large", err)
	}
}

// Of each series that a server lists the values of some labels are told.
func TestSeries(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		want         [][]string
		err          string // that the error holds
	}{
		{"of some series", `{"status":"success","data":[{"__name__":"up","instance":"b:1","job":"a"},` +
			`{"instance":"a:1","pod":"x\"y"},{"job":"a"},{"instance":""},{"instance":"b:1"}]}`,
			[][]string{{"a", "b:1"}, {"", "a:1"}, {"a", ""}, {"", ""}, {"", "b:1"}}, ""},
		{"of none", `{"status":"success","data":[]}`, nil, ""},
		{"that it cannot read", `{"status":"error","errorType":"execution","error":"disk is gone"}`, nil,
			"disk is gone"},
		{"cut off", `{"status":"success","data":[{"instance":"a:1"`, nil, "cut off"},
		{"that are no list", `{"status":"success","data":{"instance":"a:1"}}`, nil, "not the JSON of a Prometheus"},
		{"that are too many", `{"status":"error","errorType":"422","error":"the number of matching timeseries ` +
			`exceeds 30000; either narrow down the search or increase -search.max* command-line flag values"}`,
			nil, ErrTooLarge.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			var query url.Values
			var path string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				query, path = r.Form, r.Method+" "+r.URL.Path
				if strings.Contains(test.answer, `"422"`) {
					w.WriteHeader(http.StatusUnprocessableEntity)
				}
				fmt.Fprint(w, test.answer)
			}))
			defer server.Close()
			client, _ := quick(t, Config{URL: server.URL})
			var got [][]string
			err := client.Series(t.Context(), []string{"job", "instance"}, []string{`{job="a"}`, "up"},
				begin, begin.Add(time.Hour), func(values []string) {
					got = append(got, slices.Clone(values))
				})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := url.Values{"match[]": {`{job="a"}`, "up"}, "start": {"1772323200"}, "end": {"1772326800"}}
			if diff := cmp.Diff(want, query); diff != "" || path != "POST /api/v1/series" {
				t.Errorf("%s asked (-want +got):\n%s", path, diff)
			}
		})
	}
}
