package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// A single target of which even a moment is too much for one query is read by the values of its labels, and judged as
// it is where the server answers everything at once.
func TestTargetOfManySeries(t *testing.T) {
	m := &memory{}
	earlier := &memory{}
	const target = "job=queues,instance=broker:9"
	for i := range 5 {
		for k := range 4 {
			level := constant(100)
			if i == k {
				level = growing(100, 60, 0)
			}
			labels := fmt.Sprintf("%s,queue=q%d,shard=s.%d", target, i, k)
			m.add("__name__=depth,"+labels, level)
			m.add("__name__=depth,"+labels+",prometheus_replica=b", level)
			earlier.add("__name__=depth,"+labels, constant(100))
		}
	}
	// What lacks the labels, and one that lacks one of them. The start is that of the target; a queue has one of its
	// own.
	m.add("__name__=connections,"+target, growing(100, 60, 0))
	m.add("__name__=depth,"+target+",queue=dead", growing(100, 60, 0))
	m.add("__name__=process_start_time_seconds,"+target, constant(1e9))
	m.add("__name__=process_start_time_seconds,"+target+",queue=q1,shard=s.1", values(func(i int) float64 {
		return 1e9 + 86400*float64(i/288)
	}))
	m.add("__name__=depth,job=other,instance=a", constant(100))
	m.before = earlier.series
	scan := func(limit int) *Report {
		m.queries, m.refused = nil, 0
		m.fail = func(query string) error {
			if strings.Contains(query, "over_time") &&
				len(selected(m.series, strings.Split(query, " or ")...)) > limit {
				return prom.ErrTooLarge
			}
			return nil
		}
		r, err := scanOf(t, m, func(o *Options) {
			o.Matches, o.GroupBy, o.History = []string{"depth", "connections"}, []string{"job", "queue", "shard"},
				14*24*time.Hour
		})
		if err != nil || len(r.Missing) > 0 {
			t.Fatalf("limit of %d: %v, missing %v", limit, err, r.Missing)
		}
		return r
	}
	type outcome struct {
		Processes, Hypotheses int
		Back                  time.Duration
		Findings, Suspects    []string
	}
	of := func(r *Report) outcome {
		o := outcome{r.Processes, r.Hypotheses, r.Back, brief(r.Findings), brief(r.Suspects)}
		slices.Sort(o.Findings)
		slices.Sort(o.Suspects)
		return o
	}
	want := of(scan(1000))
	if len(want.Findings) != 5 || want.Processes != 23 {
		t.Fatalf("%+v", want)
	}
	for _, limit := range []int{15, 3} {
		if diff := cmp.Diff(want, of(scan(limit))); diff != "" {
			t.Errorf("limit of %d (-without +with):\n%s", limit, diff)
		}
		if m.refused == 0 || m.refused > len(m.queries)/3 {
			t.Errorf("limit of %d: %d of %d queries were refused", limit, m.refused, len(m.queries))
		}
	}
}

// What a label tells apart that all series have with one value, or not at all, is divided too.
func TestTargetOfWhichSomeSeriesLackALabel(t *testing.T) {
	m := &memory{}
	const target = "__name__=depth,job=queues,instance=broker:9"
	m.add(target+",vhost=a", growing(100, 60, 0))
	m.add(target, constant(100))
	m.add(target+",vhost=a,durable=yes", constant(100))
	m.fail = func(query string) error {
		if strings.Contains(query, "over_time") && len(selected(m.series, query)) > 1 {
			return prom.ErrTooLarge
		}
		return nil
	}
	r, err := scanOf(t, m, func(o *Options) { o.Matches = []string{"depth"} })
	if err != nil || r.Processes != 3 || len(r.Findings) != 1 || len(r.Missing) > 0 {
		t.Errorf("%d processes, findings %v, missing %v, %v", r.Processes, brief(r.Findings), r.Missing, err)
	}
}

// A target that is too much by itself is read alone from then on, and the others of its job together.
func TestHugeTargets(t *testing.T) {
	for _, test := range []struct {
		name    string
		targets int
		huge    []int
		limit   int // of targets in one query
		queries int // of values, at most
	}{
		{"one", 210, []int{70}, 210, 25},
		{"neighbours", 210, []int{70, 71, 72}, 210, 35},
		{"one, and few at once", 210, []int{70}, 60, 25},
		{"all", 40, nil, 0, 40*4 + 10}, // each is refused, then read by two values and what lacks them
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{}
			isHuge := map[string]bool{}
			for _, i := range test.huge {
				isHuge[fmt.Sprintf("%03d", i)] = true
			}
			for i := range test.targets {
				name := fmt.Sprintf("%03d", i)
				if test.limit == 0 {
					isHuge[name] = true
				}
				labels := fmt.Sprintf("__name__=go_goroutines,job=a,instance=%s", name)
				m.add(labels, constant(100))
				if isHuge[name] {
					m.add(labels+",part=a", constant(100))
					m.add(labels+",part=b", constant(100))
				}
			}
			list := regexp.MustCompile(`instance=~"([^"]*)"`)
			m.fail = func(query string) error {
				of := list.FindStringSubmatch(query)
				if of == nil || strings.HasPrefix(query, "label") {
					return nil
				}
				names := strings.Split(of[1], "|")
				if len(names) > max(test.limit, 1) || !strings.Contains(query, "part=") &&
					slices.ContainsFunc(names, func(name string) bool { return isHuge[name] }) {
					return prom.ErrTooLarge
				}
				return nil
			}
			r, err := scanOf(t, m, func(o *Options) { o.Workers = 1 })
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, query := range m.queries {
				if strings.Contains(query, "over_time") {
					n++
				}
			}
			if want := test.targets + 2*len(isHuge); r.Processes != want || len(r.Missing) != 0 || n > test.queries {
				t.Errorf("%d processes, want %d; missing %v; %d queries, want %d at most", r.Processes, want, r.Missing,
					n, test.queries)
			}
		})
	}
}

