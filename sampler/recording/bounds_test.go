package recording

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// lines makes a text of n lines.
func lines(head string, n int, line func(i int) string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

// What is beyond a bound is not read, which is said once as a fault; the rest is read.
func TestBounds(t *testing.T) {
	small := input.Bounds{Cells: 1000, Values: 100, Series: 30, Columns: 10, Limits: 5, Item: 1 << 10}
	for name, test := range map[string]struct {
		text  string
		fault string
		read  string
	}{
		"rows of a table": {
			lines("time;a\n", 500, func(i int) string { return fmt.Sprintf("%d;%d\n", 1700000000+i, i) }),
			"f: more than 1000 cells of a table: what follows line 200 is not read; split the file", "199 rows of 199",
		},
		"columns of a table": {
			lines("time", 40, func(i int) string {
				return fmt.Sprintf(";c%d", i)
			}) + lines("\n1700000000", 40, func(i int) string { return fmt.Sprintf(";%d", i) }),
			"f: 31 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"1 row of 1",
		},
		"rows of a log": {
			lines("", 500, func(i int) string { return fmt.Sprintf("time=%d a=%d\n", 1700000000+i, i) }),
			"f: more than 1000 cells of a table: what follows line 200 is not read; split the file", "200 rows of 200",
		},
		"names in a column of text": {
			lines("when,message\n", 40, func(i int) string { return fmt.Sprintf("%d,n%d=%d\n", 1700000000+i, i, i) }),
			"f: 32 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"8 rows of 40",
		},
		"names of other headers": {
			lines("time;a\n", 40, func(i int) string { return fmt.Sprintf("time;n%d\n%d;%d\n", i, 1700000000+i, i) }),
			"f: 32 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"8 rows of 40",
		},
		"dates": {
			lines("a,b\n", 300, func(i int) string {
				return fmt.Sprintf("2026-03-02 %02d:%02d:00\n%d,2\n", i/60, i%60, i)
			}),
			"f: more than 125 dates: what follows line 250 is not read; split the file", "124 rows of 124",
		},
		"JSON lines": {
			lines("", 500, func(i int) string { return fmt.Sprintf(`{"time":%d,"a":%d}`+"\n", 1700000000+i, i) }),
			"f: more than 1000 cells of a table: what follows line 200 is not read; split the file", "200 rows of 200",
		},
		"names in JSON lines": {
			lines("", 40, func(i int) string { return fmt.Sprintf(`{"time":%d,"a%d":%d}`+"\n", 1700000000+i, i, i) }),
			"f: 31 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"9 rows of 40",
		},
		"columns in JSON": {
			`{"time":[` + lines("1700000000", 1100, func(i int) string { return fmt.Sprintf(",%d", 1700000001+i) }) +
				`],"a":[1]}`,
			"f: more than 1000 cells of a table: what follows line 0 is not read; split the file", "",
		},
		"values of series": {
			lines("", 500, func(i int) string { return fmt.Sprintf("m %d %d\n", i, 1700000000+i) }),
			"f: more than 100 values: what follows line 101 is not read; split the file", "100 values of 101",
		},
		"series of a recording": {
			lines("", 500, func(i int) string { return fmt.Sprintf("m{a=\"%d\"} 1 1700000000\n", i) }),
			"f: 490 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"10 values of 500",
		},
		"series of a file": {
			lines("", 500, func(i int) string { return fmt.Sprintf("m{pod=\"%d\"} 1 1700000000\n", i) }),
			"f: 470 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"30 values of 500",
		},
		"levels": {
			lines("go_goroutines 1 1700000000\n", 50, func(i int) string {
				return fmt.Sprintf("process_max_fds{a=\"%d\"} 9 1700000000\n", i)
			}),
			"f: 45 columns or series beyond the first 10 of a recording, or 30 of a file, " +
				"are not read; split the file",
			"6 values of 51",
		},
		"values of a range query": {
			`[{"metric":{"__name__":"a"},"values":[` + lines("[1700000000,\"1\"]", 500, func(i int) string {
				return fmt.Sprintf(",[%d,\"1\"]", 1700000001+i)
			}) + `]}]`,
			"f: more than 100 values: what follows line 0 is not read; split the file", "100 values of 101",
		},
		"a long line": {
			lines(`{"metric":{"__name__":"a"},"values":[1],"timestamps":[1700000000000]}`+"\n"+
				`{"metric":{"__name__":"a"},"values":[1`, 1000, func(int) string { return ",1" }) + "]}\n",
			"f:2: longer than 1 MiB: skipped", "1 value of 2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Read(t.Context(), strings.NewReader(test.text), "f", Options{bounds: small})
			if test.read == "" {
				if err == nil {
					t.Error("it was read")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			written(t, f)
			if n, faults := f.Recordings[0].Faults(); n == 0 || faults[0].Error() != test.fault {
				t.Errorf("%d faults, first %v, want %v", n, faults, test.fault)
			}
			if got := f.Understood(); !strings.HasPrefix(got, test.read+",") {
				t.Errorf("understood %q, want %s", got, test.read)
			}
		})
	}
}

// A table that is read as it goes has its bounds too.
func TestBoundsOfRecording(t *testing.T) {
	const columns = 12000
	text := lines("# leaktrend recording v1\ntime", columns, func(i int) string { return fmt.Sprintf(",c%d", i) }) +
		lines("\n1700000000", columns, func(i int) string {
			return ",1"
		}) + "\n" + strings.Repeat("# ceiling: a 1\n", 3)
	f, err := Read(t.Context(), strings.NewReader(text), "f", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Recordings[0]
	n, faults := s.Faults()
	want := []string{fmt.Sprintf("f:2: %d columns beyond the first %d of a row, or 20000 of a recording, are not "+
		"read; split the file", columns-input.DefaultBounds.Columns, input.DefaultBounds.Columns)}
	if diff := cmp.Diff(want, texts(faults)); n != 1 || diff != "" {
		t.Errorf("%d faults (-want +got):\n%s", n, diff)
	}
	if read := s.first.Readings; len(read) != input.DefaultBounds.Columns {
		t.Errorf("%d readings", len(read))
	}
}

// endless is a text that does not end; from some byte on its context has.
type endless struct {
	line   string
	given  int
	cancel context.CancelFunc
}

func (e *endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		some := copy(p[n:], e.line[e.given%len(e.line):])
		n, e.given = n+some, e.given+some
	}
	if e.given > 4<<20 {
		e.cancel()
	}
	return len(p), nil
}

// Reading ends with its context, whatever the format.
// Objects within objects by the thousand take memory for each, not for all that are around it as well.
func TestDeepObjects(t *testing.T) {
	const deep = 9000 // the decoder's own limit is 10,000
	text := strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(t.Context(), strings.NewReader(`{"time":1700000000,"b":`+text+"}\n"), "f", Options{})
	runtime.ReadMemStats(&after)
	const want = "f: JSON lines: no samples; 1 fault, the first: f:1: objects within objects, more than 32 deep"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
		t.Errorf("%d MB allocated", used>>20)
	}
}

func TestReadIsInterrupted(t *testing.T) {
	for name, test := range map[string]struct{ start, line string }{
		"table":       {"time;a\n", "1700000000;1\n"},
		"one line":    {"time;a\n", "1700000000;1;"},
		"JSON lines":  {"", `{"time":1700000000,"a":1}` + "\n"},
		"JSON list":   {"[", `{"time":1700000000,"a":1},`},
		"range query": {`{"data":{"resultType":"matrix","result":[`, `{"metric":{"a":"b"},"values":[[1,"1"]]},`},
		"export": {`{"metric":{"a":"b"},"values":[1],"timestamps":[1]}` + "\n",
			`{"metric":{"a":"b"},"values":[1],"timestamps":[1]}` + "\n"},
		"metrics":       {"", "m{a=\"b\"} 1 1700000000\n"},
		"line protocol": {"", "m,a=b c=1 1700000000000000000\n"},
		"recording":     {"# leaktrend recording v1\n", "# source: x\n"},
		"odd recording": {"# leaktrend recording v1\ntime,x_total\n", "# source: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Read(ctx, io.MultiReader(strings.NewReader(test.start),
				&endless{line: test.line, cancel: cancel}), "f", Options{})
			if err != context.Canceled {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Series without end cost what the bound allows.
func TestMemoryOfSeries(t *testing.T) {
	const n = 400_000
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	read, write := io.Pipe()
	go func() {
		for i := range n {
			if _, err := fmt.Fprintf(write, "m{a=\"%d\"} 1 1700000000\n", i); err != nil {
				return
			}
		}
		write.Close()
	}()
	f, err := Read(t.Context(), read, "f", Options{})
	if err != nil {
		t.Fatal(err)
	}
	const limit = 16 << 20
	if got := heap() - before; got > limit {
		t.Errorf("%d bytes are held of %d series, want at most %d", got, n, limit)
	}
	if n := len(f.Recordings[0].Resources()); n != input.DefaultBounds.Columns {
		t.Errorf("%d series", n)
	}
	runtime.KeepAlive(f)
}

// Names of months are no numbers that were rounded.
func TestTimesSeveralTimes(t *testing.T) {
	for when, want := range map[string]string{
		"07-Dec-2026 00:00:%02d": "f: a CSV table: times appear in it several times: it holds several processes or " +
			"series; name the column that tells them apart with --by COLUMN",
		"1.77%02dE+09": `f: a CSV table: its times, as in "1.7700E+09", are rounded, so that many are the ` +
			`same; export them with all their digits, or as text`,
	} {
		text := lines("time,rss\n", 40, func(i int) string { return fmt.Sprintf(when+",%d\n", i/2, 100000000+i*1000) })
		if _, err := Read(t.Context(), strings.NewReader(text), "f", Options{}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
