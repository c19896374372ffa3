package browsertest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a page must not do is noted, and nothing else.
func TestComplaints(t *testing.T) {
	tab := &Tab{t: t, base: "file:///tmp/", loaded: make(chan struct{}, 1)}
	for _, event := range []struct{ method, params string }{
		{"Network.requestWillBeSent", `{"type": "Document", "request": {"url": "file:///tmp/report.html"}}`},
		{"Network.requestWillBeSent", `{"type": "Image", "request": {"url": "data:image/png;base64,AA=="}}`},
		{"Network.requestWillBeSent", `{"type": "Font", "request": {"url": "https://fonts.example/a.woff"}}`},
		{"Runtime.consoleAPICalled", `{"type": "log", "args": [{"type": "string", "value": "all is well"}]}`},
		{"Runtime.consoleAPICalled", `{"type": "error", "args": [{"type": "string", "value": "no such row"}, ` +
			`{"type": "number", "value": 3}]}`},
		{"Runtime.exceptionThrown", `{"exceptionDetails": {"text": "Uncaught", "exception": {"description": ` +
			`"TypeError: x is null"}}}`},
		{"Page.loadEventFired", `{"timestamp": 1}`},
	} {
		tab.happened(event.method, json.RawMessage(event.params))
	}
	want := []string{"asked for https://fonts.example/a.woff", "console error: no such row 3",
		"exception: Uncaught TypeError: x is null"}
	if diff := cmp.Diff(want, tab.complaints); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(tab.loaded) != 1 {
		t.Error("that the page was loaded was not noted")
	}
}
