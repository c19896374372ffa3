package recording

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

func BenchmarkReader(b *testing.B) {
	const rows = 1_000_000
	start := time.Date(2026, 11, 23, 8, 15, 48, 0, time.UTC)
	for _, bench := range []struct {
		name, header string
		row          func(w io.Writer, i int)
	}{
		{"unix", "time,value\n", func(w io.Writer, i int) { fmt.Fprintf(w, "%d,%d\n", 1_700_000_000+i, 300+i%97) }},
		{"unixFraction", "time,value\n", func(w io.Writer, i int) {
			fmt.Fprintf(w, "%d.%03d,%d.%d\n", 1_700_000_000+i, i%1000, 300+i%97, i%7)
		}},
		{"rfc3339", "time,value\n", func(w io.Writer, i int) {
			fmt.Fprintf(w, "%s,%d\n", start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), 300+i%97)
		}},
		{"recording", "# leaktrend recording v1\ntime,goroutines,heap_live_bytes,rss_bytes,open_fds,threads," +
			"cpu_seconds\n", func(w io.Writer, i int) {
			at := start.Add(time.Duration(i)*time.Second + 123*time.Millisecond)
			fmt.Fprintf(w, "%s,%d,%d,%d,%d,,%.2f\n", at.Format(time.RFC3339Nano), 300+i%97, 1<<20+i,
				1<<30+4096*(i%1000), 9+i%3, float64(i)*0.01)
		}},
		{"sixteenDigits", "time,value\n", func(w io.Writer, i int) {
			fmt.Fprintf(w, "%d,%.17g\n", 1_700_000_000+i, float64(i)/3)
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var file bytes.Buffer
			file.WriteString(bench.header)
			for i := range rows {
				bench.row(&file, i)
			}
			b.SetBytes(int64(file.Len()))
			b.ReportAllocs()
			var s sampler.Sample
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(file.Bytes()), "bench.csv")
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for ; err == nil; n++ {
					err = r.Sample(context.Background(), &s)
				}
				if n != rows+1 || err != io.EOF {
					b.Fatalf("%d rows, then %v", n-1, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
