//go:build unix && go1.25

package state_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// limitFiles bounds the size of the files that this process may write, as a full disk does; 0 is no limit.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if bytes > 0 {
		limit.Cur = bytes
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

// inChild is in the environment of the child in which a limit on files does not meet the files of go test.
const inChild = "LEAKTREND_TEST_CHILD"

// A full disk costs no state that was there, is said once, and is written again when there is room.
func TestKeeperFullDisk(t *testing.T) {
	if os.Getenv(inChild) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestKeeperFullDisk$", "-test.v")
		child.Env = append(os.Environ(), inChild+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	fill(t, dir, record(1), time.Now())
	p := newProcess(dir)
	p.Record = func() (state.Saved, bool) { return state.Saved{Record: *record(5)}, true }
	limitFiles(t, 100)
	end := p.Start()
	await.True(t, "the warning", func() bool { return len(p.logged()) > 0 })
	if livesIn(dir) != 1 || p.known() != 1 {
		t.Errorf("the state that was there has %d lives now, and %d were learned; want 1", livesIn(dir), p.known())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v: %d files, want the state and its lock", err, len(entries))
	}
	limitFiles(t, 0)
	if !end() || livesIn(dir) != 5 {
		t.Errorf("then %d lives are kept, want 5", livesIn(dir))
	}
	if diff := cmp.Diff([]logrus.Level{logrus.WarnLevel, logrus.InfoLevel}, p.logged()); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}
