package tune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const day = 24 * time.Hour

// made is a recording of goroutines, a sample every step.
func made(name, program string, length, step time.Duration, level func(hour float64) float64) *dataset.Recording {
	r := &dataset.Recording{Name: name, Program: program}
	s := dataset.Series{Resource: sampler.Goroutines}
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for at := time.Duration(0); at < length; at += step {
		r.Times = append(r.Times, begin+int64(at))
		s.Values = append(s.Values, math.Round(level(at.Hours())))
	}
	r.Series = []dataset.Series{s}
	return r
}

func swinging(hour float64) float64 { return 100 + 20*math.Sin(hour*3) }
func leaking(hour float64) float64  { return swinging(hour) + 20*hour }

func leak(r *dataset.Recording, from time.Duration) *dataset.Recording {
	begin := r.Times[0] + int64(from)
	r.Series[0].Truth = dataset.Truth{Leaks: true, From: begin, Kind: "steady", Doubled: begin + int64(6*time.Hour)}
	return r
}

// mixed are healthy and leaking recordings of four programs, and a soak run.
func mixed() []*dataset.Recording {
	var recs []*dataset.Recording
	for i := range 4 {
		program := fmt.Sprint("p", i)
		recs = append(recs,
			made(fmt.Sprint("healthy", i), program, 10*day, 5*time.Minute, swinging),
			leak(made(fmt.Sprint("leaking", i), program, 2*day, 5*time.Minute, leaking), 0))
	}
	soak := made("soak", "p0", 40*time.Minute, time.Second, func(hour float64) float64 { return swinging(60 * hour) })
	soak.Soak = 20 * time.Minute
	return append(recs, soak)
}

func options(t testing.TB, recs []*dataset.Recording) Options {
	t.Helper()
	budget, err := stats.ParseBudget("1/10d")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Config: detector.DefaultConfig(), ConfigName: "the default", From: "a test", Search: Of(recs), Budget: budget,
		Seed: 1, Workers: 2,
	}
}

func mustRun(t *testing.T, o Options) *Result {
	t.Helper()
	var m Meter
	r, err := Run(t.Context(), o, &m)
	if err != nil {
		t.Fatal(err)
	}
	if share := m.Share(); share <= 0 || share > 1 {
		t.Errorf("at the end %v of the work are done", share)
	}
	return r
}

func TestRun(t *testing.T) {
	r := mustRun(t, options(t, mixed()))
	if r.Recordings != 9 || r.Programs != 4 || len(r.Groups) != 2 {
		t.Fatalf("%d recordings, %d programs, %d groups", r.Recordings, r.Programs, len(r.Groups))
	}
	physical, soak := &r.Groups[0], &r.Groups[1]
	own := physical.Methods[0].All
	// The recordings end a step before their length.
	const days = 4 * (10 - 5./(24*60))
	if own.Found != 4 || own.Due != 4 || own.FalseAlarms != 0 || math.Abs(own.Exposure-days) > 1e-9 {
		t.Errorf("found %d of 4 leaks, %d due; %d false alarms in %v days", own.Found, own.Due, own.FalseAlarms,
			own.Exposure)
	}
	if soak.Unit != "soak run" || math.Abs(soak.Methods[0].All.Exposure-2) > 0.001 {
		t.Errorf("soak: %v %ss, want 2", soak.Methods[0].All.Exposure, soak.Unit)
	}
	if n := len(physical.Trials); n != len(sensitivities)*len(minGrowths) || len(soak.Trials) != n {
		t.Errorf("%d and %d settings tried", n, len(soak.Trials))
	}
	c := r.Choice
	if c.Basis != byFolds || c.Folds != 4 || c.Judged.Exposure != own.Exposure || c.Setting.Sensitivity < 1 {
		t.Errorf("choice %+v", c)
	}
	// exp(-.1*39.99) is the chance of no alarm in so many days of a process with one in ten.
	if want := 1 - math.Exp(-days/10); math.Abs(c.Confidence-want) > 1e-6 {
		t.Errorf("confidence %v, want %v", c.Confidence, want)
	}
}

func TestRunIsTheSameForAnyWorkers(t *testing.T) {
	g := generate.Options{Seed: 3, PerFamily: 1, Interval: 10 * time.Minute,
		Span: generate.Range{Min: day, Max: 3 * day}, Ceilings: true}
	other := g
	other.Seed, other.Ranges = 4, generate.Report
	var want string
	for _, workers := range []int{1, 2, 9} {
		o := options(t, nil)
		o.Search, o.Report, o.Workers = Generated(g), Generated(other), workers
		r := mustRun(t, o)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "":
			want = string(text)
			if !r.HeldOut || r.Choice.Basis != byReport || r.Groups[0].Methods[0].Plain == nil ||
				r.Recordings != len(generate.Families()) {
				t.Errorf("choice %+v on %d recordings", r.Choice, r.Recordings)
			}
		case want != string(text):
			t.Errorf("%d workers: (-want +got)\n%s", workers, cmp.Diff(want, string(text)))
		}
	}
}

// A configuration with a soak setting is measured in it.
func TestRunSoakOfConfig(t *testing.T) {
	o := options(t, mixed()[7:])
	o.Config.Adaptive.Soak = time.Hour
	r := mustRun(t, o)
	if len(r.Groups) != 1 || r.Groups[0].SoakSeconds != 3600 || r.Choice.Basis != withoutBasis {
		t.Errorf("%d groups, choice %+v", len(r.Groups), r.Choice)
	}
}

