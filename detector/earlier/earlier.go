// Package earlier reads the earlier lives of a process from a Prometheus: the state of a process without a disk. To
// have them known, pass Read to the monitor; services that do not compile no Prometheus client. What the lives tell
// is for detector/lives; how a server is read, for prom.
//
//	monitor.ReadEarlierLives(earlier.Read) // before Start; history_from and history_selector say from where
package earlier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

const (
	span = 14 * 24 * time.Hour
	step = 5 * time.Minute
	// instants of one query: of pods that lived for a day it has few without a value
	part      = int(2 * 24 * time.Hour / step)
	timeout   = 10 * time.Second // of an attempt
	maxValues = 4 << 20          // of all that is read, 32 MB: some 70 replicas of a service in Go
	missing   = 3                // instants in a row without a value, after which a life has ended
	latest    = 2 * step         // a life that began this shortly ago may be the one that asks
)

// Read returns the lives that the Prometheus of the configuration has of the last two weeks in the series that its
// selector selects, at steps of five minutes. Of replicas that ran at the same time, one after the other is followed
// back: each life is the one that ended last before the next one began. An environment variable, that of scan, may hold
// a bearer token. It takes some 50 MB at most, for as long as it reads.
func Read(ctx context.Context, config detector.Config) (lives.Record, error) {
	client, err := prom.New(prom.Config{
		URL: config.HistoryFrom, Token: os.Getenv(prom.TokenVariable), Concurrency: 1, Timeout: timeout,
		MaxValues: maxValues,
	})
	if err != nil {
		return lives.Record{}, fmt.Errorf("history_from: %w", err)
	}
	defer client.Close()
	query, err := queryOf(config.HistorySelector)
	if err != nil {
		return lives.Record{}, err
	}
	now := time.Now()
	all := targets{grid: prom.GridTo(now, span, step), byLabels: make(map[model.Fingerprint]*target)}
	for from := 0; from < all.grid.N; from += part {
		grid := prom.Grid{Start: all.grid.At(from), Step: step, N: min(part, all.grid.N-from)}
		series, err := client.Range(ctx, query, grid, true)
		if err == nil {
			err = all.add(from/part, series)
		}
		switch {
		case errors.Is(err, prom.ErrTooLarge):
			return lives.Record{}, fmt.Errorf("%s: history_selector must select the series of one workload: %w", client,
				err)
		case err != nil:
			return lives.Record{}, fmt.Errorf("%s: %w", client, err)
		}
	}
	return recordOf(chain(all.lives(), now.Add(-latest)), config)
}

// queryOf returns the query for all metrics that leaktrend knows, in the series of a selector.
func queryOf(selector string) (string, error) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(selector), "{")
	inner, closed := strings.CutSuffix(inner, "}")
	inner = strings.TrimSuffix(strings.TrimSpace(inner), ",")
	if !opened || !closed || inner == "" {
		return "", fmt.Errorf(`history_selector: %q: must select the series of this workload, as in {job="worker"}`,
			selector)
	}
	var names []string
	for _, m := range promtext.Metrics() {
		names = append(names, m.Name)
	}
	return fmt.Sprintf(`{__name__=~"%s",%s}`, strings.Join(names, "|"), inner), nil
}

// target is what one process after the other exposes under the same labels.
type target struct {
	grid    prom.Grid
	values  map[string][][]float64 // by metric and part; nil where a part has none
	version string
}

// value returns that of a metric at an instant; NaN where there is none.
func (t *target) value(metric string, i int) float64 {
	parts := t.values[metric]
	if n := i / part; n < len(parts) && parts[n] != nil {
		return parts[n][i%part]
	}
	return math.NaN()
}

// has reports whether there is anything in a part.
func (t *target) has(number int) bool {
	for _, parts := range t.values {
		if number < len(parts) && parts[number] != nil {
			return true
		}
	}
	return false
}

// targets are all of them.
type targets struct {
	grid     prom.Grid
	byLabels map[model.Fingerprint]*target
	inOrder  []*target
	values   int
}

