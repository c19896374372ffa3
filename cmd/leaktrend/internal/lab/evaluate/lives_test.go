package evaluate_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// livesEnv asks for more, as "SEED NUMBER" of services of each family, and for the figures by family: with -v, half a
// minute for each fifty on two cores. False alarms are per 1000 process-days; last comes on how many a finding held.
const livesEnv = "LEAKTREND_LIVES"

const (
	sixth = 6         // life that leaks by which a leak is to be found
	aLife = time.Hour // what is shorter is part of a crash loop, and is not counted as one of the six
)

// lived is what was decided on one service.
type lived struct {
	family              string
	firstDays, days     float64 // of healthy lives: of the first one, and of the others
	firstFalse, falsely int
	underAlarm          float64 // of the days, those on which a finding held
	leaks               int     // lives that leak and are not part of a crash loop
	found               int     // number of the first of them in which it was told; 0 = never
}

// TestLives measures the default configuration on services of many lives, on both halves of the generator's parameters:
// as a monitor that starts with each process has it, and as one that knows the lives before. A part of it:
// -run Lives/report.
func TestLives(t *testing.T) {
	seed, each := uint64(46), 1
	text := os.Getenv(livesEnv)
	if text != "" {
		if n, err := fmt.Sscan(text, &seed, &each); n != 2 || each < 1 {
			t.Fatalf("%s=%s: want a seed and a number of services: %v", livesEnv, text, err)
		}
	}
	for ranges, half := range []string{generate.Tune: "tune", generate.Report: "report"} {
		o := generate.Options{Seed: seed, PerFamily: each, Ranges: generate.Split(ranges)}
		t.Run(half+" half", func(t *testing.T) {
			if testing.Short() && o.Ranges == generate.Tune {
				t.Skip("the other half is measured")
			}
			alone, over := liveAll(t, o)
			t.Logf("seed %d, %d of each family; each life alone | over lives", seed, each)
			rate, recall := livesFigures(t, alone, over, text != "")
			if 1000*rate.Low > 2 {
				t.Errorf("%s false alarms per 1000 process-days after the first life, without the ambiguous families",
					perThousand(rate))
			}
			if recall.High < .6 {
				t.Errorf("%s of the daily leaks of 30 %% or more are found by the sixth life", percent(recall))
			}
		})
	}
}

// liveAll watches all services: each of their lives by itself, and all lives of a service.
func liveAll(t *testing.T, o generate.Options) (alone, over []lived) {
	families := generate.Services()
	alone, over = make([]lived, o.PerFamily*len(families)), make([]lived, o.PerFamily*len(families))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				r, lives := generate.Service(o, families[i/o.PerFamily].Name, i%o.PerFamily)
				for _, w := range []struct {
					forgets bool
					into    *lived
				}{{true, &alone[i]}, {false, &over[i]}} {
					firings, underAlarm := watched(t, r, lives, w.forgets)
					*w.into = livedThrough(r, lives, firings)
					w.into.underAlarm = underAlarm
				}
			}
		}()
	}
	for i := range over {
		next <- i
	}
	close(next)
	workers.Wait()
	return alone, over
}

// watched returns the alarms on a service, and on how many days of healthy lives after the first one a finding held.
// A monitor that forgets starts with each life.
func watched(t *testing.T, r *dataset.Recording, lives []generate.Life, forgets bool) (firings []evaluate.Firing,
	underAlarm float64) {
	type finding struct {
		resource string
		kind     alerting.Kind
	}
	var (
		d      *detector.Detector
		open   map[finding]bool
		sample sampler.Sample
		source = r.Source()
		k      = -1 // life
	)
	for i := 0; source.Sample(t.Context(), &sample) == nil; i++ {
		before := k
		for k+1 < len(lives) && lives[k+1].From <= i {
			k++
		}
		if d == nil || forgets && k > before {
			var err error
			if d, err = detector.New(detector.DefaultConfig()); err != nil {
				t.Error(err)
				return nil, 0
			}
			open = make(map[finding]bool)
		}
		if i > lives[k].From && k > 0 && !lives[k].Leaks && len(open) > 0 {
			underAlarm += time.Duration(r.Times[i]-r.Times[i-1]).Hours() / 24
		}
		sample.Version = lives[k].Version
		for _, e := range d.Observe(&sample) {
			f := finding{e.Resource, e.Kind}
			if e.Status != alerting.Firing {
				delete(open, f)
			} else if !open[f] {
				open[f] = true
				firings = append(firings, evaluate.Firing{Resource: e.Resource, At: e.Time.UnixNano()})
			}
		}
	}
	return firings, underAlarm
}

