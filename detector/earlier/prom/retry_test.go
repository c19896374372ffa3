package prom

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// That a server cannot be reached is told once, and not only when all attempts have failed.
func TestFirstRetryIsReported(t *testing.T) {
	var reported []string
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	client, waits := quick(t, Config{URL: down.URL, OnRetry: func(err error) {
		reported = append(reported, err.Error())
	}})
	for range 2 {
		if _, err := client.Range(t.Context(), "up", GridTo(begin, time.Hour, time.Minute), false); err == nil {
			t.Error("a server that is down answers")
		}
	}
	if len(reported) != 1 || !strings.Contains(reported[0], "connection refused") || len(*waits) != 2*(attempts-1) {
		t.Errorf("told %q in %d retries", reported, len(*waits))
	}
}
