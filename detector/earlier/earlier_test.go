package earlier

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
)

// pod is one process, in hours before the present.
type pod struct {
	name, version string
	from, to      float64
	rate          float64 // descriptors an hour
}

// server answers range queries on pods as a Prometheus does.
func server(t *testing.T, pods []pod) (url string, queries *[]string) {
	t.Helper()
	queries = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		*queries = append(*queries, r.Form.Get("query"))
		number := func(name string) float64 {
			v, _ := strconv.ParseFloat(r.Form.Get(name), 64)
			return v
		}
		start, end, step := number("start"), number("end"), number("step")
		now := float64(time.Now().Unix())
		var series []string
		for _, p := range pods {
			began := now - 3600*p.from
			for metric, value := range map[string]func(hours float64) float64{
				"process_open_fds":           func(hours float64) float64 { return 50 + p.rate*hours },
				"process_start_time_seconds": func(float64) float64 { return began },
				"process_max_fds":            func(float64) float64 { return 1024 },
			} {
				var values []string
				for at := start; at <= end; at += step {
					if at >= began && at <= now-3600*p.to {
						values = append(values, fmt.Sprintf(`[%f,"%f"]`, at, value((at-began)/3600)))
					}
				}
				if values != nil {
					series = append(series,
						fmt.Sprintf(`{"metric":{"__name__":%q,"pod":%q,"version":%q},"values":[%s]}`, metric, p.name,
							p.version, strings.Join(values, ",")))
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(series, ","))
	}))
	t.Cleanup(s.Close)
	return s.URL, queries
}

func TestRead(t *testing.T) {
	config := detector.DefaultConfig()
	var queries *[]string
	config.HistorySelector = `{job="worker"}`
	config.HistoryFrom, queries = server(t, []pod{
		{"a", "1.0", 72, 48, 0},
		{"b", "1.0", 71, 47, 0}, // a replica: one of the two is followed
		{"c", "1.1", 46, 24, 2},
		{"c", "1.1", 23.5, 1, 2},   // in the place of the one before, by its start time
		{"self", "1.2", .05, 0, 0}, // the one that asks
	})
	r, err := Read(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	type known struct {
		Version string
		Hours   float64
		Rate    float64 // descriptors an hour
	}
	var got []known
	for i := range r.Lives {
		l := &r.Lives[i]
		curve := l.Curves[sampler.OpenFDs]
		hours := l.End.Sub(l.First).Hours()
		got = append(got, known{l.Version, float64(int(hours)), float64(int((curve.Last-curve.Start)/hours*10)) / 10})
	}
	if len(got) != 3 || got[0].Version != "1.0" || got[1].Version != "1.1" || got[2].Version != "1.1" ||
		got[2].Hours != 22 || got[2].Rate < 1.5 {
		t.Errorf("%+v", got)
	}
	for _, q := range *queries {
		if !strings.HasSuffix(q, `,job="worker"}`) || !strings.Contains(q, "process_open_fds|") {
			t.Errorf("asked for %s", q)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, test := range []struct{ url, selector, want string }{
		{"http://user:s3cr3t@" + strings.TrimPrefix(gone.URL, "http://"), "job", "history_selector"},
		{"http://127.0.0.1", "{}", "history_selector"},
		{"file:///x", `{job="a"}`, "history_from"},
	} {
		config := detector.DefaultConfig()
		config.HistoryFrom, config.HistorySelector = test.url, test.selector
		_, err := Read(t.Context(), config)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s %s: %v", test.url, test.selector, err)
		}
	}
}

// A start time that is no time, or is missing now and then, does not make two lives of one.
func TestLives(t *testing.T) {
	const began = 1_790_000_000
	grid := prom.Grid{Start: time.Unix(began, 0).UTC(), Step: step, N: 3 * part}
	type spell struct {
		from, to   int // instants
		start, cpu float64
	}
	for _, test := range []struct {
		name   string
		spells []spell
		want   []string
		lives  int // in the record: one start time is one life
	}{
		{"one", []spell{{0, 3 * part, began, 1}}, []string{"0 to 1727"}, 1},
		{"a part is missing", []spell{{0, part, began, 1}, {2 * part, 3 * part, began, 1}},
			[]string{"0 to 575", "1152 to 1727"}, 1},
		{"another start", []spell{{10, 100, began, 1}, {100, 200, began + 90*300, 0}},
			[]string{"10 to 99", "100 to 199"}, 2},
		{"a start that is no time", []spell{{10, 100, math.Inf(1), 1}, {100, 200, 1e300, 1}}, []string{"10 to 199"}, 1},
		{"no start for a while", []spell{{0, 100, began, 1}, {100, 200, math.NaN(), 1}, {200, 300, began, 1}},
			[]string{"0 to 299"}, 1},
		{"another start after a while without", []spell{{0, 100, began, 0}, {100, 103, math.NaN(), 0},
			{103, 300, began + 103*300, 0}},
			[]string{"0 to 102", "103 to 299"}, 2},
		{"processor time that falls", []spell{{0, 100, math.NaN(), 5}, {100, 200, math.NaN(), 1}},
			[]string{"0 to 99", "100 to 199"}, 2},
	} {
		all := targets{grid: grid, byLabels: make(map[model.Fingerprint]*target)}
		for number := range 3 {
			columns := map[string][]float64{"process_open_fds": nil, "process_start_time_seconds": nil,
				"process_cpu_seconds_total": nil}
			some := false
			for name := range columns {
				values := make([]float64, part)
				for i := range values {
					values[i] = math.NaN()
					for _, s := range test.spells {
						if at := number*part + i; at >= s.from && at < s.to {
							values[i] = map[string]float64{"process_open_fds": 50,
								"process_start_time_seconds": s.start, "process_cpu_seconds_total": s.cpu}[name]
							some = true
						}
					}
				}
				columns[name] = values
			}
			if !some {
				continue
			}
			var series []prom.Series
			for name, values := range columns {
				series = append(series,
					prom.Series{Labels: model.Metric{"__name__": model.LabelValue(name), "pod": "a"}, Values: values})
			}
			if err := all.add(number, series); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, l := range all.lives() {
			got = append(got, fmt.Sprintf("%d to %d", l.from, l.to))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		r, err := recordOf(all.lives(), detector.DefaultConfig())
		if err != nil || len(r.Lives) != test.lives {
			t.Errorf("%s: %d lives in the record, %v", test.name, len(r.Lives), err)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A selector that is too wide is refused before it takes the memory of the service.
func TestTooWide(t *testing.T) {
	var pods []pod
	for i := range 2600 {
		pods = append(pods, pod{name: fmt.Sprint(i), from: 1, to: .8})
	}
	config := detector.DefaultConfig()
	config.HistorySelector = `{job=~".+"}`
	config.HistoryFrom, _ = server(t, pods)
	if _, err := Read(t.Context(), config); !errors.Is(err, prom.ErrTooLarge) ||
		!strings.Contains(err.Error(), "history_selector") {
		t.Errorf("%v", err)
	}
}

func TestChain(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 26, hour, 0, 0, 0, time.UTC) }
	of := func(from, to int) life { return life{first: at(from), last: at(to)} }
	var got []string
	for _, l := range chain([]life{of(1, 4), of(2, 5), of(5, 9), of(6, 9), of(8, 9), of(9, 11)}, at(9)) {
		got = append(got, fmt.Sprintf("%d to %d", l.first.Hour(), l.last.Hour()))
	}
	if diff := cmp.Diff([]string{"1 to 4", "5 to 9"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
