package prom

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// That a server cannot be reached is told once, and not only when all attempts have failed.
func TestFirstRetryIsTold(t *testing.T) {
	var told []string
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	client, waits := quick(t, Config{URL: down.URL, OnRetry: func(err error) { told = append(told, err.Error()) }})
	for range 2 {
		if _, err := client.Range(t.Context(), "up", GridTo(begin, time.Hour, time.Minute), false); err == nil {
			t.Error("a server that is down answers")
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "connection refused") || len(*waits) != 2*(attempts-1) {
		t.Errorf("told %q in %d retries", told, len(*waits))
	}
}
