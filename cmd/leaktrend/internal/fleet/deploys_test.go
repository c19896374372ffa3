package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// living is what runs on from an instant to another, of a week, with its level by the age in days.
type living struct {
	pod, version string
	from, to     int
	level        func(age float64) float64
}

func (m *memory) live(all ...living) {
	noise := rand.New(rand.NewPCG(3, 3))
	for _, l := range all {
		labels := fmt.Sprintf("job=api,instance=%s:80,pod=%s,version=%s", l.pod, l.pod, l.version)
		within := func(f func(i int) float64) []float64 {
			return values(func(i int) float64 {
				if i < l.from || i >= l.to {
					return nan
				}
				return f(i)
			})
		}
		m.add("__name__=go_goroutines,"+labels, within(func(i int) float64 {
			return math.Round(l.level(float64(i-l.from)/288) + 3*noise.NormFloat64())
		}))
		m.add("__name__=process_start_time_seconds,"+labels, within(func(int) float64 {
			return float64(week.At(l.from).Unix())
		}))
	}
}

// daily is a service of some replicas that is deployed each day, a replica after the other. The level is by the day of
// the deploy and the age in days.
func daily(replicas int, level func(day int, age float64) float64) (all []living) {
	const day = 288
	for d := range 7 {
		for i := range replicas {
			from := d*day + i
			all = append(all, living{fmt.Sprintf("api-%d-%d", d, i), fmt.Sprintf("v%d", d), from, min(from+day, week.N),
				func(age float64) float64 { return level(d, age) }})
		}
	}
	return all
}

// looping is a service of two replicas of which each runs for 18 hours, then in lives of half an hour up to the next
// day.
func looping(level func(age float64) float64) (all []living) {
	const day, runs, loop = 288, 216, 6
	for d := range 7 {
		for i := range 2 {
			from := d*day + i
			pod := func(k int) string { return fmt.Sprintf("api-%d-%d-%d", d, i, k) }
			all = append(all, living{pod(0), "v1", from, min(from+runs, week.N), level})
			for k := from + runs; k < min(from+day, week.N); k += loop {
				all = append(all, living{pod(k), "v1", k, min(k+loop, from+day), level})
			}
		}
	}
	return all
}

// What adds up over the lives of a workload, and what does not.
func TestDeploys(t *testing.T) {
	leak := func(age float64) float64 { return 200 * (1 + 3*age) }
	flat := func(float64) float64 { return 200 }
	warm := func(age float64) float64 { return 200 * (2 - math.Exp(-age*24/3)) }
	const day = 288
	for _, test := range []struct {
		name string
		all  []living
		want []string
	}{
		{"each life of each version leaks", daily(8, func(_ int, age float64) float64 { return leak(age) }), []string{
			"goroutines job=api 8/8 [v0 8/8] [v1 8/8] [v2 8/8] [v3 8/8] [v4 8/8] [v5 8/8] [v6 8/8]",
		}},
		{"a leak that begins with a version", daily(4, func(d int, age float64) float64 {
			if d < 1 {
				return flat(age)
			}
			return leak(age)
		}), []string{"goroutines job=api 4/4 [v0 0/4] [v1 4/4] [v2 4/4] [v3 4/4] [v4 4/4] [v5 4/4] [v6 4/4] first v1"}},
		{"a leak with a crash loop of hours after each day", looping(leak), []string{
			"goroutines job=api 2/2 [v1 14/14]",
		}},
		{"a leak of which the latest lives are too young to tell", func() (all []living) {
			for _, l := range daily(2, func(_ int, age float64) float64 { return leak(age) }) {
				l.from, l.to = l.from+day-18, min(l.to+day-18, week.N) // the last deploys are an hour and a half ago
				all = append(all, l)
			}
			return all
		}(), []string{"goroutines job=api 2/2 [v0 2/2] [v1 2/2] [v2 2/2] [v3 2/2] [v4 2/2] [v5 2/2]"}},
		{"rolling restarts of what is well", daily(8, func(_ int, age float64) float64 { return flat(age) }), nil},
		{"each life warms up", daily(4, func(_ int, age float64) float64 { return warm(age) }), nil},
		{"an autoscaler's pods, which warm up", func() (all []living) {
			for d := range 7 {
				for i := range 4 {
					all = append(all, living{fmt.Sprintf("api-%d-%d", d, i), "v1", d*day + 96 + 6*i, d*day + 192 + 6*i,
						warm})
				}
			}
			return append(all, living{"api-base", "v1", 0, week.N, flat})
		}(), nil},
		{"a cron job that collects what it works on, four hours a day", func() (all []living) {
			for d := range 7 {
				all = append(all, living{fmt.Sprintf("api-%d", d), "v1", d*day + 200, d*day + 248,
					func(age float64) float64 { return 200 * (1 + 6*age) }})
			}
			return all
		}(), nil},
		{"what leaked was mended by the latest version",
			append(slices.DeleteFunc(daily(4, func(_ int, age float64) float64 { return leak(age) }),
				func(l living) bool { return l.version == "v6" }), func() (all []living) {
				for i := range 4 {
					all = append(all, living{fmt.Sprintf("api-6-%d", i), "v6", 6*day + i, week.N, flat})
				}
				return all
			}()...), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{}
			m.live(test.all...)
			r, err := scanOf(t, m, nil)
			if err != nil {
				t.Fatal(err)
			}
			standing := slices.DeleteFunc(r.Findings, func(f Finding) bool { return f.Ended })
			if diff := cmp.Diff(test.want, brief(standing)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\nsuspects %q", diff, brief(r.Suspects))
			}
		})
	}
}

