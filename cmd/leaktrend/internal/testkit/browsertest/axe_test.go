package browsertest

import (
	"strings"
	"testing"
)

// What cannot be used by everybody is found.
func TestViolations(t *testing.T) {
	tab := Open(t, `data:text/html,<html lang=en><title>x</title><main><h1>x</h1><img `+
		`src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>`, 400, 400, "light")
	got := tab.Violations()
	if len(got) != 1 || !strings.HasPrefix(got[0], "image-alt: ") {
		t.Errorf("%q", got)
	}
}
