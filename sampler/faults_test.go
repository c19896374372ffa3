package sampler

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaults(t *testing.T) {
	var f faults
	f.reset()
	if err := f.err(); err != nil {
		t.Errorf("no faults: %v", err)
	}
	missing := &fs.PathError{Op: "open", Path: "/proc/self/statm", Err: syscall.ENOENT}
	f.add(RSSBytes, missing)
	f.add(OpenFDs, syscall.EMFILE)
	first := f.err()
	want := "sampler: not read: rss_bytes: " + missing.Error() + "; open_fds: " + syscall.EMFILE.Error()
	if d := cmp.Diff(want, first.Error()); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
	if !errors.Is(first, fs.ErrNotExist) || !errors.Is(first, syscall.EMFILE) {
		t.Error("the causes are not in the chain")
	}
	again := func() error {
		f.reset()
		f.add(RSSBytes, missing)
		f.add(OpenFDs, syscall.EMFILE)
		return f.err()
	}
	if n := testing.AllocsPerRun(100, func() { _ = again() }); n != 0 {
		t.Errorf("the same faults again: %v allocations", n)
	}
	if again() != first {
		t.Error("the same faults gave another error")
	}
	f.reset()
	f.add(OpenFDs, syscall.EMFILE)
	if err := f.err(); err == first || strings.Contains(err.Error(), RSSBytes) {
		t.Errorf("fewer faults: %v", err)
	}
	if !strings.Contains(first.Error(), RSSBytes) {
		t.Error("an error given out before has changed")
	}
}
