package fleet

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

var (
	nan   = math.NaN()
	begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	week  = prom.Grid{Start: begin, Step: calibration.Step, N: 7 * 24 * 12}
)

func values(f func(i int) float64) []float64 {
	v := make([]float64, week.N)
	for i := range v {
		v[i] = f(i)
	}
	return v
}

func constant(level float64) []float64 { return values(func(int) float64 { return level }) }

// growing grows by an amount each day, from an instant on, with some noise.
func growing(level, aDay float64, from int) []float64 {
	return values(func(i int) float64 { return level + aDay*float64(max(i-from, 0))/288 + float64(i*7919%5) })
}

// strict is a calibration in which any finding is worth a thousand.
func strict() *calibration.Table {
	c := &calibration.Table{Healthy: calibration.NewSample()}
	for i := range c.Healthy {
		c.Healthy[i].N = 999
	}
	return c
}

func scanOf(t *testing.T, server Server, change func(*Options)) (*Report, error) {
	t.Helper()
	o := Options{Grid: week, GroupBy: []string{"job", "version"}, FDR: .05, Workers: 2, Calibration: strict()}
	if change != nil {
		change(&o)
	}
	return Run(t.Context(), server, o)
}

// brief is what a finding says, without its figures.
func brief(list []Finding) (all []string) {
	for _, f := range list {
		text := f.Resource.Name
		for _, l := range f.Group {
			text += fmt.Sprintf(" %s=%s", l.Name, l.Value)
		}
		text += fmt.Sprintf(" %d/%d", f.Growing, f.Replicas)
		for _, v := range f.Versions {
			text += fmt.Sprintf(" [%s %d/%d]", v.Version, v.Growing, v.Replicas)
		}
		if f.FirstVersion != "" {
			text += " first " + f.FirstVersion
		}
		if f.Ended {
			text += " ended"
		}
		all = append(all, text)
	}
	return all
}

