package fleet

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// A load that is named turns growth with it into a suspect, hides no leak, and lets one be seen that it covers.
func TestLoad(t *testing.T) {
	const leak, none = "leak", "none"
	days := func(i int) float64 { return float64(i) / 288 }
	flat := func(i int) float64 { return 100 }
	cycle := func(i int) float64 { return 100 * (1 + .5*math.Sin(2*math.Pi*days(i))) }
	ramp := func(i int) float64 { return 100 * (1 + days(i)/3) }
	steps := func(i int) float64 { return 100 * (1 + math.Floor(days(i))/3) }
	swinging := func(i int) float64 { return cycle(i) * ramp(i) / 100 }
	for _, test := range []struct {
		name          string
		load, value   func(i int) float64 // requests per second, and 10 MB
		without, with string
	}{
		{"follows a ramp", ramp, func(i int) float64 { return 2 * ramp(i) }, leak, "with load"},
		{"follows a ramp, over a base", ramp, func(i int) float64 { return 100 + 2*ramp(i) }, leak, "with load"},
		{"follows daily steps", steps, func(i int) float64 { return 2 * steps(i) }, leak, "with load"},
		{"leaks at a flat load", flat, func(i int) float64 { return 2*flat(i) + 30*days(i) }, leak, leak},
		// The evidence is in the minimums, which swing: enough where the load is known.
		{"leaks below a load that swings", cycle, func(i int) float64 {
			return 2*cycle(i) + 40*days(i)
		}, none, leak},
		{"leaks on a ramp that it follows", ramp, func(i int) float64 { return 2*ramp(i) + 60*days(i) }, leak, leak},
		{"leaks on a swinging ramp that it follows", swinging, func(i int) float64 {
			return 2*swinging(i) + 60*days(i)
		}, leak, leak},
		{"leaks beside a swinging ramp that it does not follow", swinging, func(i int) float64 {
			return 200 + 30*days(i)
		}, leak, leak},
		{"healthy", ramp, func(i int) float64 { return 200 }, none, none},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		m := &memory{}
		m.add("__name__=process_resident_memory_bytes,job=a,instance=1", values(func(i int) float64 {
			return 1e7 * test.value(i) * (1 + .02*r.NormFloat64())
		}))
		m.add("__name__=requests_total,job=a,instance=1", values(func(i int) float64 {
			return test.load(i) * (1 + .05*r.NormFloat64())
		}))
		verdict := func(load string) string {
			r, err := scanOf(t, m, func(o *Options) { o.Load, o.Calibration = load, calibration.Default() })
			if err != nil || len(r.Missing) > 0 {
				t.Fatal(err, r.Missing)
			}
			switch {
			case len(r.Findings) == 1:
				return leak
			case len(r.Suspects) == 1 && r.Suspects[0].WithLoad:
				return "with load"
			case len(r.Suspects) == 1:
				return "suspect"
			}
			return none
		}
		if got := verdict(""); got != test.without {
			t.Errorf("%s, load not named: %s, want %s", test.name, got, test.without)
		}
		if got := verdict("requests_total"); got != test.with {
			t.Errorf("%s: %s, want %s", test.name, got, test.with)
		}
	}
}

// The load of a pod is that of its containers.
func TestLoadOfContainers(t *testing.T) {
	ramp := values(func(i int) float64 { return 100 + float64(i)/10 })
	m := &memory{}
	m.add("__name__=container_memory_working_set_bytes,job=kubelet,instance=n:1,namespace=shop,pod=cart-1,"+
		"container=cart",
		values(func(i int) float64 { return 1e7 * (ramp[i] + float64(i*7919%5)/5) }))
	m.add("__name__=requests_total,job=cart,instance=p:1,namespace=shop,pod=cart-1", ramp)
	r, err := scanOf(t, m, func(o *Options) { o.Load = "requests_total" })
	if err != nil || len(r.Missing) > 0 {
		t.Fatal(err, r.Missing)
	}
	want := []string{"container_memory_working_set_bytes namespace=shop job=shop/cart version= 1/1"}
	if diff := cmp.Diff(want, brief(r.Suspects)); diff != "" || len(r.Findings) > 0 {
		t.Errorf("suspects (-want +got):\n%s\nfindings %q", diff, brief(r.Findings))
	}
}

// A gauge named load is one like any other.
func TestGaugeNamedLoad(t *testing.T) {
	m := &memory{}
	m.add("__name__=load,job=a,instance=1", growing(100, 100, 0))
	m.add("__name__=requests_total,job=a,instance=1", constant(5))
	for _, load := range []string{"", "requests_total"} {
		r, err := scanOf(t, m, func(o *Options) { o.Matches, o.Load = []string{"load"}, load })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"load job=a version= 1/1 [ 1/1]"}, brief(r.Findings)); diff != "" {
			t.Errorf("load %q: findings (-want +got):\n%s", load, diff)
		}
	}
}

// A load that nothing has is told, and what is judged is judged without it.
func TestLoadThatNothingHas(t *testing.T) {
	m := &memory{}
	m.add("__name__=process_open_fds,job=a,instance=1", growing(100, 100, 0))
	r, err := scanOf(t, m, func(o *Options) { o.Load = "requests_totl" })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open_fds job=a version= 1/1 [ 1/1]"}, brief(r.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Missing{{What: "requests_totl", Why: "no target that was judged has this load", Load: true}},
		r.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestGoesWithLoad(t *testing.T) {
	up := values(func(i int) float64 { return 100 + float64(i) })
	end := week.At(week.N - 1)
	unknown := values(func(int) float64 { return nan })
	half := values(func(i int) float64 {
		if i > week.N/2 {
			return nan
		}
		return up[i]
	})
	for _, test := range []struct {
		name         string
		values, load []float64
		from         time.Time
		want         bool
	}{
		{"in proportion", up, up, begin, true},
		{"at a load of none", up, constant(0), begin, false},
		{"at a constant load", up, constant(5), begin, false},
		{"at a falling load", up, values(func(i int) float64 { return 5000 - float64(i) }), begin, false},
		{"load not known", up, unknown, begin, false},
		{"load known for a half", up, half, begin, true},
		{"from an instant on", up, up, end.Add(-13 * time.Hour), true},
		{"too short", up, up, end.Add(-10 * time.Hour), false},
	} {
		if got := goesWithLoad(test.values, test.load, week, test.from, end); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
