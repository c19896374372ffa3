package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
