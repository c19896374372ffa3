package live

import (
	"bytes"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/prometheus/procfs"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Ceilings returns the levels at which process pid dies or starts to fail, with /proc and /sys mounted at the given
// places. What cannot be read or understood is unknown and left out. A cgroup's limit holds for all of its processes
// together, so it is the most that this one can reach.
func Ceilings(proc, sys string, pid int) []sampler.Ceiling {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil
	}
	p, err := fs.Proc(pid)
	if err != nil {
		return nil
	}
	var list []sampler.Ceiling
	memory := sampler.Ceiling{Resource: sampler.RSSBytes, Level: math.Inf(1)}
	lower := func(level float64, source string) {
		if level < memory.Level {
			memory.Level, memory.Source = level, source
		}
	}
	for _, h := range hierarchies(fs, p, sys, "memory") {
		if level, ok := h.lowest("memory.max"); ok {
			lower(level, "cgroup memory.max")
		}
		if level, ok := h.lowest("memory.limit_in_bytes"); ok {
			lower(level, "cgroup memory.limit_in_bytes")
		}
	}
	if data, err := os.ReadFile(filepath.Join(proc, "meminfo")); err == nil {
		if level, ok := parseMemTotal(data); ok {
			lower(level, "physical memory")
		}
	}
	if memory.Source != "" {
		list = append(list, memory)
	}
	if limits, err := p.Limits(); err == nil {
		switch files := limits.OpenFiles; files {
		case 0: // the line is missing, or the process may open nothing more: that is no level to compare a count with
		case math.MaxUint64:
			list = append(list, sampler.Ceiling{Resource: sampler.OpenFDs, Level: 0, Source: "RLIMIT_NOFILE"})
		default:
			list = append(list, sampler.Ceiling{Resource: sampler.OpenFDs, Level: float64(files),
				Source: "RLIMIT_NOFILE"})
		}
	}
	threads := sampler.Ceiling{Resource: sampler.Threads, Level: math.Inf(1)}
	for _, h := range hierarchies(fs, p, sys, "pids") {
		if level, ok := h.lowest("pids.max"); ok && level < threads.Level {
			threads.Level, threads.Source = level, "pids.max"
		}
	}
	if threads.Source != "" {
		list = append(list, threads)
	}
	return list
}

// hierarchy is a mounted cgroup hierarchy, and a process's place in it.
type hierarchy struct{ root, path string }

// hierarchies returns where limits on a process may be: its places in v2 and in the hierarchy of a v1 controller.
func hierarchies(fs procfs.FS, p procfs.Proc, sys, controller string) []hierarchy {
	groups, err := p.Cgroups()
	if err != nil {
		return nil
	}
	var list []hierarchy
	add := func(root, controller string) {
		place, ok := cgroupPath(groups, controller)
		if !ok {
			return
		}
		if _, err := os.Stat(filepath.Join(root, place)); err != nil {
			// In a container without a cgroup namespace the path is the host's, but the mount begins at the container's
			// own group. If that is not also the group of the process, its limits are out of sight.
			if own, ok := ownCgroupPath(fs, controller); !ok || own != place {
				return
			}
			place = "/"
		}
		list = append(list, hierarchy{root, place})
	}
	mount := filepath.Join(sys, "fs", "cgroup")
	unified := mount
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
		unified = filepath.Join(mount, "unified") // beside v1 controllers
	}
	add(unified, "")
	add(filepath.Join(mount, controller), controller)
	return list
}

// lowest returns the lowest limit that a file sets in the process's group or in one above it.
func (h hierarchy) lowest(file string) (level float64, ok bool) {
	for p := h.path; ; p = path.Dir(p) {
		if data, err := os.ReadFile(filepath.Join(h.root, p, file)); err == nil {
			if l, limited := parseLimit(data); limited && (!ok || l < level) {
				level, ok = l, true
			}
		}
		if p == "/" {
			return level, ok
		}
	}
}

// ownCgroupPath returns the path of this program.
func ownCgroupPath(fs procfs.FS, controller string) (place string, ok bool) {
	p, err := fs.Self()
	if err != nil {
		return "", false
	}
	groups, err := p.Cgroups()
	if err != nil {
		return "", false
	}
	return cgroupPath(groups, controller)
}

// cgroupPath returns the path in the hierarchy of a v1 controller, or in v2 for controller "". A path outside of the
// cgroup namespace of this program ("/../x") leads nowhere here.
func cgroupPath(groups []procfs.Cgroup, controller string) (place string, ok bool) {
	for _, g := range groups {
		v2 := g.HierarchyID == 0 && len(g.Controllers) == 0
		if controller == "" && v2 || slices.Contains(g.Controllers, controller) {
			return g.Path, path.IsAbs(g.Path) && path.Clean(g.Path) == g.Path
		}
	}
	return "", false
}

// parseLimit reads a cgroup limit: a positive count, or ok=false for "max", for the values near 2^63 by which v1 means
// unlimited, and for anything else.
func parseLimit(data []byte) (level float64, ok bool) {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || n == 0 || n >= 1<<62 {
		return 0, false
	}
	return float64(n), true
}

// parseMemTotal reads the size of physical memory, in bytes, from /proc/meminfo.
func parseMemTotal(data []byte) (bytesTotal float64, ok bool) {
	for line := range bytes.Lines(data) {
		f := bytes.Fields(line)
		if len(f) != 3 || string(f[0]) != "MemTotal:" || string(f[2]) != "kB" {
			continue
		}
		n, err := strconv.ParseUint(string(f[1]), 10, 64)
		return float64(n) * 1024, err == nil && n > 0
	}
	return 0, false
}
