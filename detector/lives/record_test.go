package lives_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/detector/lives"
)

var epoch = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// life returns a life that was watched from some hours after the epoch on, for some hours, with a reading a minute of
// each resource.
func life(from, hours float64, resources ...string) lives.Life {
	first := epoch.Add(time.Duration(from * float64(time.Hour)))
	l := lives.Life{Start: first, First: first, End: first.Add(time.Duration(hours * float64(time.Hour))),
		Ended: lives.Replaced}
	for number, name := range resources {
		track := lives.NewTrack(1)
		noise := rand.New(rand.NewPCG(uint64(from), uint64(number)))
		for age := time.Duration(0); age <= l.End.Sub(first); age += time.Minute {
			track.Add(int64(age), math.Exp(float64(number)*1.7)*(1000+10*age.Hours()+20*noise.Float64()))
		}
		if l.Curves == nil {
			l.Curves = map[string]lives.Curve{}
		}
		l.Curves[name] = track.Curve()
	}
	return l
}

// shape is what of a record its bounds are about.
type shape struct {
	Lives, Counted, Curves int
	First                  float64 // hours after the epoch
}

func shapeOf(r *lives.Record) (s shape) {
	s.Lives = len(r.Lives)
	for i := range r.Lives {
		s.Counted += r.Lives[i].Count
		s.Curves += len(r.Lives[i].Curves)
	}
	s.First = r.Lives[0].First.Sub(epoch).Hours()
	return s
}

