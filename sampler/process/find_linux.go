package process

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// Find returns the ids, ascending, of the running processes whose name or full command line matches a regular
// expression. It leaves out those whose command lines may carry the pattern for the same purpose: this process and
// those that started it, and others of this one's name unless that matches. No match is no error; a pattern that is
// empty or does not compile is one.
func Find(pattern string) ([]int, error) {
	if pattern == "" {
		return nil, errors.New("sampler: the pattern for a process is empty")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("sampler: the pattern is not a regular expression: %w", err)
	}
	fs, err := procfs.NewFS(live.ProcRoot)
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	all, err := fs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	family, own := lineage(fs), ""
	if p, err := fs.Self(); err == nil {
		own, _ = p.Comm()
	}
	var found []int
	for _, p := range all {
		if slices.Contains(family, p.PID) || !matches(re, p, own) {
			continue
		}
		if stat, err := p.Stat(); err == nil && !isDead(stat) {
			found = append(found, p.PID)
		}
	}
	slices.Sort(found)
	return found, nil
}

// matches is false for a process that has ended meanwhile. Of those called own, it checks the name alone.
func matches(re *regexp.Regexp, p procfs.Proc, own string) bool {
	if name, err := p.Comm(); err == nil && (name == own || re.MatchString(name)) {
		return re.MatchString(name)
	}
	args, err := p.CmdLine()
	return err == nil && re.MatchString(strings.Join(args, " "))
}

// lineage returns this process and its ancestors.
func lineage(fs procfs.FS) []int {
	p, err := fs.Self()
	if err != nil {
		return []int{os.Getpid()}
	}
	var pids []int
	for err == nil && !slices.Contains(pids, p.PID) {
		pids = append(pids, p.PID)
		var stat procfs.ProcStat
		if stat, err = p.Stat(); err == nil {
			p, err = fs.Proc(stat.PPID)
		}
	}
	return pids
}
