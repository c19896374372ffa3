package evidence_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
)

// The services of testdata/services, which need modules that leaktrend does not: they are built and run where this is
// set, to all or to the names of some.
const servicesEnv = "LEAKTREND_SERVICES"

const servicesDir = "testdata/services"

// service is one of testdata/services.
type service struct {
	Name, Resource, Library string
	Endless                 bool     // there is none in good health
	Lines                   []string // that are its leak, as in a.go:12
}

// serviceResult is what the process of a service tells.
type serviceResult struct {
	CanProve bool
	Reported []struct {
		After float64 // seconds after the leak began
		Calls int     // not undone by then
		Alert alerting.Alert
	}
	Cost     evidence.Cost
	Captures []evidence.Capture
}

// verdict is what came of the alerts on a leak.
type verdict struct {
	first    string  // how the first alert names the line: first, listed, no
	best     string  // how the alert does that names it best
	after    float64 // seconds to that one
	calls    int     // that leaked by then
	innocent string  // another line of the service that stood first in any
	known    string  // how the line is known, where a library acts for it
	proven   bool    // that nothing can wake the goroutines of the first site
}

// servicesBuild builds a command of the services, with the profile of leaked goroutines or without.
func servicesBuild(t *testing.T, command string, proves bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "services")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, command)
	build.Dir = servicesDir
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if proves {
		build.Env = append(build.Env, "GOEXPERIMENT=goroutineleakprofile")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// servicesList returns the services of a program, with the lines that are marked in its source.
func servicesList(t *testing.T, program string) (all []service) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "-list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	marked := map[string][]string{}
	mark := regexp.MustCompile(`// (leak|or): ([a-z-]+)$`)
	sources, err := filepath.Glob(servicesDir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := mark.FindStringSubmatch(line); m != nil {
				marked[m[2]] = append(marked[m[2]], fmt.Sprintf("%s:%d", filepath.Base(source), i+1))
			}
		}
	}
	for i := range all {
		if all[i].Lines = marked[all[i].Name]; len(all[i].Lines) == 0 {
			t.Fatalf("no line of %s is marked", all[i].Name)
		}
	}
	return all
}

// serve starts what the services call, and returns the addresses.
func serve(t *testing.T, program string) string {
	t.Helper()
	servers := exec.CommandContext(t.Context(), program)
	servers.Stderr = os.Stderr
	out, err := servers.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := servers.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = servers.Process.Kill(); _ = servers.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (s *service) run(t *testing.T, program, addresses string, healthy bool) (r serviceResult, err error) {
	args := []string{"-service", s.Name, "-addresses", addresses, "-lines", strings.Join(s.Lines, ",")}
	if healthy {
		args = append(args, "-healthy")
	} else if s.Name == "map-grows" || s.Name == "http-body" {
		args = append(args, "-captures", t.TempDir())
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.Env = append(os.Environ(), "GODEBUG=", "GOMAXPROCS=2")
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("%s: %w\n%s", s.Name, err, problems.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, err
	}
	for _, c := range r.Captures {
		if out, err := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top",
			c.Path).CombinedOutput(); err != nil && strings.HasSuffix(c.Path, ".pb.gz") {
			return r, fmt.Errorf("%s: %w\n%s", c.Path, err, out)
		}
	}
	return r, nil
}

// place is where a site is, as lines are marked.
func place(s *alerting.Site) string { return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line) }

func (s *service) marked(site *alerting.Site) bool {
	for _, line := range s.Lines {
		if place(site) == line {
			return true
		}
	}
	return false
}

// ranks are how an alert may name the line, the better the higher.
var ranks = map[string]int{"no alert": 0, "no": 1, "listed": 2, "first": 3}

func (s *service) judge(r *serviceResult) (v verdict) {
	v.first, v.best = "no alert", "no alert"
	for i := range r.Reported {
		reported := &r.Reported[i]
		how, known := "no", ""
		for k := range reported.Alert.Sites {
			site := &reported.Alert.Sites[k]
			v.proven = v.proven || k == 0 && site.Proven
			switch {
			case s.marked(site) && how == "no":
				how, known = "listed", site.KnownBy
				if k == 0 {
					how = "first"
				}
			case k == 0 && !s.marked(site) && strings.Contains(site.File, servicesDir):
				v.innocent = place(site)
			}
		}
		if i == 0 {
			v.first = how
		}
		if ranks[how] > ranks[v.best] {
			v.best, v.after, v.calls, v.known = how, reported.After, reported.Calls, known
		}
	}
	return v
}