// Lives of a week that each end near their limit are likelier those of a leak than the same lives far from it.
func TestKilledAtTheLimit(t *testing.T) {
	const day = 288
	chance := map[string]float64{}
	for name, limit := range map[string]float64{"near": 430, "far": 100_000, "unknown": 0} {
		m := &memory{}
		for i := range 40 {
			m.add(fmt.Sprintf("__name__=process_open_fds,job=well%d,instance=a", i), constant(100))
		}
		age := func(i int) float64 { return float64(i%day) / day }
		m.add("__name__=process_open_fds,job=api,instance=a", values(func(i int) float64 {
			return math.Round(200*(1+age(i)) + float64(i*7919%5))
		}))
		m.add("__name__=process_start_time_seconds,job=api,instance=a", values(func(i int) float64 {
			return float64(week.At(i - i%day).Unix())
		}))
		if limit > 0 {
			m.add("__name__=process_max_fds,job=api,instance=a", constant(limit))
		}
		r, err := scanOf(t, m, func(o *Options) { o.Calibration = calibration.Default() })
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range slices.Concat(r.Findings, r.Suspects) {
			if f.Lives != nil {
				chance[name] = f.Chance.Mean
			}
		}
	}
	if !(chance["near"] > .95 && chance["near"] > chance["unknown"] && chance["unknown"] >= chance["far"] &&
		chance["far"] > .5) {
		t.Errorf("chances of a leak by the limit: %v", chance)
	}
}

// Pods of a service that is deployed each day have other names each day. Those before the week tell with which version
// the growth began that the lives of a week alone do not tell from a cache which each deploy cuts off; and where
// earlier ones grew as well it is not told.
func TestEarlierLives(t *testing.T) {
	const day = 288
	m := &memory{}
	level := func(job string, d int, age float64) float64 {
		if job == "since" && d < -7 {
			return 200
		}
		return 200 * (1 + .5*age)
	}
	live := func(job string, d int) (labels string, start float64) {
		return fmt.Sprintf("job=%s,instance=10.0.%d.1:80,version=v%d", job, d+30, d+30),
			float64(week.Start.Unix()) + float64(d)*aDay.Seconds()
	}
	for i := range 40 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=well%d,instance=a", i), constant(100))
	}
	for _, job := range []string{"since", "ever"} {
		for d := range 7 {
			labels, start := live(job, d)
			within := func(f func(age float64) float64) []float64 {
				return values(func(i int) float64 {
					if i < d*day || i >= (d+1)*day {
						return nan
					}
					return f(float64(i-d*day) / day)
				})
			}
			m.add("__name__=go_goroutines,"+labels, within(func(age float64) float64 {
				return math.Round(level(job, d, age) + float64(int(age*7919)%5))
			}))
			m.add("__name__=process_start_time_seconds,"+labels, within(func(float64) float64 { return start }))
		}
		for d := -21; d < 0; d++ {
			labels, start := live(job, d)
			within := func(f func(age float64) float64) func(days float64) float64 {
				return func(days float64) float64 {
					if age := -days - float64(d); age >= 0 && age < 1 {
						return f(age)
					}
					return nan
				}
			}
			m.back("__name__=go_goroutines,"+labels, within(func(age float64) float64 { return level(job, d, age) }))
			m.back("__name__=process_start_time_seconds,"+labels, within(func(float64) float64 { return start }))
		}
	}
	for history, want := range map[time.Duration]string{
		0:                    "[] and 2 suspects",
		threeWeeks + watched: "[since since v23: 1/1] and 1 suspects",
	} {
		r, err := scanOf(t, m, func(o *Options) { o.History, o.Calibration = history, calibration.Default() })
		if err != nil {
			t.Fatal(err)
		}
		found := []string{}
		for _, f := range r.Findings {
			found = append(found, fmt.Sprintf("%s since %s: %d/%d", f.Group[0].Value, f.FirstVersion, f.Growing,
				f.Replicas))
		}
		if got := fmt.Sprintf("%v and %d suspects", found, len(r.Suspects)); got != want {
			t.Errorf("history %v: %s, want %s\nfindings %q\nsuspects %q", history, got, want, brief(r.Findings),
				brief(r.Suspects))
		}
	}
}
