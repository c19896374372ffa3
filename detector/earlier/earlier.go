// Package earlier reads what a Prometheus has of the lives that a process had before: the state of a process without a
// disk. A monitor that is to know them is given Read, so that services without compile no Prometheus client. What the
// lives tell is for detector/lives; how a server is read, for prom.
//
//	monitor.ReadEarlierLives(earlier.Read) // before Start; history_from and history_selector say from where
package earlier

import (
	"cmp"
	"context"
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
	span      = 14 * 24 * time.Hour
	step      = 5 * time.Minute
	timeout   = 10 * time.Second // of an attempt
	maxSeries = 2000             // of one query: a selector that is that wide is not of one workload
	missing   = 3                // instants in a row without a value, after which a life has ended
	latest    = 2 * step         // a life that began this shortly ago may be the one that asks
)

// Read returns the lives that the Prometheus of the configuration has of the last two weeks in the series that its
// selector selects, at steps of five minutes. Of replicas that ran at the same time, one after the other is followed
// back: each life is the one that ended last before the next one began. An environment variable, that of scan, may hold
// a bearer token.
func Read(ctx context.Context, config detector.Config) (lives.Record, error) {
	client, err := prom.New(prom.Config{URL: config.HistoryFrom, Token: os.Getenv(prom.TokenVariable), Concurrency: 1, Timeout: timeout})
	if err != nil {
		return lives.Record{}, fmt.Errorf("history_from: %w", err)
	}
	defer client.Close()
	query, err := queryOf(config.HistorySelector)
	if err != nil {
		return lives.Record{}, err
	}
	now := time.Now()
	grid := prom.GridTo(now, span, step)
	series, err := client.Range(ctx, query, grid, true)
	if err != nil {
		return lives.Record{}, fmt.Errorf("%s: %w", client, err)
	}
	if len(series) > maxSeries {
		return lives.Record{}, fmt.Errorf("history_selector: %d series match; the maximum of one workload is %d", len(series), maxSeries)
	}
	return recordOf(chain(livesOf(series, grid), now.Add(-latest)), config)
}

// queryOf returns the query for all metrics that leaktrend knows, in the series of a selector.
func queryOf(selector string) (string, error) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(selector), "{")
	inner, closed := strings.CutSuffix(inner, "}")
	inner = strings.TrimSuffix(strings.TrimSpace(inner), ",")
	if !opened || !closed || inner == "" {
		return "", fmt.Errorf(`history_selector: %q: must select the series of this workload, as in {job="worker"}`, selector)
	}
	var names []string
	for _, m := range promtext.Metrics() {
		names = append(names, m.Name)
	}
	return fmt.Sprintf(`{__name__=~"%s",%s}`, strings.Join(names, "|"), inner), nil
}

// target is what one process after the other exposes under the same labels.
type target struct {
	values  map[string][]float64 // by metric
	version string
}

// life is a run of a target.
type life struct {
	samples []sampler.Sample // in order of time
}

func (l *life) first() time.Time { return l.samples[0].Time }
func (l *life) last() time.Time  { return l.samples[len(l.samples)-1].Time }

// livesOf returns the lives in some series.
func livesOf(series []prom.Series, grid prom.Grid) (all []life) {
	targets := map[model.Fingerprint]*target{}
	var order []*target
	for _, s := range series {
		labels := s.Labels.Clone()
		name := string(labels[model.MetricNameLabel])
		delete(labels, model.MetricNameLabel)
		t := targets[labels.Fingerprint()]
		if t == nil {
			t = &target{values: map[string][]float64{}, version: string(labels["version"])}
			targets[labels.Fingerprint()], order = t, append(order, t)
		}
		t.values[name] = s.Values
	}
	for _, t := range order {
		all = append(all, t.lives(grid)...)
	}
	return all
}

// lives divides what was read of a target where its start time says that another process began, its processor time
// fell, or nothing was read for a while.
func (t *target) lives(grid prom.Grid) (all []life) {
	var current life
	finish := func() {
		if len(current.samples) > 1 {
			for i := range current.samples {
				if s := &current.samples[i]; s.Start.IsZero() { // what tells this life from the next one
					s.Start = current.first()
				}
			}
			all = append(all, current)
		}
		current = life{}
	}
	at, start, cpu := 0, time.Time{}, math.NaN() // of the latest sample
	for i := range grid.N {
		s, read := t.sample(i, grid.At(i))
		if !read {
			continue
		}
		now, counted := s.Value(sampler.CPUSeconds)
		if i-at > missing || counted && now < cpu || s.Start.Sub(start).Abs() > step && !start.IsZero() && !s.Start.IsZero() {
			finish()
		}
		if at, start = i, s.Start; counted {
			cpu = now
		}
		current.samples = append(current.samples, s)
	}
	finish()
	return all
}

// sample returns what a target exposed at an instant.
func (t *target) sample(i int, at time.Time) (s sampler.Sample, read bool) {
	s.Reset(at)
	s.Version = t.version
	for _, m := range promtext.Metrics() {
		values := t.values[m.Name]
		if values == nil || math.IsNaN(values[i]) {
			continue
		}
		switch _, twice := s.Value(m.Resource); {
		case m.Start:
			s.Start = time.UnixMilli(int64(values[i] * 1000)).UTC()
		case m.Resource != "" && !twice:
			s.Add(m.Resource, values[i])
		case !promtext.Unlimited(values[i]):
			for _, resource := range m.Limits {
				s.Ceilings = append(s.Ceilings, sampler.Ceiling{Resource: resource, Level: values[i], Source: m.Source})
			}
		}
	}
	return s, len(s.Readings) > 0
}

// chain returns lives that came one after the other, in order of time, of those that began before an instant: each is
// the one that ended last before the next began.
func chain(all []life, before time.Time) (some []life) {
	slices.SortStableFunc(all, func(a, b life) int {
		return cmp.Or(b.last().Compare(a.last()), a.first().Compare(b.first())) // of several that end at once the longest
	})
	for _, l := range all {
		if l.first().Before(before) && (len(some) == 0 || l.last().Before(some[len(some)-1].first())) {
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
	for i := range some {
		for k := range some[i].samples {
			d.Observe(&some[i].samples[k])
		}
	}
	r := d.Lives()
	r.CloseLatest(lives.Replaced)
	r.Open = nil // nobody was told
	return r, nil
}
