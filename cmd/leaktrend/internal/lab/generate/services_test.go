package generate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const servicesEach = 6

// drawn calls f with services as they are drawn, before they are sampled.
func drawn(t *testing.T, family string, f func(t *testing.T, p *service)) {
	t.Helper()
	i := slices.IndexFunc(services, func(f serviceFamily) bool { return f.Name == family })
	if i < 0 {
		t.Fatalf("no service %s", family)
	}
	t.Run(family, func(t *testing.T) {
		for index := range servicesEach {
			for _, half := range []Split{Tune, Report} {
				f(t, newService(Options{Seed: 5, Ranges: half, Interval: 10 * time.Minute}, &services[i], index))
			}
		}
	})
}

func (p *service) lasts(life int) float64 { return float64(p.until(life)-p.lives[life].from) * p.dt }

func TestServiceIsTheSameAgain(t *testing.T) {
	for _, f := range services {
		o := Options{Seed: 7, Interval: time.Hour}
		r, lives := Service(o, f.Name, 3)
		again, livesAgain := Service(o, f.Name, 3)
		if diff := cmp.Diff(r, again, cmpopts.EquateNaNs()) + cmp.Diff(lives, livesAgain); diff != "" {
			t.Errorf("%s: %s", f.Name, diff)
		}
		o.Seed = 8
		if other, _ := Service(o, f.Name, 3); cmp.Equal(r.Series, other.Series, cmpopts.EquateNaNs()) {
			t.Errorf("%s: the seed does not matter", f.Name)
		}
	}
}

// What is said of lives agrees with the recording: they follow one another, and the start of each is known that has a
// sample.
func TestLivesOfServices(t *testing.T) {
	for _, f := range services {
		for index := range servicesEach {
			r, lives := Service(Options{Seed: 5, Interval: 10 * time.Minute}, f.Name, index)
			if days := r.Days(); days < 13.9 || days > 60.1 {
				t.Errorf("%s: %.1f days", r.Name, days)
			}
			sample, starts, leaks := 0, r.Starts, false
			for _, l := range lives {
				if l.From != sample || l.To < l.From || l.Version == "" {
					t.Fatalf("%s: life %+v, where sample %d is next", r.Name, l, sample)
				}
				if sample = l.To; l.From == l.To {
					continue
				}
				if len(starts) == 0 || starts[0].From != l.From || !starts[0].Value.Equal(l.Start) {
					t.Fatalf("%s: life %+v, known starts %+v", r.Name, l, starts)
				}
				starts = starts[1:]
				if l.Leaks && !leaks {
					leaks = true
					if late := r.Times[l.From] - r.Series[0].Truth.From; late < 0 || late > int64(2*time.Hour) {
						t.Errorf("%s: leaks from %v, in a life from %v", r.Name, r.Series[0].Truth.From,
							r.Times[l.From])
					}
				}
			}
			if sample != len(r.Times) || len(starts) != 0 || leaks != f.Leaks || leaks != r.Series[0].Truth.Leaks {
				t.Errorf("%s: %d of %d samples, %d starts left, leaks: %v", r.Name, sample, len(r.Times), len(starts),
					leaks)
			}
		}
	}
}

// Services that are deployed each day have lives of a day; where only weekdays are, those of weekends last three.
func TestSchedules(t *testing.T) {
	for family, want := range map[string]struct{ max, longest float64 }{
		"cache_daily": {24, 24}, "first_mornings": {24, 24}, "cache_weekdays": {24, 72},
		"long_warm_up_weekdays": {24, 72}, "slow_cache_weekly": {168, 168},
	} {
		drawn(t, family, func(t *testing.T, p *service) {
			var lasted []float64
			for k := 1; k+1 < len(p.lives); k++ { // the first and the last one are cut off
				lasted = append(lasted, p.lasts(k))
			}
			slices.Sort(lasted)
			if median, longest := lasted[len(lasted)/2], lasted[len(lasted)-1]; math.Abs(median-want.max) > 3 ||
				math.Abs(longest-want.longest) > 3 {
				t.Errorf("lives of %.1f h", lasted)
			}
		})
	}
}

// A leak of one rate adds it to the level in each life of a day.
func TestPaceOfDailyLeaks(t *testing.T) {
	for family, rate := range map[string]float64{
		"daily_leak_10": .1, "daily_leak_20": .2, "daily_leak_30": .3, "daily_leak_50": .5, "daily_leak_80": .8,
	} {
		drawn(t, family, func(t *testing.T, p *service) {
			leaking := 0
			for k := range p.lives {
				from, to := p.lives[k].from, p.until(k)
				if to-from < 2 {
					continue
				}
				grew := p.leak.amount[to-1] - p.leak.amount[from]
				if !p.lives[k].leaks {
					if grew != 0 {
						t.Errorf("life %d does not leak and loses %.3f", k, grew)
					}
					continue
				}
				leaking++
				if perDay := grew * 24 / (float64(to-1-from) * p.dt); perDay < .94*rate || perDay > 1.32*rate {
					t.Errorf("life %d loses %.3f a day", k, perDay)
				}
			}
			if leaking < 6 {
				t.Errorf("only %d of %d lives leak", leaking, len(p.lives))
			}
		})
	}
}

