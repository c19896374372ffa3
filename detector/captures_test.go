//go:build go1.25

package detector

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/alerting"
)

// captured returns the names of files in a directory, without time and alert, with their mode.
func captured(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.SplitN(strings.TrimPrefix(e.Name(), "leaktrend-"), "-", 5)
		if len(parts) != 5 {
			names = append(names, e.Name())
			continue
		}
		names = append(names, parts[2]+" "+parts[4]+" "+info.Mode().String())
	}
	return names
}

func TestCaptures(t *testing.T) {
	const mode = " -rw-------"
	leaking := func() *profiled {
		return &profiled{
			goroutines: map[int]func(float64) float64{10: steadyAt(100), 42: func(h float64) float64 { return 40 * h }},
			leaked:     map[int]func(float64) float64{42: func(h float64) float64 { return 40 * h }},
		}
	}
	total := func(h float64) float64 { return 100 + math.Floor(40*h) }
	for _, test := range []struct {
		name  string
		setUp func(t *testing.T, c *Config) // the directory is c.ProfileDir
		want  []string
		named int // files that the alert names
		log   string
	}{
		{"off", func(_ *testing.T, c *Config) { c.StackTraceOnLeak = false }, nil, 0, ""},
		{"none allowed", func(_ *testing.T, c *Config) { c.ProfileMaxMB = 0 }, nil, 0, ""},
		{"before and after", func(*testing.T, *Config) {}, []string{
			"goroutines goroutine-before.pb.gz" + mode, "goroutines goroutine-after.pb.gz" + mode,
			"goroutines goroutineleak-after.pb.gz" + mode,
			"goroutines goroutine-after.txt" + mode,
		}, 4, ""},
		{"a directory of its own", func(_ *testing.T, c *Config) {
			c.ProfileDir = filepath.Join(c.ProfileDir, "a", "b")
		}, []string{
			"goroutines goroutine-before.pb.gz" + mode, "goroutines goroutine-after.pb.gz" + mode,
			"goroutines goroutineleak-after.pb.gz" + mode,
			"goroutines goroutine-after.txt" + mode,
		}, 4, ""},
		{"older ones make room", func(t *testing.T, c *Config) {
			c.ProfileMaxMB = 2
			for i, name := range []string{"leaktrend-1.pb.gz", "leaktrend-2.pb.gz", "other.pb.gz"} {
				path := filepath.Join(c.ProfileDir, name)
				if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
					t.Fatal(err)
				}
				at := time.Unix(int64(1000+i), 0)
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{
			"leaktrend-2.pb.gz", "goroutines goroutine-before.pb.gz" + mode, "goroutines goroutine-after.pb.gz" + mode,
			"goroutines goroutineleak-after.pb.gz" + mode, "goroutines goroutine-after.txt" + mode, "other.pb.gz",
		}, 4, ""},
		{"no directory", func(t *testing.T, c *Config) {
			c.ProfileDir = filepath.Join(c.ProfileDir, "file")
			if err := os.WriteFile(c.ProfileDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, 0, "evidence is incomplete (captures): "},
		{"read-only", func(t *testing.T, c *Config) {
			if os.Getuid() == 0 {
				t.Skip("root may write anywhere")
			}
			if err := os.Chmod(c.ProfileDir, 0o500); err != nil {
				t.Fatal(err)
			}
		}, nil, 0, "evidence is incomplete (captures): "},
		{"full disk", func(t *testing.T, c *Config) {
			c.ProfileDir = fullDisk(t)
		}, nil, 0, "no space left on device"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := with(func(c *Config) { c.StackTraceOnLeak, c.ProfileDir = true, t.TempDir() })
			test.setUp(t, &config)
			synctest.Test(t, func(t *testing.T) {
				p := leaking()
				m, alerts, j := profiledRun(t, config, p, total, 12)
				if len(alerts) == 0 || alerts[0].Status != alerting.Firing {
					t.Fatalf("alerts: %+v", alerts)
				}
				if n := len(alerts[0].Profiles); n != test.named || len(m.Captures()) != test.named {
					t.Errorf("%d files are named in the alert, %d by the monitor, want %d", n, len(m.Captures()),
						test.named)
				}
				for _, f := range alerts[0].Profiles {
					data, err := os.ReadFile(f.Path)
					if err != nil || int64(len(data)) != f.Bytes || !strings.HasPrefix(string(data), f.Kind) {
						t.Errorf("%+v: %q, %v", f, data, err)
					}
				}
				if test.want != nil {
					if diff := cmp.Diff(test.want, captured(t, config.ProfileDir), ignoreOrder); diff != "" {
						t.Errorf("files (-want +got):\n%s", diff)
					}
				}
				log := strings.Join(j.read(), "\n")
				if !strings.Contains(log, test.log) || test.log == "" && strings.Contains(log, "incomplete") {
					t.Errorf("log, want %q:\n%s", test.log, log)
				}
				stacks := strings.Count(log, "main.serve (conn.go:42) < main.main (main.go:9), created by main.main "+
					"/src/main.go:8")
				if want := config.StackTraceOnLeak; (stacks == 1) != want {
					t.Errorf("%d stacks in the log:\n%s", stacks, log)
				}
			})
		})
	}
}

// fullDisk returns a directory on a file system that has no room.
func fullDisk(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs the right to mount a file system")
	}
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		t.Skip("cannot mount a file system here: ", err)
	}
	t.Cleanup(func() { _ = unmount(dir) })
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	return dir
}

var ignoreOrder = cmpopts.SortSlices(func(a, b string) bool { return a < b })
