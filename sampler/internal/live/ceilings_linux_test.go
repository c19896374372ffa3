package live

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"

	"github.com/mdzesseis/leaktrend/sampler"
)

func limitsFile(openFiles string) string {
	return "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max cpu time              unlimited            unlimited            seconds   \n" +
		fmt.Sprintf("Max open files            %-20s 524288               files     \n", openFiles) +
		"Max nice priority         0                    0                    \n"
}

func TestCeilings(t *testing.T) {
	const (
		meminfo   = "MemTotal:       8388608 kB\nMemFree:        1000000 kB\n" // 8 GiB
		unlimited = "9223372036854771712\n"
	)
	physical := sampler.Ceiling{Resource: sampler.RSSBytes, Level: 8 << 30, Source: "physical memory"}
	files := sampler.Ceiling{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"}
	tests := []struct {
		name  string
		files map[string]string // below the root; "proc/42/" holds the process, and meminfo and limits unless set here
		want  []sampler.Ceiling
	}{
		{"no cgroups", nil, []sampler.Ceiling{physical, files}},
		{
			"v2 nested, the lowest of all ancestors holds",
			map[string]string{
				"proc/42/cgroup":                              "0::/kube/pod/app\n",
				"sys/fs/cgroup/cgroup.controllers":            "memory pids\n",
				"sys/fs/cgroup/kube/memory.max":               "4294967296\n",
				"sys/fs/cgroup/kube/pids.max":                 "5000\n",
				"sys/fs/cgroup/kube/pod/memory.max":           "1073741824\n",
				"sys/fs/cgroup/kube/pod/pids.max":             "max\n",
				"sys/fs/cgroup/kube/pod/app/memory.max":       "max\n",
				"sys/fs/cgroup/kube/pod/app/pids.max":         "9000\n",
				"sys/fs/cgroup/kube/pod/app/other/memory.max": "1\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 1 << 30, Source: "cgroup memory.max"},
				files, {Resource: sampler.Threads, Level: 5000, Source: "pids.max"}},
		},
		{
			"v2 container with a cgroup namespace",
			map[string]string{
				"proc/42/cgroup":                   "0::/\n",
				"sys/fs/cgroup/cgroup.controllers": "memory pids\n",
				"sys/fs/cgroup/memory.max":         "536870912\n",
				"sys/fs/cgroup/pids.max":           "100\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 512 << 20, Source: "cgroup memory.max"},
				files, {Resource: sampler.Threads, Level: 100, Source: "pids.max"}},
		},
		{
			"v2 unlimited",
			map[string]string{
				"proc/42/cgroup":                   "0::/app\n",
				"sys/fs/cgroup/cgroup.controllers": "memory pids\n",
				"sys/fs/cgroup/app/memory.max":     "max\n",
				"sys/fs/cgroup/app/pids.max":       "max\n",
			},
			[]sampler.Ceiling{physical, files},
		},
		{
			"v2 limit above physical memory",
			map[string]string{
				"proc/42/cgroup":                   "0::/app\n",
				"sys/fs/cgroup/cgroup.controllers": "memory\n",
				"sys/fs/cgroup/app/memory.max":     "17179869184\n",
			},
			[]sampler.Ceiling{physical, files},
		},
		{
			"v2 process outside of our namespace",
			map[string]string{
				"proc/42/cgroup":                   "0::/../other\n",
				"proc/41/cgroup":                   "0::/\n",
				"sys/fs/cgroup/cgroup.controllers": "memory\n",
				"sys/fs/cgroup/memory.max":         "536870912\n",
				"sys/fs/cgroup/other/memory.max":   "1048576\n",
			},
			[]sampler.Ceiling{physical, files},
		},
		{
			"v1 nested",
			map[string]string{
				"proc/42/cgroup": "5:cpu,cpuacct:/\n4:memory:/docker/abc\n3:pids:/docker/abc\n1:name=systemd:/init:x\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes":            unlimited,
				"sys/fs/cgroup/memory/docker/memory.limit_in_bytes":     "2147483648\n",
				"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "4294967296\n",
				"sys/fs/cgroup/pids/docker/abc/pids.max":                "200\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 2 << 30, Source: "cgroup memory.limit_in_bytes"},
				files, {Resource: sampler.Threads, Level: 200, Source: "pids.max"}},
		},
		{
			"v1 unlimited",
			map[string]string{
				"proc/42/cgroup": "4:memory:/a\n3:pids:/a\n",
				"sys/fs/cgroup/memory/a/memory.limit_in_bytes": unlimited,
				"sys/fs/cgroup/pids/a/pids.max":                "max\n",
			},
			[]sampler.Ceiling{physical, files},
		},
		{
			"v1 container without a namespace: the mount begins at its own group",
			map[string]string{
				"proc/42/cgroup": "4:memory:/docker/abc\n3:pids:/docker/abc\n",
				"proc/41/cgroup": "4:memory:/docker/abc\n3:pids:/docker/abc\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
				"sys/fs/cgroup/pids/pids.max":                "64\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 256 << 20, Source: "cgroup memory.limit_in_bytes"},
				files, {Resource: sampler.Threads, Level: 64, Source: "pids.max"}},
		},
		{
			"v1 process of another container: its limits are out of sight",
			map[string]string{
				"proc/42/cgroup": "4:memory:/docker/other\n3:pids:/docker/other\n",
				"proc/41/cgroup": "4:memory:/docker/abc\n3:pids:/docker/abc\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
				"sys/fs/cgroup/pids/pids.max":                "64\n",
			},
			[]sampler.Ceiling{physical, files},
		},
		{
			"hybrid: v2 beside v1 controllers",
			map[string]string{
				"proc/42/cgroup": "4:memory:/slice/app\n0::/slice/app\n",
				"sys/fs/cgroup/memory/slice/app/memory.limit_in_bytes": "1073741824\n",
				"sys/fs/cgroup/unified/cgroup.controllers":             "pids\n",
				"sys/fs/cgroup/unified/slice/app/pids.max":             "300\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 1 << 30, Source: "cgroup memory.limit_in_bytes"},
				files, {Resource: sampler.Threads, Level: 300, Source: "pids.max"}},
		},
		{"descriptors unlimited", map[string]string{"proc/42/limits": limitsFile("unlimited")},
			[]sampler.Ceiling{physical, {Resource: sampler.OpenFDs, Level: 0, Source: "RLIMIT_NOFILE"}}},
		{"descriptors at zero", map[string]string{"proc/42/limits": limitsFile("0")}, []sampler.Ceiling{physical}},
		{"no line for descriptors", map[string]string{"proc/42/limits": "Limit Soft Hard Units\n"},
			[]sampler.Ceiling{physical}},
		{
			"garbage everywhere",
			map[string]string{
				"proc/meminfo":                     "MemTotal:\n\x00\xff\n:::\n",
				"proc/42/limits":                   "\xff\nMax open files many few files\n",
				"proc/42/cgroup":                   "0::/app\n",
				"sys/fs/cgroup/cgroup.controllers": "",
				"sys/fs/cgroup/app/memory.max":     "lots\n",
				"sys/fs/cgroup/app/pids.max":       "-1\n",
			},
			nil,
		},
		{
			"garbage in one group leaves the limits of the others",
			map[string]string{
				"proc/42/cgroup":                   "0::/a/b\n",
				"sys/fs/cgroup/cgroup.controllers": "",
				"sys/fs/cgroup/a/memory.max":       "1073741824\n",
				"sys/fs/cgroup/a/b/memory.max":     "1e9\n",
			},
			[]sampler.Ceiling{{Resource: sampler.RSSBytes, Level: 1 << 30, Source: "cgroup memory.max"}, files},
		},
		{"garbage in the groups", map[string]string{"proc/42/cgroup": "what\n"}, []sampler.Ceiling{physical, files}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "proc/meminfo"), meminfo)
			write(t, filepath.Join(root, "proc/42/limits"), limitsFile("1024"))
			if err := os.Symlink("41", filepath.Join(root, "proc/self")); err != nil {
				t.Fatal(err)
			}
			for name, content := range tt.files {
				write(t, filepath.Join(root, name), content)
			}
			got := Ceilings(filepath.Join(root, "proc"), filepath.Join(root, "sys"), 42)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("ceilings (-want +got):\n%s", d)
			}
		})
	}
}

