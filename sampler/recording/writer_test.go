package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/doubt"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

func TestWriter(t *testing.T) {
	day := time.Date(2026, 11, 23, 8, 15, 48, 123e6, time.UTC)
	var out bytes.Buffer
	w := NewWriter(&out, Header{Interval: time.Second, Soak: 20 * time.Minute, Source: "pid 4242\nredis-server "})
	limits := []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"},
		{Resource: sampler.RSSBytes, Level: 1 << 31, Source: "cgroup"},
		{Resource: sampler.RSSBytes, Level: 1 << 30, Source: "RAM"},
		{Resource: sampler.Threads, Level: 0, Source: "none"}}
	samples := []sampler.Sample{
		{Time: day, Start: day.Add(-time.Hour), PID: 4242, Version: "2.1.0", Ceilings: limits,
			Readings: []sampler.Reading{{Resource: "queue", Value: 1e21}, {Resource: sampler.OpenFDs, Value: 9},
				{Resource: sampler.HeapLiveBytes, Value: 1048576}, {Resource: sampler.Goroutines, Value: 12}}},
		{Time: day.Add(time.Second), Start: day.Add(-time.Hour), PID: 4243, Version: "2.1.0", Ceilings: limits,
			Readings: []sampler.Reading{{Resource: sampler.OpenFDs, Value: 10},
				{Resource: sampler.Goroutines, Value: 0.1}, {Resource: sampler.HeapLiveBytes, Value: math.NaN()},
				{Resource: sampler.OpenFDs, Value: 11}}},
		{Time: day.Add(2*time.Second + 877*time.Millisecond).In(time.FixedZone("", 3600)), Start: day,
			Ceilings: limits[:1], Readings: []sampler.Reading{{Resource: "a,\"b", Value: -1e-7},
				{Resource: sampler.RSSBytes, Value: 123456789012}}},
		{Time: day.Add(4 * time.Second)},
	}
	for _, s := range samples {
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("written before Flush: %q", &out)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `# leaktrend recording v1
# interval: 1s
# source: pid 4242 redis-server
# soak: 20m
# start: 2026-11-23T07:15:48.123Z
# pid: 4242
# version: 2.1.0
# ceiling: open_fds 1024
# ceiling: rss_bytes 1073741824
time,goroutines,heap_live_bytes,open_fds,queue
2026-11-23T08:15:48.123Z,12,1048576,9,1e+21
# pid: 4243
# version: 2.1.0
2026-11-23T08:15:49.123Z,0.1,,10,
# start: 2026-11-23T08:15:48.123Z
# ceiling: rss_bytes 0
time,goroutines,heap_live_bytes,rss_bytes,open_fds,queue,"a,""b"
2026-11-23T08:15:51Z,,,123456789012,,,-1e-07
# ceiling: open_fds 0
2026-11-23T08:15:52.123Z,,,,,,
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriterRefuses(t *testing.T) {
	good := one(at(10, 0), "a", 1.)
	for _, test := range []struct {
		s    sampler.Sample
		want string
	}{
		{one(at(10, 0), "a", 1.), "its time is not after that of the sample before it"},
		{one(at(9, 0), "a", 1.), "its time is not after that of the sample before it"},
		{sampler.Sample{}, "not between the years 1970 and 2200"},
		{one(at(scan.EndOfTime, 0)), "not between the years 1970 and 2200"},
		{one(at(11, 0), "a\nb", 1.), `resource name "a\nb"`},
		{one(at(11, 0), " a", 1.), `resource name " a"`},
		{one(at(11, 0), "", 1.), `resource name ""`},
		{sampler.Sample{Time: at(11, 0), Ceilings: []sampler.Ceiling{{Resource: "a", Level: math.Inf(1), Source: ""}}},
			`ceiling +Inf of "a"`},
		{sampler.Sample{Time: at(11, 0), Ceilings: []sampler.Ceiling{{Resource: "a", Level: -1, Source: ""}}},
			`ceiling -1 of "a"`},
	} {
		var out bytes.Buffer
		w := NewWriter(&out, Header{})
		if err := w.Write(&good); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&test.s); err == nil || !strings.HasSuffix(err.Error(), " cannot be recorded: "+test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "# leaktrend recording v1\ntime,a\n1970-01-01T00:00:10Z,1\n"; got != want {
			t.Errorf("got %q", got)
		}
	}
}

// disk takes so many bytes and then is full.
type disk struct {
	bytes.Buffer
	free int
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	n := min(len(b), d.free)
	d.free -= n
	d.Buffer.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestWriterGoesOnAfterAFullDisk(t *testing.T) {
	d := &disk{free: 70}
	w := NewWriter(d, Header{})
	var kept []sampler.Sample
	lost := 0
	for i := range 100_000 {
		s := one(at(int64(i), 0), "a", float64(i))
		switch err := w.Write(&s); {
		case err == nil:
			kept = append(kept, s)
		case errors.Is(err, errFull):
			lost++
		default:
			t.Fatal(err)
		}
		if len(w.buf) > maxPending+100 {
			t.Fatalf("%d bytes wait", len(w.buf))
		}
	}
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush on a full disk: %v", err)
	}
	d.free = 1 << 30
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(d, "f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	if n, errs := r.Faults(); err != nil || n > 0 || lost == 0 {
		t.Errorf("%v, %d faults: %v, %d samples lost", err, n, errs, lost)
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// recordedSamples makes samples of all that a recording can hold.
func recordedSamples(rng *rand.Rand) (Header, []sampler.Sample) {
	names := []string{sampler.Goroutines, sampler.HeapLiveBytes, sampler.OpenFDs, sampler.CPUSeconds, "queue",
		`a{b="c,d"}`, "time", "ü", "two words", `"`, "#x", "1"}
	h := Header{Interval: time.Duration(rng.IntN(100)) * time.Second,
		Soak: time.Duration(rng.IntN(3)) * 10 * time.Minute, Source: []string{"", "pid 1 a: b"}[rng.IntN(2)]}
	var samples []sampler.Sample
	now := rng.Int64N(1e18)
	var start time.Time
	var ceilings []sampler.Ceiling
	pid := 0
	for range 1 + rng.IntN(60) {
		now += 1 + rng.Int64N([]int64{1, 1e6, 1e9, 1e14}[rng.IntN(4)])*1e3
		s := sampler.Sample{Time: at(0, now)}
		if rng.IntN(10) == 0 {
			start = at(rng.Int64N(scan.EndOfTime), 0)
		}
		if rng.IntN(10) == 0 {
			ceilings = nil
			for _, i := range rng.Perm(len(names))[:rng.IntN(3)] {
				ceilings = append(ceilings, sampler.Ceiling{Resource: names[i], Level: math.Abs(someValue(rng)) + 1,
					Source: "recorded ceiling"})
			}
		}
		if rng.IntN(10) == 0 {
			pid = 1 + rng.IntN(1<<22)
		}
		s.Start, s.PID, s.Ceilings = start, pid, ceilings
		for _, name := range names[:1+rng.IntN(len(names))] {
			if rng.IntN(5) > 0 {
				v := someValue(rng)
				if r, _ := sampler.Lookup(name); r.Positive { // what is not is no reading
					v = math.Abs(v) + math.SmallestNonzeroFloat64
				}
				s.Readings = append(s.Readings, sampler.Reading{Resource: name, Value: v})
			}
		}
		samples = append(samples, s)
	}
	return h, samples
}