// What a set cannot tell is said.
func TestRemarks(t *testing.T) {
	healthy := made("h", "p", 3*day, 5*time.Minute, swinging)
	late := leak(made("l", "p", 3*day, 5*time.Minute, leaking), day)
	whole := leak(made("w", "p", 3*day, 5*time.Minute, leaking), 0)
	unknown := made("u", "p", 3*day, 5*time.Minute, swinging)
	unknown.Unknown = true
	tests := map[string]struct {
		recs []*dataset.Recording
		want []string // in the text
		not  string
	}{
		"healthy": {[]*dataset.Recording{healthy},
			[]string{"Nothing leaks in these recordings: recall, delay and precision cannot be said.",
				"False alarms by sensitivity"}, "Leaks found"},
		"leaking": {[]*dataset.Recording{late},
			[]string{"All of these recordings leak: false alarms are counted before the leaks only, in 1"}, ""},
		"leaking from the begin": {[]*dataset.Recording{whole},
			[]string{"false alarms cannot be said", "There is no healthy time under physical time constants"}, ""},
		"unlabelled": {[]*dataset.Recording{unknown},
			[]string{"They are taken as healthy", "A month of this very process",
				"sensitivity 1 and least_growth 0.2 can stay"}, "Leaks found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := options(t, tt.recs)
			o.Unlabelled = tt.recs[0].Unknown
			var b strings.Builder
			if err := mustRun(t, o).WriteText(&b, true); err != nil {
				t.Fatal(err)
			}
			text := strings.Join(strings.Fields(b.String()), " ")
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
			if tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("%q in\n%s", tt.not, b.String())
			}
		})
	}
}

// TestUnlabelled: the extension of a process whose climbs come back by steps gives alarms only to the impatient, and
// never calls for more than is in force on the word of a few days.
func TestUnlabelled(t *testing.T) {
	r := made("u", "p", 4*day, 5*time.Minute, swinging)
	r.Unknown = true
	o := options(t, []*dataset.Recording{r})
	o.Unlabelled = true
	got := mustRun(t, o)
	if len(got.Months) != len(sensitivities) {
		t.Fatalf("%d months", len(got.Months))
	}
	for _, m := range got.Months {
		if m.Alarms.Value != 0 || math.Abs(m.Exposure-minMonths*30) > 1 {
			t.Errorf("%v: %v alarms a month in %v days", m.Setting, m.Alarms, m.Exposure)
		}
	}
	c := got.Choice
	if c.Setting != got.InForce || c.Allowed == nil || c.Allowed.Sensitivity != 6 || c.Basis != byExtension ||
		math.Abs(c.Judged.Exposure-4) > 0.01 {
		t.Errorf("choice %+v, allowed %v", c, c.Allowed)
	}

	short := made("short", "p", 20*time.Minute, time.Minute, swinging)
	short.Unknown = true
	o.Search = Of([]*dataset.Recording{short})
	got = mustRun(t, o)
	if len(got.Months) != 0 || len(got.Skipped) != 1 || got.Choice.Setting != got.InForce {
		t.Errorf("months %v, skipped %v, choice %+v", got.Months, got.Skipped, got.Choice)
	}
}

// TestInterrupted ends the run within each pass.
func TestInterrupted(t *testing.T) {
	recs := mixed()
	for pass := range 2 {
		t.Run(fmt.Sprint("pass ", pass), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := options(t, recs)
			o.Workers = 1
			begun := 0
			o.Search.All = func(yield func(*dataset.Recording) bool) {
				begun++
				for i, r := range recs {
					if begun == pass+1 && i == 3 {
						cancel()
					}
					if !yield(r) {
						return
					}
				}
			}
			r, err := Run(ctx, o, &Meter{})
			if !errors.Is(err, context.Canceled) || !r.Interrupted || r.Choice != nil {
				t.Fatalf("error %v, choice %v", err, r.Choice)
			}
			if pass == 0 && (r.Recordings == 0 || r.Recordings == len(recs) || r.Groups[0].Trials != nil) ||
				pass == 1 && (r.Recordings != len(recs) || len(r.Groups[0].Trials) == 0) {
				t.Errorf("%d recordings, groups %+v", r.Recordings, r.Groups)
			}
			var b strings.Builder
			if err := r.WriteText(&b, false); err != nil || !strings.Contains(b.String(), "PARTIAL: interrupted.") {
				t.Errorf("%v\n%s", err, b.String())
			}
			if !strings.Contains(page(t, r), "PARTIAL: interrupted.") {
				t.Error("the page does not say that it is partial")
			}
		})
	}
}

func TestThinned(t *testing.T) {
	r := made("r", "p", 100*time.Second, time.Second, func(h float64) float64 { return math.Round(h * 3600) })
	r.Series = append(r.Series, dataset.Series{Resource: sampler.CPUSeconds, Values: r.Series[0].Values},
		dataset.Series{Resource: sampler.GCCycles, Values: r.Series[0].Values})
	for i := range 3 {
		r.Starts = append(r.Starts, dataset.Mark[time.Time]{From: []int{0, 31, 35}[i], Value: time.Unix(int64(i+1), 0)})
	}
	r.Ceilings = []dataset.Mark[[]sampler.Ceiling]{{From: 99, Value: nil}}
	got := thinned(r, 30*time.Second, "")
	values := []float64{0, 29, 58, 87} // a step of 29 is near enough to 30
	want := &dataset.Recording{
		Name: "r", Program: "p",
		Times:  []int64{r.Times[0], r.Times[29], r.Times[58], r.Times[87]},
		Starts: []dataset.Mark[time.Time]{{From: 0, Value: time.Unix(1, 0)}, {From: 2, Value: time.Unix(3, 0)}},
		Series: []dataset.Series{{Resource: sampler.Goroutines, Values: values},
			{Resource: sampler.CPUSeconds, Values: values}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if same := thinned(r, time.Second, ""); !slices.Equal(same.Times, r.Times) {
		t.Errorf("%d of %d samples are left at their own interval", len(same.Times), len(r.Times))
	}
}
