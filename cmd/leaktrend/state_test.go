package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

func TestStateRefuses(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	damaged := filepath.Join(t.TempDir(), "x.state")
	if err := os.WriteFile(damaged, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"state"}, `: "leaktrend watch --name PATTERN" keeps it there, except with --soak`},
		{[]string{"state", damaged}, "damaged"},
		{[]string{"state", t.TempDir()}, "no states in this directory"},
		{[]string{"watch", "--pid", "1", "--state", "x", "--no-state"}, "--state and --no-state: one at a time"},
	} {
		got := leaktrend(t, "", test.args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%q: exit code %d, %s", test.args, got.code, got.stderr)
		}
	}
}

// With a page that is asked for, a line names it, and the tables are printed only if they are asked for too.
func TestStatePage(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	began := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	kept, _, _, err := state.Open(dir, state.Key{Executable: "worker", Instance: "host-1"}, began)
	if err != nil {
		t.Fatal(err)
	}
	record := lives.New(1)
	record.Add(lives.Life{Start: began, First: began, End: began.Add(time.Hour), Ended: lives.Running})
	if err := kept.Write(state.Saved{Record: record}, began); err != nil {
		t.Fatal(err)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	tables := leaktrend(t, "", "state", dir)
	if tables.code != exitRan || !strings.Contains(tables.stdout, "worker") {
		t.Fatalf("%+v", tables)
	}
	for _, test := range []struct {
		args []string
		want outcome
	}{
		{[]string{"--html", "a.html"}, outcome{exitRan, "The curves and tables of the lives are in a.html\n", ""}},
		{[]string{"--html", "b.html", "--format", "text"}, tables},
	} {
		got := leaktrend(t, "", append([]string{"state", dir}, test.args...)...)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.args, diff)
		}
		if page, err := os.ReadFile(test.args[1]); err != nil || !bytes.Contains(page, []byte("worker")) {
			t.Errorf("%q: the page does not name the process: %v", test.args, err)
		}
	}
}

// livesIn returns the lives of the one process whose state is in a directory; nil where there is none.
func livesIn(dir string) []lives.Life {
	files, _ := filepath.Glob(filepath.Join(dir, "*"+state.Suffix))
	if len(files) != 1 {
		return nil
	}
	saved, err := state.Read(files[0])
	if err != nil {
		return nil
	}
	return saved.Record.Lives
}

// endsOf returns the versions of lives, and how they ended.
func endsOf(all []lives.Life) (ends []string) {
	for _, life := range all {
		ends = append(ends, life.Version+" "+string(life.Ended))
	}
	return ends
}

// samplesOf returns the samples that a recording has so far, and its header.
func samplesOf(t *testing.T, path string) (all []*sampler.Sample, header recording.Header) {
	t.Helper()
	r, err := recording.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		var s sampler.Sample
		if err := r.Sample(t.Context(), &s); err != nil {
			return all, r.Header()
		}
		all = append(all, &s)
	}
}

// replayedLives returns the lives that a recording has, as a detector finds them.
func replayedLives(t *testing.T, path string) []lives.Life {
	t.Helper()
	all, header := samplesOf(t, path)
	config := detector.DefaultConfig()
	config.Adaptive.Soak = header.Soak
	d, err := detector.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		d.Observe(s)
	}
	return d.Lives().Lives
}

// Processes of one name that come one after the other are the lives of one: for watch, which keeps one state of them
// and shows it, and for record, whose recording has them all.
func TestLivesOfAName(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("takes 5 s of real time, on Linux")
	}
	t.Parallel()
	name, dir := fmt.Sprintf("leaktrend-lives-%d", os.Getpid()), t.TempDir()
	recorded := filepath.Join(dir, "lives.csv")
	kept := filepath.Join(dir, "state")
	starts := func() int {
		text, _ := os.ReadFile(recorded)
		return strings.Count(string(text), "# start: ")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := func(args ...string) <-chan outcome {
		ended := make(chan outcome, 1)
		go func() {
			var stdout, stderr bytes.Buffer
			err := run(ctx, args, strings.NewReader(""), &stdout, &stderr)
			ended <- outcome{exitCode(err), stdout.String(), stderr.String()}
		}()
		return ended
	}
	child := leaky(t, name, "APP_VERSION=2.1.0")
	recording := began("record", "--name", name, "--soak", "30s", "-o", recorded)
	await.True(t, "the recording of the first", func() bool { return starts() == 1 })
	watching := began("watch", "--name", name, "--wait", "--soak", "30s", "--state", kept)
	for number := 1; ; number++ {
		await.True(t, fmt.Sprintf("life %d", number), func() bool {
			all := livesIn(kept)
			return len(all) == number && len(all[number-1].Curves[sampler.OpenFDs].Floors) > 8 && starts() == number
		})
		if number == 3 {
			break
		}
		_ = child.Process.Kill()
		child = leaky(t, name, "APP_VERSION=2.1.1")
	}
	stop()
	for what, ended := range map[string]<-chan outcome{"record": recording, "watch": watching} {
		if got := await.Receive(t, "the end of "+what, ended); got.code != exitRan {
			t.Errorf("%s: exit code %d\n%s%s", what, got.code, got.stdout, got.stderr)
		}
	}
	want := []string{"2.1.0 replaced", "2.1.1 replaced", "2.1.1 running"}
	if diff := cmp.Diff(want, endsOf(livesIn(kept))); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, endsOf(replayedLives(t, recorded))); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	shown := leaktrend(t, "", "state", kept)
	if shown.code != exitRan || strings.Count(shown.stdout, "replaced") < 4 {
		t.Errorf("exit code %d\n%s%s", shown.code, shown.stdout, shown.stderr)
	}
}
