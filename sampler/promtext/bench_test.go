package promtext

import (
	"bytes"
	"os"
	"testing"

	"github.com/prometheus/common/expfmt"
)

// scrape is what a Prometheus 2 says of itself.
func scrape(t testing.TB) []byte {
	data, err := os.ReadFile("testdata/scrape.txt")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// One scrape, read here and by the parser of prometheus/common.
func BenchmarkScrape(b *testing.B) {
	data := scrape(b)
	b.Run("here", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			set := NewSet()
			var m Line
			for line := range bytes.Lines(data) {
				line = bytes.TrimSpace(line)
				if line[0] == '#' {
					set.Declare(line)
					continue
				}
				if err := m.Parse(line); err != nil {
					b.Fatal(err)
				}
				if err := set.Add(&m, 1); err != nil && err != ErrNotFinite {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("expfmt", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var parser expfmt.TextParser
			if _, err := parser.TextToMetricFamilies(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
