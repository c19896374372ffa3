// Package remote takes the profiles of another Go process from the address at which it serves net/http/pprof, and
// reduces them as package profile does. It holds the parser of profiles, which only the command compiles.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	pprof "github.com/google/pprof/profile"

	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

const (
	timeout = 30 * time.Second
	maxRead = 64 << 20 // bytes of one profile
)

// Process is a process that serves net/http/pprof. It is safe for concurrent use.
type Process struct {
	base   string
	shown  string
	client *http.Client

	mu          sync.Mutex
	allocated   int64  // bytes since the process began, in the latest heap profile
	collections uint64 // that were seen to end between heap profiles, and one
}

// New returns the process at an address, as in http://127.0.0.1:6060: where the path is empty it is /debug/pprof. It
// does not connect yet.
func New(address string) (*Process, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("a pprof address must be like http://HOST:PORT/debug/pprof")
	}
	u.RawQuery, u.Fragment = "", ""
	if u.Path = strings.TrimRight(u.Path, "/"); u.Path == "" {
		u.Path = "/debug/pprof"
	}
	u.RawPath = ""
	return &Process{base: u.String(), shown: u.Redacted(), client: &http.Client{Timeout: timeout}}, nil
}

// String returns the address, without a password.
func (p *Process) String() string { return p.shown }

// Raw returns a profile as the process serves it. The error is profile.ErrUnsupported where the process has none of
// that kind.
func (p *Process) Raw(ctx context.Context, kind profile.Kind) ([]byte, error) {
	return p.get(ctx, string(kind))
}

// Dump returns the traceback of all goroutines as text. It stops the world of that process until it is done.
func (p *Process) Dump(ctx context.Context) ([]byte, error) { return p.get(ctx, "goroutine?debug=2") }

// Stacks returns the goroutine profile as text: each stack with the number of goroutines on it, most first. It stops
// the world of that process twice for a moment.
func (p *Process) Stacks(ctx context.Context) ([]byte, error) { return p.get(ctx, "goroutine?debug=1") }

// Profile returns a profile by site. A goroutine profile stops the world of that process twice for a moment, a
// goroutineleak profile makes it collect its garbage. The cost is the time until the answer was there: what the process
// itself paid is unknown, but no more.
func (p *Process) Profile(ctx context.Context, kind profile.Kind) (*profile.Profile, error) {
	start := time.Now()
	data, err := p.get(ctx, string(kind))
	if err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	sites, allocated, err := parse(data, kind, start)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", p.shown, kind, err)
	}
	sites.Cost = profile.Cost{Elapsed: elapsed, CPU: elapsed}
	if kind == profile.Heap {
		sites.GC = p.countCollections(allocated)
	}
	return sites, nil
}

// countCollections returns how many garbage collections are known to have ended: the runtime shows allocations in the
// heap profile once the collection after them has ended, so from one profile to another they change only if one has
// (runtime/mprof.go, memRecord).
func (p *Process) countCollections(allocated int64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if allocated != p.allocated {
		p.allocated = allocated
		p.collections++
	}
	return p.collections
}

func (p *Process) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.shown, redact.Cause(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, profile.ErrUnsupported
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s/%s: %s", p.shown, path, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxRead+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s/%s: %w", p.shown, path, err)
	case len(data) > maxRead:
		return nil, fmt.Errorf("%s/%s: more than %d MB", p.shown, path, maxRead>>20)
	}
	return data, nil
}

// amounts are the names of the values that a kind of profile has: of counts and of bytes.
var amounts = map[profile.Kind][2]string{
	profile.Goroutine:     {"goroutine", ""},
	profile.GoroutineLeak: {"goroutineleak", ""},
	profile.Heap:          {"inuse_objects", "inuse_space"},
	profile.Allocs:        {"alloc_objects", "alloc_space"},
}

// parse reduces a profile in pprof's format to sites. allocated are all bytes that a heap profile counts, live or not;
// 0 where it does not say.
func parse(data []byte, kind profile.Kind, at time.Time) (p *profile.Profile, allocated int64, err error) {
	raw, err := pprof.ParseData(data)
	if err != nil {
		return nil, 0, err
	}
	index := func(name string) int {
		for i, t := range raw.SampleType {
			if name != "" && t.Type == name {
				return i
			}
		}
		return -1
	}
	names, known := amounts[kind]
	counts, sizes := index(names[0]), index(names[1])
	if !known || counts < 0 || names[1] != "" && sizes < 0 {
		return nil, 0, fmt.Errorf("it is not a %s profile", kind)
	}
	total := index("alloc_space")
	b := profile.NewBuilder(kind)
	for _, s := range raw.Sample {
		var stack []profile.Frame
		for _, l := range s.Location {
			for _, line := range l.Line { // the innermost of the inlined ones first
				if line.Function != nil {
					stack = append(stack, profile.Frame{Function: line.Function.Name, File: line.Function.Filename,
						Line: int(line.Line)})
				}
			}
		}
		bytes := 0.
		if sizes >= 0 {
			bytes = float64(max(0, s.Value[sizes]))
		}
		if total >= 0 {
			allocated += s.Value[total]
		}
		b.Add(stack, float64(max(0, s.Value[counts])), bytes)
	}
	p = b.Profile(at)
	if kind == profile.Heap {
		p.Resolution = float64(max(1, raw.Period))
	}
	return p, allocated, nil
}
