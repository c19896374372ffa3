package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

var began = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func TestShape(t *testing.T) {
	const samples, bins = 200_000, 100
	s := NewShape(bins)
	for i := range samples {
		value := float64(i % 7)
		switch i {
		case 123_456:
			value = 1000
		case 54_321:
			value = -1000
		}
		at := began.Add(time.Duration(i) * time.Second)
		if i > 150_000 {
			at = at.Add(24 * time.Hour)
		}
		s.Add(Observation{At: at.UnixNano(), Value: value, Mean: float64(i), Deviation: 1})
		if len(s.bins) > bins {
			t.Fatalf("%d bins after %d samples", len(s.bins), i+1)
		}
	}
	var high, low plot.Bin
	gaps := 0
	all := s.Bins()
	for i, b := range all {
		if b.Max == 1000 {
			high = b
		}
		if b.Min == -1000 {
			low = b
		}
		if b.Gap {
			gaps++
		}
		if i > 0 && b.First <= all[i-1].Last {
			t.Errorf("bin %d begins before the one before ends", i)
		}
	}
	if want := began.Add(123_456 * time.Second).UnixNano(); high.MaxAt != want {
		t.Errorf("the spike is at %d, want %d", high.MaxAt, want)
	}
	if want := began.Add(54_321 * time.Second).UnixNano(); low.MinAt != want {
		t.Errorf("the dip is at %d, want %d", low.MinAt, want)
	}
	if gaps != 1 {
		t.Errorf("%d gaps, want the one of a day", gaps)
	}
	if n := len(all); n < bins/3 {
		t.Errorf("only %d bins of %d are in use", n, bins)
	}
	first, last := all[0], all[len(all)-1]
	if first.First != began.UnixNano() || last.Value != float64((samples-1)%7) || last.Mean != samples-1 {
		t.Errorf("first %+v, last %+v", first, last)
	}
}

// A long pause is a gap in either record, a sample that is missing once is not, and nor is a stretch of long ago.
func TestGaps(t *testing.T) {
	var r Record
	s := NewShape(1 << 14)
	at, want := began, []time.Time(nil)
	for i := range 6000 {
		at = at.Add(30 * time.Second)
		switch i {
		case 2000:
			at = at.Add(30 * time.Second)
		case 3000, 5500:
			at = at.Add(time.Hour)
			want = append(want, at)
		}
		r.Begin(at.UnixNano())
		r.Put(0, "goroutines", 1, 1, 0)
		s.Add(Observation{At: at.UnixNano(), Value: 1, Mean: 1})
	}
	for name, bins := range map[string][]plot.Bin{"record": Bins(r.Points(0, 0)), "shape": s.Bins()} {
		var got []time.Time
		for _, b := range bins {
			if b.Gap {
				got = append(got, time.Unix(0, b.First).UTC())
			}
		}
		if diff := cmp.Diff(want, got); name == "shape" && diff != "" {
			t.Errorf("%s: gaps (-want +got):\n%s", name, diff)
		}
		// A stretch that spans the pause has it inside.
		if name == "record" && (len(got) == 0 || !got[len(got)-1].Equal(want[1])) {
			t.Errorf("%s: gaps at %v, want one at %s", name, got, want[1])
		}
	}
}

func BenchmarkShape(b *testing.B) {
	s := NewShape(1440)
	at := began.UnixNano()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at += 1e9
		s.Add(Observation{At: at, Value: float64(i & 1023), Mean: 1, Deviation: 1})
	}
}