// livedThrough counts the alarms on a service. Every alarm in a life that does not leak is false, also one that takes
// itself back, and one in the first healthy life after the last that leaked.
func livedThrough(r *dataset.Recording, lives []generate.Life, firings []evaluate.Firing) lived {
	out := lived{family: r.Family}
	numbers := make([]int, len(lives)) // of the lives that leak
	for k, l := range lives {
		if l.From == l.To {
			continue
		}
		lasted := time.Duration(r.Times[l.To-1] - r.Times[l.From])
		switch {
		case l.Leaks && lasted >= aLife:
			out.leaks++
		case l.Leaks:
		case k == 0:
			out.firstDays = lasted.Hours() / 24
		default:
			out.days += lasted.Hours() / 24
		}
		numbers[k] = max(out.leaks, 1)
	}
	for _, f := range firings {
		i, _ := slices.BinarySearch(r.Times, f.At)
		after, _ := slices.BinarySearchFunc(lives, i+1, func(l generate.Life, next int) int {
			return cmp.Compare(l.From, next)
		})
		k := after - 1
		switch {
		case lives[k].Leaks && out.found == 0:
			out.found = numbers[k]
		case lives[k].Leaks:
		case k == 0:
			out.firstFalse++
		default:
			out.falsely++
		}
	}
	return out
}

// livesFigures prints what came of it, and returns the rate of false alarms over lives after the first one without the
// ambiguous families, and how many of the daily leaks of 30 % or more are found over lives.
func livesFigures(t *testing.T, alone, over []lived, parts bool) (rate, recall stats.Estimate) {
	if parts {
		for _, f := range generate.Services() {
			of := func(g *generate.Family) bool { return g.Name == f.Name }
			name := f.Name
			if f.Ambiguous {
				name += " (ambiguous)"
			}
			row(t, "    "+name, f.Leaks, tally(alone, of), tally(over, of))
		}
	}
	for _, sum := range []struct {
		name  string
		leaks bool
		of    func(f *generate.Family) bool
	}{
		{"healthy", false, func(f *generate.Family) bool { return !f.Leaks }},
		{"healthy, without the ambiguous families", false, func(f *generate.Family) bool {
			return !f.Leaks && !f.Ambiguous
		}},
		{"leaking", true, func(f *generate.Family) bool { return f.Leaks }},
		{"leaking 30 to 100 % each day", true, ofTarget},
	} {
		row(t, sum.name, sum.leaks, tally(alone, sum.of), tally(over, sum.of))
	}
	plain := tally(over, func(f *generate.Family) bool { return !f.Leaks && !f.Ambiguous })
	target := tally(over, ofTarget)
	return stats.PoissonRate(plain.falsely, plain.days), stats.Proportion(target.bySixth, target.withSix)
}

func ofTarget(f *generate.Family) bool {
	return slices.Contains([]string{"daily_leak_30", "daily_leak_50", "daily_leak_80"}, f.Name)
}

