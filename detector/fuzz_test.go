package detector

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// fuzzed reads samples and configurations off bytes: 12 each, of which the first two say what, the next two when, the
// rest is the value.
type fuzzed struct {
	at, start time.Time
	value     float64
}

func (f *fuzzed) next(code []byte) (s sampler.Sample, config *Config) {
	kind, shape := code[0], code[1]
	unit := []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour}[kind&3]
	if at := f.at.Add(time.Duration(int16(binary.LittleEndian.Uint16(code[2:]))) * unit); at.Year() >= 1970 &&
		at.Year() < 2200 {
		f.at = at
	}
	bits := binary.LittleEndian.Uint64(code[4:])
	if shape&1 == 0 {
		f.value += float64(int32(bits)) / 256 // a small step
	} else {
		f.value = math.Float64frombits(bits)
	}
	if math.IsNaN(f.value) || math.IsInf(f.value, 0) {
		f.value = math.Copysign(math.MaxFloat64, f.value)
	}
	s.Reset(f.at)
	for i, resource := range []string{sampler.Goroutines, sampler.OpenFDs, sampler.HeapInuseBytes,
		sampler.HeapLiveBytes, sampler.CPUSeconds, "x_seconds"} {
		if shape>>2&(1<<i) == 0 {
			s.Add(resource, f.value)
		}
	}
	if kind&4 != 0 {
		f.start = f.at
	}
	s.Start = f.start
	if kind&8 != 0 {
		s.Ceilings = []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1024, Source: "fuzz"},
			{Resource: sampler.HeapInuseBytes, Level: math.MaxFloat64, Source: "fuzz"}}
	}
	if kind&0xf0 == 0xf0 {
		config = &Config{}
		*config = with(func(c *Config) {
			c.GoroutineThreshold, c.GrowthRateThreshold = int64(shape)*10, float64(shape&7)*20
			c.AlertOnThreshold, c.Adaptive.Enabled = shape&8 == 0, shape&16 == 0
			if shape&32 != 0 {
				c.Adaptive.Soak = time.Duration(code[4])*time.Minute + 10*time.Second
			}
		})
	}
	return s, config
}

// Whatever comes in, the events can be written as JSON, have a time that does not go back, and end only what began.
func FuzzObserve(f *testing.F) {
	step := func(kind, shape byte, when int16, value uint64) []byte {
		code := binary.LittleEndian.AppendUint16([]byte{kind, shape}, uint16(when))
		return binary.LittleEndian.AppendUint64(code, value)
	}
	var leak, wild []byte
	for i := range 400 {
		leak = append(leak, step(2|8, 0, 5, 2560)...)
		wild = append(wild, step(byte(i), byte(i)|1, int16(i*7919), math.Float64bits(math.Pow(-1e5, float64(i%60))))...)
	}
	f.Add(leak)
	f.Add(wild)
	f.Add(append(leak, step(0xf3, 16, 1, 0)...))
	f.Add(append(leak, step(4, 0, 1, 0)...))
	f.Fuzz(func(t *testing.T, codes []byte) {
		d := newDetector(t, with(func(c *Config) {
			c.GoroutineThreshold, c.MemoryThreshold, c.GrowthRateThreshold, c.Adaptive.Soak = 100, 1<<30, 50,
				4*time.Hour
		}))
		f := fuzzed{at: dawn}
		type key struct {
			resource string
			kind     alerting.Kind
		}
		holds := map[key]alerting.Severity{}
		var last time.Time
		check := func(events []alerting.Event) {
			for _, e := range events {
				if _, err := json.Marshal(e); err != nil {
					t.Fatalf("%v: %+v", err, e)
				}
				if e.Time.Before(last) || e.Since.After(e.Time) || e.Summary == "" {
					t.Fatalf("event after %v: %+v", last, e)
				}
				last = e.Time
				k := key{e.Resource, e.Kind}
				severity, firing := holds[k]
				switch {
				case e.Status == alerting.Firing && (!firing || e.Severity > severity):
					holds[k] = e.Severity
				case e.Status == alerting.Resolved && firing && e.Severity == severity:
					delete(holds, k)
				default:
					t.Fatalf("no news (firing before: %v, %v): %+v", firing, severity, e)
				}
			}
		}
		for ; len(codes) >= 12; codes = codes[12:] {
			s, config := f.next(codes)
			if config != nil {
				events, err := d.Reconfigure(*config)
				if err != nil {
					t.Fatal(err)
				}
				check(events)
			}
			check(d.Observe(&s))
		}
		for _, s := range d.Status() {
			if _, err := json.Marshal(s); err != nil {
				t.Fatalf("%v: %+v", err, s)
			}
			if (s.State == Firing) != (s.Trend || s.Limit) || s.Why == "" {
				t.Fatalf("status %+v", s)
			}
		}
	})
}
