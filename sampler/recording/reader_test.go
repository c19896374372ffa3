package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

func at(sec int64, nsec int64) time.Time { return time.Unix(sec, nsec).UTC() }

// one makes a sample of readings given as name, value, name, value.
func one(t time.Time, pairs ...any) sampler.Sample {
	s := sampler.Sample{Time: t}
	for i := 0; i < len(pairs); i += 2 {
		s.Readings = append(s.Readings, sampler.Reading{Resource: pairs[i].(string), Value: pairs[i+1].(float64)})
	}
	return s
}

// drain returns all samples, and the error that ended them if it is not io.EOF.
func drain(t *testing.T, src sampler.Source) (all []sampler.Sample, err error) {
	t.Helper()
	var s sampler.Sample
	for {
		if err = src.Sample(context.Background(), &s); err == io.EOF {
			return all, nil
		} else if err != nil {
			var again sampler.Sample
			if next := src.Sample(context.Background(), &again); next != io.EOF {
				t.Errorf("after %v came %v, want io.EOF", err, next)
			}
			return all, err
		}
		c := s.Clone()
		if len(c.Readings) == 0 {
			c.Readings = nil
		}
		all = append(all, c)
	}
}

func texts(errs []error) (all []string) {
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

func TestReader(t *testing.T) {
	day := time.Date(2026, 11, 23, 8, 15, 48, 123e6, time.UTC)
	recorded := func(s sampler.Sample, start time.Time, ceilings ...sampler.Ceiling) sampler.Sample {
		s.Start, s.Ceilings = start, ceilings
		return s
	}
	fds := func(level float64) sampler.Ceiling {
		return sampler.Ceiling{Resource: sampler.OpenFDs, Level: level, Source: "recorded ceiling"}
	}
	for _, test := range []struct {
		name, input string
		stream      bool // read as it is sampled, whatever the front end would make of it
		want        []sampler.Sample
		faults      []string
		header      Header
	}{
		{
			name: "recording",
			input: "# leaktrend recording v1\n# interval: 1s\n# source: pid 4242 redis-server\n# soak: 20m\n" +
				"# start: 2026-11-23T08:00:00Z\n# ceiling: open_fds 1024\n" +
				"time,goroutines,heap_live_bytes,open_fds\n2026-11-23T08:15:48.123Z,12,1048576,9\n" +
				"2026-11-23T08:15:49.123Z,,1048576.5,10\n" +
				"# start: 2026-11-23T08:15:50Z\n# ceiling: open_fds 0\n# anything else\n# note: else\n" +
				"time,goroutines,extra\n2026-11-23T08:15:50.123Z,1,-2e3\n",
			want: []sampler.Sample{
				recorded(one(day, sampler.Goroutines, 12., sampler.HeapLiveBytes, 1048576., sampler.OpenFDs, 9.),
					day.Truncate(time.Minute).Add(-15*time.Minute), fds(1024)),
				recorded(one(day.Add(time.Second), sampler.HeapLiveBytes, 1048576.5, sampler.OpenFDs, 10.),
					day.Truncate(time.Minute).Add(-15*time.Minute), fds(1024)),
				recorded(one(day.Add(2*time.Second), sampler.Goroutines, 1., "extra", -2000.),
					time.Date(2026, 11, 23, 8, 15, 50, 0, time.UTC)),
			},
			header: Header{Interval: time.Second, Soak: 20 * time.Minute, Source: "pid 4242 redis-server"},
		},
		{
			name:  "no header",
			input: "1700000000,5\n1700000001.5,6.25\n1700000002.123456789,7\n1700000003123,8\n1.700000004e9,9\n",
			want: []sampler.Sample{one(at(1700000000, 0), "value", 5.), one(at(1700000001, 5e8), "value", 6.25),
				one(at(1700000002, 123456789), "value", 7.),
				one(at(1700000003, 123e6), "value", 8.), one(at(1700000004, 0), "value", 9.)},
		},
		{
			name:   "no header and three columns",
			stream: true,
			input:  "0,5,6\n1,7,8",
			want: []sampler.Sample{one(at(0, 0), "value", 5., "value_2", 6.),
				one(at(1, 0), "value", 7., "value_2", 8.)},
		},
		{
			name:   "windows, byte order mark, quotes, blanks, other place and name of the time",
			stream: true,
			input: "\ufeff\"goroutines\" , Timestamp,\"a\"\"b,c\"\r\n\r\n" +
				"5 , \"2026-11-23 08:15:48.123+00:00\",\"7\"\r\n6,2026-11-23T10:15:49.123+02:00,\r\n",
			want: []sampler.Sample{one(day, sampler.Goroutines, 5., `a"b,c`, 7.),
				one(day.Add(time.Second), sampler.Goroutines, 6.)},
		},
		{
			name:  "RFC 3339 in small letters",
			input: "time,a\n2026-11-23t08:15:48.123z,5\n2026-11-23t10:15:49.123+02:00,6\n",
			want:  []sampler.Sample{one(day, "a", 5.), one(day.Add(time.Second), "a", 6.)},
		},
		{
			name:  "times without a zone are UTC",
			input: "timestamp,value\n2026-11-23 08:15:48.123,5\n2026-11-23T08:15:49.123,6\n",
			want:  []sampler.Sample{one(day, "value", 5.), one(day.Add(time.Second), "value", 6.)},
		},
		{
			name:   "a quote that is not closed",
			stream: true,
			input:  "time,a,b\n1,\"2,3\n",
			want:   []sampler.Sample{one(at(1, 0), "b", 3.)},
			faults: []string{`f:2: a: "\"2": not a number`},
		},
		{
			name:   "time column of unknown name, column without name",
			stream: true,
			input:  "when,a,,\n5,6,7,\n",
			want:   []sampler.Sample{one(at(5, 0), "a", 6.)},
		},
		{
			name:   "header in windows lines without a time name is no row",
			stream: true,
			input:  "time,value\r\n10,1\r\n11,\r\n12,3\r\n",
			want:   []sampler.Sample{one(at(10, 0), "value", 1.), one(at(11, 0)), one(at(12, 0), "value", 3.)},
		},
		{
			name:   "faults",
			stream: true,
			input: "hello\ntime,a,b\n10,1,2\n10,1,3\n9,1,4\nnever,1,5\n11,NaN,6\n12,x,+Inf\n13,1\n14,1,2,3\n15,0x,7\n" +
				"-1,1,8\n99999999999,1,9\n" +
				"# ceiling: open_fds abc\n# ceiling: 5\n# ceiling: open_fds -1\n# start: soon\n# interval: 30\n" +
				"# leaktrend recording v9\n16,8,1e999\n2026-02-30T00:00:00Z,1,2\n17,9,9",
			want: []sampler.Sample{one(at(10, 0), "a", 1., "b", 2.), one(at(11, 0), "b", 6.), one(at(12, 0)),
				one(at(15, 0), "b", 7.), one(at(16, 0), "a", 8.)},
			faults: []string{
				`f:1: "hello": neither a header nor a sample: skipped`,
				`f:4: time: "10": not after the sample before it: skipped`,
				`f:5: time: "9": not after the sample before it: skipped`,
				`f:6: time: "never": neither RFC 3339 nor unix seconds: skipped`,
				`f:7: a: "NaN": not a number`,
				`f:8: a: "x": not a number`,
				`f:8: b: "+Inf": not a number`,
				`f:9: 2 cells where the header has 3: skipped`,
				`f:10: 4 cells where the header has 3: skipped`,
				`f:11: a: "0x": not a number`,
				`f:12: time: "-1": not between the years 1970 and 2200: skipped`,
				`f:13: time: "99999999999": not between the years 1970 and 2200: skipped`,
				`f:14: ceiling: "open_fds abc": "abc" is not a level of 0 or more: ignored`,
				`f:15: ceiling: "5": not a resource and a level: ignored`,
				`f:16: ceiling: "open_fds -1": "-1" is not a level of 0 or more: ignored`,
				`f:17: start: "soon": neither RFC 3339 nor unix seconds: ignored`,
				`f:18: interval: "30": not a duration above zero, like 30s: ignored`,
				`f:19: recording format v9 is not known to this release: read as v1`,
				`f:20: b: "1e999": not a number`,
				`f:21: time: "2026-02-30T00:00:00Z": neither RFC 3339 nor unix seconds: skipped`,
			},
		},
		{
			name:   "a name twice",
			stream: true,
			input:  "time,a,a\n1,2,3\n",
			want:   []sampler.Sample{one(at(1, 0), "a", 2.)},
			faults: []string{`f:1: column 3: "a" appears twice in the header: not read`},
		},
		{
			name:   "a first row with a bad time is no header",
			stream: true,
			input:  "2026-13-01T00:00:00Z,5\n2026-11-23T08:15:48.123Z,6\n",
			want:   []sampler.Sample{one(day, "value", 6.)},
			faults: []string{`f:1: time: "2026-13-01T00:00:00Z": neither RFC 3339 nor unix seconds: skipped`},
		},
		{
			name:   "last row of a recording is cut off",
			input:  "# leaktrend recording v1\ntime,a\n1,100\n2,10",
			want:   []sampler.Sample{one(at(1, 0), "a", 100.)},
			faults: []string{`f:4: "2,10": cut off: skipped`},
		},
		{
			name:  "last row of another file has no newline",
			input: "time,a\n1,100\n2,100",
			want:  []sampler.Sample{one(at(1, 0), "a", 100.), one(at(2, 0), "a", 100.)},
		},
		{
			name: "one recording after the other",
			input: "# leaktrend recording v1\n# soak: 20m\n# ceiling: a 5\n# start: 1\ntime,a\n1,1\n" +
				"# leaktrend recording v1\n# interval: 30s\ntime,a\n2,2\n",
			want: []sampler.Sample{recorded(one(at(1, 0), "a", 1.), at(1, 0), sampler.Ceiling{Resource: "a", Level: 5,
				Source: "recorded ceiling"}), one(at(2, 0), "a", 2.)},
			header: Header{
				Interval: 30 * time.Second,
			},
		},
		{
			name: "a line that is too long",
			input: "time,a\n1,1\n2," + strings.Repeat("1", input.MaxLine) + "\n3,3\n" + strings.Repeat("x",
				3*input.MaxLine) +
				"\n4,4\n" + strings.Repeat("y", 3*input.MaxLine),
			want: []sampler.Sample{one(at(1, 0), "a", 1.), one(at(3, 0), "a", 3.), one(at(4, 0), "a", 4.)},
			faults: []string{"f:3: longer than 1 MiB: skipped", "f:5: longer than 1 MiB: skipped",
				"f:7: longer than 1 MiB: skipped"},
		},
		{
			name: "OpenMetrics",
			input: "# TYPE go_goroutines gauge\n# HELP go_goroutines Number.\ngo_goroutines 5 10.5\n" +
				"go_goroutines 6 1.15e+01\n# TYPE process_cpu_seconds counter\n" +
				"process_cpu_seconds_total 0.25 10.5\n# TYPE process_start_time_seconds gauge\n" +
				"process_start_time_seconds 5 10.5\nprocess_start_time_seconds 6 11.5\n" +
				"process_max_fds 1024 10.5\nprocess_open_fds 9 10.5\ngo_threads 7 10.5\nprocess_threads 8 10.5\n" +
				"# TYPE requests counter\nrequests_total 5 10.5\n# TYPE nodejs_active_handles_total gauge\n" +
				"nodejs_active_handles_total 3 10.5 # {a=\"b\"} 1 2\n" +
				"# TYPE lat histogram\nlat_bucket{le=\"1\"} 5 10.5\nlat_count 5 10.5\nqueue{b=\"2\",a=\"1\"} 1 10.5\n" +
				"queue{a=\"x y\\n\"} 2 10.5\n# EOF\n",
			want: []sampler.Sample{
				recorded(one(at(10, 5e8), sampler.Goroutines, 5., sampler.OpenFDs, 9., sampler.Threads, 8.,
					sampler.CPUSeconds, 0.25, "requests_total", 5., "nodejs_active_handles_total", 3.,
					`queue{a="1",b="2"}`, 1., `queue{a="x y\n"}`, 2.), at(5, 0),
					sampler.Ceiling{Resource: sampler.OpenFDs, Level: 1024, Source: "process_max_fds"}),
				recorded(one(at(11, 5e8), sampler.Goroutines, 6.), at(5, 0), sampler.Ceiling{Resource: sampler.OpenFDs,
					Level: 1024, Source: "process_max_fds"}),
			},
		},
		{
			name: "Prometheus text with milliseconds, and faults",
			input: "go_goroutines 5 1700000000123\n\ngo_goroutines 4 1700000000123\ngo_goroutines NaN 1700000000124\n" +
				"go_goroutines 7\ngo_goroutines{ 7\ngo_goroutines 8 1700000000125\n",
			want: []sampler.Sample{one(at(1700000000, 123e6), sampler.Goroutines, 5.),
				one(at(1700000000, 125e6), sampler.Goroutines, 8.)},
			faults: []string{
				`f:5: go_goroutines: no timestamp: skipped`,
				`f:6: "go_goroutines{ 7": not a line of the Prometheus text format`,
				`f: 1 value at a time that the series has already: skipped`,
			},
		},
		{
			name: "range query",
			input: ` {"status":"success","data":{"resultType":"matrix","result":[` + "\n" +
				`{"metric":{"__name__":"go_goroutines","instance":"b"},"values":[[10,"3"],[10.5,"NaN"],[10,"x"],` +
				`["t"],[11.25,"4"]]},` +
				`{"metric":{"__name__":"process_max_fds","instance":"b"},"values":[[10,"64"],[11.25,"1e30"]]},` +
				`{"metric":{"__name__":"process_open_fds","instance":"b"},"values":[[10,"6"]]},` +
				`{"metric":{"instance":"b"},"values":[[10,"7"]]}]}}`,
			want: []sampler.Sample{
				recorded(one(at(10, 0), sampler.Goroutines, 3., sampler.OpenFDs, 6., "value", 7.), time.Time{},
					sampler.Ceiling{Resource: sampler.OpenFDs, Level: 64, Source: "process_max_fds"}),
				one(at(11, 25e7), sampler.Goroutines, 4.),
			},
			faults: []string{
				`f:2: go_goroutines{instance="b"}: value 3: "[10,\"x\"]": not a number`,
				`f:2: go_goroutines{instance="b"}: value 4: "[\"t\"]": neither RFC 3339 nor unix seconds`,
			},
		},
		{
			name:  "data of a range query alone",
			input: `{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[10,"1"]]}]}`,
			want:  []sampler.Sample{one(at(10, 0), "up", 1.)},
		},
		{
			name:  "result of a range query alone",
			input: `[{"metric":{"__name__":"up"},"values":[[10,"1"]]}]`,
			want:  []sampler.Sample{one(at(10, 0), "up", 1.)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			if _, err := io.WriteString(zip, test.input); err != nil {
				t.Fatal(err)
			}
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			for how, src := range map[string]io.Reader{
				"whole":     strings.NewReader(test.input),
				"in pieces": &pieces{text: test.input},
				"gzip":      &packed,
			} {
				open := NewReader
				if test.stream {
					open = func(src io.Reader, name string) (*Reader, error) {
						return newStream(t.Context(), src, name)
					}
				}
				if test.stream && how == "gzip" {
					continue
				}
				r, err := open(src, "f")
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				got, err := drain(t, r)
				if err != nil {
					t.Errorf("%s: %v", how, err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s: samples (-want +got):\n%s", how, diff)
				}
				n, errs := r.Faults()
				if diff := cmp.Diff(test.faults, texts(errs)); diff != "" {
					t.Errorf("%s: faults (-want +got):\n%s", how, diff)
				}
				lines := map[string]bool{}
				for _, err := range errs {
					where, _, _ := strings.Cut(err.Error()[len("f:"):], ":")
					lines[where] = true
				}
				if !strings.HasPrefix(test.name, "range") && len(errs) < input.MaxFaults && n != len(lines) {
					t.Errorf("%s: %d faults on %d lines", how, n, len(lines))
				}
				if diff := cmp.Diff(test.header, r.Header()); diff != "" {
					t.Errorf("%s: header (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

// pieces yields a text a few bytes at a time, and its end apart.
type pieces struct{ text string }

func (p *pieces) Read(b []byte) (int, error) {
	n := 7
	if len(p.text) > 1<<16 {
		n = 40_000
	}
	n = copy(b[:min(n, len(b))], p.text)
	p.text = p.text[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
