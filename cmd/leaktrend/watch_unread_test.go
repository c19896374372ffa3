package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

// unread is a pipe that is full, and that nobody reads.
type unread chan struct{}

func (u unread) Write(p []byte) (int, error) {
	<-u
	return len(p), nil
}

// Nobody reads what watch prints: it goes on sampling and alerting by webhook, and ends when it is told to.
func TestWatchThatNobodyReads(t *testing.T) {
	t.Parallel()
	var goroutines atomic.Int64
	goroutines.Store(50)
	watched := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", goroutines.Load())
	}))
	defer watched.Close()
	posted := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var a struct{ Resource, Status string }
		if err := json.NewDecoder(req.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		posted <- a.Resource + " " + a.Status
	}))
	defer receiver.Close()
	config := filepath.Join(t.TempDir(), "leaktrend.yaml")
	text := "resource_monitoring:\n  goroutine_threshold: 10\n  alert_cooldown: 0s\n  check_interval: 20ms\n" +
		"  alert_webhook_url: " + receiver.URL + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "watched.csv")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	full := make(unread)
	defer close(full)
	go func() {
		ended <- run(ctx, []string{"watch", "--url", watched.URL, "--config", config, "-o", out}, strings.NewReader(""),
			full, full)
	}()
	for range 3 { // of which the first waits for the start to settle
		await.True(t, "samples", func() bool {
			text, err := os.ReadFile(out)
			return err == nil && strings.Count(string(text), "\n") > 20
		})
		goroutines.Store(100)
		if got := await.Receive(t, "an alert", posted); got != "go_goroutines firing" && got != "goroutines firing" {
			t.Errorf("posted: %s", got)
		}
		goroutines.Store(50)
		if got := await.Receive(t, "its end", posted); !strings.HasSuffix(got, " resolved") {
			t.Errorf("posted: %s", got)
		}
	}
	interrupt()
	if err := await.Receive(t, "the end of watch", ended); err != nil {
		t.Error(err)
	}
}