// TestServices prints, for services that leak where a library waits, opens or keeps for them, whether the alert names
// the line of the service, and whether the same services in good health are silent.
func TestServices(t *testing.T) {
	chosen := os.Getenv(servicesEnv)
	if chosen == "" {
		t.Skip("needs modules that leaktrend does not, and some minutes: set " + servicesEnv + "=all")
	}
	provesAlways := runtime.Version() >= "go1.27"
	programs := []string{servicesBuild(t, ".", false)}
	if !provesAlways && os.Getenv(servicesEnv+"_PROOF") != "no" {
		programs = append(programs, servicesBuild(t, ".", true))
	}
	addresses := serve(t, servicesBuild(t, "./servers", false))
	all := servicesList(t, programs[0])
	type row struct {
		service
		leaks   []serviceResult // without proof, with it
		healthy serviceResult
		faults  []error
	}
	rows := make([]row, len(all))
	slots := make(chan struct{}, 4)
	var running sync.WaitGroup
	for i := range all {
		rows[i].service = all[i]
		rows[i].leaks, rows[i].faults = make([]serviceResult, len(programs)), make([]error, len(programs)+1)
		if chosen != "all" && !strings.Contains(","+chosen+",", ","+all[i].Name+",") {
			continue
		}
		for k := range len(programs) + 1 {
			if k == len(programs) && all[i].Endless {
				continue
			}
			running.Add(1)
			slots <- struct{}{}
			go func() {
				defer running.Done()
				defer func() { <-slots }()
				start := time.Now()
				r := &rows[i]
				if k < len(programs) {
					r.leaks[k], r.faults[k] = r.run(t, programs[k], addresses, false)
				} else {
					r.healthy, r.faults[k] = r.run(t, programs[0], addresses, true)
				}
				t.Logf("%s %d: %v", r.Name, k, time.Since(start).Round(time.Second))
			}()
		}
	}
	running.Wait()
	var b strings.Builder
	fmt.Fprintln(&b, "| service | library | leaks | without the profile | after | calls | known by | with it | after "+
		"| in good health |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|---|")
	for i := range rows {
		r := &rows[i]
		if chosen != "all" && !strings.Contains(","+chosen+",", ","+r.Name+",") {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |", r.Name, r.Library, r.Resource)
		for k := range programs {
			if r.faults[k] != nil {
				t.Error(r.faults[k])
			}
			v := r.judge(&r.leaks[k])
			how := v.first
			if v.best != v.first {
				how += ", then " + v.best
			}
			if v.proven {
				how += ", proven"
			}
			if v.innocent != "" {
				how += " (" + v.innocent + ")"
			}
			fmt.Fprintf(&b, " %s | %.0f s |", how, v.after)
			if k == 0 {
				fmt.Fprintf(&b, " %d | %s |", v.calls, v.known)
			}
			for _, reported := range r.leaks[k].Reported {
				t.Logf("%s %d: %.1fs %d %s", r.Name, k, reported.After, reported.Calls, reported.Alert.Summary)
				for _, s := range reported.Alert.Sites {
					t.Logf("    %s %s count %v bytes %v share %.2f via %s from %s by %s [%s] %v %s", place(&s),
						s.Function, s.Count, s.Bytes, s.Share, s.Via, s.CalledFrom, s.CreatedBy, s.WaitReason, s.Proven,
						s.KnownBy)
				}
			}
		}
		healthy := "silent"
		if r.Endless {
			healthy = ""
		}
		if fault := r.faults[len(programs)]; fault != nil {
			healthy = "failed"
			t.Error(fault)
		}
		for _, reported := range r.healthy.Reported {
			healthy = "ALERT"
			t.Logf("%s healthy: %s", r.Name, reported.Alert.Summary)
		}
		fmt.Fprintf(&b, " %s |\n", healthy)
	}
	t.Log("\n" + b.String())
	if path := os.Getenv(servicesEnv + "_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