// fills returns how much of a life's growth the second half of it holds.
func (p *service) fills(k int) float64 {
	from, to := p.lives[k].from, p.until(k)
	n := (to - from) / 10
	begin, middle, end := mean(p.healthy[from:from+n]), mean(p.healthy[(from+to-n)/2:(from+to+n)/2]),
		mean(p.healthy[to-n:to])
	return (end - middle) / (end - begin)
}

// A cache that weekday deploys cut off is full before the weekend is over; one that daily deploys cut off is not.
func TestCachesThatAreCutOff(t *testing.T) {
	shares := func(family string, low, high float64) []float64 {
		var all []float64
		drawn(t, family, func(t *testing.T, p *service) {
			for k := 1; k+1 < len(p.lives); k++ {
				if lasts := p.lasts(k); lasts >= low && lasts <= high {
					all = append(all, p.fills(k))
				}
			}
		})
		slices.Sort(all)
		return all
	}
	median := func(v []float64) float64 { return v[len(v)/2] }
	if weekend := shares("cache_weekdays", 60, 80); median(weekend) > .25 {
		t.Errorf("of weekends the second half holds %.2f", median(weekend))
	}
	for _, family := range []string{"cache_weekdays", "cache_daily", "slow_cache_weekdays"} {
		if days := shares(family, 20, 28); median(days) < .3 || median(days) > .6 {
			t.Errorf("%s: of days the second half holds %.2f", family, median(days))
		}
	}
	if stopped := shares("growth_that_stops", 60, 80); median(stopped) > .1 {
		t.Errorf("growth that stops: of weekends the second half holds %.2f", median(stopped))
	}
}

func TestCrashLoops(t *testing.T) {
	for _, family := range []string{"crash_loops", "crash_loop_leak"} {
		drawn(t, family, func(t *testing.T, p *service) {
			short := 0
			for k := range p.lives {
				if p.lasts(k) <= .3 {
					short++
				}
			}
			if short < 5 {
				t.Errorf("only %d of %d lives are short", short, len(p.lives))
			}
		})
	}
}

// One version leaks, whatever the others do, and it is not there from the begin.
func TestVersionThatLeaks(t *testing.T) {
	drawn(t, "version_leak", func(t *testing.T, p *service) {
		leaks := map[string]bool{}
		for _, l := range p.lives {
			if was, known := leaks[l.version]; known && was != l.leaks {
				t.Errorf("only some lives of version %s leak", l.version)
			}
			leaks[l.version] = l.leaks
		}
		n := 0
		for _, leaking := range leaks {
			if leaking {
				n++
			}
		}
		if n != 1 || p.lives[0].leaks || len(leaks) < 3 {
			t.Errorf("%d of %d versions leak", n, len(leaks))
		}
	})
}

// A life is killed when all is used, and not before.
func TestKilledAtLimit(t *testing.T) {
	drawn(t, "killed_at_limit", func(t *testing.T, p *service) {
		if len(p.leak.killed) == 0 {
			t.Error("never killed")
		}
		for _, tick := range p.leak.killed {
			if before, after := p.used(tick-1), p.used(tick); before < .8*p.limit || after > .8*p.limit {
				t.Errorf("falls from %.2f to %.2f at a limit of %.2f", before, after, p.limit)
			}
		}
	})
}

// Replicas that come and go keep the share of each within bounds, however much the load swings.
func TestAutoscaling(t *testing.T) {
	drawn(t, "autoscaling", func(t *testing.T, p *service) {
		changes := 0
		for i := 1; i < len(p.load); i++ {
			if math.Abs(p.load[i]/p.load[i-1]-1) > .07 {
				changes++
			}
		}
		sorted := slices.Sorted(slices.Values(p.load))
		if high := sorted[len(sorted)*99/100]; high > 1.4 || changes < int(p.hours()/24) {
			t.Errorf("%d changes in %.0f h, up to %.2f of a share", changes, p.hours(), high)
		}
	})
}

func TestServicesAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range slices.Concat(Services(), Families()) {
		if seen[f.Name] || f.Sentence == "" || strings.HasSuffix(f.Sentence, ".") {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
}
