package live

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

func TestFaults(t *testing.T) {
	var f Faults
	f.Reset()
	if err := f.Err(); err != nil {
		t.Errorf("no faults: %v", err)
	}
	missing := &fs.PathError{Op: "open", Path: "/proc/self/statm", Err: syscall.ENOENT}
	f.Add(sampler.RSSBytes, missing)
	f.Add(sampler.OpenFDs, syscall.EMFILE)
	first := f.Err()
	want := "sampler: not read: rss_bytes: " + missing.Error() + "; open_fds: " + syscall.EMFILE.Error()
	if d := cmp.Diff(want, first.Error()); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
	if !errors.Is(first, fs.ErrNotExist) || !errors.Is(first, syscall.EMFILE) {
		t.Error("the causes are not in the chain")
	}
	again := func() error {
		f.Reset()
		f.Add(sampler.RSSBytes, missing)
		f.Add(sampler.OpenFDs, syscall.EMFILE)
		return f.Err()
	}
	if n := testing.AllocsPerRun(100, func() { _ = again() }); n != 0 {
		t.Errorf("the same faults again: %v allocations", n)
	}
	if again() != first {
		t.Error("the same faults gave another error")
	}
	f.Reset()
	f.Add(sampler.OpenFDs, syscall.EMFILE)
	if err := f.Err(); err == first || strings.Contains(err.Error(), sampler.RSSBytes) {
		t.Errorf("fewer faults: %v", err)
	}
	if !strings.Contains(first.Error(), sampler.RSSBytes) {
		t.Error("an error given out before has changed")
	}
}
