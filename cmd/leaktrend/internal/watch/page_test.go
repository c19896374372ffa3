package watch

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector"
)

// Whoever opens the address of --listen alone gets to the page, and what is not there is not.
func TestPageIsFound(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logger)
	if err != nil {
		t.Fatal(err)
	}
	address, end, err := ServePage("127.0.0.1:0", monitor)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	root := strings.TrimSuffix(address, pagePath)
	for path, want := range map[string]string{"/": "200 /debug/leaks/", "/nowhere": "404 /nowhere"} {
		got, err := http.Get(root + path)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if answer := strings.TrimSuffix(got.Status[:4], " ") + " " + got.Request.URL.Path; answer != want {
			t.Errorf("%s: %s, want %s", path, answer, want)
		}
	}
}
