package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// alertOf returns a firing alert.
func alertOf(id string, severity alerting.Severity) alerting.Alert {
	return alerting.Alert{Version: "1", ID: id, Event: alerting.Event{Status: alerting.Firing, Severity: severity}}
}

func TestSlot(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		var a alerting.Alert
		if err := json.NewDecoder(req.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, a.ID+" "+a.Severity.String())
		if a.ID == "bad" {
			rw.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	w, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer w.CloseIdleConnections()
	all := func(string) bool { return true }
	ctx := context.Background()
	for _, test := range []struct {
		name string
		do   func(s *Slot) []error
		want []string
	}{
		{"none", func(s *Slot) []error {
			s.Use(nil, []alerting.Alert{alertOf("a", alerting.Warning)})
			return []error{s.Send(ctx, alertOf("a", alerting.High)), s.Refresh(ctx, all)}
		}, nil},
		{"missing", func(s *Slot) []error {
			s.Use(w, []alerting.Alert{alertOf("a", alerting.Warning), alertOf("b", alerting.High)})
			return []error{s.Refresh(ctx, all), s.Refresh(ctx, all)}
		}, []string{"a warning", "b high"}},
		{"missing and resolved", func(s *Slot) []error {
			s.Use(w, []alerting.Alert{alertOf("a", alerting.Warning), alertOf("b", alerting.Warning)})
			return []error{s.Refresh(ctx, func(id string) bool { return id == "b" })}
		}, []string{"b warning"}},
		{"news of what is missing", func(s *Slot) []error {
			s.Use(w, []alerting.Alert{alertOf("a", alerting.Warning), alertOf("b", alerting.Warning)})
			return []error{s.Send(ctx, alertOf("a", alerting.High)), s.Refresh(ctx, all)}
		}, []string{"a high", "b warning"}},
		{"a newer webhook lacks its own", func(s *Slot) []error {
			s.Use(w, []alerting.Alert{alertOf("a", alerting.Warning)})
			s.Use(w, []alerting.Alert{alertOf("b", alerting.Warning)})
			return []error{s.Refresh(ctx, all)}
		}, []string{"b warning"}},
	} {
		got = nil
		var s Slot
		for i, err := range test.do(&s) {
			if err != nil {
				t.Errorf("%s: call %d: %v", test.name, i, err)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}

	got = nil
	var s Slot
	s.Use(w, []alerting.Alert{alertOf("bad", alerting.Warning), alertOf("good", alerting.Warning)})
	for range 2 {
		if err := s.Refresh(ctx, all); err == nil || !strings.Contains(err.Error(), "400") {
			t.Errorf("error = %v, want the status 400", err)
		}
	}
	if diff := cmp.Diff([]string{"bad warning", "good warning", "bad warning"}, got); diff != "" {
		t.Errorf("one that is refused must not hold up the others (-want +got):\n%s", diff)
	}
}