func someValue(rng *rand.Rand) float64 {
	switch rng.IntN(5) {
	case 0:
		return float64(rng.IntN(1000))
	case 1:
		return float64(rng.Uint64())
	case 2:
		return rng.NormFloat64()
	case 3:
		return float64(rng.IntN(100000)) / 100
	}
	for {
		if v := math.Float64frombits(rng.Uint64()); v-v == 0 {
			return v
		}
	}
}

func checkRoundTrip(t *testing.T, h Header, samples []sampler.Sample) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, h)
	for i := range samples {
		if err := w.Write(&samples[i]); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	r, err := NewReader(&out, "f")
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	got, err := drain(t, r)
	if n, errs := r.Faults(); err != nil || n > 0 {
		t.Errorf("%v, %d faults: %v", err, n, errs)
	}
	byName := func(readings []sampler.Reading) map[string]uint64 {
		m := map[string]uint64{}
		for _, r := range readings {
			m[r.Resource] = math.Float64bits(r.Value)
		}
		return m
	}
	levels := func(ceilings []sampler.Ceiling) map[string]sampler.Ceiling {
		m := map[string]sampler.Ceiling{}
		for _, c := range ceilings {
			m[c.Resource] = c
		}
		return m
	}
	if diff := cmp.Diff(samples, got, cmp.Transformer("byName", byName),
		cmp.Transformer("levels", levels)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff(h, r.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		h, samples := recordedSamples(rand.New(rand.NewPCG(seed, 1)))
		checkRoundTrip(t, h, samples)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), "queue", "source", 1.5, int64(1_700_000_000_123_000_000))
	f.Add(uint64(2), `a"b,{c}`, "", -1e300, int64(0))
	f.Fuzz(func(t *testing.T, seed uint64, name, source string, value float64, nanos int64) {
		h, samples := recordedSamples(rand.New(rand.NewPCG(seed, 2)))
		h.Source = scan.Printable(strings.TrimSpace(strings.Map(spaceForControl, strings.ToValidUTF8(source, "?"))))
		if len(source) > 1000 || len(name) > 1000 {
			return
		}
		if scan.Recordable(name) && value-value == 0 {
			extra := sampler.Sample{Readings: []sampler.Reading{{Resource: name, Value: value}}}
			first, last := samples[0], samples[len(samples)-1]
			// What is further away than this may be a wrong stamp.
			if nanos %= doubt.FarAhead; nanos < 0 && first.Time.UnixNano()+nanos >= 0 {
				extra.Time, extra.Start, extra.PID, extra.Ceilings = first.Time.Add(time.Duration(nanos)), first.Start,
					first.PID,
					first.Ceilings
				samples = append([]sampler.Sample{extra}, samples...)
			} else if nanos > 0 {
				extra.Time, extra.Start, extra.PID, extra.Ceilings = last.Time.Add(time.Duration(nanos)), last.Start,
					last.PID, last.Ceilings
				samples = append(samples, extra)
			}
		}
		checkRoundTrip(t, h, samples)
	})
}

