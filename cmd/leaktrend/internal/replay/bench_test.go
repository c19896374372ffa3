package replay

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// benchRows is the length of the recording: 9.5 years at 30 s.
const benchRows = 10_000_000

func writeLong(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "long.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	line := append([]byte(nil), "time,value\n"...)
	for i := range int64(benchRows) {
		_, _ = w.Write(line)
		line = strconv.AppendInt(line[:0], 1_700_000_000+30*i, 10)
		line = append(line, ',')
		line = strconv.AppendInt(line, 1000+r.Int64N(100), 10)
		line = append(line, '\n')
	}
	_, _ = w.Write(line)
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkReplay judges a recording of 10 million samples, beside awk that adds up its second column. x-awk is the
// ratio of the times.
func BenchmarkReplay(b *testing.B) {
	awk, err := exec.LookPath("awk")
	if err != nil {
		b.Skip("needs awk to compare with")
	}
	path := writeLong(b)
	var ours, theirs time.Duration
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		if _, err := File(b.Context(), path, Options{Config: detector.DefaultConfig()}); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		start = time.Now()
		if out, err := exec.Command(awk, "-F,", "{s+=$2} END {print s}", path).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		theirs += time.Since(start)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N)*1e9/benchRows, "ns/sample")
	b.ReportMetric(theirs.Seconds()/float64(b.N)*1e9/benchRows, "awk-ns/sample")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-awk")
	b.ReportMetric(0, "ns/op")
}