func TestCeilingsOfNoProcess(t *testing.T) {
	root := t.TempDir()
	if got := Ceilings(filepath.Join(root, "proc"), root, 42); got != nil {
		t.Errorf("without /proc: %v", got)
	}
	write(t, filepath.Join(root, "proc/meminfo"), "MemTotal: 1024 kB\n")
	if got := Ceilings(filepath.Join(root, "proc"), root, 42); got != nil {
		t.Errorf("without the process: %v", got)
	}
}

func TestParseLimit(t *testing.T) {
	type result struct {
		Level float64
		OK    bool
	}
	for content, want := range map[string]result{
		"1024\n":               {1024, true},
		"max\n":                {},
		"0\n":                  {},
		"-1\n":                 {},
		"":                     {},
		"1024 2048":            {},
		"9223372036854771712":  {}, // v1, unlimited, pages of 4 KiB
		"9223372036854710272":  {}, // of 64 KiB
		"18446744073709551615": {},
		"4611686018427387903":  {1 << 62, true}, // as near as a float64 comes
	} {
		level, ok := parseLimit([]byte(content))
		if d := cmp.Diff(want, result{level, ok}); d != "" {
			t.Errorf("%q (-want +got):\n%s", content, d)
		}
	}
}

func TestParseMemTotal(t *testing.T) {
	for content, want := range map[string]float64{
		"MemTotal:       24684100 kB\nMemFree: 1 kB\n": 24684100 * 1024,
		"A: 1\nMemTotal: 2 kB":                         2048,
		"MemTotal: 2 MB\n":                             0,
		"MemTotal: x kB\n":                             0,
		"MemTotal:\n":                                  0,
		"":                                             0,
	} {
		if got, ok := parseMemTotal([]byte(content)); ok != (want > 0) || ok && got != want {
			t.Errorf("%q: %v, %v; want %v", content, got, ok, want)
		}
	}
}

