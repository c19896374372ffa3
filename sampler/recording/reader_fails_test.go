package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
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

func TestReaderRefuses(t *testing.T) {
	for _, test := range []struct{ input, want string }{
		{"", "f: no samples"},
		{"\n \n", "f: no samples"},
		{"# leaktrend recording v1\n# interval: 1s\ntime,a\n", "f: no samples"},
		{"time,a\nx,1\ny,2\n", "f: a CSV table: it has no column of times; give it a column time (RFC 3339 or unix " +
			"seconds), or say how far apart its rows are, as in --interval 30s"},
		{"time,rss\n", "f: no samples: a table of time, rss without rows"},
		{"# made at noon\nTimestamp;Speicher (KB)\n",
			"f: no samples: a table of Timestamp, Speicher (KB) without rows"},
		{"hello, world\n", "f: no samples: neither a table with numbers nor in a format that leaktrend knows"},
		{"hello\n", "f: no samples: neither a table with numbers nor in a format that leaktrend knows"},
		{"# TYPE a histogram\na_bucket{le=\"1\"} 5 10\n", "f: Prometheus text: no samples: a_bucket: a histogram"},
		{"up 1\n",
			"f: Prometheus text: its values have no timestamps; say how far apart they are, as in --interval 30s"},
		{"\x1f\x8bnonsense, not gzip", "f: gzip: invalid header"},
		{`{"status":"error","errorType":"bad_data","error":"parse error"}`, "f: the Prometheus server answered with " +
			"an error: bad_data: parse error"},
		{`{"status":"success","data":{"resultType":"vector","result":[]}}`, `f: JSON with resultType "vector": the ` +
			`answer of a range query (matrix) is needed`},
		{`{"status":"success","data":{"resultType":"matrix","result":[]}}`, "f: JSON of a Prometheus range query: no " +
			"samples"},
		{`{"status":"success","data":{"resultType":"matrix","result":null}}`, "f: JSON whose result is not a list of " +
			"series"},
		{`{"status":"success","data":{"resultType":"matrix","res`, "f: JSON that ends too early"},
		{"[\n{]", "f: line 2: not valid JSON: invalid character ']' looking for beginning of object key string"},
		{`[{"metric":{"__name__":"up"},"values":[[10,"1"]]}`, "f: JSON that ends too early"},
	} {
		r, err := NewReader(strings.NewReader(test.input), "f")
		if r != nil || err == nil || err.Error() != test.want {
			t.Errorf("%q: got %v, %v, want %s", test.input, r, err, test.want)
		}
	}
}

func TestReaderReportsCutInput(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	fmt.Fprint(zip, "time,a\n1,1\n2,2\n")
	if err := zip.Flush(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(zip, "3,345")
	if err := zip.Flush(); err != nil {
		t.Fatal(err)
	}
	want := []sampler.Sample{one(at(1, 0), "a", 1.), one(at(2, 0), "a", 2.)}

	r, err := NewReader(&packed, "a.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "a.csv.gz: ") {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	broken := errors.New("the disk is gone")
	for _, input := range []string{"time,a\n1,1\n2,2\n3,345", "a 1 1\na 2 2\na 345"} {
		r, err = NewReader(io.MultiReader(strings.NewReader(input), failing{broken}), "f")
		if err != nil {
			t.Fatal(err)
		}
		got, err = drain(t, r)
		if !errors.Is(err, broken) || err.Error() != "f: the disk is gone" {
			t.Errorf("got error %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestReaderHeaderHoldsAtTheSample(t *testing.T) {
	r, err := NewReader(strings.NewReader("# interval: 1s\ntime,a\n1,1\n# soak: 1h\n2,2\n# source: late\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	got := []Header{r.Header()}
	var s sampler.Sample
	for err == nil {
		err = r.Sample(context.Background(), &s)
		got = append(got, r.Header())
	}
	first, second := Header{Interval: time.Second}, Header{Interval: time.Second, Soak: time.Hour}
	if diff := cmp.Diff([]Header{first, first, second, second}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReaderKeepsItsPlaceWhenCancelled(t *testing.T) {
	in, out := io.Pipe()
	go func() {
		fmt.Fprint(out, "time,a\n1,1\n")
		fmt.Fprint(out, "2,2\n")
		_ = out.Close()
	}()
	r, err := newStream(t.Context(), in, "f")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var s sampler.Sample
	if err := r.Sample(ctx, &s); err != nil {
		t.Fatalf("the sample read ahead: %v", err)
	}
	if err := r.Sample(ctx, &s); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
	got, err := drain(t, r)
	if diff := cmp.Diff([]sampler.Sample{one(at(2, 0), "a", 2.)}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestReaderSharesCeilings(t *testing.T) {
	r, err := NewReader(strings.NewReader("# ceiling: a 5\ntime,a\n1,1\n2,2\n# ceiling: a 6\n3,3\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if &got[0].Ceilings[0] != &got[1].Ceilings[0] {
		t.Error("a new slice without a change")
	}
	if got[0].Ceilings[0].Level != 5 || got[2].Ceilings[0].Level != 6 {
		t.Errorf("the first sample's ceilings became %v, the last has %v", got[0].Ceilings, got[2].Ceilings)
	}
}

func TestOpenReader(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(path, []byte("time,a\n1,1\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	if diff := cmp.Diff([]sampler.Sample{one(at(1, 0), "a", 1.)}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if n, errs := r.Faults(); n != 1 || !strings.HasPrefix(errs[0].Error(), path+":3: ") {
		t.Errorf("%d faults: %v", n, errs)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(dir); err == nil || strings.Count(err.Error(), dir) != 1 {
		t.Errorf("a directory: %v", err)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	var file bytes.Buffer
	file.WriteString("time,a,b\n")
	for i := range 1000 {
		fmt.Fprintf(&file, "%d.5,%d,\n", 1_700_000_000+i, i)
	}
	for i := range 1000 {
		fmt.Fprintf(&file, "2026-11-23T08:%02d:%02d.5Z,%d.1234567890123456,-5.25\n", i/60, i%60, i)
	}
	for i := range 1000 {
		fmt.Fprintf(&file, "2026-11-23T11:%02d:%02d.5+02:00, %d ,1e3\n", i/60, i%60, i)
	}
	r, err := NewReader(&file, "f")
	if err != nil {
		t.Fatal(err)
	}
	s := sampler.Sample{Readings: make([]sampler.Reading, 0, 2)}
	if n := testing.AllocsPerRun(2900, func() {
		if err := r.Sample(context.Background(), &s); err != nil {
			t.Fatal(err)
		}
	}); n > 0 || r.faults > 0 {
		t.Errorf("%g allocations a row, faults %v", n, r.errs)
	}
}

// One stamp far ahead does not cost the samples after it; a gap is no fault.
func TestReaderSkipsAStampFarAhead(t *testing.T) {
	r, err := newStream(t.Context(),
		strings.NewReader("time,a\n1700000000,1\n1731557600,2\n1700000060,3\n1700500000,4\n1700500060,5\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	want := []sampler.Sample{one(at(1700000000, 0), "a", 1.), one(at(1700000060, 0), "a", 3.),
		one(at(1700500000, 0), "a", 4.), one(at(1700500060, 0), "a", 5.)}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, faults := r.Faults()
	if diff := cmp.Diff([]string{`f:3: time: "1731557600": far ahead of the times before and after it: skipped`},
		texts(faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
