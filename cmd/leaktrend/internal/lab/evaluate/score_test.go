package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const hour = int64(time.Hour)

// at returns the instant so many hours after the begin of the recordings of these tests.
func at(hours float64) int64 { return 1_000_000*hour + int64(hours*float64(hour)) }

// hours makes a recording with one sample an hour. Each series begins with its values and then keeps the last of them.
func hours(name string, n int, series ...dataset.Series) *dataset.Recording {
	r := &dataset.Recording{Name: name, Program: "p-" + name, Family: "f-" + name}
	for i := range n {
		r.Times = append(r.Times, at(float64(i)))
	}
	for _, s := range series {
		values := make([]float64, n)
		for i := range values {
			values[i] = s.Values[min(i, len(s.Values)-1)]
		}
		s.Values = values
		r.Series = append(r.Series, s)
	}
	return r
}

func flat(resource string) dataset.Series {
	return dataset.Series{Resource: resource, Values: []float64{10}}
}

// ramp is 10 for 24 samples, then grows by 1 a sample.
func ramp(resource string, truth dataset.Truth) dataset.Series {
	s := dataset.Series{Resource: resource, Truth: truth}
	for i := range 200 {
		s.Values = append(s.Values, 10+max(0, float64(i-23)))
	}
	return s
}

// scripted fires as told.
type scripted struct {
	name    string
	firings map[string][]Firing
}

func (s scripted) Name() string                      { return s.name }
func (s scripted) Run(r *dataset.Recording) []Firing { return s.firings[r.Name] }

func scoreSet() ([]*dataset.Recording, scripted) {
	leak := dataset.Truth{Leaks: true, From: at(24), Kind: "goroutine", Exhausted: at(64), Doubled: at(34)}
	recs := []*dataset.Recording{
		hours("quiet", 49, flat("goroutines"), flat("open_fds"), flat("cpu_seconds")),
		hours("noisy", 25, flat("goroutines"), flat("open_fds")),
		hours("leak", 73, ramp("goroutines", leak), dataset.Series{Resource: "rss_bytes", Values: []float64{5},
			Truth: dataset.Truth{Consequence: true, From: at(24), Kind: "goroutine"}}, flat("open_fds")),
		hours("missed", 73, ramp("open_fds", dataset.Truth{Leaks: true, From: at(24), Kind: "fd"})),
		hours("unknown", 25, flat("goroutines")),
	}
	recs[4].Unknown = true
	return recs, scripted{"scripted", map[string][]Firing{
		"noisy": {{"goroutines", at(3)}, {"goroutines", at(20)}},
		// Of the leak: one before its begin, two of the consequence, one of a bystander, and the one that counts at its
		// very begin or later.
		"leak": {{"goroutines", at(12)}, {"rss_bytes", at(20)}, {"rss_bytes", at(26)}, {"open_fds", at(30)},
			{"goroutines", at(34)},
			{"goroutines", at(50)}},
		"missed":  {{"open_fds", at(23)}},
		"unknown": {{"goroutines", at(1)}},
	}}
}

