package recording

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// checkRead reads a text, and checks what holds of whatever can be read: times that rise, numbers that are finite,
// samples that can be recorded.
func checkRead(t *testing.T, g *gathered, err error) {
	if err != nil {
		return
	}
	if len(g.processes) == 0 {
		t.Fatal("neither a process nor an error")
	}
	for _, p := range g.processes {
		w := NewWriter(io.Discard, Header(g.header))
		var s sampler.Sample
		last, n := time.Time{}, 0
		for p.Sample(&s) {
			if n++; n > 1 && !s.Time.After(last) {
				t.Fatalf("%v after %v", s.Time, last)
			}
			last = s.Time
			for _, r := range s.Readings {
				if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
					t.Fatalf("%s = %v", r.Resource, r.Value)
				}
			}
			if err := w.Write(&s); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			t.Fatal("a process without samples")
		}
	}
}

// fuzz fuzzes the reader of one format, from its files.
func fuzz(f *testing.F, read func(t *input, o options) (*gathered, error), patterns ...string) {
	seeds := 0
	for _, pattern := range patterns {
		files, err := filepath.Glob("testdata/formats/" + pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range slices.DeleteFunc(files, func(path string) bool {
			return strings.HasSuffix(path, ".golden")
		}) {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatalf("no files like %v", patterns)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, o := range []options{{}, {interval: time.Minute}} {
			in, err := newInput(t.Context(), bufio.NewReaderSize(bytes.NewReader(text), blockSize), "f", defaultBounds)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(in.head)) == 0 {
				return
			}
			g, err := read(in, o)
			checkRead(t, g, err)
		}
	})
}

func FuzzDelimited(f *testing.F)    { fuzz(f, readDelimited, "*.csv", "*.tsv", "statm*") }
func FuzzJSON(f *testing.F)         { fuzz(f, readJSON, "*.json", "*.jsonl") }
func FuzzMetrics(f *testing.F)      { fuzz(f, readMetrics, "*.om", "*.prom") }
func FuzzQueryRange(f *testing.F)   { fuzz(f, readQueryRange, "promtool*") }
func FuzzMprof(f *testing.F)        { fuzz(f, readMprof, "mprof*") }
func FuzzLineProtocol(f *testing.F) { fuzz(f, readLineProtocol, "influx-lines*") }
func FuzzFluxCSV(f *testing.F)      { fuzz(f, readFluxCSV, "influx-annotated*") }
func FuzzSysstat(f *testing.F)      { fuzz(f, readSysstat, "pidstat*", "sar*") }
func FuzzPsrecord(f *testing.F)     { fuzz(f, readPsrecord, "psrecord*") }
func FuzzPs(f *testing.F)           { fuzz(f, readPs, "ps-*") }
func FuzzDockerStats(f *testing.F)  { fuzz(f, readDockerStats, "docker*.log") }
func FuzzKubectlTop(f *testing.F)   { fuzz(f, readKubectlTop, "kubectl*") }
func FuzzStatus(f *testing.F)       { fuzz(f, readStatus, "proc-*") }
func FuzzFrames(f *testing.F)       { fuzz(f, readFrames, "grafana-*.json") }
func FuzzSadf(f *testing.F)         { fuzz(f, readSadf, "sadf-j*") }

// FuzzTools fuzzes the readers of what single tools write, each recognized by its beginning.
func FuzzTools(f *testing.F) {
	fuzz(f, gather, "gc-*.log", "console-log.txt", "python-dict.log", "*under-dates.log", "rrd-*", "atop-*", "nmon*",
		"dstat*.csv", "graphite-raw*", "statsd*", "go-gctrace*", "node-trace*", "console-*", "records-*", "sqlite*",
		"pm2*", "wmic*", "loki*", "ruby*")
}

func FuzzKeyValues(f *testing.F) { fuzz(f, readKeyValues, "log*.txt") }

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