// Where a server refuses to list what belongs to so many series, the jobs are listed without them, and the targets of a
// job by one metric at a time.
func TestListsThatAreTooLarge(t *testing.T) {
	m := &memory{}
	for _, job := range []string{"a", "b"} {
		for i := range 4 {
			for _, name := range []string{"process_open_fds", "go_goroutines"} {
				m.add(fmt.Sprintf("__name__=%s,job=%s,instance=%d", name, job, i), growing(100, 100, 0))
			}
			m.add(fmt.Sprintf("__name__=process_start_time_seconds,job=%s,instance=%d", job, i), constant(1e9))
		}
	}
	m.fail = func(query string) error {
		_, selectors, _ := strings.Cut(query, "{")
		if strings.HasPrefix(query, "label ") && selectors != "" && len(selected(m.series, "{"+selectors)) > 4 {
			return prom.ErrTooLarge
		}
		return nil
	}
	r, err := scanOf(t, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 4 || r.Processes != 8 || len(r.Missing) != 0 || m.refused == 0 {
		t.Errorf("%v of %d processes, missing %v; %d lists were refused", brief(r.Findings), r.Processes, r.Missing,
			m.refused)
	}
}

// Where a server refuses to look at more than so many series at once, for lists of labels too, as a VictoriaMetrics
// does, targets are listed by their series or, where these are too many as well, some at a time; the series of a single
// target are told apart by a list of them.
func TestFewSeriesAtOnce(t *testing.T) {
	m := &memory{}
	for i := range 12 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=a,instance=%d", i), growing(100, 100*float64(i%2), 0))
		m.add(fmt.Sprintf("__name__=process_start_time_seconds,job=a,instance=%d", i), constant(1e9))
	}
	for i := range 7 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=b,instance=b,shard=%d", i), growing(100, 100*float64(i%2), 0))
	}
	m.add("__name__=go_goroutines,job=c,instance=c", growing(100, 100, 0))
	for _, test := range []struct {
		name              string
		looked, listed    int // series at once, for values and lists of labels, and that are listed
		matches           []string
		findings, missing int
	}{
		{"without limits", 1000, 1000, nil, 3, 0},
		{"listed by series", 4, 1000, nil, 3, 0},
		{"listed by some targets", 4, 10, nil, 3, 0},
		{"of selectors", 4, 10, []string{"go_goroutines"}, 3, 0},
		// Nothing tells the series of b apart.
		{"not even listed", 4, 4, nil, 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.fail = func(query string) error {
				limit := test.looked
				if strings.HasPrefix(query, "series ") {
					limit = test.listed
				}
				if strings.Contains(query, "{") && len(selected(m.series, strings.Split(query, " or ")...)) > limit {
					return prom.ErrTooLarge
				}
				return nil
			}
			r, err := scanOf(t, m, func(o *Options) { o.Matches = test.matches })
			if err != nil || len(r.Findings) != test.findings || len(r.Missing) != test.missing {
				t.Errorf("findings %v, missing %v, %v", brief(r.Findings), r.Missing, err)
			}
		})
	}
}

// How many targets are too many for one query is learned for a job as a whole.
func TestSizesAreLearned(t *testing.T) {
	m := &memory{}
	const targets = 300
	for i := range targets {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=a,instance=%d", i), constant(100))
	}
	m.fail = func(query string) error {
		list := regexp.MustCompile(`instance=~"([^"]*)"`).FindStringSubmatch(query)
		if list == nil || strings.Count(list[1], "|") < 30 {
			return nil
		}
		return prom.ErrTooLarge
	}
	r, err := scanOf(t, m, func(o *Options) { o.Workers = 1 })
	if err != nil {
		t.Fatal(err)
	}
	// 198 targets are asked for at first, then 99, 50 and 25.
	if r.Processes != targets || len(r.Missing) != 0 || m.refused != 3 {
		t.Errorf("%d processes, missing %v; %d queries were refused, want 3", r.Processes, r.Missing, m.refused)
	}
}