// add takes the series of a part.
func (all *targets) add(number int, series []prom.Series) error {
	for _, s := range series {
		labels := s.Labels.Clone()
		name := string(labels[model.MetricNameLabel])
		delete(labels, model.MetricNameLabel)
		t := all.byLabels[labels.Fingerprint()]
		if t == nil {
			t = &target{grid: all.grid, values: make(map[string][][]float64), version: string(labels["version"])}
			all.byLabels[labels.Fingerprint()], all.inOrder = t, append(all.inOrder, t)
		}
		parts := t.values[name]
		for len(parts) <= number {
			parts = append(parts, nil)
		}
		t.values[name], parts[number] = parts, s.Values
		if all.values += len(s.Values); all.values > maxValues {
			return fmt.Errorf("%w: more than %d values of two weeks", prom.ErrTooLarge, maxValues)
		}
	}
	return nil
}

// lives returns the lives of all.
func (all *targets) lives() (some []life) {
	for _, t := range all.inOrder {
		some = append(some, t.lives()...)
	}
	return some
}

// life is a run of a target, from one of its instants to another.
type life struct {
	of          *target
	from, to    int
	first, last time.Time
}

// lives divides what was read of a target where its start time says that another process began, its processor time
// fell, or nothing was read for a while.
func (t *target) lives() (all []life) {
	var (
		current life
		n       int       // samples of it
		start   time.Time // the latest that was read, of the process
		cpu     = math.NaN()
		s       sampler.Sample
	)
	finish := func() {
		if n > 1 {
			all = append(all, current)
		}
		n = 0
	}
	for i := 0; i < t.grid.N; i++ {
		if i%part == 0 && !t.has(i/part) {
			i += part - 1
			continue
		}
		if !t.sample(i, &s) {
			continue
		}
		now, counted := s.Value(sampler.CPUSeconds)
		another := !start.IsZero() && !s.Start.IsZero() && s.Start.Sub(start).Abs() > step
		if n > 0 && (i-current.to > missing || counted && now < cpu || another) {
			finish()
		}
		if n == 0 {
			current = life{of: t, from: i, first: s.Time}
			start, cpu = time.Time{}, math.NaN()
		}
		n++
		current.to, current.last = i, s.Time
		if !s.Start.IsZero() {
			start = s.Start
		}
		if counted {
			cpu = now
		}
	}
	finish()
	return all
}

// sample reads what a target exposed at an instant, and reports whether there was anything.
func (t *target) sample(i int, s *sampler.Sample) bool {
	s.Reset(t.grid.At(i))
	s.Version = t.version
	s.Ceilings = nil
	for _, m := range promtext.Metrics() {
		value := t.value(m.Name, i)
		if math.IsNaN(value) {
			continue
		}
		switch _, twice := s.Value(m.Resource); {
		case m.Start:
			s.Start = promtext.SteadyStart(s.Start, value)
		case m.Resource != "" && !twice:
			s.Add(m.Resource, value)
		case !promtext.Unlimited(value):
			for _, resource := range m.Limits {
				s.Ceilings = append(s.Ceilings, sampler.Ceiling{Resource: resource, Level: value, Source: m.Source})
			}
		}
	}
	return len(s.Readings) > 0
}

// chain returns lives that came one after the other, in order of time, of those that began before an instant: each is
// the one that ended last before the next began.
func chain(all []life, before time.Time) (some []life) {
	slices.SortStableFunc(all, func(a, b life) int {
		return cmp.Or(b.last.Compare(a.last), a.first.Compare(b.first)) // of several that end at once the longest
	})
	for _, l := range all {
		if l.first.Before(before) && (len(some) == 0 || l.last.Before(some[len(some)-1].first)) {
			some = append(some, l)
		}
	}
	slices.Reverse(some)
	return some
}

// recordOf returns what a monitor would have learned of lives.
func recordOf(some []life, config detector.Config) (lives.Record, error) {
	d, err := detector.New(config)
	if err != nil {
		return lives.Record{}, err
	}
	for _, l := range some {
		start := l.first // what tells this life from the next one, where no start was read
		for i := l.from; i <= l.to; i++ {
			var s sampler.Sample
			if !l.of.sample(i, &s) {
				continue
			}
			if s.Start.IsZero() {
				s.Start = start
			}
			start = s.Start
			d.Observe(&s)
		}
	}
	r := d.Lives()
	r.CloseLatest(lives.Replaced)
	r.Open = nil // nobody was told
	return r, nil
}
