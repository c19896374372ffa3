//go:build unix

package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// scribe records, flushing with every sample.
type scribe struct {
	*File
	t        *testing.T
	messages []string
	n        int
}

func newScribe(t *testing.T, path string, force bool) (*scribe, error) {
	s := &scribe{t: t}
	f, err := Create(path, force, nil, recording.Header{Interval: time.Second}, func(text ...any) {
		s.messages = append(s.messages, fmt.Sprint(text...))
	})
	s.File = f
	return s, err
}

// add records so many samples, a second apart.
func (s *scribe) add(samples int) {
	for range samples {
		sample := sampler.Sample{Time: noon.Add(time.Duration(s.n) * time.Second)}
		sample.Add(sampler.OpenFDs, float64(s.n))
		s.n++
		s.flushed = time.Time{}
		_ = s.Write(&sample)
	}
}

// read returns the seconds of the samples in a file, and fails where it cannot be read whole.
func read(t *testing.T, path string) (seconds []int, understood string) {
	t.Helper()
	f, err := recording.ReadFile(t.Context(), path, recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := f.Recordings[0]
	for s := (sampler.Sample{}); r.Sample(t.Context(), &s) == nil; {
		seconds = append(seconds, int(s.Time.Sub(noon)/time.Second))
	}
	if n, faults := r.Faults(); n > 0 {
		t.Errorf("%d faults: %v", n, faults)
	}
	return seconds, f.Understood()
}

func upTo(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

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

// Where there is no room, it is said once, whole lines alone are in the file at any time, and it goes on without a loss
// when there is room again.
func TestNoRoomForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(3)
	t.Cleanup(func() { limitFiles(t, 0) })
	limitFiles(t, 130)
	s.add(20)
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(text), "\n") || len(text) > 130 {
		t.Errorf("%v: the file holds %q", err, text)
	}
	limitFiles(t, 0)
	s.add(2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, path)
	if diff := cmp.Diff(upTo(0, 25), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{path + ": cannot be written: file too large; tried again with every sample",
		path + ": written again; no sample is missing"}
	if diff := cmp.Diff(want, s.messages); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// What waits for room is bounded: what is lost beyond that is counted, and noted in its place.
func TestNoRoomForLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(3)
	t.Cleanup(func() { limitFiles(t, 0) })
	limitFiles(t, 130)
	s.add(60_000)
	limitFiles(t, 0)
	s.add(2)
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "samples are missing") {
		t.Errorf("ended with %v", err)
	}
	recorded, lost := s.Samples()
	got, understood := read(t, path)
	if lost == 0 || recorded+lost != 60_005 || len(got) != recorded || got[len(got)-1] != 60_004 {
		t.Errorf("%d recorded, %d lost, %d are there, up to %d", recorded, lost, len(got), got[len(got)-1])
	}
	if want := fmt.Sprintf("%d samples lost while it was recorded", lost); !strings.Contains(understood, want) {
		t.Errorf("%q lacks %q", understood, want)
	}
	if want := fmt.Sprintf("%s: written again; %d samples are missing", path, lost); len(s.messages) != 2 ||
		s.messages[1] != want {
		t.Errorf("said %q", s.messages)
	}
}

// A recording that ends while there is no room ends with a whole line, and says what it lacks.
func TestNoRoomAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(2)
	t.Cleanup(func() { limitFiles(t, 0) })
	limitFiles(t, 100)
	s.add(5)
	err = s.Close()
	limitFiles(t, 0)
	recorded, lost := s.Samples()
	got, _ := read(t, path)
	if lost == 0 || recorded+lost != 7 || len(got) != recorded {
		t.Errorf("%d recorded, %d lost, %d are there", recorded, lost, len(got))
	}
	if want := fmt.Sprintf("%s: file too large: %d samples are missing", path, lost); err == nil ||
		err.Error() != want {
		t.Errorf("ended with %v, want %s", err, want)
	}
}

func TestDirectoryDisappears(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	path := filepath.Join(dir, "a.csv")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(2)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.add(3)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.add(4)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	got, understood := read(t, path)
	if diff := cmp.Diff(upTo(2, 9), got); diff != "" {
		t.Errorf("%s; (-want +got):\n%s", understood, diff)
	}
	want := []string{
		path + ": cannot be written: it was deleted, and cannot be made anew: no such file or directory; tried again " +
			"with every sample",
		path + ": written again; no sample is missing",
	}
	if diff := cmp.Diff(want, s.messages); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.csv.1")
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(2)
	s.Reopen() // only flushes
	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	s.add(2) // still into the file that was renamed
	s.Reopen()
	s.add(2)
	if err := os.Truncate(path, 0); err != nil { // as copytruncate does
		t.Fatal(err)
	}
	s.add(2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first, _ := read(t, rotated)
	second, _ := read(t, path)
	if diff := cmp.Diff([][]int{upTo(0, 4), upTo(6, 8)}, [][]int{first, second}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{path + ": begun anew"}, s.messages); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// The second of two recorders into one file is refused, even where it is told to replace what is there.
func TestTwoRecorders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	s, err := newScribe(t, path, false)
	if err != nil {
		t.Fatal(err)
	}
	s.add(2)
	for _, force := range []bool{false, true} {
		want := path + ": another leaktrend is recording into it"
		if !force {
			want = path + " is not empty; --force replaces it"
		}
		if _, err := newScribe(t, path, force); err == nil || err.Error() != want {
			t.Errorf("force %v: %v, want %s", force, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path); len(got) != 2 {
		t.Errorf("%d samples are left", len(got))
	}
	again, err := newScribe(t, path, true)
	if err != nil {
		t.Fatal(err)
	}
	again.add(1)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, path); len(got) != 1 {
		t.Errorf("%d samples in the file that was replaced", len(got))
	}
}
