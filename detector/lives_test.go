package detector_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

// deployed is one process of a service.
type deployed struct {
	version string
	hours   float64
	level   func(hours float64) float64 // of open_fds, over the age
}

var firstStart = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// samplesOf gives a sample a minute of processes that come one after the other, with 20 s between them.
func samplesOf(all []deployed, visit func(number int, s *sampler.Sample)) {
	noise := rand.New(rand.NewPCG(7, 11))
	start := firstStart
	for number, process := range all {
		for age := time.Minute; age.Hours() <= process.hours; age += time.Minute {
			s := sampler.Sample{Time: start.Add(age), Start: start, Ceilings: someCeilings}
			s.Add(sampler.OpenFDs, float64(int(process.level(age.Hours())+4*noise.Float64())))
			s.Add(sampler.CPUSeconds, age.Seconds()/7)
			visit(number, &s)
		}
		start = start.Add(time.Duration(process.hours*float64(time.Hour)) + 20*time.Second)
	}
}

var someCeilings = []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"}}

// survives compares a detector that watches all processes with ones that watch one each, and returns the former. There
// must be some events.
func survives(t *testing.T, all []deployed, events int) *detector.Detector {
	t.Helper()
	config := detector.DefaultConfig()
	config.FDThreshold = 700
	newDetector := func() *detector.Detector {
		d, err := detector.New(config)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	whole, part, latest := newDetector(), newDetector(), 0
	var want, got []alerting.Event
	samplesOf(all, func(number int, s *sampler.Sample) {
		if number != latest {
			text, err := json.Marshal(part.Lives())
			if err != nil {
				t.Fatal(err)
			}
			var kept lives.Record
			if err := json.Unmarshal(text, &kept); err != nil {
				t.Fatal(err)
			}
			part, latest = newDetector(), number
			if err := part.Restore(kept); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range []*detector.Detector{whole, part} {
			d.Identify(all[number].version, "")
		}
		want = append(want, whole.Observe(s)...)
		got = append(got, part.Observe(s)...)
	})
	if len(want) < events {
		t.Errorf("only %d events", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-all watched +restored):\n%s", diff)
	}
	if diff := cmp.Diff(whole.Lives(), part.Lives()); diff != "" {
		t.Errorf("lives (-all watched +restored):\n%s", diff)
	}
	return whole
}

// TestLivesSurvive: a detector that goes on with what another one knew of the lives before decides what one decides
// that watched them all.
func TestLivesSurvive(t *testing.T) {
	slow := func(h float64) float64 { return 100 + 1.5*h }
	flat := func(float64) float64 { return 100 }
	over := append(repeat(3, deployed{"2.0", 24, flat}), repeat(8, deployed{"2.1", 24, slow})...)
	survives(t, append(over, repeat(3, deployed{"2.2", 24, flat})...), 2)

	fast := func(hours float64) float64 { return 100 + 40*hours }
	all := []deployed{
		{"1.0", 30, fast}, {"1.0", .02, fast}, {"1.0", .05, fast}, {"1.1", 20, func(float64) float64 { return 100 }},
		{"1.2", 30, fast},
		{"1.2", 26, func(h float64) float64 {
			return 100 + 1.5*h
		}}, {"1.3", 9, func(h float64) float64 { return 100 + 500*h/(h+1) }}, {"1.3", 12, fast},
	}
	whole := survives(t, all, 6)
	type known struct {
		Version string
		Ended   lives.End
		Count   int
		Floors  int
	}
	var have []known
	record := whole.Lives()
	for i := range record.Lives {
		life := &record.Lives[i]
		have = append(have, known{life.Version, life.Ended, life.Count, len(life.Curves[sampler.OpenFDs].Floors)})
	}
	if diff := cmp.Diff([]known{
		{"1.0", lives.Exhausted, 0, 22}, {"1.0", lives.Replaced, 2, 0}, {"1.1", lives.Replaced, 0, 30},
		{"1.2", lives.Exhausted, 0, 22},
		{"1.2", lives.Replaced, 0, 19}, {"1.3", lives.Replaced, 0, 27}, {"1.3", lives.Running, 0, 18},
	}, have); diff != "" {
		t.Errorf("lives (-want +got):\n%s", diff)
	}
}

// TestNamesThatChange: where the names of resources change with each deploy, what is known of the present ones is kept.
func TestNamesThatChange(t *testing.T) {
	const names = 30
	var record lives.Record
	for deploy := range 3 {
		d, err := detector.New(detector.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if deploy > 0 {
			if err := d.Restore(record); err != nil {
				t.Fatal(err)
			}
		}
		start := firstStart.Add(time.Duration(deploy) * 24 * time.Hour)
		for age := time.Minute; age <= 3*time.Hour; age += time.Minute {
			s := sampler.Sample{Time: start.Add(age), Start: start}
			for i := range names {
				s.Add(fmt.Sprintf(`queue_length{queue="%d.%d"}`, deploy, i), 10)
			}
			d.Observe(&s)
		}
		record = d.Lives()
		if err := record.Validate(); err != nil {
			t.Fatal(err)
		}
		for i := range names {
			name := fmt.Sprintf(`queue_length{queue="%d.%d"}`, deploy, i)
			if _, kept := record.Resources[name]; !kept {
				t.Fatalf("deploy %d: %s is not kept, beside %d others", deploy, name, len(record.Resources))
			}
		}
	}
}

// TestRestoreGoesOn: where the process of the record still runs its life goes on.
func TestRestoreGoesOn(t *testing.T) {
	var d *detector.Detector
	begin := func(kept *lives.Record) {
		var err error
		if d, err = detector.New(detector.DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		if kept != nil {
			if err := d.Restore(*kept); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin(nil)
	n := 0
	samplesOf([]deployed{{"", 10, func(float64) float64 {
		return 100
	}}, {"", 20, func(h float64) float64 { return 200 + h }}}, func(number int, s *sampler.Sample) {
		if n++; n%400 == 0 {
			kept := d.Lives()
			begin(&kept)
		}
		d.Observe(s)
	})
	var got []string
	record := d.Lives()
	for i := range record.Lives {
		life := &record.Lives[i]
		curve := life.Curves[sampler.OpenFDs]
		got = append(got, fmt.Sprintf("%s from %v to %v, %d floors", life.Ended, life.First.Sub(firstStart),
			life.End.Sub(firstStart), len(curve.Floors)))
	}
	want := []string{
		"replaced from 1m0s to 10h0m0s, 30 floors",
		"running from 10h1m20s to 30h0m20s, 30 floors",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRestoreAfterTheClockWasSetBack: what lives taught outlasts a clock that is some minutes behind theirs, and no
// more.
func TestRestoreAfterTheClockWasSetBack(t *testing.T) {
	flat := func(float64) float64 { return 100 }
	_, d := eventLines(t, detector.DefaultConfig(), []deployed{{"1.0", 5, flat}, {"1.1", 5, flat}, {"1.2", .5, flat}})
	record := d.Lives()
	end := record.Latest().End
	for _, test := range []struct {
		back time.Duration
		want []string
	}{
		{0, []string{"1.0 5h0m0s", "1.1 5h0m0s", "1.2 30m0s", " 0s"}},
		{20 * time.Minute, []string{"1.0 5h0m0s", "1.1 5h0m0s", "1.2 10m0s", " 0s"}},
		{50 * time.Minute, []string{"1.0 5h0m0s", "1.1 4h40m0s", " 0s"}},
		{2 * time.Hour, []string{" 0s"}},
	} {
		d, err := detector.New(detector.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Restore(record); err != nil {
			t.Fatal(err)
		}
		s := sampler.Sample{Time: end.Add(10*time.Second - test.back), Start: end.Add(-test.back)}
		s.Add(sampler.OpenFDs, 100)
		d.Observe(&s)
		var got []string
		now := d.Lives()
		for i := range now.Lives {
			l := &now.Lives[i]
			got = append(got, fmt.Sprint(l.Version, " ", l.End.Sub(l.First).Round(10*time.Minute)))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v back (-want +got):\n%s", test.back, diff)
		}
		if err := now.Validate(); err != nil {
			t.Errorf("%v back: %v", test.back, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	soak := detector.DefaultConfig()
	soak.Adaptive.Soak = 20 * time.Minute
	wrong := lives.New(1)
	wrong.Version = 99
	for _, test := range []struct {
		name   string
		config detector.Config
		record lives.Record
		late   bool
	}{
		{"another version", detector.DefaultConfig(), wrong, false},
		{"another scale", soak, lives.New(1), false},
		{"after the first sample", detector.DefaultConfig(), lives.New(1), true},
	} {
		d, err := detector.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		if test.late {
			d.Observe(&sampler.Sample{Time: firstStart})
		}
		if d.Restore(test.record) == nil {
			t.Errorf("%s: taken", test.name)
		}
	}
}

// eventLines returns what is decided of processes that come one after the other, a line for each event.
func eventLines(t *testing.T, config detector.Config, all []deployed) (lines []string, d *detector.Detector) {
	t.Helper()
	d, err := detector.New(config)
	if err != nil {
		t.Fatal(err)
	}
	samplesOf(all, func(number int, s *sampler.Sample) {
		d.Identify(all[number].version, "")
		for _, e := range d.Observe(s) {
			lines = append(lines, fmt.Sprintf("life %d: %s", number+1, e.Summary))
		}
	})
	return lines, d
}

func repeat(n int, of deployed) (all []deployed) {
	for range n {
		all = append(all, of)
	}
	return all
}

// TestLeakOverLives: lives that are too short to tell are evidence together. The finding holds over restarts, and ends
// with the version that does not leak.
func TestLeakOverLives(t *testing.T) {
	flat := func(float64) float64 { return 100 }
	leak := func(h float64) float64 { return 100 + 1.5*h }
	all := repeat(9, deployed{"2.0", 24, flat})
	all = append(all, repeat(3, deployed{"2.1.0", 24, leak})...)
	all = append(all, repeat(4, deployed{"2.1.1", 24, leak})...)
	all = append(all, repeat(3, deployed{"2.1.2", 24, flat})...)
	lines, d := eventLines(t, detector.DefaultConfig(), all)
	want := []string{
		"life 14: open_fds leak: each of the last 5 lives grew by 35 to 36 a day without levelling off: 2.1.0 (since " +
			"11 Nov) and 2.1.1; " +
			"the 9 lives of 2.0 did not; 130 now; reaches its limit of 1,024 in 18 to 27 days",
		"life 18: open_fds trend resolved after 8d: not there again since the restart, for as long as it had grown; " +
			"ended with 2.1.2 (100 now)",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range d.Status() {
		if s.Resource.Name == sampler.OpenFDs && s.State == detector.Firing {
			t.Errorf("at the end: %s", s.Why)
		}
	}
	// What is told of the first leaking lives: a fast leak is found within one, and began with its version.
	fast := append(repeat(3, deployed{"2.0", 24, flat}), repeat(2, deployed{"2.1.0", 24, func(h float64) float64 {
		return 100 + 9*h
	}})...)
	lines, _ = eventLines(t, detector.DefaultConfig(), fast)
	if len(lines) == 0 || !strings.HasSuffix(lines[0], "; began with 2.1.0; the 3 lives of 2.0 did not") {
		t.Errorf("told %q", lines)
	}
}

// TestSeenBeforeOverLives: what earlier lives did is no news: a warm-up, and the first day of a cycle.
func TestSeenBeforeOverLives(t *testing.T) {
	for name, level := range map[string]func(h float64) float64{
		"a warm-up":   func(h float64) float64 { return 100 + 400*min(1, h/10) },
		"a first day": func(h float64) float64 { return 300 - 200*math.Cos(2*math.Pi*h/24) },
	} {
		lines, d := eventLines(t, detector.DefaultConfig(), repeat(8, deployed{"1.0", 24, level}))
		for _, line := range lines {
			if !strings.HasPrefix(line, "life 1: ") && !strings.HasPrefix(line, "life 2: open_fds trend resolved") {
				t.Errorf("%s: %s", name, line)
			}
		}
		var alone int
		for range 8 {
			first, _ := eventLines(t, detector.DefaultConfig(), repeat(1, deployed{"1.0", 24, level}))
			alone += len(first)
		}
		if alone == 0 {
			t.Errorf("%s: nothing is told of a life alone: the test shows nothing", name)
		}
		if record := d.Lives(); len(record.Lives) != 8 {
			t.Errorf("%s: %d lives", name, len(record.Lives))
		}
	}
}

// TestCutOffOverLives: of a life that a deploy cut off while it grew, an alert does not say that it did not.
func TestCutOffOverLives(t *testing.T) {
	leak := func(h float64) float64 { return 100 + 1.5*h }
	lines, _ := eventLines(t, detector.DefaultConfig(), []deployed{{"1.0", 22, leak}, {"1.1", 72, leak}})
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "life 2: open_fds leak: ") || strings.Contains(lines[0], "1.0") {
		t.Errorf("told %q", lines)
	}
}

// TestLevelsOffOverLives: a cache that was called while it filled is resolved when a longer life has shown that it
// becomes full, though each deploy lets it fill anew.
func TestLevelsOffOverLives(t *testing.T) {
	fill := func(full float64) func(h float64) float64 {
		return func(h float64) float64 { return 100 + 150*min(1, h/full) }
	}
	lines, d := eventLines(t, detector.DefaultConfig(), []deployed{{"1.0", 72, fill(90)}, {"1.1", 168, fill(90)},
		{"1.2", 48, fill(90)}})
	want := []string{
		"life 1: open_fds leak: +1.7/h for 1d 9h without ever coming back, 156 now, baseline 103, growing since " +
			"2026-11-02 10:41:00 UTC; reaches its limit of 1,024 in 15 to 23 days",
		"life 3: open_fds trend resolved after 9d 23h: longer lives since then show that the growth levels off with " +
			"the age of the process (103 now)",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range d.Status() {
		if s.Resource.Name == sampler.OpenFDs && s.State == detector.Firing {
			t.Errorf("at the end: %s", s.Why)
		}
	}
}

// TestStartOverLives: the limit counts from the level at which earlier lives settled, from the first sample on.
func TestStartOverLives(t *testing.T) {
	config := detector.DefaultConfig()
	config.FDThreshold = 100
	startsUp := func(h float64) float64 { // in three minutes
		if h < .05 {
			return 20
		}
		return 300
	}
	lines, _ := eventLines(t, config, repeat(3, deployed{"1.0", 3, startsUp}))
	want := []string{"life 1: "}
	for _, line := range lines {
		if !strings.HasPrefix(line, want[0]) {
			t.Errorf("%s", line)
		}
	}
	if len(lines) == 0 {
		t.Error("the first life is not above its limit while it starts up: the test shows nothing")
	}
}

// Lives of seconds are told apart where each began after the one before was seen last, shorter ones where their numbers
// are known, also by a monitor that starts with each of them.
func TestCrashLoopOfSeconds(t *testing.T) {
	for _, test := range []struct {
		name    string
		forgets bool
		step    time.Duration
		pid     int // of the first
	}{
		{"watched through", false, time.Second, 0}, {"each from a state", true, time.Second, 0},
		{"by number, watched through", false, 100 * time.Millisecond, 7},
		{"by number, each from a state", true, 100 * time.Millisecond, 7},
	} {
		anew := func() *detector.Detector {
			d, err := detector.New(detector.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		d := anew()
		at := firstStart
		for life := range 5 {
			start := at.Add(test.step * 7 / 10)
			if kept := d.Lives(); test.forgets && len(kept.Lives) > 0 {
				d = anew()
				if err := d.Restore(kept); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				at = at.Add(test.step)
				s := sampler.Sample{Time: at, Start: start}
				if test.pid > 0 {
					s.PID = test.pid + life
				}
				s.Add(sampler.OpenFDs, 10)
				s.Add(sampler.CPUSeconds, .2)
				d.Observe(&s)
			}
		}
		var got []string
		for _, l := range d.Lives().Lives {
			got = append(got, fmt.Sprint(l.Count, " ", l.Ended))
		}
		if diff := cmp.Diff([]string{"4 replaced", "0 running"}, got); diff != "" {
			t.Errorf("%s: lives and how they ended (-want +got):\n%s", test.name, diff)
		}
	}
}
