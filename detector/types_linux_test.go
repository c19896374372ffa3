//go:build amd64 || arm64

package detector_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// session is what leaks.
type session struct {
	_ [8]string
	_ map[string]*session
}

var sessions [][]session

//go:noinline
func keepSessions(n int) { sessions = append(sessions, make([]session, n)) }

// An alert on memory names the type that is kept at the line that keeps it.
func TestAlertNamesTheType(t *testing.T) {
	t.Cleanup(func() { sessions = nil })
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	config := detector.DefaultConfig()
	config.CheckInterval = 10 * time.Millisecond
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	m, err := detector.NewMonitor(config, logger)
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan string, 10)
	m.NameHolders(func(_ context.Context, line profile.Frame) (alerting.Holder, error) {
		requests <- line.Function[strings.LastIndexByte(line.Function, '.'):]
		return alerting.Holder{Text: "main.sessions"}, nil
	})
	samples := make(chan struct{}, 10000)
	m.OnSample(func(*sampler.Sample) { samples <- struct{}{} })
	alerts := make(chan alerting.Alert, 10)
	m.OnAlert(func(a alerting.Alert) { alerts <- a })
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	for range 15 {
		await.Receive(t, "a sample", samples)
	}
	if len(requests) > 0 {
		t.Error("what keeps memory alive was looked for without a finding")
	}
	sessions = make([][]session, 0, 400) // so that the list itself does not grow
	for range cap(sessions) {
		keepSessions(1000) // 136 kB
	}
	runtime.GC()
	runtime.GC()                        // a profile shows what a completed collection left
	time.Sleep(1100 * time.Millisecond) // a profile of the last second would do for the alert
	config.MemoryThreshold = int64(before.HeapInuse) + 20<<20
	if err := m.Reload(config); err != nil {
		t.Fatal(err)
	}
	a := await.Receive(t, "an alert", alerts)
	if len(a.Sites) == 0 || !strings.HasSuffix(a.Sites[0].Function, ".keepSessions") {
		t.Fatalf("not traced to the site: %+v", a)
	}
	if diff := cmp.Diff([]string{"[]detector_test.session"}, a.Sites[0].Types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	// Between the two, a summary may say that the line keeps more than the moving baseline lets the resource have
	// grown.
	if !strings.Contains(a.Summary, " as []detector_test.session, as of the last collection, ") ||
		!strings.HasSuffix(a.Summary, ", kept by main.sessions") ||
		a.Sites[0].Holder != "main.sessions" {
		t.Errorf("summary %q, holder %q", a.Summary, a.Sites[0].Holder)
	}
	if line := await.Receive(t, "the search", requests); line != ".keepSessions" || len(requests) > 0 {
		t.Errorf("what keeps %s alive was looked for, and %d more", line, len(requests))
	}
}