// row prints one line of the figures.
func row(t *testing.T, name string, leaks bool, alone, over livesTally) {
	text := fmt.Sprintf("%-42s", name)
	if leaks {
		text += fmt.Sprintf(" found by life %d: %-20s | %-20s of %3d, ever %3d | %3d of %3d, in life %2.0f | %2.0f;",
			sixth,
			percent(stats.Proportion(alone.bySixth, alone.withSix)),
			percent(stats.Proportion(over.bySixth, over.withSix)), over.withSix,
			len(alone.found), len(over.found), over.services, stats.SpreadOf(alone.found).Median,
			stats.SpreadOf(over.found).Median)
	}
	t.Logf("%s false in the first life: %3d | %3d in %5.0f days, %-18s after it: %3d | %3d in %5.0f days, %s, on "+
		"%.1f | %.1f %% of them", text,
		alone.firstFalse, over.firstFalse, over.firstDays,
		perThousand(stats.PoissonRate(over.firstFalse, over.firstDays)),
		alone.falsely, over.falsely, over.days, perThousand(stats.PoissonRate(over.falsely, over.days)),
		100*alone.underAlarm/max(alone.days, 1), 100*over.underAlarm/max(over.days, 1))
}

// livesTally is the sum over services.
type livesTally struct {
	services            int
	firstDays, days     float64
	firstFalse, falsely int
	underAlarm          float64
	withSix, bySixth    int // services with six lives that leak, and those found by then
	found               []float64
}

func tally(all []lived, in func(f *generate.Family) bool) (s livesTally) {
	families := generate.Services()
	for _, l := range all {
		if !in(&families[slices.IndexFunc(families, func(f generate.Family) bool { return f.Name == l.family })]) {
			continue
		}
		s.services++
		s.firstDays, s.days = s.firstDays+l.firstDays, s.days+l.days
		s.firstFalse, s.falsely = s.firstFalse+l.firstFalse, s.falsely+l.falsely
		s.underAlarm += l.underAlarm
		if l.leaks >= sixth {
			s.withSix++
			if l.found > 0 && l.found <= sixth {
				s.bySixth++
			}
		}
		if l.found > 0 {
			s.found = append(s.found, float64(l.found))
		}
	}
	return s
}

// TestAlarmsOfLives: what counts as found, and what as false, on four lives of ten hours of which the third and the
// fourth leak, and one of minutes between these.
func TestAlarmsOfLives(t *testing.T) {
	const hour = int64(time.Hour)
	r := &dataset.Recording{Family: "f"}
	for i := range int64(50) {
		r.Times = append(r.Times, i*hour)
	}
	r.Times = slices.Insert(r.Times, 30, 29*hour+hour/2)
	lives := []generate.Life{{From: 0, To: 10}, {From: 10, To: 20}, {From: 20, To: 30, Leaks: true},
		{From: 30, To: 30, Leaks: true},
		{From: 30, To: 31, Leaks: true}, {From: 31, To: 41, Leaks: true}, {From: 41, To: 51}}
	base := lived{family: "f", firstDays: 9. / 24, days: 18. / 24, leaks: 2}
	for _, c := range []struct {
		name    string
		firings []int64 // hours
		want    func(l *lived)
	}{
		{"none", nil, func(*lived) {}},
		{"in the first life", []int64{3, 9}, func(l *lived) { l.firstFalse = 2 }},
		{"after it", []int64{10}, func(l *lived) { l.falsely = 1 }},
		{"in the first that leaks", []int64{20}, func(l *lived) { l.found = 1 }},
		{"again in the second", []int64{29, 35}, func(l *lived) { l.found = 1 }},
		{"in the second", []int64{30}, func(l *lived) { l.found = 2 }},
		{"when it is over", []int64{39, 40}, func(l *lived) { l.found, l.falsely = 2, 1 }},
	} {
		var firings []evaluate.Firing
		for _, h := range c.firings {
			firings = append(firings, evaluate.Firing{At: h * hour})
		}
		want := base
		c.want(&want)
		if got := livedThrough(r, lives, firings); got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}
