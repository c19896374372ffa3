package evidence

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// rest is a monitor at which nothing happens.
type rest struct{ view View }

func atRest(c config.Config) *rest {
	return &rest{View{Config: c, Scale: 1, Time: partsStart, CPU: math.NaN()}}
}

func (r *rest) View() View                                             { return r.view }
func (r *rest) Resource(string) (Resource, bool)                       { return Resource{}, true }
func (r *rest) Again(*alerting.Alert)                                  {}
func (r *rest) OnLines(*alerting.Alert) bool                           { return false }
func (r *rest) Deliver(string, []sites.Finding, float64, engine.Cause) {}

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
	c := config.Default()
	c.StackTraceOnLeak, c.ProfileDir = true, t.TempDir()
	l := NewLines(profile.NewSelf(), atRest(c), logger)
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
	ctx, now := context.Background(), l.monitor.View()
	l.renew(now)
	l.profiler.collect(ctx, goroutineSites, now)
	l.captures.keepBefore(ctx, goroutineSites, now)
	start(47, waitAfter)
	a := alerting.Alert{ID: "1", Event: alerting.Event{
		Kind: alerting.Trend, Status: alerting.Firing, Resource: sampler.Goroutines, Since: time.Now(),
	}}
	if err := l.Capture(ctx, &a); err != nil {
		t.Fatal(err)
	}
	text := a.Profiles[len(a.Profiles)-1]
	if data, err := os.ReadFile(text.Path); err != nil || filepath.Ext(text.Path) != ".txt" ||
		int64(len(data)) != text.Bytes ||
		strings.Count(string(data), "evidence.waitAfter(") != 47 || strings.Count(string(data), "created by ") < 77 {
		t.Errorf("the goroutines as text: %+v, %v\n%s", text, err, data)
	}
	if len(a.Profiles) < 2 {
		t.Fatalf("files: %+v", a.Profiles)
	}
	out, err := exec.Command(tool, "tool", "pprof", "-top", "-nodecount=0", "-diff_base", a.Profiles[0].Path,
		a.Profiles[1].Path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	grown := false
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		grown = grown || strings.HasSuffix(line, "evidence.waitAfter\n") && fields[3] == "47"
		if strings.HasSuffix(line, "evidence.waitBefore\n") && fields[3] != "0" {
			t.Errorf("what did not grow: %s", line)
		}
	}
	if !grown {
		t.Errorf("the growth is not shown:\n%s", out)
	}
}

// stacked is a source of profiles that tells what it was asked for.
type stacked struct {
	ProfileSource
	dump []byte
}

func (s *stacked) Dump(context.Context) ([]byte, error)   { return s.dump, nil }
func (s *stacked) Stacks(context.Context) ([]byte, error) { return []byte("counted"), nil }

// Every goroutine where that is cheap, else every stack, and no more than a file should hold.
func TestText(t *testing.T) {
	block := strings.Repeat("x", 999) + "\n\n"
	for _, test := range []struct {
		name       string
		goroutines float64
		dump, want string
	}{
		{"few", maxDumped, "each\n\n", "each\n\n"},
		{"many", maxDumped + 1, "each\n\n", "counted"},
		{"too many", maxGoroutines + 1, "each\n\n", ""},
		{"long", 1, strings.Repeat(block, 5000), strings.Repeat(block, maxText/1001)[:maxText/1001*1001-1] +
			"\n... 810811 bytes more\n"},
		{"long and in one block", 1, strings.Repeat("x", maxText+7), strings.Repeat("x", maxText) +
			"\n... 7 bytes more\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &profiler{source: &stacked{dump: []byte(test.dump)}}
			got, err := p.text(context.Background(), View{Goroutines: test.goroutines})
			if err != nil || string(got) != test.want {
				t.Errorf("%d bytes that end in %q, want %d that end in %q (%v)", len(got), got[max(0, len(got)-40):],
					len(test.want),
					test.want[max(0, len(test.want)-40):], err)
			}
		})
	}
}

// The profile of before is of before the leak, however long that is.
func TestBefore(t *testing.T) {
	at := func(hours int) time.Time { return time.Unix(0, 0).Add(time.Duration(hours) * time.Hour) }
	var kept []keptProfile
	for h := range 200 {
		kept = thinOut(append(kept, keptProfile{time: at(h)}))
	}
	if len(kept) != maxKept || !kept[0].time.Equal(at(0)) || !kept[maxKept-1].time.Equal(at(199)) {
		t.Errorf("kept: %v", kept)
	}
	for _, test := range []struct{ since, want int }{{0, 0}, {500, 199}, {-5, 0}} {
		if got, ok := beforeOf(kept, at(test.since)); !ok || !got.time.Equal(at(test.want)) {
			t.Errorf("since %d h: %v, want %d h", test.since, got.time, test.want)
		}
	}
	if _, ok := beforeOf(nil, at(0)); ok {
		t.Error("a profile out of nothing")
	}
}

func TestFileName(t *testing.T) {
	if got := fileName(
		"leaktrend-7-queue{a=\"../b c\"}-heap.pb.gz"); got != "leaktrend-7-queue_a__.._b_c__-heap.pb.gz" {
		t.Error(got)
	}
}

// What keeps several files from being written is said once.
func TestCapturesFailAlike(t *testing.T) {
	file := func(name string, err error) error {
		return &fs.PathError{Op: "write", Path: "/var/c/" + name, Err: err}
	}
	full, other := errors.New("no space left on device"), errors.New("heap.pb.gz: 900 bytes are more than allowed")
	for _, test := range []struct {
		name   string
		faults []error
		want   string
	}{
		{"none", nil, ""},
		{"one", []error{file("a", full)}, "write /var/c/a: no space left on device"},
		{"several", []error{file("a", full), other, file("b", full), errors.Join(file("c", full), nil)},
			"heap.pb.gz: 900 bytes are more than allowed\n3 files in /var/c: no space left on device"},
		{"for two reasons", []error{file("a", full), file("b", fs.ErrPermission)},
			"write /var/c/a: no space left on device\nwrite /var/c/b: permission denied"},
	} {
		got := ""
		if err := errors.Join(once("/var/c", test.faults)...); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
