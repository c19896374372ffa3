package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/labels"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// Load decodes the recordings that a labels file names, in its order, with their truth. The error names every entry
// that cannot be used, as "LABELS:LINE: ...": a file or a resource that is missing, a leak that begins outside of the
// recording, one resource labelled twice. The recordings of the other entries are returned with it.
//
// Where the recording knows the ceiling of a leaking resource, its exhaustion is when that was reached or, by the
// regression over the leak, will be.
func Load(ctx context.Context, path string) ([]*Recording, error) {
	entries, err := labels.Load(path)
	recs, loadErr := decodeAll(ctx, len(entries), func(i int) ([]*Recording, error) {
		r, err := loadLabelled(ctx, &entries[i])
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s:%d: %w", path, entries[i].Line, err)
		}
		return r, err
	})
	return recs, errors.Join(err, loadErr)
}

// LoadUnlabelled decodes recordings of which nothing is known. The error names every file that cannot be read; the
// others are returned with it.
func LoadUnlabelled(ctx context.Context, paths []string) ([]*Recording, error) {
	return decodeAll(ctx, len(paths), func(i int) ([]*Recording, error) {
		recs, headers, err := decode(ctx, paths[i])
		for k, r := range recs {
			r.Unknown, r.Program = true, headers[k].Source
			if r.Program == "" {
				name, _, _ := strings.Cut(filepath.Base(paths[i]), ".")
				r.Program = name
			}
			if err := r.setSoak(headers[k].Soak); err != nil {
				return nil, err
			}
		}
		return recs, err
	})
}

// decodeAll uses all cores and keeps the order. What failed is left out.
func decodeAll(ctx context.Context, n int, load func(i int) ([]*Recording, error)) ([]*Recording, error) {
	recs, faults := make([][]*Recording, n), make([]error, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				recs[i], faults[i] = load(i)
			}
		}()
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	all := slices.Concat(recs...)
	if err := ctx.Err(); err != nil {
		return all, err
	}
	return all, errors.Join(faults...)
}

// loadLabelled returns what a label is about: one process of its file, or all of them.
func loadLabelled(ctx context.Context, entry *labels.Recording) ([]*Recording, error) {
	recs, headers, err := decode(ctx, entry.Path)
	if err != nil {
		return nil, err
	}
	var names []string
	var chosen []*Recording
	for i, r := range recs {
		names = append(names, r.Process)
		if entry.Process != "" && entry.Process != r.Process && !strings.HasSuffix(r.Process, " "+entry.Process) {
			continue
		}
		r.Program = entry.Program
		if err := errors.Join(r.setSoak(cmp.Or(entry.Soak, headers[i].Soak)), r.label(entry.Leaks)); err != nil {
			return nil, err
		}
		chosen = append(chosen, r)
	}
	switch {
	case len(chosen) == 0:
		return nil, fmt.Errorf("%s holds no process %q; it holds: %s", entry.Path, entry.Process,
			cmp.Or(strings.Join(names, "; "), "one alone"))
	case len(chosen) > 1 && len(entry.Leaks) > 0:
		return nil, fmt.Errorf("%s holds %d processes: say which one leaks, as in process: %q", entry.Path, len(recs),
			chosen[0].Process)
	}
	return chosen, nil
}

// setSoak takes a soak setting that the detector can work with.
func (r *Recording) setSoak(soak time.Duration) error {
	r.Soak = soak
	c := detector.DefaultConfig()
	c.Adaptive.Soak = soak
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	return nil
}

