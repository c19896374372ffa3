package fleet

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// What fails is told, and the rest is used.
func TestPartialFailure(t *testing.T) {
	fleetOf := func() *memory {
		m := &memory{}
		for _, job := range []string{"a", "b", "c"} {
			for i := range 4 {
				m.add(fmt.Sprintf("__name__=process_open_fds,job=%s,instance=%d", job, i), growing(100, 100, 0))
				m.add(fmt.Sprintf("__name__=go_goroutines,job=%s,instance=%d", job, i), growing(100, 100, 0))
				m.add(fmt.Sprintf("__name__=process_start_time_seconds,job=%s,instance=%d", job, i), constant(1e9))
			}
		}
		return m
	}
	down := errors.New("status 503")
	contains := func(parts ...string) func(string) error {
		return func(query string) error {
			for _, part := range parts {
				if !strings.Contains(query, part) {
					return nil
				}
			}
			return down
		}
	}
	full := func(job string) []string {
		return []string{"goroutines job=" + job + " version= 4/4 [ 4/4]", "open_fds job=" + job +
			" version= 4/4 [ 4/4]"}
	}
	for _, test := range []struct {
		name    string
		fail    func(string) error
		want    []string
		missing []Missing
	}{
		{"one metric of a job", contains("min_over_time", `__name__="go_goroutines"`, `job="b"`),
			slices.Concat(full("a"), full("b")[1:], full("c")),
			[]Missing{{Label{"job", "b"}, `go_goroutines of job "b"`, "status 503", 4, false}}},
		{"start times of a job", contains("max_over_time", "start_time", `job="b"`),
			slices.Concat(full("a"), full("c")),
			[]Missing{{Label{"job", "b"}, `process_start_time_seconds of job "b"`, "status 503", 4, false}}},
		{"a job that is denied", func(query string) error {
			if strings.Contains(query, `job="b"`) {
				return prom.ErrDenied
			}
			return nil
		}, slices.Concat(full("a"), full("c")), []Missing{{Label{"job", "b"}, `job "b"`, "access denied", 0, false}}},
		{"targets of a job", contains("label instance", `job="c"`),
			slices.Concat(full("a"), full("b")), []Missing{{Label{"job", "c"}, `job "c"`, "status 503", 0, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := fleetOf()
			m.fail = test.fail
			r, err := scanOf(t, m, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := brief(r.Findings)
			slices.SortFunc(got, func(a, b string) int {
				return strings.Compare(a[strings.Index(a, "job"):]+a, b[strings.Index(b, "job"):]+b)
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.missing, r.Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("too large for one query", func(t *testing.T) {
		m := fleetOf()
		m.fail = func(query string) error {
			if list := regexp.MustCompile(`instance=~"([^"]*)"`).FindStringSubmatch(query); list != nil &&
				strings.Count(list[1], "|") > 1 {
				return prom.ErrTooLarge
			}
			return nil
		}
		r, err := scanOf(t, m, nil)
		if err != nil || len(r.Findings) != 6 || r.Processes != 12 || len(r.Missing) != 0 {
			t.Errorf("%v of %d processes, missing %v, %v", brief(r.Findings), r.Processes, r.Missing, err)
		}
	})
	t.Run("gone in the middle", func(t *testing.T) {
		m := fleetOf()
		m.fail = func(query string) error {
			if strings.Contains(query, `job="c"`) {
				return prom.ErrGone
			}
			return nil
		}
		r, err := scanOf(t, m, func(o *Options) { o.Workers = 1 })
		if err != nil || r.Processes < 4 {
			t.Errorf("%d processes, %v", r.Processes, err)
		}
		// What may be anything comes first.
		want := Missing{What: "all that was not read before", Why: prom.ErrGone.Error()}
		if len(r.Missing) == 0 || r.Missing[0] != want {
			t.Errorf("missing %v, want %v first", r.Missing, want)
		}
	})
	t.Run("denied", func(t *testing.T) {
		m := fleetOf()
		m.fail = func(string) error { return prom.ErrDenied }
		if r, err := scanOf(t, m, nil); !errors.Is(err, prom.ErrDenied) {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := fleetOf()
		m.fail = func(query string) error {
			if strings.Contains(query, `job="b"`) {
				cancel()
			}
			return nil
		}
		if _, err := Run(ctx, m, Options{Grid: week, GroupBy: []string{"job"}, FDR: .05, Workers: 2,
			Calibration: strict()}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

// Many jobs are listed some at a time, by their series; what cannot be listed so is listed job by job, and the next
// ones by fewer at a time.
func TestManyJobsAreListedTogether(t *testing.T) {
	const jobs = 3 * mostParts
	for _, test := range []struct {
		name          string
		fails         func(jobs int) error // of a list of the series of so many jobs
		series, alone int                  // lists asked for
	}{
		{"together", func(int) error { return nil }, 3, 1}, // what has no job
		{"too many", func(n int) error {
			if n > mostParts/4 {
				return prom.ErrTooLarge
			}
			return nil
		}, 1 + 2*4, 1 + mostParts},
		{"denied", func(int) error { return prom.ErrDenied }, 2, 1 + jobs},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{}
			for i := range jobs {
				m.add(fmt.Sprintf("__name__=go_goroutines,job=%d,instance=a:1", i), constant(10))
				m.add(fmt.Sprintf("__name__=process_start_time_seconds,job=%d,instance=a:1", i), constant(1e9))
			}
			m.add("__name__=go_goroutines,instance=b:1", constant(10)) // of no job
			series, alone := 0, 0
			m.fail = func(query string) error {
				_, list, together := strings.Cut(query, `job=~"`)
				switch {
				case strings.HasPrefix(query, "series "):
					series++
					return test.fails(1 + strings.Count(list[:strings.Index(list, `"`)], "|"))
				case strings.HasPrefix(query, "label instance") && !together:
					alone++
				}
				return nil
			}
			r, err := scanOf(t, m, func(o *Options) { o.Workers = 1 })
			if err != nil {
				t.Fatal(err)
			}
			if r.Processes != jobs+1 || len(r.Missing) > 0 || series != test.series || alone != test.alone {
				t.Errorf("%d processes of %d and %d lists, missing %v; want %d, %d and %d", r.Processes, series, alone,
					r.Missing, jobs+1, test.series, test.alone)
			}
		})
	}
}
