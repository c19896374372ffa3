// Package replay runs recordings through the detector, offline: the same decisions as the live run. It gives
// results; how they look is for report.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// Options say how recordings are judged.
type Options struct {
	Config detector.Config
	// Given tells that the configuration is the user's: it wins over what the recording says of its soak mode.
	Given    bool
	Stdin    io.Reader // for the path "-"
	Reading  recording.Options
	Progress *Progress // may be nil
	// Done, if set, is called with each result that there is, at once from several goroutines. Only then there are
	// charts, and only until it returns.
	Done func(*Result)
}

// Result is what became of one recording.
type Result struct {
	File        string
	Header      recording.Header
	First, Last time.Time
	Samples     int
	Soak        time.Duration    // in force at the end; 0 = the physical time constants
	Events      []alerting.Event // in order of time
	Resources   []Resource
	FaultCount  int
	Faults      []error // the first of them
	// Understood says on one line what was understood of the file; "" in the results after the first of one file.
	Understood string
	Notes      []string // what may be wrong with the values
	NotJudged  []string // what the file holds that is not judged, each with its reason
}

// Resource is the course of one resource through a recording.
type Resource struct {
	detector.Status
	First  float64 // earliest reading
	Read   int     // samples in which it was read
	Line   spark.Line
	Events []alerting.Event
	Soaked Soaked
	Chart  *plot.Chart // of a resource that is judged; see Options.Done
}

// Leaked reports whether a trend or a limit was found at any time, also a limit that is not alerted.
func (r *Resource) Leaked() bool { return r.Leaks > 0 || r.LimitsPassed > 0 }

// Was says in a word and a sentence what was found where nothing holds any more.
func (r *Resource) Was() (word, sentence string) {
	if len(r.Events) == 0 {
		return "was LIMIT", "passed a hard limit, which is not alerted"
	}
	last := &r.Events[len(r.Events)-1]
	if last.Kind == alerting.Limit {
		return "was LIMIT", last.Summary
	}
	return "was LEAK", last.Summary
}

// Leaked reports whether anything was found in any resource.
func (r *Result) Leaked() bool {
	for i := range r.Resources {
		if r.Resources[i].Leaked() {
			return true
		}
	}
	return false
}

// Files expands directories into the recordings below them, in order of name. Recordings are files that end in .csv,
// .tsv, .om, .prom, .json, .jsonl, .ndjson, or one of these and .gz, but no pipes or devices, which may never end; a
// path that names a file is taken as it is.
func Files(paths []string) (files []string, err error) {
	for _, path := range paths {
		if path == "-" && slices.Contains(files, path) {
			return nil, errors.New("standard input (-) can be read only once")
		}
		info, err := os.Stat(path)
		if path == "-" || err == nil && !info.IsDir() {
			files = append(files, path)
			continue
		}
		if err != nil {
			return nil, err
		}
		before := len(files)
		// With the separator at its end also a link to a directory is walked.
		err = filepath.WalkDir(path+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && isRecording(path) && !isStream(path) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, &fs.PathError{Op: "replay", Path: path, Err: errors.New("no recordings in this directory")}
		}
	}
	return files, nil
}

// isStream reports whether a path leads to a pipe, a socket or a device.
func isStream(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

func isRecording(path string) bool {
	name := filepath.Base(path)
	if filepath.Ext(name) == ".gz" {
		name = name[:len(name)-len(".gz")]
	}
	return slices.Contains([]string{".csv", ".tsv", ".om", ".prom", ".json", ".jsonl", ".ndjson"}, filepath.Ext(name))
}

// Unsure reports whether something could not be read, or was too short or too little to be judged, or nothing is there
// to be judged.
func (r *Result) Unsure() bool {
	return r.FaultCount > 0 || !slices.ContainsFunc(r.Resources, func(c Resource) bool { return c.Judged }) ||
		slices.ContainsFunc(r.Resources, func(c Resource) bool { return c.Judged && c.State == detector.Learning })
}

// File judges the recordings in one file: one of each process. An error means that there was nothing to judge.
func File(ctx context.Context, path string, o Options) ([]*Result, error) {
	in := o.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	if o.Progress != nil {
		in = &countingReader{in, &o.Progress.read}
	}
	name := NameOf(path)
	f, err := recording.Read(ctx, in, name, o.Reading)
	if err != nil {
		return nil, err
	}
	var results []*Result
	for _, r := range f.Recordings {
		of := name
		if process := r.Process(); process != "" {
			of += " (" + process + ")"
		}
		result, err := judge(ctx, r, of, o)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	soak(ctx, path, results, o)
	results[0].Understood, results[0].NotJudged = terminal.Printable(name+": "+f.Understood()), f.NotJudged()
	if o.Done != nil {
		for _, result := range results {
			o.Done(result)
			for i := range result.Resources {
				result.Resources[i].Chart = nil
			}
		}
	}
	return results, nil
}

// NameOf returns what the result of a path calls its file.
func NameOf(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func judge(ctx context.Context, r *recording.Reader, name string, o Options) (*Result, error) {
	config := o.Config
	if !o.Given {
		config.Adaptive.Soak = r.Header().Soak
	}
	judged, err := NewRun(name, config)
	if err != nil {
		return nil, err
	}
	judged.Describe(r.Resources())
	if o.Done != nil {
		judged.history = detector.NewHistory(chartBins)
	}
	var (
		failed error
		s      sampler.Sample
	)
	for {
		if err := r.Sample(ctx, &s); err != nil {
			if !errors.Is(err, io.EOF) {
				failed = err
			}
			break
		}
		if soak := r.Header().Soak; !o.Given && soak != judged.config.Adaptive.Soak {
			if err := judged.reconfigure(soak); err != nil {
				return nil, err
			}
		}
		judged.Observe(&s)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	result := judged.Result()
	result.Header = r.Header()
	result.FaultCount, result.Faults = r.Faults()
	if failed != nil {
		result.FaultCount++
		result.Faults = append(result.Faults, failed)
	}
	if n := judged.detector.LeftOut(); n > 0 {
		result.FaultCount++
		result.Faults = append(result.Faults, fmt.Errorf("%s: %s of more resources than are judged at a time", name,
			plain.Count(int(n), "value")))
	}
	return result, nil
}
