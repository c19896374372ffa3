package clock

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClock(t *testing.T) {
	epoch := time.Date(2026, 11, 23, 8, 15, 48, 123_456_789, time.FixedZone("", 3600))
	type tick struct{ wall, mono, slept time.Duration } // since the epoch
	type stamp struct{ At, Ahead time.Duration }        // At counts from the epoch, rounded down to the millisecond
	const ms, s, m, h, year = time.Millisecond, time.Second, time.Minute, time.Hour, 365 * 24 * time.Hour
	const sub = 456_789 * time.Nanosecond // what rounding cuts off the epoch
	tests := []struct {
		name  string
		ticks []tick
		want  []stamp
	}{
		{"steady", []tick{{}, {s, s, 0}, {2 * s, 2 * s, 0}}, []stamp{{0, 0}, {s, 0}, {2 * s, 0}}},
		{"small step forward is followed", []tick{{}, {m, s, 0}, {m + s, 2 * s, 0}},
			[]stamp{{0, 0}, {m, 0}, {m + s, 0}}},
		{
			"a stamp that is a year ahead is not",
			[]tick{{}, {m, m, 0}, {year, 2 * m, 0}, {3 * m, 3 * m, 0}, {4 * m, 4 * m, 0}},
			[]stamp{{0, 0}, {m, 0}, {2 * m, 0}, {3 * m, 0}, {4 * m, 0}},
		},
		{
			"nor are two that are ahead by different times",
			[]tick{{}, {year, 5 * m, 0}, {2 * year, 10 * m, 0}, {3 * year, 16 * m, 0}, {17 * m, 17 * m, 0}},
			[]stamp{{0, 0}, {5 * m, 0}, {10 * m, 0}, {16 * m, 0}, {17 * m, 0}},
		},
		{
			"a step forward that lasts is followed in the end",
			[]tick{{}, {h + m, m, 0}, {h + 5*m, 5 * m, 0}, {h + 10*m, 10 * m, 0}, {h + 11*m, 11 * m, 0},
				{h + 12*m, 12 * m, 0}},
			[]stamp{{0, 0}, {m, 0}, {5 * m, 0}, {10 * m, 0}, {h + 11*m, 0}, {h + 12*m, 0}},
		},
		{"sleep is no step", []tick{{}, {8 * h, s, 8*h - s}, {8*h + s, 2 * s, 8*h - s}},
			[]stamp{{0, 0}, {8 * h, 0}, {8*h + s, 0}}},
		{
			"sleep and a stamp that is a year ahead",
			[]tick{{}, {year, s, 8 * h}, {8*h + 2*s, 2 * s, 8 * h}}, []stamp{{0, 0}, {8*h + s, 0}, {8*h + 2*s, 0}},
		},
		{
			"step back goes on by monotonic time, without loss by rounding",
			[]tick{{}, {s - h, s, 0}, {2*s - h + ms/2, 2*s + ms/2, 0}, {3*s - h + ms, 3*s + ms, 0}},
			[]stamp{{0, 0}, {s, h - sub}, {2 * s, h - ms/2 - sub}, {3*s + ms, h - sub}},
		},
		{
			"wall clock that comes back is followed once it has passed the last stamp",
			[]tick{{}, {s - h, s, 0}, {2 * s, 2 * s, 0}, {2*s + m, 3 * s, 0}},
			[]stamp{{0, 0}, {s, h - sub}, {2 * s, 0}, {2*s + m, 0}},
		},
		{"step back of less than the interval", []tick{{}, {20 * s, 30 * s, 0}}, []stamp{{0, 0}, {20 * s, 0}}},
		{
			"faster than a millisecond",
			[]tick{{}, {}, {ms / 10, ms / 10, 0}, {5 * ms, 5 * ms, 0}},
			[]stamp{{0, 0}, {ms, ms - sub}, {2 * ms, 2*ms - ms/10 - sub}, {5 * ms, 0}},
		},
		{"step back and no time passed", []tick{{}, {-s, 0, 0}}, []stamp{{0, 0}, {ms, s + ms - sub}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var at tick
			c := &Clock{
				Wall:  func() time.Time { return epoch.Add(at.wall) },
				Mono:  func() time.Duration { return at.mono },
				Slept: func() time.Duration { return at.slept },
			}
			var got []stamp
			for _, at = range tt.ticks {
				now := c.Now()
				if now.Location() != time.UTC || now.Nanosecond()%int(ms) != 0 {
					t.Errorf("stamp %v is not UTC to the millisecond", now)
				}
				got = append(got, stamp{now.Sub(epoch.Truncate(ms)), c.Ahead()})
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("stamps (-want +got):\n%s", d)
			}
		})
	}
}

func TestNewClock(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	c := New()
	last := c.Now()
	if last.Before(before) || last.After(time.Now()) {
		t.Errorf("first stamp %v is not between %v and now", last, before)
	}
	for range 1000 {
		now := c.Now()
		if now.Sub(last) < time.Millisecond {
			t.Fatalf("stamp %v after %v", now, last)
		}
		last = now
	}
}