func TestRecordIsBounded(t *testing.T) {
	twelve := make([]string, 12)
	for i := range twelve {
		twelve[i] = fmt.Sprintf("resource_%d_bytes", i)
	}
	for _, test := range []struct {
		name string
		add  func(r *lives.Record)
		want shape
	}{
		{"a crash loop is one line", func(r *lives.Record) {
			for i := range 500 {
				r.Add(life(float64(i)/30, .02, "open_fds"))
			}
		}, shape{1, 500, 0, 0}},
		{"a crash loop between two lives", func(r *lives.Record) {
			r.Add(life(0, 20, "open_fds"))
			for i := range 50 {
				r.Add(life(21+float64(i)/30, .02, "open_fds"))
			}
			r.Add(life(24, 20, "open_fds"))
		}, shape{3, 50, 2, 0}},
		{"daily", func(r *lives.Record) {
			for i := range 100 {
				r.Add(life(24*float64(i), 24, "open_fds"))
			}
		}, shape{30, 0, 30, 70 * 24}},
		{"daily, twelve resources", func(r *lives.Record) {
			for i := range 40 {
				r.Add(life(24*float64(i), 24, twelve...))
			}
		}, shape{20, 0, 240, 20 * 24}},
		{"the longest stays for five weeks", func(r *lives.Record) {
			r.Add(life(0, 72, "open_fds"))
			for i := range 60 {
				r.Add(life(72+12*float64(i), 12, "open_fds"))
			}
		}, shape{30, 0, 30, 0}},
		{"and no longer", func(r *lives.Record) {
			r.Add(life(0, 72, "open_fds"))
			for i := range 80 {
				r.Add(life(72+12*float64(i), 12, "open_fds"))
			}
		}, shape{30, 0, 30, 72 + 12*50}},
		{"one with more resources than all may have", func(r *lives.Record) {
			r.Add(life(0, 2, twelve...))
			l := life(3, 2, twelve...)
			for i := range 300 {
				l.Curves[fmt.Sprint(i)] = l.Curves[twelve[0]]
			}
			r.Add(l)
		}, shape{1, 0, 312, 3}},
	} {
		r := lives.New(1)
		test.add(&r)
		if diff := cmp.Diff(test.want, shapeOf(&r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A record of twelve resources over twenty lives is as large as it gets for a service. What is written is read back
// identically, and nothing that is changed in a copy shows in the other.
func TestRecordRoundTrip(t *testing.T) {
	names := make([]string, 12)
	for i := range names {
		names[i] = fmt.Sprintf("resource_%d_bytes", i)
	}
	r := lives.New(1)
	clock := lives.NewClock(&lives.Profile{})
	for i := range 30 {
		r.Add(life(24*float64(i), 23.9, names...))
	}
	for at := epoch; at.Before(epoch.Add(9 * 24 * time.Hour)); at = at.Add(time.Minute) {
		clock.Add(at.UnixNano(), 1e9+1e8*math.Sin(float64(at.Unix())/13751))
	}
	r.Resources = map[string]lives.Resource{}
	for _, name := range names {
		r.Resources[name] = lives.Resource{Retracted: 2, Profile: clock.Profile(),
			Notices: [2]lives.Notice{{At: 1, Severity: 2}}}
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of JSON", len(text))
	if len(text) > 64<<10 {
		t.Errorf("%d bytes of JSON", len(text))
	}
	var back lives.Record
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	clone := r.Clone()
	clone.Lives[0].Curves[names[0]].Floors[0] = 7
	clone.Lives[1].Version = "other"
	clone.Resources[names[0]].Profile.Hours[0] = 7
	delete(clone.Resources, names[1])
	if diff := cmp.Diff(back, r); diff != "" {
		t.Errorf("changed by its copy (-want +got):\n%s", diff)
	}
}

// However long the names are, as of metrics with many labels, there is room for all of a record, and for alerts beside
// it.
func TestLongNames(t *testing.T) {
	clock := lives.NewClock(&lives.Profile{})
	for at := epoch; at.Before(epoch.Add(9 * 24 * time.Hour)); at = at.Add(time.Minute) {
		clock.Add(at.UnixNano(), 1e9+1e8*math.Sin(float64(at.Unix())/13751))
	}
	for _, test := range []struct{ length, resources, lives int }{
		{20, 12, 20}, {20, 40, 6}, {60, 12, 18}, {100, 12, 15}, {150, 12, 13}, {60, 40, 4}, {200, 40, 2},
	} {
		r := lives.New(1)
		r.Resources = map[string]lives.Resource{}
		var names []string
		for i := range test.resources {
			names = append(names, fmt.Sprintf("%s{n=%02d}", strings.Repeat("x", test.length-6), i))
			r.Resources[names[i]] = lives.Resource{Retracted: 2, Profile: clock.Profile(),
				Notices: [2]lives.Notice{{At: 1, Severity: 2}}}
		}
		for i := range 30 {
			r.Add(life(24*float64(i), 23.9, names...))
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 60<<10 || len(r.Lives) != test.lives {
			t.Errorf("%d names of %d bytes: %d lives, want %d, in %d bytes of JSON", test.resources, test.length,
				len(r.Lives), test.lives, len(text))
		}
	}
}

// The floors of a curve are the lowest values of equal stretches, to a thousandth of their range; the stretches double
// when there are 32.
func TestTrack(t *testing.T) {
	level := func(hours float64) float64 { return 5000 + 100*hours + 30*math.Sin(500*hours) }
	for _, test := range []struct {
		hours float64
		want  time.Duration // width
		n     int
	}{{1, 5 * time.Minute, 12}, {2.6, 5 * time.Minute, 31}, {3, 10 * time.Minute, 18}, {24, 80 * time.Minute, 18},
		{72, 160 * time.Minute, 27}, {24 * 30, 2560 * time.Minute, 17}} {
		track := lives.NewTrack(1)
		lowest := make([]float64, test.n)
		for i := range lowest {
			lowest[i] = math.Inf(1)
		}
		for at := time.Duration(0); at < time.Duration(test.hours*float64(time.Hour)); at += time.Minute {
			track.Add(int64(at), level(at.Hours()))
			if i := int(at / test.want); i < test.n {
				lowest[i] = min(lowest[i], level(at.Hours()))
			}
		}
		c := track.Curve()
		got := make([]float64, len(c.Floors))
		for i := range got {
			got[i], _ = c.Level(i)
		}
		if c.Width != test.want.Seconds() {
			t.Errorf("after %v h: stretches of %v s, want %v", test.hours, c.Width, test.want)
		}
		if diff := cmp.Diff(lowest, got, cmpopts.EquateApprox(0, 100*test.hours/900)); diff != "" {
			t.Errorf("after %v h (-want +got):\n%s", test.hours, diff)
		}
		goesOn := c.Resume()
		if diff := cmp.Diff(c, goesOn.Curve()); diff != "" {
			t.Errorf("after %v h, resumed (-want +got):\n%s", test.hours, diff)
		}
	}
}

func TestTrackGaps(t *testing.T) {
	track := lives.NewTrack(1)
	for minute := range 30 {
		if minute < 5 || minute >= 17 {
			track.Add(int64(minute)*int64(time.Minute), 40)
		}
	}
	want := lives.Curve{Width: 300, Base: 40, Floors: []int16{0, -1, -1, 0, 0, 0}}
	if diff := cmp.Diff(want, track.Curve()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty := lives.NewTrack(1)
	if diff := cmp.Diff(lives.Curve{Width: 300}, empty.Curve()); diff != "" {
		t.Errorf("nothing was read (-want +got):\n%s", diff)
	}
}

// Seven days at 100 and twice that in the hour from 9 on, Saturdays half.
func TestProfile(t *testing.T) {
	clock := lives.NewClock(&lives.Profile{})
	for at := epoch; at.Before(epoch.Add(28 * 24 * time.Hour)); at = at.Add(10 * time.Minute) {
		level := 100.
		if at.Hour() == 9 {
			level = 200
		}
		clock.Add(at.UnixNano(), level)
	}
	p := clock.Profile()
	again := lives.NewClock(&p)
	if diff := cmp.Diff(p, again.Profile()); diff != "" {
		t.Errorf("gone on with (-want +got):\n%s", diff)
	}
	for hour := range 24 {
		want := 100.
		if hour == 9 {
			want = 200
		}
		if level, ok := p.Hour(hour); !ok || math.Abs(level-want) > .2 {
			t.Errorf("hour %d: %v, %v, want %v", hour, level, ok, want)
		}
	}
	if level, ok := p.Day(time.Saturday); !ok || level < 100 || level > 110 {
		t.Errorf("Saturday: %v, %v", level, ok)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name  string
		wrong func(r *lives.Record)
	}{
		{"another version", func(r *lives.Record) { r.Version++ }},
		{"no scale", func(r *lives.Record) { r.Scale = 0 }},
		{"scale is no number", func(r *lives.Record) { r.Scale = math.NaN() }},
		{"out of order", func(r *lives.Record) { r.Lives[0], r.Lives[1] = r.Lives[1], r.Lives[0] }},
		{"ends before it begins", func(r *lives.Record) { r.Lives[1].End = r.Lives[1].First.Add(-time.Second) }},
		{"an unknown end", func(r *lives.Record) { r.Lives[0].Ended = "eaten" }},
		{"runs on", func(r *lives.Record) { r.Lives[0].Ended = lives.Running }},
		{"floors out of range", func(r *lives.Record) { r.Lives[0].Curves["open_fds"].Floors[0] = 1000 }},
		{"a curve without width", func(r *lives.Record) { r.Lives[0].Curves["open_fds"] = lives.Curve{} }},
		{"a curve of infinite level", func(r *lives.Record) {
			r.Lives[0].Curves["open_fds"] = lives.Curve{Width: 1, Base: math.Inf(1)}
		}},
		{"a profile of half a day", func(r *lives.Record) {
			r.Resources = map[string]lives.Resource{"open_fds": {Profile: lives.Profile{Hours: make([]int16, 12),
				Days: make([]int16, 7)}}}
		}},
		{"too many lives", func(r *lives.Record) {
			for range 6 {
				r.Lives = append(r.Lives, r.Lives...)
			}
		}},
	} {
		r := lives.New(1)
		r.Add(life(0, 20, "open_fds"))
		r.Add(life(21, 20, "open_fds"))
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		test.wrong(&r)
		if r.Validate() == nil {
			t.Errorf("%s: taken", test.name)
		}
	}
}

// A version is cut so that what is written can be read: in the middle of a character it is longer in JSON.
func TestLongVersions(t *testing.T) {
	for _, version := range []string{strings.Repeat("v", 63) + "é", strings.Repeat("\xff", 40)} {
		r := lives.New(1)
		l := life(0, 1)
		l.Version = version
		r.Add(l)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back lives.Record
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if err := back.Validate(); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
}