func ExampleNewWriter() {
	var file bytes.Buffer
	w := NewWriter(&file, Header{Interval: 30 * time.Second, Source: "pid 4242 redis-server"})
	s := sampler.Sample{Time: time.Date(2026, 11, 23, 8, 15, 48, 123e6, time.UTC)}
	s.Add(sampler.Goroutines, 12)
	s.Add(sampler.HeapLiveBytes, 1048576)
	if err := errors.Join(w.Write(&s), w.Flush()); err != nil {
		panic(err)
	}
	fmt.Print(&file)
	// Output:
	// # leaktrend recording v1
	// # interval: 30s
	// # source: pid 4242 redis-server
	// time,goroutines,heap_live_bytes
	// 2026-11-23T08:15:48.123Z,12,1048576
}

// A recording of labels that change with every sample grows with what is read, not with all that ever was: a column
// goes when nothing was in it for long, and of more than have a place those stay that were first.
func TestWriterOfResourcesThatComeAndGo(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, Header{})
	const samples, passing, width = 100, 100, len(`queue{id=""00_00""},`) + 2
	var want []sampler.Sample
	for n := range samples {
		s := sampler.Sample{Time: at(int64(n), 0)}
		s.Add("sessions", float64(n))
		for i := range passing {
			s.Add(fmt.Sprintf(`queue{id="%02d_%02d"}`, n, i), 1)
		}
		want = append(want, s)
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if limit := samples * (columnRest + 2) * passing * (width + 1); out.Len() > limit {
		t.Errorf("%d bytes, more than %d", out.Len(), limit)
	}
	r, err := NewReader(&out, "f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t, r)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%.2000s", err, diff)
	}
	if w.LeftOut() != 0 {
		t.Errorf("%d readings left out", w.LeftOut())
	}
}

