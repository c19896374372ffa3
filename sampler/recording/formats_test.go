package recording

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write what the files of testdata/formats are read as anew")

// Files as the tools write them, and files that people make; what cannot be read has refused in its name. The golden
// says what was understood, and the recordings that convert would write.
func TestFormats(t *testing.T) {
	files, err := filepath.Glob("testdata/formats/*")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Read(t.Context(), bytes.NewReader(text), name, Options{})
			var got string
			if refused := strings.Contains(name, ".refused."); refused != (err != nil) {
				t.Fatalf("error %v", err)
			} else if refused {
				got = err.Error() + "\n"
			} else {
				got = written(t, f)
			}
			golden := path + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got; go test -update writes it anew):\n%s", diff)
			}
		})
	}
	if tested < 40 {
		t.Errorf("only %d files", tested)
	}
}

// written returns the recordings of a file, and what was understood.
func written(t testing.TB, f *File) string {
	t.Helper()
	var out strings.Builder
	for _, r := range f.Recordings {
		fmt.Fprintf(&out, "== %s\n", r.Process())
		w := NewWriter(&out, r.Header())
		var s sampler.Sample
		for {
			if err := r.Sample(t.Context(), &s); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			r.Rename(&s)
			if err := w.Write(&s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, faults := r.Faults(); len(faults) > 0 {
			fmt.Fprintf(&out, "faults: %v\n", faults)
		}
	}
	fmt.Fprintln(&out, "understood:", f.Understood())
	return out.String()
}

// What only a flag tells.
func TestOptions(t *testing.T) {
	for _, test := range []struct {
		file string
		o    Options
		want string
	}{
		{"row-numbers.refused.csv", Options{Interval: time.Minute},
			"3 rows of 3, 2m at 1m, a CSV table, 1 column judged, seq counts samples 1m apart"},
		{"no-time.refused.csv", Options{Interval: time.Minute},
			"3 rows of 3, 2m at 1m, a CSV table, 2 columns judged, rows 1m apart"},
		{"docker-stats-without-times.refused.log", Options{Interval: time.Minute},
			"4 rows of 4, 1m at 1m, listings of docker stats, 2 processes by NAME, 4 columns judged, 3 not (NET I/O: " +
				"a counter, BLOCK I/O: a counter, CONTAINER ID: text)"},
		{"docker-stats.refused.jsonl", Options{Interval: time.Minute},
			"4 rows of 4, 1m at 1m, JSON lines, 2 processes by Name, 4 columns judged, 3 not (NetIO: a counter, " +
				"BlockIO: a counter, Container: text), rows 1m apart"},
		{"two-hosts.csv", Options{By: "host, pid"}, "4 rows of 4, 1m at 1m, a CSV table, 2 processes by host, pid, 1 " +
			"column judged"},
		{"../../../../testdata/recordings/node-leak.csv", Options{By: "pid"},
			"1800 rows of 1800, 29m 59s at 1s, 3 columns judged, 1 not (cpu_seconds: a counter), not split by pid: a " +
				"recording of leaktrend is of one process"},
	} {
		f, err := ReadFile(t.Context(), filepath.Join("testdata/formats", test.file), test.o)
		if err != nil {
			t.Errorf("%s: %v", test.file, err)
			continue
		}
		written(t, f)
		if got := f.Understood(); got != test.want {
			t.Errorf("%s: understood %q, want %q", test.file, got, test.want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ReadFile(t.Context(), "testdata/formats/two-hosts.csv", Options{By: "pod"}); err == nil ||
		!strings.Contains(err.Error(), "its columns are time, host, pid, fds") {
		t.Errorf("a column that is not there: %v", err)
	}
	if _, err := Open("testdata/formats/two-hosts.csv"); err == nil ||
		!strings.Contains(err.Error(), "2 recordings by host") {
		t.Errorf("two recordings where one is wanted: %v", err)
	}
}

// FuzzRead fuzzes the front end: what recognizes the format, unpacks and decodes.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"time,a\n1,2\n", "\xff\xfet\x00i\x00m\x00e\x00,\x00a\x00\n\x001\x00,\x002\x00", "{}",
		"[]", "\x1f\x8b", "# leaktrend recording v1\ntime,x_total\n1,2\n2,1\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Read(t.Context(), bytes.NewReader(text), "f", Options{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f: ") && !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		for _, r := range file.Recordings {
			var s sampler.Sample
			for r.Sample(t.Context(), &s) == nil {
			}
		}
		if file.Understood() == "" {
			t.Fatal("nothing was understood")
		}
	})
}