// decode decodes the recordings in a file, with their notes.
func decode(ctx context.Context, path string) (recs []*Recording, headers []recording.Header, err error) {
	f, err := recording.ReadFile(ctx, path, recording.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for _, in := range f.Recordings {
		r, err := decodeOne(ctx, in, path)
		if err != nil {
			return nil, nil, err
		}
		recs, headers = append(recs, r), append(headers, in.Header())
	}
	return recs, headers, nil
}

func decodeOne(ctx context.Context, in *recording.Reader, path string) (*Recording, error) {
	r := &Recording{Name: path, Process: in.Process(), Described: in.Resources()}
	if r.Process != "" {
		r.Name += " (" + r.Process + ")"
	}
	var (
		s        sampler.Sample
		columns  []int // the series of each reading of the latest sample
		start    time.Time
		ceilings []sampler.Ceiling
	)
	for {
		if err := in.Sample(ctx, &s); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		n := len(r.Times)
		r.Times = append(r.Times, s.Time.UnixNano())
		if !s.Start.Equal(start) {
			start = s.Start
			r.Starts = append(r.Starts, Mark[time.Time]{n, start})
		}
		if !slices.Equal(s.Ceilings, ceilings) {
			ceilings = s.Ceilings
			r.Ceilings = append(r.Ceilings, Mark[[]sampler.Ceiling]{n, ceilings})
		}
		for i := range r.Series {
			r.Series[i].Values = append(r.Series[i].Values, math.NaN())
		}
		for i, reading := range s.Readings {
			if i == len(columns) {
				columns = append(columns, -1)
			}
			if c := columns[i]; c < 0 || r.Series[c].Resource != reading.Resource {
				columns[i] = r.column(reading.Resource)
			}
			r.Series[columns[i]].Values[n] = reading.Value
		}
	}
	var faults []error
	if r.Faults, faults = in.Faults(); r.Faults > 0 {
		r.Fault = faults[0]
	}
	return r, nil
}

// column returns the index of a resource's series, which it adds if it is new.
func (r *Recording) column(resource string) int {
	at := slices.IndexFunc(r.Series, func(s Series) bool { return s.Resource == resource })
	if at >= 0 {
		return at
	}
	values := make([]float64, len(r.Times), cap(r.Times))
	for i := range values {
		values[i] = math.NaN()
	}
	r.Series = append(r.Series, Series{Resource: resource, Values: values})
	return len(r.Series) - 1
}

// label puts down what is known of the series.
func (r *Recording) label(leaks []labels.Leak) error {
	first, last := r.Times[0], r.Times[len(r.Times)-1]
	// Only a consequence may be named twice: several leaks can have it.
	take := func(resource string, truth Truth) (*Series, error) {
		s := r.find(resource)
		switch {
		case s == nil:
			return nil, fmt.Errorf("%s holds no resource %q", r.Name, resource)
		case s.Truth == Truth{}:
		case !s.Truth.Consequence || !truth.Consequence:
			return nil, fmt.Errorf("%s is labelled twice", resource)
		case s.Truth.From <= truth.From:
			return s, nil
		}
		s.Truth = truth
		return s, nil
	}
	var faults []error
	for i := range leaks {
		leak := &leaks[i]
		truth := Truth{Leaks: true, From: first, Kind: leak.Kind}
		if !leak.Start.IsZero() {
			truth.From = leak.Start.UnixNano()
			if truth.From < first || truth.From > last {
				faults = append(faults, fmt.Errorf("the leak of %s begins at %s, outside of the recording (%s to %s)",
					leak.Resource,
					leak.Start.Format(time.RFC3339), instant(first), instant(last)))
				continue
			}
		}
		if s, err := take(leak.Resource, truth); err != nil {
			faults = append(faults, err)
		} else {
			r.measure(s)
		}
		for _, also := range leak.Also {
			if _, err := take(also, Truth{From: truth.From, Kind: leak.Kind, Consequence: true}); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

func instant(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339) }

const century = 100 * 365 * 24 * float64(time.Hour)

// measure finds out from the readings when a leak doubles its level and when it takes the last of its limit.
func (r *Recording) measure(s *Series) {
	level, ok := r.LevelBefore(s)
	if !ok {
		return
	}
	ceiling := r.ceiling(s.Resource)
	var x, y []float64
	floor := math.Inf(1)
	from := sort.Search(len(r.Times), func(i int) bool { return r.Times[i] >= s.Truth.From })
	for i := len(r.Times) - 1; i >= from; i-- {
		v := s.Values[i]
		if math.IsNaN(v) {
			continue
		}
		// A level that was fallen below again was not kept.
		if floor = min(floor, v); level > 0 && floor >= 2*level {
			s.Truth.Doubled = r.Times[i]
		}
		if ceiling > 0 && v >= ceiling {
			s.Truth.Exhausted = r.Times[i]
		}
		x, y = append(x, float64(r.Times[i]-s.Truth.From)), append(y, v)
	}
	if s.Truth.Exhausted != 0 || ceiling <= level || len(x) < 2 {
		return
	}
	if _, slope := stat.LinearRegression(x, y, nil, false); slope > 0 && (ceiling-level)/slope < century {
		s.Truth.Exhausted = s.Truth.From + int64((ceiling-level)/slope)
	}
}

// ceiling returns the exhaustion level of a resource at the end of the recording; 0 = none or unknown.
func (r *Recording) ceiling(resource string) float64 {
	if len(r.Ceilings) == 0 {
		return 0
	}
	for _, c := range r.Ceilings[len(r.Ceilings)-1].Value {
		if c.Resource == resource {
			return c.Level
		}
	}
	return 0
}

// levelPoints is how many readings make a level: enough to see through a spike or the phase of a sawtooth, and few
// enough to be local.
const levelPoints = 15

// LevelBefore returns the median of the readings up to the begin of the leak, or the first reading if there are none.
func (r *Recording) LevelBefore(s *Series) (level float64, ok bool) {
	end := sort.Search(len(r.Times), func(i int) bool { return r.Times[i] >= s.Truth.From })
	if level, ok = median(s.Values, end); ok {
		return level, true
	}
	for _, v := range s.Values[end:] {
		if !math.IsNaN(v) {
			return v, true
		}
	}
	return 0, false
}

// median returns the median of the last readings before an index.
func median(values []float64, end int) (float64, bool) {
	var last [levelPoints]float64
	n := 0
	for i := end - 1; i >= 0 && n < levelPoints; i-- {
		if v := values[i]; !math.IsNaN(v) {
			last[n] = v
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	slices.Sort(last[:n])
	return (last[(n-1)/2] + last[n/2]) / 2, true
}

// LevelAt returns the median of a few readings of a series up to an instant, in unix nanoseconds; ok is false where
// there are none.
func (r *Recording) LevelAt(s *Series, at int64) (level float64, ok bool) {
	return median(s.Values, sort.Search(len(r.Times), func(i int) bool { return r.Times[i] > at }))
}
