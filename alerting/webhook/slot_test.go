package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// A slot sends to the webhook that is in it at the moment, and to nobody without one.
func TestSlot(t *testing.T) {
	var mu sync.Mutex
	var got []string
	named := func(name string) *Webhook {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			var a alerting.Alert
			if err := json.NewDecoder(req.Body).Decode(&a); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, name+" "+a.ID)
		}))
		t.Cleanup(server.Close)
		w := newWebhook(t, Config{URL: server.URL})
		t.Cleanup(w.CloseIdleConnections)
		return w
	}
	first, second := named("first"), named("second")
	var s Slot
	for _, step := range []struct {
		use *Webhook
		id  string
	}{{nil, "a"}, {first, "b"}, {second, "c"}, {nil, "d"}, {first, "e"}} {
		s.Use(step.use)
		if s.Current() != step.use {
			t.Errorf("before %s: another webhook is in use", step.id)
		}
		if err := s.Send(t.Context(), alerting.Alert{ID: step.id}); err != nil {
			t.Errorf("%s: %v", step.id, err)
		}
		if err := s.Refresh(t.Context(), func(string) bool { return true }); err != nil {
			t.Errorf("refresh after %s: %v", step.id, err)
		}
		s.CloseIdleConnections()
	}
	if diff := cmp.Diff([]string{"first b", "second c", "first e"}, got); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}
