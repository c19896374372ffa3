// Package source opens what the user points at: a process by id or by name, or a metrics endpoint, with its flags.
// How it is sampled stands in the packages of sampler.
package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/endpoint"
	"github.com/mdzesseis/leaktrend/sampler/process"
	"github.com/mdzesseis/leaktrend/sampler/profile/remote"
)

// Flags are the options that name a live target and say how to sample it.
type Flags struct {
	PID      int
	Name     string
	URL      string
	Interval time.Duration
	Soak     time.Duration
	Duration time.Duration

	flags *pflag.FlagSet // in which these are; nil where they are not from a command line
}

// SoakRange is what a soak run may last, as detector.Config takes it.
var SoakRange = flags.Range{Min: 10 * time.Second, Zero: true, Example: "20m"}

// Register adds the options to a command.
func (f *Flags) Register(fs *pflag.FlagSet) {
	f.flags = fs
	flags.PID(fs, &f.PID, "process id to sample")
	fs.StringVar(&f.Name, "name", "", "regular expression for the name or command line of the one process to sample")
	fs.StringVar(&f.URL, "url", "", "Prometheus metrics URL to sample, such as http://localhost:9090/metrics")
	flags.Duration(fs, &f.Interval, "interval", flags.Range{Min: 10 * time.Millisecond, Example: "5s"},
		"time between samples (default 5s; with --soak a 1200th of it)")
	flags.Duration(fs, &f.Soak, "soak", SoakRange, "scale all time constants to a run of this length, as in 20m (0 = "+
		"physical constants)")
	flags.Duration(fs, &f.Duration, "duration", flags.Range{Zero: true, Example: "1h"},
		"stop after this long, as in 1h or 2d (0 = when interrupted)")
	flags.Exclude(fs, "pid", "name", "url")
}

const defaultInterval = 5 * time.Second

// Complete checks the options and fills in the interval.
func (f *Flags) Complete() error {
	given := 0
	for _, set := range []bool{f.PID != 0, f.Name != "", f.URL != ""} {
		if set {
			given++
		}
	}
	switch {
	case f.PID < 0 || f.PID == 0 && f.given("pid"):
		return fmt.Errorf("--pid %d: no process has this id", f.PID)
	case f.Name == "" && f.given("name"), f.URL == "" && f.given("url"):
		return errors.New("--name and --url must not be empty")
	}
	if given == 0 {
		return errors.New("one of --pid, --name and --url is needed")
	}
	if given > 1 {
		return errors.New("only one of --pid, --name and --url can be given")
	}
	switch {
	case f.Interval == 0 && f.Soak > 0:
		f.Interval = min(engine.Adaptive{Soak: f.Soak}.SoakInterval(), defaultInterval)
	case f.Interval == 0:
		f.Interval = defaultInterval
	}
	return nil
}

// given reports whether a flag is on the command line, or in the environment.
func (f *Flags) given(name string) bool { return f.flags != nil && f.flags.Changed(name) }

// Source is an open target.
type Source interface {
	sampler.Source
	io.Closer
	fmt.Stringer
}

// Open opens the target that the options name.
func (f *Flags) Open() (Source, error) {
	pid := f.PID
	switch {
	case f.URL != "":
		target, err := endpoint.New(f.URL, nil)
		if err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
		return target, nil
	case f.Name != "":
		pids, err := f.Find()
		if err != nil {
			return nil, err
		}
		if len(pids) > 1 {
			return nil, fmt.Errorf("--name %s: %d processes match, choose one with --pid:\n%s", f.Name, len(pids),
				list(pids))
		}
		pid = pids[0]
	}
	target, err := OpenProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("--pid: %w", err)
	}
	return target, nil
}

// Find returns the processes that match the name, at least one.
func (f *Flags) Find() ([]int, error) {
	pids, err := process.Find(f.Name)
	if err != nil {
		return nil, fmt.Errorf("--name %s: %w", f.Name, err)
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("--name %s: no such process", f.Name)
	}
	return pids, nil
}

func list(pids []int) string {
	var b strings.Builder
	for i, pid := range pids {
		if i == 20 {
			fmt.Fprintf(&b, "  and %d more\n", len(pids)-i)
			break
		}
		name := fmt.Sprintf("pid %d", pid)
		if p, err := process.New(pid); err == nil {
			name = p.String()
			p.Close()
		}
		fmt.Fprintf(&b, "  %s\n", name)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Profiles returns what takes profiles from the address at which the one process of the target serves net/http/pprof;
// nil for no address.
func (f *Flags) Profiles(address string) (*remote.Process, error) {
	if address == "" {
		return nil, nil
	}
	if f.URL != "" {
		return nil, errors.New("--pprof goes with --pid or --name, not with --url")
	}
	process, err := remote.New(address)
	if err != nil {
		return nil, fmt.Errorf("--pprof: %w", err)
	}
	return process, nil
}
