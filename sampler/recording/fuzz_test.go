package recording

import (
	"bytes"
	"context"
	"io"
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"# leaktrend recording v1\n# interval: 1s\n# start: 5\n# ceiling: a 5\ntime,a,b\n" +
			"2026-11-23T08:15:48.123Z,12,\n1795421749,1e3,NaN\n",
		"1,2\n3,4",
		"a,time\r\n\"5\",\"2026-11-23 08:15:48+02:00\"\r\n",
		"# TYPE go_goroutines gauge\ngo_goroutines{a=\"b\"} 5 10\nprocess_max_fds 5 9\n# EOF\n",
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[10,"1"],` +
			`[9,"2"]]}]}}`,
		`[{"metric":{},"values":[[1e1,"1"]]}]`,
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
		"\ufefftime\n1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := NewReader(bytes.NewReader(text), "fuzz")
		if err != nil {
			return
		}
		var s sampler.Sample
		var last time.Time
		for n := 0; ; n++ {
			err := r.Sample(context.Background(), &s)
			if err == io.EOF {
				if n == 0 {
					t.Fatal("a Reader without a sample")
				}
				break
			}
			if err != nil {
				continue
			}
			if n > 0 && !s.Time.After(last) || s.Time.Year() < 1970 || s.Time.Year() > 2200 {
				t.Fatalf("time %v after %v", s.Time, last)
			}
			last = s.Time
			for _, reading := range s.Readings {
				if math.IsNaN(reading.Value) || math.IsInf(reading.Value, 0) || reading.Resource == "" {
					t.Fatalf("reading %+v", reading)
				}
			}
			for _, c := range s.Ceilings {
				if !(c.Level > 0) || math.IsInf(c.Level, 0) {
					t.Fatalf("ceiling %+v", c)
				}
			}
		}
		n, first := r.Faults()
		if (n > 0) != (len(first) > 0) || len(first) > input.MaxFaults {
			t.Fatalf("%d faults, %d told", n, len(first))
		}
	})
}
