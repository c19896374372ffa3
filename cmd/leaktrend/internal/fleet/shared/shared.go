// Package shared makes one promise of the scans of the parts of a fleet: each leaves what the past of its part tells in
// a directory, and reads what the others have left there. How often growth comes to nothing is then told by all of the
// fleet, of whatever part it is asked.
package shared

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
)

const (
	// version of the files: what the counts mean.
	version = 2
	// valid is how far apart the ends of two scans may be, for the past of the one to tell something of the other.
	valid   = 8 * 24 * time.Hour
	maxFile = 16 << 20 // bytes
)

// file is what one part leaves.
type file struct {
	Version    int                         `json:"version"`
	End        time.Time                   `json:"end"` // of the scan
	GroupBy    []string                    `json:"group_by"`
	Edges      []float64                   `json:"edges"`
	Hypotheses int                         `json:"hypotheses"`
	Judged     map[string]int              `json:"judged"`
	Calls      []backtest.Candidate        `json:"calls"`
	Resources  map[string]*backtest.Counts `json:"resources"`
	Lengths    map[int]int                 `json:"lengths,omitempty"`
	Lives      *sums                       `json:"lives,omitempty"` // nil = of a release that did not share them
}

// sums are those of growth over lives.
type sums struct {
	Judged  map[string]int              `json:"judged"`
	Calls   []backtest.Candidate        `json:"calls"`
	Classes map[string]*backtest.Counts `json:"classes"`
}

// past returns what a part has left.
func (f *file) past() fleet.Past {
	past := fleet.Past{Hypotheses: f.Hypotheses, Lengths: f.Lengths, Sums: backtest.Sums{
		Judged: f.Judged, Calls: f.Calls, Table: backtest.Table{Resources: f.Resources},
	}}
	if l := f.Lives; l != nil {
		past.Lives = backtest.Sums{Judged: l.Judged, Calls: l.Calls, Table: backtest.Table{Resources: l.Classes}}
	}
	return past
}

// Directory holds the pasts of the parts of one fleet. Its zero value is none: nothing is written, and nothing read.
type Directory struct {
	Path    string
	Part    fleet.Shard // that is scanned here
	GroupBy []string    // as it is grouped
}

// Check says why the directory cannot be used.
func (d *Directory) Check() error {
	if d.Path == "" {
		return nil
	}
	if d.Part.Of <= 1 {
		return errors.New("is for the parts of a fleet, so it needs --shard")
	}
	info, err := os.Stat(d.Path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", d.Path)
	}
	return err
}

// path is where part number n is, 0 to Of-1.
func (d *Directory) path(n int) string {
	return filepath.Join(d.Path, fmt.Sprintf("part-%d-of-%d.json", n, d.Part.Of))
}

// Others returns what the pasts of the other parts tell that were scanned about the time of an instant and are grouped
// alike. hints say which of them are not known, and why.
func (d *Directory) Others(at time.Time) (others fleet.Past, hints []string) {
	if d.Path == "" {
		return others, nil
	}
	unknown, withoutLives := 0, 0
	for n := range d.Part.Of {
		if n == d.Part.Number%d.Part.Of {
			continue
		}
		f, err := read(d.path(n))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			unknown++
		case err != nil:
			hints = append(hints, "the past of another part of the fleet cannot be used: "+err.Error())
		case f.End.Sub(at).Abs() > valid || !slices.Equal(f.GroupBy, d.GroupBy):
			unknown++
		default:
			past := f.past()
			others = others.With(&past)
			if f.Lives == nil {
				withoutLives++
			}
		}
	}
	if unknown > 0 {
		hints = append(hints, fmt.Sprintf("the past of %d of the %d parts of the fleet is not known yet, of this "+
			"week and grouped alike; chances are by those of the others", unknown, d.Part.Of))
	}
	if withoutLives > 0 {
		hints = append(hints, fmt.Sprintf("what %d of the %d parts of the fleet tell of growth over lives is not "+
			"known yet: an earlier release of leaktrend left it out", withoutLives, d.Part.Of))
	}
	return others, hints
}

// read returns what a part has left.
func read(path string) (*file, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	f := &file{}
	if err := json.NewDecoder(io.LimitReader(opened, maxFile)).Decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Version != version || !slices.Equal(f.Edges, backtest.Edges[:]) {
		return nil, fmt.Errorf("%s: of another release of leaktrend", path)
	}
	past := f.past()
	counts := []float64{float64(f.Hypotheses)}
	for hours, n := range f.Lengths {
		counts = append(counts, float64(hours), float64(n))
	}
	for _, s := range []*backtest.Sums{&past.Sums, &past.Lives} {
		for _, n := range s.Judged {
			counts = append(counts, float64(n))
		}
		for _, c := range s.Calls {
			counts = append(counts, c.Strength, c.Own, c.Cut)
		}
		for _, c := range s.Table.Resources {
			if c == nil {
				return nil, fmt.Errorf("%s: a resource without counts", path)
			}
			counts = append(counts, c.Instants)
			for _, one := range c.Reached {
				counts = append(counts, one.False, one.WentOn, one.CutOff)
			}
		}
	}
	const limit = 1e15
	if slices.ContainsFunc(counts, func(v float64) bool { return !(v >= 0 && v <= limit) || math.IsNaN(v) }) {
		return nil, fmt.Errorf("%s: a count is out of range", path)
	}
	return f, nil
}

// Leave writes what the past of this part tells, in the place of what an earlier scan has left.
func (d *Directory) Leave(r *fleet.Report) error {
	if d.Path == "" {
		return nil
	}
	told := r.ForOthers()
	text, err := json.Marshal(file{
		Version: version, End: r.End, GroupBy: d.GroupBy, Edges: backtest.Edges[:], Hypotheses: told.Hypotheses,
		Judged: told.Judged, Calls: told.Calls, Resources: told.Table.Resources, Lengths: told.Lengths,
		Lives: &sums{told.Lives.Judged, told.Lives.Calls, told.Lives.Table.Resources},
	})
	if err != nil {
		return err
	}
	// The others may read at any time.
	temporary, err := os.CreateTemp(d.Path, ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), d.path(d.Part.Number%d.Part.Of))
}