func TestWriterLeavesOut(t *testing.T) {
	many := sampler.Sample{Time: at(2, 0)}
	for i := range input.MaxForeign + 7 {
		many.Add(fmt.Sprint("m", i), 1)
	}
	many.Add(sampler.OpenFDs, 9)
	for _, test := range []struct {
		name    string
		s       sampler.Sample
		leftOut uint64
		kept    int
	}{
		{"too many", many, 8, input.MaxForeign}, // the descriptors are in the table, and sessions was first
		{"too long a name", one(at(2, 0), "sessions", 1., strings.Repeat("x", input.MaxLine), 2.), 1, 1},
	} {
		var out bytes.Buffer
		w := NewWriter(&out, Header{})
		first := one(at(1, 0), "sessions", 1.)
		for _, s := range []*sampler.Sample{&first, &test.s} {
			if err := w.Write(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(&out, "f")
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(t, r)
		if err != nil || len(got) != 2 || len(got[1].Readings) != test.kept || w.LeftOut() != test.leftOut {
			t.Errorf("%s: %v, %d samples, %d readings left out", test.name, err, len(got), w.LeftOut())
		}
	}
}

// What is begun anew in another file has all that a recording needs, the rows that waited, and a note where rows are
// lost, which the reader counts.
func TestWriterRestarts(t *testing.T) {
	samples := []sampler.Sample{one(at(1, 0), "a", 1.), one(at(2, 0), "a", 2.), one(at(3, 0), "a", 3., "b", 3.),
		one(at(9, 0), "a", 9.)}
	for i := range samples {
		samples[i].Start = at(0, 0)
		samples[i].Ceilings = []sampler.Ceiling{{Resource: "a", Level: 1024, Source: "recorded ceiling"}}
	}
	const top = "# leaktrend recording v1\n# interval: 1s\n# start: 1970-01-01T00:00:00Z\n# ceiling: a 1024\n"
	for _, test := range []struct {
		name    string
		waiting []sampler.Sample
		lost    int
		want    string
	}{
		{"nothing waits", nil, 0, top + "time,a\n1970-01-01T00:00:09Z,9\n"},
		{"rows wait", samples[1:2], 0, top + "time,a\n1970-01-01T00:00:02Z,2\n1970-01-01T00:00:09Z,9\n"},
		{"rows with another header", samples[1:3], 2, top + "time,a,b\n# lost: 2 samples\n1970-01-01T00:00:09Z,9,\n"},
	} {
		var first, second bytes.Buffer
		w := NewWriter(&first, Header{Interval: time.Second})
		write := func(all ...sampler.Sample) {
			t.Helper()
			for _, s := range all {
				if err := w.Write(&s); err != nil {
					t.Fatal(err)
				}
			}
		}
		write(samples[0])
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		write(test.waiting...)
		if n := w.Unwritten(); n != len(test.waiting) {
			t.Errorf("%s: %d rows wait", test.name, n)
		}
		if lost := w.Restart(&second); lost != test.lost {
			t.Errorf("%s: %d rows lost", test.name, lost)
		}
		write(samples[3])
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, second.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		f, err := Read(t.Context(), io.MultiReader(&first, &second), "f", Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(t, f.Recordings[0])
		want := append([]sampler.Sample{samples[0]}, test.waiting[:len(test.waiting)-test.lost]...)
		if diff := cmp.Diff(append(want, samples[3]), got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
		if n, errs := f.Recordings[0].Faults(); n > 0 {
			t.Errorf("%d faults: %v", n, errs)
		}
		lost := fmt.Sprintf("%d samples lost while it was recorded", test.lost)
		if strings.Contains(f.Understood(), lost) != (test.lost > 0) {
			t.Errorf("%s: understood: %s", test.name, f.Understood())
		}
	}
}