func scoreAll(t testing.TB, recs []*dataset.Recording, workers int, methods ...Method) []Report {
	t.Helper()
	reports, err := Score(context.Background(), slices.Values(recs), methods, ScoreOptions{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

func TestScoreOutcomes(t *testing.T) {
	recs, m := scoreSet()
	got := scoreAll(t, recs, 1, m)
	const h = 3600 * 1000
	want := []Report{{Method: "scripted", Outcomes: []Outcome{
		{Recording: "quiet", Program: "p-quiet", Family: "f-quiet", Healthy: 48 * h, Series: []SeriesOutcome{
			{Resource: "goroutines", Healthy: 48 * h}, {Resource: "open_fds", Healthy: 48 * h}}},
		{Recording: "noisy", Program: "p-noisy", Family: "f-noisy", Healthy: 24 * h, Series: []SeriesOutcome{
			{Resource: "goroutines", Healthy: 24 * h, False: []int64{at(3), at(20)}},
			{Resource: "open_fds", Healthy: 24 * h}}},
		{Recording: "leak", Program: "p-leak", Family: "f-leak", Leaking: true, Noticed: true, Healthy: 24 * h,
			Series: []SeriesOutcome{
				// The readings up to the 34th hour are 10 four times, then 11 to 21: their median is that of 15, 14.
				{Resource: "goroutines", Healthy: 24 * h, False: []int64{at(12)},
					Leak: &Leak{Recording: "leak", Program: "p-leak", Family: "f-leak",
						Resource: "goroutines", Kind: "goroutine", From: at(24), At: at(34), Exhausted: at(64),
						Due:   true,
						Level: 10, Value: 14,
						Measured: true}},
				{Resource: "rss_bytes", Healthy: 24 * h, False: []int64{at(20)}},
				{Resource: "open_fds", Healthy: 72 * h, False: []int64{at(30)}, BesideLeak: 1}}},
		{Recording: "missed", Program: "p-missed", Family: "f-missed", Leaking: true, Healthy: 24 * h,
			Series: []SeriesOutcome{
				{Resource: "open_fds", Healthy: 24 * h, False: []int64{at(23)},
					Leak: &Leak{Recording: "missed", Program: "p-missed",
						Family: "f-missed", Resource: "open_fds", Kind: "fd", From: at(24)}}}},
		{Recording: "unknown", Program: "p-unknown", Family: "f-unknown", Unknown: true, Healthy: 24 * h,
			Series: []SeriesOutcome{
				{Resource: "goroutines", Healthy: 24 * h, False: []int64{at(1)}}}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// figures are all that a Tally says.
type figures struct {
	Recordings, Healthy, Alarmed, Leaking, Noticed, FalseAlarms, BesideLeak int

	Days                      float64
	Rate, Share, NoticedShare stats.Estimate
	Recall, Due               stats.Estimate
	Delay, Part, Leaked, Lead stats.Spread
	Precision                 stats.Estimate
	Kinds, Families           []string
	KindRecall, FamilyDue     []stats.Estimate
}

func figuresOf(t Tally) figures {
	f := figures{
		t.Recordings, t.Healthy, t.Alarmed, t.Leaking, t.Noticed, t.FalseAlarms, t.BesideLeak,
		t.Days(), t.Rate(), t.AlarmedShare(), t.NoticedShare(), t.Recall(), t.DueRecall(),
		t.Delay(), t.DelayShare(), t.Leaked(), t.Lead(), t.Precision(0.01, 30*24*time.Hour), nil, nil, nil, nil,
	}
	for _, g := range t.ByKind() {
		f.Kinds = append(f.Kinds, fmt.Sprint(g.Name, " ", g.Leaks))
		f.KindRecall = append(f.KindRecall, g.Recall)
	}
	for _, g := range t.ByFamily() {
		f.Families = append(f.Families, fmt.Sprint(g.Name, " ", g.Leaks))
		f.FamilyDue = append(f.FamilyDue, g.Due)
	}
	return f
}

func TestTally(t *testing.T) {
	recs, m := scoreSet()
	r := scoreAll(t, recs, 2, m)[0]
	if diff := cmp.Diff([]string{"goroutines", "rss_bytes", "open_fds"}, r.Resources()); diff != "" {
		t.Errorf("resources: (-want +got)\n%s", diff)
	}
	half := stats.Proportion(1, 2)
	all, none := stats.Proportion(1, 1), stats.Proportion(0, 1)
	one := func(v float64) stats.Spread { return stats.Spread{N: 1, Median: v, P90: v} }
	tests := map[string]struct {
		resource string
		keep     func(*Outcome) bool
		want     figures
	}{
		// Healthy: 48 + 24 + 24 + 24 h = 5 days. False: noisy 2, leak 12 h and rss and fds, missed 1. Precision: .01*.5
		// of 30 days of 6/5.
		"all labelled": {"", Labelled, figures{
			Recordings: 4, Healthy: 2, Alarmed: 1, Leaking: 2, Noticed: 1, FalseAlarms: 6, BesideLeak: 1, Days: 5,
			Rate: stats.PoissonRate(6, 5), Share: half, NoticedShare: half, Recall: half, Due: all,
			Delay: one(10), Part: one(0.25), Leaked: one(0.4), Lead: one(30),
			Precision: stats.Estimate{Value: 0.005 / 36.005,
				Low:  0.01 * half.Low / (0.01*half.Low + 30*stats.PoissonRate(6, 5).High),
				High: 0.01 * half.High / (0.01*half.High + 30*stats.PoissonRate(6, 5).Low), Known: true},
			Kinds: []string{"fd 1", "goroutine 1"}, KindRecall: []stats.Estimate{none, all},
			Families: []string{"f-leak 1", "f-missed 1"}, FamilyDue: []stats.Estimate{all, {}},
		}},
		// 48 + 24 + 72 + 24 h = 7 days.
		"descriptors": {"open_fds", Labelled, figures{
			Recordings: 4, Healthy: 2, Leaking: 1, FalseAlarms: 2, BesideLeak: 1, Days: 7,
			Rate: stats.PoissonRate(2, 7), Share: stats.Proportion(0, 2), NoticedShare: none, Recall: none,
			Precision: stats.Estimate{High: 0.01 * 0.975 / (0.01*0.975 + 30*stats.PoissonRate(2, 7).Low), Known: true},
			Kinds:     []string{"fd 1"}, KindRecall: []stats.Estimate{none},
			Families: []string{"f-missed 1"}, FamilyDue: []stats.Estimate{{}},
		}},
		"consequence": {"rss_bytes", nil, figures{
			Recordings: 1, FalseAlarms: 1, Days: 1, Rate: stats.PoissonRate(1, 1),
		}},
		"unlabelled": {"", Unlabelled, figures{
			Recordings: 1, Healthy: 1, Alarmed: 1, FalseAlarms: 1, Days: 1, Rate: stats.PoissonRate(1, 1), Share: all,
		}},
		"nothing": {"threads", nil, figures{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, figuresOf(r.Tally(tt.resource, tt.keep)),
				cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestPrecisionWithoutAlarms: no false alarm and no leak found says nothing on the precision.
func TestPrecisionWithoutAlarms(t *testing.T) {
	silent := Tally{Time: millisPerDay, Leaks: []Leak{{}}}
	if got := silent.Precision(0.01, 24*time.Hour); got.Known {
		t.Errorf("got %+v, want unknown", got)
	}
}

// wavy makes healthy and leaking recordings that differ by number.
func wavy(n, samples int) []*dataset.Recording {
	var recs []*dataset.Recording
	for i := range n {
		r := &dataset.Recording{Name: fmt.Sprint("r", i), Program: fmt.Sprint("p", i%7)}
		begin := at(0)
		g := dataset.Series{Resource: sampler.Goroutines}
		h := dataset.Series{Resource: sampler.HeapLiveBytes}
		if i%2 == 1 {
			g.Truth = dataset.Truth{Leaks: true, From: begin, Kind: "goroutine"}
		}
		for k := range samples {
			r.Times = append(r.Times, begin+int64(k)*30e9)
			v := 100 + float64(20+i)*math.Sin(float64(k)/float64(40+3*i)) + float64((k*7919+i)%13)
			if i%2 == 1 {
				v += float64(k) / 20
			}
			g.Values = append(g.Values, math.Floor(v))
			h.Values = append(h.Values, 1e6*v)
		}
		r.Series = []dataset.Series{g, h}
		recs = append(recs, r)
	}
	return recs
}

func detectorFor(t testing.TB, name string, c detector.Config) Method {
	t.Helper()
	m, err := Detector(name, c, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScoreWorkersDoNotMatter(t *testing.T) {
	recs := wavy(12, 4000)
	c := detector.DefaultConfig()
	methods := []Method{detectorFor(t, "both", c), detectorFor(t, "limits", LimitsOnly(c))}
	want := scoreAll(t, recs, 1, methods...)
	if tally := want[0].Tally("", nil); tally.Noticed == 0 {
		t.Fatal("the detector noticed nothing, so there is nothing to compare")
	}
	for _, workers := range []int{2, 7, 40} {
		if diff := cmp.Diff(want, scoreAll(t, recs, workers, methods...)); diff != "" {
			t.Errorf("%d workers: (-want +got)\n%s", workers, diff)
		}
	}
	halves := Merge(scoreAll(t, recs[:5], 2, methods...)[0], scoreAll(t, recs[5:], 2, methods...)[0])
	if diff := cmp.Diff(want[0], halves); diff != "" {
		t.Errorf("merged: (-want +got)\n%s", diff)
	}
}

// stopping ends the context with its third recording.
type stopping struct {
	scripted
	calls  *atomic.Int64
	cancel func()
}

func (s stopping) Run(r *dataset.Recording) []Firing {
	if s.calls.Add(1) == 3 {
		s.cancel()
	}
	return nil
}

func TestScoreCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	recs, _ := scoreSet()
	var done atomic.Int64
	m := stopping{calls: new(atomic.Int64), cancel: cancel}
	reports, err := Score(ctx, slices.Values(recs), []Method{m}, ScoreOptions{Workers: 1, Done: &done})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if got := len(reports[0].Outcomes); got != 3 || done.Load() != 3 {
		t.Errorf("%d outcomes and %d counted, want the 3 that were done", got, done.Load())
	}
}

func TestDetector(t *testing.T) {
	c := detector.DefaultConfig()
	leak := wavy(2, 6000)[1]
	limit := wavy(2, 6000)[1]
	limit.Ceilings = []dataset.Mark[[]sampler.Ceiling]{{From: 0,
		Value: []sampler.Ceiling{{Resource: sampler.Goroutines, Level: 200, Source: "test"}}}}
	short := &dataset.Recording{Name: "short", Soak: 20 * time.Minute,
		Series: []dataset.Series{{Resource: sampler.Goroutines}}}
	for i := range 1200 {
		short.Times = append(short.Times, at(0)+int64(i)*1e9)
		short.Series[0].Values = append(short.Series[0].Values, 100+float64(i)/3)
	}
	tests := map[string]struct {
		rec    *dataset.Recording
		config detector.Config
		given  bool
		fires  bool
	}{
		"trend":                   {leak, TrendOnly(c), false, true},
		"no limit":                {leak, LimitsOnly(c), false, false},
		"limit":                   {limit, LimitsOnly(c), false, true},
		"soak of the recording":   {short, TrendOnly(c), false, true},
		"configured without soak": {short, TrendOnly(c), true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Detector("d", tt.config, tt.given)
			if err != nil {
				t.Fatal(err)
			}
			firings := m.Run(tt.rec)
			fired := slices.ContainsFunc(firings, func(f Firing) bool { return f.Resource == sampler.Goroutines })
			if fired != tt.fires {
				t.Errorf("fired %v: %v, want %v", fired, firings, tt.fires)
			}
		})
	}
	if _, err := Detector("bad", detector.Config{}, true); err == nil {
		t.Error("a configuration that is not valid was taken")
	}
}

// TestDetectorCountsFindings: the severity of a limit rises as its ceiling comes near, which is no new alarm.
func TestDetectorCountsFindings(t *testing.T) {
	r := &dataset.Recording{Name: "r", Series: []dataset.Series{{Resource: sampler.OpenFDs}}}
	r.Ceilings = []dataset.Mark[[]sampler.Ceiling]{{From: 0,
		Value: []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1000, Source: "test"}}}}
	for i := range 2000 {
		r.Times = append(r.Times, at(0)+int64(i)*30e9)
		r.Series[0].Values = append(r.Series[0].Values, min(990, 100+float64(i)/2))
	}
	d, err := detector.New(LimitsOnly(detector.DefaultConfig()))
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	var s sampler.Sample
	for source := r.Source(); source.Sample(context.Background(), &s) == nil; {
		events += len(d.Observe(&s))
	}
	got := detectorFor(t, "limits", LimitsOnly(detector.DefaultConfig())).Run(r)
	if events < 2 || len(got) != 1 {
		t.Errorf("%d events became the alarms %v, want one of several events", events, got)
	}
}

func BenchmarkScore(b *testing.B) {
	recs := wavy(40, 10_000)
	m := detectorFor(b, "both", detector.DefaultConfig())
	b.ReportAllocs()
	for b.Loop() {
		scoreAll(b, recs, 2, m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(40*10_000*2), "ns/reading")
}