func TestGrouping(t *testing.T) {
	m := &memory{}
	half := week.N / 2
	until := func(v []float64, end int) []float64 {
		v = slices.Clone(v)
		for i := end; i < len(v); i++ {
			v[i] = nan
		}
		return v
	}
	from := func(v []float64, start int) []float64 {
		v = slices.Clone(v)
		for i := range start {
			v[i] = nan
		}
		return v
	}
	for i := range 5 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=api,instance=old%d,version=v1.8", i), until(constant(100), half))
		level := growing(100, 60, half)
		if i == 4 {
			level = constant(100)
		}
		m.add(fmt.Sprintf("__name__=go_goroutines,job=api,instance=new%d,version=v1.9", i), from(level, half))
		// A version that came and went, and leaked while it was there.
		m.add(fmt.Sprintf("__name__=process_open_fds,job=gone,instance=x%d,version=v1", i),
			until(growing(100, 60, 0), half))
		m.add(fmt.Sprintf("__name__=process_open_fds,job=gone,instance=x%d,version=v2", i), from(constant(100), half))
		m.add(fmt.Sprintf("__name__=process_open_fds,job=healthy,instance=x%d", i), constant(100))
	}
	// The version of one instance changes, and only a metric of its own tells it.
	m.add("__name__=process_resident_memory_bytes,job=static,instance=h:1", growing(1e9, 3e8, half))
	m.add("__name__=process_start_time_seconds,job=static,instance=h:1", values(func(i int) float64 {
		if i < half {
			return 1e9
		}
		return 2e9
	}))
	m.add("__name__=static_build_info,job=static,instance=h:1,version=1.0", until(constant(1), half))
	m.add("__name__=static_build_info,job=static,instance=h:1,version=1.1", from(constant(1), half))
	m.add("__name__=go_build_info,job=static,instance=h:1,version=v9.9", constant(1))
	// A container, whose job is the kubelet's.
	m.add("__name__=container_memory_working_set_bytes,job=kubelet,instance=n:1,namespace=shop,pod=cart-1,"+
		"container=cart,image=r:5000/cart:v7", growing(1e9, 3e8, 0))
	m.add("__name__=container_memory_working_set_bytes,job=kubelet,instance=n:1,namespace=shop,pod=cart-1,"+
		"container=POD", growing(1e9, 3e8, 0))

	r, err := scanOf(t, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"container_memory_working_set_bytes namespace=shop job=shop/cart version=v7 1/1 [v7 1/1]",
		"rss_bytes job=static version=1.1 1/1 [1.0 0/1] [1.1 1/1] first 1.1",
		"goroutines job=api version=v1.9 4/5 [v1.8 0/5] [v1.9 4/5] first v1.9",
		"open_fds job=gone version=v1 5/5 [v1 5/5] [v2 0/5] ended",
	}
	if diff := cmp.Diff(want, brief(r.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	got := *r
	got.Findings, got.Calls, got.Past = nil, nil, backtest.Table{} // the calls are those of the findings
	byResource := map[string]int{"goroutines": 2, "open_fds": 3, "rss_bytes": 2,
		"container_memory_working_set_bytes": 1}
	if diff := cmp.Diff(Report{Start: begin.Add(-calibration.Step), End: week.At(week.N - 1), FDR: .05, Processes: 27,
		Judged: 27, Hypotheses: 8, ByResource: byResource, Lengths: map[int]int{84: 6, 168: 2},
		Lives: backtest.Sums{Judged: map[string]int{}}}, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !r.Leaks() {
		t.Error("no leaks")
	}
}

func TestLives(t *testing.T) {
	half := week.N / 2
	sawtooth := growing(100, 60, 0)
	for i := half; i < week.N; i++ {
		sawtooth[i] = sawtooth[i-half]
	}
	sample := func(f func(i int) float64) []float64 { return values(f) }
	for _, test := range []struct {
		name string
		p    process
		want []int // instants at which a life begins
	}{
		{"no restart", process{}, []int{0}},
		{"start time", process{start: sample(func(i int) float64 { return 1e9 + 1e6*float64(i/half) })},
			[]int{0, half}},
		{"start time with jitter", process{start: sample(func(i int) float64 { return 1e9 + float64(i%3) })}, []int{0}},
		{"start time wins over processor time", process{start: constant(1e9), cpu: sample(func(i int) float64 {
			return float64(i % half)
		})}, []int{0}},
		{"processor time", process{cpu: sample(func(i int) float64 { return float64(i % half) })}, []int{0, half}},
		{"up", process{up: sample(func(i int) float64 {
			if i == half-1 {
				return 0
			}
			return 1
		})}, []int{0, half - 1}},
		{"a gap in up", process{up: sample(func(i int) float64 {
			if i == half {
				return nan
			}
			return 1
		})}, []int{0, half}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.p.readings = []reading{{resource: "goroutines", values: sawtooth}}
			var got []int
			for _, l := range test.p.judge(week, calibration.Judgment()) {
				got = append(got, int(l.first.Sub(begin)/calibration.Step))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What stands when a process ends counts; what took itself back does not.
func TestStandingGrowth(t *testing.T) {
	ended := process{readings: []reading{{resource: "goroutines", values: values(func(i int) float64 {
		if i > week.N/2 {
			return nan
		}
		return growing(100, 60, 0)[i]
	})}}}
	lives := ended.judge(week, calibration.Judgment())
	if len(lives) != 1 || !lives[0].ends || calibration.Score(&lives[0].statuses[0]) < 20 ||
		lives[0].lines["goroutines"] == nil {
		t.Errorf("%+v", lives)
	}
	returned := process{readings: []reading{{resource: "goroutines", values: values(func(i int) float64 {
		if i > week.N*3/4 {
			return 100
		}
		return growing(100, 60, 0)[i]
	})}}}
	lives = returned.judge(week, calibration.Judgment())
	if len(lives) != 1 || lives[0].ends || calibration.Score(&lives[0].statuses[0]) != 0 ||
		lives[0].statuses[0].Leaks == 0 {
		t.Errorf("%+v", lives)
	}
}

func TestCeilingsAndLoad(t *testing.T) {
	m := &memory{}
	m.add("__name__=process_open_fds,job=a,instance=1", growing(100, 90, 0))
	m.add("__name__=process_max_fds,job=a,instance=1", constant(1000))
	// It follows the requests of its target.
	rising := values(func(i int) float64 { return float64(i) })
	m.add("__name__=process_resident_memory_bytes,job=b,instance=1", values(func(i int) float64 {
		return 1e9 + 1e6*rising[i]
	}))
	m.add("__name__=requests_total,job=b,instance=1", rising)
	r, err := scanOf(t, m, func(o *Options) { o.Load = "requests_total" })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open_fds job=a version= 1/1 [ 1/1]"}, brief(r.Findings)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"rss_bytes job=b version= 1/1"}, brief(r.Suspects)); diff != "" {
		t.Fatalf("suspects (-want +got):\n%s", diff)
	}
	if kept := r.Suspects[0].Worst.Evidence.LoadShare; !(kept < .1) {
		t.Errorf("at constant load %v of the rate is said to remain", kept)
	}
	if e := r.Findings[0].Worst.Exhaustion; e == nil || e.Limit != 1000 || e.Source != "process_max_fds" {
		t.Errorf("exhaustion %+v", e)
	}
	m.add("__name__=process_open_fds,job=full,instance=1", constant(950))
	m.add("__name__=process_max_fds,job=full,instance=1", constant(1000))
	if r, err = scanOf(t, m, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open_fds job=full version= 1/1"}, brief(r.Limits)); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
}

func TestMatches(t *testing.T) {
	m := &memory{}
	m.add("__name__=queue_length,job=a,instance=1,queue=x", growing(100, 100, 0))
	m.add("__name__=queue_length,job=a,instance=1,queue=y", constant(100))
	m.add("__name__=jobs_total,job=a,instance=1", growing(100, 100, 0))
	m.add("__name__=go_goroutines,job=a,instance=1", growing(100, 100, 0))
	m.add("__name__=process_start_time_seconds,job=a,instance=1", constant(1e9))
	m.add("__name__=queue_depth,job=a,instance=1", growing(100, 100, 0))
	m.add("__name__=lonely,team=b", growing(100, 100, 0)) // of no job and no instance
	// The kubelet starts anew each day, its containers do not.
	m.add("__name__=container_sockets,job=kubelet,instance=n:1,namespace=shop,pod=p,container=cart,image=r/cart:v7",
		growing(100, 100, 0))
	m.add("__name__=process_start_time_seconds,job=kubelet,instance=n:1", values(func(i int) float64 {
		return float64(86400 * (i / 288))
	}))
	for _, test := range []struct {
		matches, groupBy []string
		want             []string
		processes        int
		missing          []Missing
	}{
		{[]string{`queue_length`}, []string{"job", "queue"}, []string{"queue_length job=a queue=x 1/1"}, 2, nil},
		{[]string{`{__name__="queue_length",queue="y"}`}, []string{"job"}, nil, 1, nil},
		{[]string{`queue_length{queue=~"x|y",}`}, []string{"job"}, []string{"queue_length job=a 1/2"}, 2, nil},
		{[]string{`go_goroutines{job="a"}`, "lonely"}, []string{"job"},
			[]string{"goroutines job=a 1/1", "lonely job= 1/1"}, 2, nil},
		{[]string{`jobs_total`}, []string{"job"},
			nil, 0, []Missing{{Label{"job", "a"}, `job "a"`, "only counters and context match: jobs_total", 0, false}}},
		// Where selectors overlap, a series counts once.
		{[]string{`queue_length{queue="x"}`, `{__name__=~"queue_l.*|lonely"}`, `queue_length{queue!="y"}`},
			[]string{"job"},
			[]string{"lonely job= 1/1", "queue_length job=a 1/2"}, 3, nil},
		// A process is one, whatever is selected of it.
		{[]string{`go_goroutines`, `queue_depth`}, []string{"job"},
			[]string{"goroutines job=a 1/1", "queue_depth job=a 1/1"}, 1, nil},
		{[]string{`{__name__=~"container_.*|queue_depth"}`}, []string{"job", "version"},
			[]string{"container_sockets namespace=shop job=shop/cart version=v7 1/1 [v7 1/1]",
				"queue_depth job=a version= 1/1 [ 1/1]"}, 2, nil},
	} {
		r, err := scanOf(t, m, func(o *Options) { o.Matches, o.GroupBy = test.matches, test.groupBy })
		if err != nil {
			t.Fatal(err)
		}
		got := brief(r.Findings)
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v: findings (-want +got):\n%s", test.matches, diff)
		}
		if r.Processes != test.processes {
			t.Errorf("%v: %d processes, want %d", test.matches, r.Processes, test.processes)
		}
		if diff := cmp.Diff(test.missing, r.Missing); diff != "" {
			t.Errorf("%v: missing (-want +got):\n%s", test.matches, diff)
		}
	}
}

func TestSelectors(t *testing.T) {
	for text, want := range map[string]string{
		`up`:                      `{__name__="up"}`,
		`up{}`:                    `{__name__="up"}`,
		` up { job="a" , } `:      `{__name__="up",job="a"}`,
		`{__name__=~"a|b"}`:       `{__name__=~"a|b"}`,
		`a:b{c="}"}`:              `{__name__="a:b",c="}"}`,
		`sum(up)`:                 "",
		`up[5m]`:                  "",
		``:                        "",
		`{}`:                      "",
		`up{job="a"} or down`:     "",
		`up{job="a"} offset 5m`:   "",
		`rate(up{job="a"}[5m])`:   "",
		`up{job="a"`:              "",
		`1 + up`:                  "",
		`{job="a",le!="+Inf",  }`: `{job="a",le!="+Inf"}`,
	} {
		s, err := parseSelector(text)
		got := ""
		if err == nil {
			got = s.with()
		}
		if got != want {
			t.Errorf("%q becomes %q (%v), want %q", text, got, err, want)
		}
	}
}

// The result does not depend on how many work at it.
func TestWorkersDoNotChangeTheReport(t *testing.T) {
	m := &memory{}
	for i := range 30 {
		m.add(fmt.Sprintf("__name__=process_open_fds,job=a,instance=%d", i), growing(100, 100, 0))
	}
	var reports []*Report
	for _, workers := range []int{1, 7} {
		r, err := scanOf(t, m, func(o *Options) { o.Workers = workers })
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	if diff := cmp.Diff(reports[0], reports[1], cmp.AllowUnexported(Replica{}), cmp.Comparer(func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-9*math.Abs(a)
	}),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Line" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-one +seven):\n%s", diff)
	}
}

func TestVersionOf(t *testing.T) {
	for _, test := range []struct {
		labels map[string]string
		want   string
	}{
		{map[string]string{}, ""},
		{map[string]string{"version": "1", "image": "x:2"}, "1"},
		{map[string]string{"image": "registry:5000/shop/cart:v7"}, "v7"},
		{map[string]string{"image": "registry:5000/shop/cart"}, ""},
		{map[string]string{"image": "cart:v7@sha256:0123456789abcdef"}, "v7"},
		{map[string]string{"image": "cart@sha256:0123456789abcdef"}, "0123456789ab"},
		{map[string]string{"app_kubernetes_io_version": "3"}, "3"},
	} {
		if got := versionOf(test.labels); got != test.want {
			t.Errorf("%v: %q, want %q", test.labels, got, test.want)
		}
	}
}

// What was not found again is gone only where it would have been read.
func TestCovers(t *testing.T) {
	of := func(group []string, labels map[string]string) *Finding {
		f := &Finding{Worst: Replica{Labels: labels}}
		for _, name := range group {
			f.Group = append(f.Group, Label{name, ""})
		}
		return f
	}
	api := map[string]string{"job": "api", "instance": "a:1"}
	byJob := []string{"job", "version"}
	for _, test := range []struct {
		name    string
		missing []Missing
		finding *Finding
		want    bool
	}{
		{"nothing missing", nil, of(byJob, api), true},
		{"anything may be missing", []Missing{{What: "all"}}, of(byJob, api), false},
		{"the load", []Missing{{What: "requests_total", Load: true}}, of([]string{"team"}, api), true},
		{"its job", []Missing{{Of: Label{"job", "api"}}}, of(byJob, api), false},
		{"another job", []Missing{{Of: Label{"job", "db"}}, {Of: Label{"namespace", "shop"}}}, of(byJob, api), true},
		{"another job, and its own", []Missing{{Of: Label{"job", "db"}}, {Of: Label{"job", "api"}}}, of(byJob, api),
			false},
		{"its namespace", []Missing{{Of: Label{"namespace", "shop"}}},
			of(byJob, map[string]string{"job": "kubelet", "namespace": "shop"}), false},
		{"another job, where a group may have several", []Missing{{Of: Label{"job", "db"}}}, of([]string{"team"}, api),
			false},
	} {
		test.finding.Worst.Last = begin
		if got := (&Report{Start: begin, Missing: test.missing}).Covers(test.finding); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if !(&Report{Start: begin.Add(1), Missing: test.missing}).Covers(test.finding) {
			t.Errorf("%s: holds what ended before the scan", test.name)
		}
	}
}
