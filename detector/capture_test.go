package detector

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

//go:noinline
func waitBefore(started *sync.WaitGroup, over chan struct{}) { started.Done(); <-over }

//go:noinline
func waitAfter(started *sync.WaitGroup, over chan struct{}) { started.Done(); <-over }

// The difference of the two files, as go tool pprof shows it, is the growth and nothing else.
func TestPprofShowsTheGrowth(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	config := with(func(c *Config) { c.StackTraceOnLeak, c.ProfileDir = true, t.TempDir() })
	m, err := NewMonitor(config, logger)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	defer close(over)
	start := func(n int, wait func(*sync.WaitGroup, chan struct{})) {
		var started sync.WaitGroup
		for range n {
			started.Add(1)
			go wait(&started, over)
		}
		started.Wait()
	}
	start(30, waitBefore)
	ctx, now := context.Background(), m.situation()
	m.renew(now)
	m.take(ctx, goroutineSites, now)
	m.keepBefore(ctx, goroutineSites, now)
	start(47, waitAfter)
	a := alerting.Alert{ID: "1", Event: alerting.Event{
		Kind: alerting.Trend, Status: alerting.Firing, Resource: sampler.Goroutines, Since: time.Now(),
	}}
	if err := m.addCaptures(ctx, &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Profiles) < 2 {
		t.Fatalf("files: %+v", a.Profiles)
	}
	out, err := exec.Command(tool, "tool", "pprof", "-top", "-nodecount=0", "-diff_base", a.Profiles[0].Path, a.Profiles[1].Path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	grown := false
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		grown = grown || strings.HasSuffix(line, "detector.waitAfter\n") && fields[3] == "47"
		if strings.HasSuffix(line, "detector.waitBefore\n") && fields[3] != "0" {
			t.Errorf("what did not grow: %s", line)
		}
	}
	if !grown {
		t.Errorf("the growth is not shown:\n%s", out)
	}
}
