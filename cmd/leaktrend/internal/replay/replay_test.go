package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// fileOf judges the first recording of a file.
func fileOf(ctx context.Context, path string, o Options) (*Result, error) {
	results, err := File(ctx, path, o)
	if len(results) == 0 {
		return nil, err
	}
	return results[0], err
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{
		"dir/b.csv", "dir/a.csv.gz", "dir/sub/c.om", "dir/sub/d.prom", "dir/sub/e.json.gz", "dir/README.md", "dir/f.gz",
		"dir/labels.yaml", "dir/csv",
		"other/z.csv", "plain.txt", "empty/README.md",
	} {
		write(t, filepath.FromSlash(path), "")
	}
	if err := os.Symlink("other", "link"); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	// what is no file, though its name is that of one
	if l, err := net.Listen("unix", filepath.FromSlash("dir/sub/socket.csv")); err == nil {
		defer l.Close()
	}
	inDir := []string{"dir/a.csv.gz", "dir/b.csv", "dir/sub/c.om", "dir/sub/d.prom", "dir/sub/e.json.gz"}
	for _, test := range []struct {
		name  string
		paths []string
		want  []string
		fails string
	}{
		{"nothing", nil, nil, ""},
		{"a directory", []string{"dir"}, inDir, ""},
		{"with a separator", []string{"dir/"}, inDir, ""},
		{"the current directory", []string{"."}, append(slices.Clone(inDir), "other/z.csv"), ""},
		{"any file that is named", []string{"plain.txt", "dir/f.gz"}, []string{"plain.txt", "dir/f.gz"}, ""},
		{"in the order given", []string{"other", "-", "dir/b.csv"}, []string{"other/z.csv", "-", "dir/b.csv"}, ""},
		{"a link to a directory", []string{"link"}, []string{"link/z.csv"}, ""},
		{"standard input twice", []string{"-", "dir", "-"}, nil, "read only once"},
		{"missing", []string{"dir", "nowhere"}, nil, "nowhere"},
		{"no recordings", []string{"dir", "empty"}, nil, "empty: no recordings"},
	} {
		got, err := Files(test.paths)
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: error %v, want %q", test.name, err, test.fails)
			}
			continue
		}
		for i, path := range test.want {
			test.want[i] = filepath.FromSlash(path)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v; (-want +got)\n%s", test.name, err, diff)
		}
	}
	if _, err := Files([]string{"nowhere"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

// begin is when the recordings below begin, step is the time between two samples.
var begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

const step = 10 * time.Second

// rows writes samples of goroutines from one number until before another.
func rows(from, until int, level func(i int) int) string {
	var b strings.Builder
	for i := from; i < until; i++ {
		fmt.Fprintf(&b, "%s,%d\n", begin.Add(time.Duration(i)*step).Format(time.RFC3339), level(i))
	}
	return b.String()
}

const head = "# leaktrend recording v1\n# interval: 10s\n# source: a test\ntime,goroutines\n"

func steady(int) int { return 100 }

// fast is a leak that takes too little time for the physical constants.
func fast(i int) int { return 100 + 10*max(i-60, 0) }

func defaults() Options { return Options{Config: detector.DefaultConfig()} }

func TestFile(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.csv"), "# soak: 2h\n"+head+rows(0, 180, fast)+"broken\n")
	got, err := fileOf(t.Context(), path, defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Resources) != 1 || len(got.Events) != 1 {
		t.Fatalf("%d resources, %d events, want 1 of each", len(got.Resources), len(got.Events))
	}
	event, resource := got.Events[0], got.Resources[0]
	if event.Kind != alerting.Trend || event.Status != alerting.Firing || event.Resource != sampler.Goroutines {
		t.Errorf("event %+v", event)
	}
	if diff := cmp.Diff(got.Events, resource.Events); diff != "" {
		t.Errorf("events of the resource differ\n%s", diff)
	}
	if !got.Leaked() || !resource.Leaked() || resource.First != 100 || resource.Value != float64(fast(179)) ||
		resource.Line.Draw(3) != "▁▃█" {
		t.Errorf("resource %q, first %v, value %v, leaked %v %v", resource.Line.Draw(3), resource.First, resource.Value,
			got.Leaked(), resource.Leaked())
	}
	if len(got.Faults) != 1 || !strings.HasPrefix(got.Faults[0].Error(), path+":186: ") {
		t.Errorf("faults %v, want one on line 186", got.Faults)
	}
	got.Events, got.Resources, got.Faults = nil, nil, nil
	want := &Result{
		File: path, Header: recording.Header{Interval: step, Soak: 2 * time.Hour, Source: "a test"},
		First: begin, Last: begin.Add(179 * step), Samples: 180, Soak: 2 * time.Hour, FaultCount: 1,
		Understood: path + ": 180 rows of 181, 29m 50s at 10s, 1 column judged",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The soak mode is the recording's, from the place of its note on, unless the user gave a configuration.
func TestSoakNotes(t *testing.T) {
	soaked := detector.DefaultConfig()
	soaked.Adaptive.Soak = 2 * time.Hour
	dir := t.TempDir()
	for _, test := range []struct {
		name string
		text string
		o    Options
		want bool
	}{
		{"none", head + rows(0, 180, fast), defaults(), false},
		{"from the begin", "# soak: 2h\n" + head + rows(0, 180, fast), defaults(), true},
		{"from the middle", head + rows(0, 60, fast) + "# soak: 2h\n" + rows(60, 180, fast), defaults(), true},
		{"until the leak", "# soak: 2h\n" + head + rows(0, 60, fast) + "# soak: 48h\n" + rows(60, 180, fast),
			defaults(), false},
		{"given without", "# soak: 2h\n" + head + rows(0, 180, fast), Options{Config: detector.DefaultConfig(),
			Given: true}, false},
		{"given without, from the middle", head + rows(0, 60, fast) + "# soak: 2h\n" + rows(60, 180, fast),
			Options{Config: detector.DefaultConfig(), Given: true}, false},
		{"given with", head + rows(0, 180, fast), Options{Config: soaked, Given: true}, true},
		{"given with, against the note", "# soak: 48h\n" + head + rows(0, 180, fast),
			Options{Config: soaked, Given: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := fileOf(t.Context(), write(t, filepath.Join(dir, "a.csv"), test.text), test.o)
			if err != nil {
				t.Fatal(err)
			}
			if got.Leaked() != test.want {
				t.Errorf("leaked %v, want %v: %+v", got.Leaked(), test.want, got.Events)
			}
		})
	}
	for _, text := range []string{"# soak: 1s\n" + head + rows(0, 9, steady), head + rows(0, 9, steady) +
		"# soak: 1s\n" + rows(9, 12, steady)} {
		path := write(t, filepath.Join(dir, "bad.csv"), text)
		if _, err := fileOf(t.Context(), path, defaults()); err == nil || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), "soak") {
			t.Errorf("a soak setting that cannot be: %v", err)
		}
	}
}

// What comes through standard input or gzip is judged like the file.
func TestInputs(t *testing.T) {
	text := "# soak: 2h\n" + head + rows(0, 180, fast)
	dir := t.TempDir()
	want, err := fileOf(t.Context(), write(t, filepath.Join(dir, "a.csv"), text), defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path, stdin string
		read              int // bytes
	}{
		{"gzip", write(t, filepath.Join(dir, "a.csv.gz"), zipped(t, text)), "", len(zipped(t, text))},
		{"standard input", "-", text, len(text)},
		{"gzip on standard input", "-", zipped(t, text), len(zipped(t, text))},
	} {
		t.Run(test.name, func(t *testing.T) {
			var progress Progress
			o := defaults()
			o.Stdin, o.Progress = iotest.OneByteReader(strings.NewReader(test.stdin)), &progress
			got, err := fileOf(t.Context(), test.path, o)
			if err != nil {
				t.Fatal(err)
			}
			if name := strings.Replace(test.path, "-", "standard input", 1); test.path == "-" && got.File != name {
				t.Errorf("called %q, want %q", got.File, name)
			}
			if diff := cmp.Diff(want.Events, got.Events); diff != "" || got.Samples != want.Samples {
				t.Errorf("%d samples; events (-file +got)\n%s", got.Samples, diff)
			}
			if got := int(progress.read.Load()); got != test.read {
				t.Errorf("%d bytes counted, want %d", got, test.read)
			}
		})
	}
}

func TestFileFails(t *testing.T) {
	dir := t.TempDir()
	whole := zipped(t, head+rows(0, 5000, func(i int) int { return i * i % 1009 }))
	for _, test := range []struct {
		name, path, says string
	}{
		{"missing", filepath.Join(dir, "none.csv"), "none.csv"},
		{"empty", write(t, filepath.Join(dir, "empty.csv"), ""), "empty.csv: no samples"},
		{"no recording", write(t, filepath.Join(dir, "text.csv"), "Dear reader,\nno numbers here.\n"),
			"text.csv: no samples"},
		{"a directory", dir, dir},
		{"not gzip", write(t, filepath.Join(dir, "b.csv.gz"), "\x1f\x8bnonsense"), "b.csv.gz"},
	} {
		if got, err := fileOf(t.Context(), test.path, defaults()); err == nil ||
			!strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %+v, error %v, want %q", test.name, got, err, test.says)
		}
	}

	// What was read before a failure is judged, and the failure told.
	got, err := fileOf(t.Context(), write(t, filepath.Join(dir, "cut.csv.gz"), whole[:len(whole)/2]), defaults())
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples < 1000 || got.FaultCount != 1 || len(got.Faults) != 1 ||
		!strings.Contains(got.Faults[0].Error(), "ends too early") {
		t.Errorf("%d samples, %d faults: %v", got.Samples, got.FaultCount, got.Faults)
	}
	if got.Last != begin.Add(time.Duration(got.Samples-1)*step) {
		t.Errorf("the last of %d samples is of %s", got.Samples, got.Last)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// The second block of the input arrives when the context has ended.
	text := head + rows(0, 60_000, steady)
	o := defaults()
	o.Stdin = readerFunc(func(p []byte) (int, error) {
		if len(text) < 1<<20 {
			cancel()
		}
		n := copy(p, text)
		text = text[n:]
		return n, nil
	})
	if got, err := fileOf(ctx, "-", o); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, error %v, want context.Canceled", got, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Columns that come and go, as in an endpoint's recording, keep their own course.
func TestCourses(t *testing.T) {
	text := "time,a,b,c\n0,1,10,100\n60,,20,200\n120,3,,\n180,4,40,300\n"
	got, err := fileOf(t.Context(), write(t, filepath.Join(t.TempDir(), "a.csv"), text), defaults())
	if err != nil {
		t.Fatal(err)
	}
	type course struct {
		First, Value float64
		Line         string
	}
	courses := make(map[string]course)
	for _, r := range got.Resources {
		courses[r.Resource.Name] = course{r.First, r.Value, r.Line.Draw(9)}
	}
	want := map[string]course{"a": {1, 4, "▁▆█"}, "b": {10, 40, "▁▃█"}, "c": {100, 300, "▁▅█"}}
	if diff := cmp.Diff(want, courses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