func FuzzCeilings(f *testing.F) {
	f.Add("0::/app\n", limitsFile("1024"), "1048576\n", "MemTotal: 1024 kB\n")
	f.Add("4:memory:/app\n3:pids:/app\n", limitsFile("unlimited"), "max\n", "")
	f.Add("0::/../../etc\n::\n", "\nMax open files", "9223372036854771712", "MemTotal:\n")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, cgroup, limits, limit, meminfo string) {
		write(t, filepath.Join(root, "proc/meminfo"), meminfo)
		write(t, filepath.Join(root, "proc/42/cgroup"), cgroup)
		write(t, filepath.Join(root, "proc/42/limits"), limits)
		write(t, filepath.Join(root, "sys/fs/cgroup/app/memory.max"), limit)
		write(t, filepath.Join(root, "sys/fs/cgroup/memory/app/memory.limit_in_bytes"), limit)
		write(t, filepath.Join(root, "sys/fs/cgroup/cgroup.controllers"), "")
		for _, c := range Ceilings(filepath.Join(root, "proc"), filepath.Join(root, "sys"), 42) {
			if math.IsNaN(c.Level) || math.IsInf(c.Level, 0) || c.Level < 0 || c.Source == "" || c.Level == 0 &&
				c.Resource != sampler.OpenFDs {
				t.Errorf("ceiling %+v", c)
			}
		}
	})
}

func FuzzCgroupPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/../x", "/a/../../x", "a", "", "//", "/a/", "/a (deleted)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		for _, g := range []procfs.Cgroup{{HierarchyID: 0, Path: p}, {HierarchyID: 4, Controllers: []string{"memory"},
			Path: p}} {
			controller := strings.Join(g.Controllers, "")
			if place, ok := cgroupPath([]procfs.Cgroup{g}, controller); ok {
				if rel, err := filepath.Rel("/root", filepath.Join("/root", place)); err != nil || rel == ".." ||
					strings.HasPrefix(rel, "../") {
					t.Errorf("%q leads to %q", p, place)
				}
			}
		}
	})
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
