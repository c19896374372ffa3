package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

func newProcessOf(t testing.TB, pid int) *Source {
	t.Helper()
	p, err := New(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func resourcesOf(s *sampler.Sample) []string {
	var names []string
	for _, r := range s.Readings {
		names = append(names, r.Resource)
	}
	return names
}

func sample(t testing.TB, source sampler.Source, s *sampler.Sample) {
	t.Helper()
	if err := source.Sample(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

func TestProcess(t *testing.T) {
	start := time.Now()
	cmd := testchild.Sleep(t)
	p := newProcessOf(t, cmd.Process.Pid)
	executable, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if executable, err = filepath.EvalSymlinks(executable); err != nil {
		t.Fatal(err)
	}
	type identity struct {
		PID                int
		Name, Exe, Display string
	}
	want := identity{cmd.Process.Pid, "sleep", executable, fmt.Sprintf("pid %d sleep", cmd.Process.Pid)}
	if d := cmp.Diff(want, identity{p.PID(), p.Name(), p.Executable(), p.String()}); d != "" {
		t.Errorf("identity (-want +got):\n%s", d)
	}

	s := sampler.Sample{Readings: []sampler.Reading{{Resource: "other", Value: 1}}}
	sample(t, p, &s)
	if d := cmp.Diff([]string{sampler.RSSBytes, sampler.OpenFDs, sampler.Threads, sampler.CPUSeconds},
		resourcesOf(&s)); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
	fds, _ := s.Value(sampler.OpenFDs)
	threads, _ := s.Value(sampler.Threads)
	if list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID())); err != nil || fds != float64(len(list)) ||
		threads != 1 {
		t.Errorf("%v descriptors, want %d (%v); %v threads, want 1", fds, len(list), err, threads)
	}
	rss, _ := s.Value(sampler.RSSBytes)
	if kB := statusField(t, p.PID(), "VmRSS:"); rss < kB*1024/2 || rss > kB*1024*2 {
		t.Errorf("rss %v, status says %v kB", rss, kB)
	}
	// The boot time is known to the second.
	if s.Start.Before(start.Add(-2*time.Second)) || s.Start.After(time.Now().Add(2*time.Second)) {
		t.Errorf("start %v, want about %v", s.Start, start)
	}
	var levels []string
	for _, c := range s.Ceilings {
		levels = append(levels, c.Resource)
	}
	if len(levels) < 2 || levels[0] != sampler.RSSBytes || levels[1] != sampler.OpenFDs {
		t.Errorf("ceilings of %v", levels)
	}
	first := s.Clone()
	sample(t, p, &s)
	if s.Time.Sub(first.Time) < time.Millisecond || !s.Start.Equal(first.Start) {
		t.Errorf("times %v (start %v), then %v (start %v)", first.Time, first.Start, s.Time, s.Start)
	}
}

// statusField returns a number from /proc/PID/status.
func statusField(t testing.TB, pid int, name string) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == name {
			v, err := strconv.ParseFloat(string(f[1]), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s in status", name)
	return 0
}

func TestProcessGrows(t *testing.T) {
	c := testchild.Start(t)
	p := newProcessOf(t, c.PID)
	for _, tt := range []struct {
		order, resource string
		min             float64
		again           bool // as often as it takes: threads stand idle, a busy machine gives little time
	}{
		{"open", sampler.OpenFDs, 50, false},
		{"grow", sampler.RSSBytes, 60 << 20, false},
		{"threads", sampler.Threads, 10, true},
		{"spin", sampler.CPUSeconds, 0.05, true},
	} {
		var before, after sampler.Sample
		sample(t, p, &before)
		a, _ := before.Value(tt.resource)
		grown := func() string {
			c.Do(t, tt.order)
			sample(t, p, &after)
			if b, ok := after.Value(tt.resource); !ok || b-a < tt.min {
				return fmt.Sprintf("%s: %s went from %v to %v, want %v more", tt.order, tt.resource, a, b, tt.min)
			}
			return ""
		}
		if tt.again {
			await.Until(t, grown)
		} else if fault := grown(); fault != "" {
			t.Error(fault)
		}
	}
}

func TestProcessEnds(t *testing.T) {
	cmd := testchild.Sleep(t)
	p := newProcessOf(t, cmd.Process.Pid)
	var s sampler.Sample
	sample(t, p, &s)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// WNOWAIT: it is known to have ended, and stays a zombie.
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d (sleep) ended", p.PID())
	check := func(when string) {
		t.Helper()
		err := p.Sample(context.Background(), &s)
		if !errors.Is(err, io.EOF) || err.Error() != want || len(s.Readings) != 0 || len(s.Ceilings) != 0 ||
			!s.Start.IsZero() {
			t.Errorf("%s: error %q, want %q; sample %+v, want it empty", when, err, want, s)
		}
	}
	check("zombie")
	if _, err := New(p.PID()); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "ended") {
		t.Errorf("a zombie can be watched: %v", err)
	}
	late := newProcessOf(t, os.Getpid())
	late.proc, late.pid, late.program, late.ticks = p.proc, p.pid, p.program, p.ticks
	_ = cmd.Wait()
	check("gone, and known to be")
	p = late
	check("gone")
	check("gone, again")
	if _, err := New(p.PID()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("new source of a process that is gone: %v", err)
	}
}

// Another start under the same pid is another process, which must not be taken for the one before.
func TestProcessReusedPID(t *testing.T) {
	p := newProcessOf(t, testchild.Sleep(t).Process.Pid)
	p.ticks--
	var s sampler.Sample
	if err := p.Sample(context.Background(), &s); !errors.Is(err, io.EOF) || len(s.Readings) != 0 {
		t.Errorf("error %v, readings %v; want the end of the process", err, s.Readings)
	}
}

// A process that executes another program is another one from then on, under its pid; one that only changes its name is
// not.
func TestProcessExecutes(t *testing.T) {
	cmd := exec.Command("sh", "-c", `read line; exec sleep 1000`)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := newProcessOf(t, cmd.Process.Pid)
	var before, after sampler.Sample
	sample(t, p, &before)
	p.program.comm = "renamed" // as if it had another name then
	sample(t, p, &after)
	if !after.Start.Equal(before.Start) || p.Name() == "renamed" {
		t.Errorf("with another name: start %s, then %s; name %s", before.Start, after.Start, p.Name())
	}
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the other program", func() bool {
		sample(t, p, &after)
		return !after.Start.Equal(before.Start)
	})
	if !after.Start.Equal(after.Time) {
		t.Errorf("%s, %s: start %s at %s", p, p.Executable(), after.Start, after.Time)
	}
	began := after.Start
	await.True(t, "its name", func() bool { // which the kernel sets a moment later
		sample(t, p, &after)
		return p.String() == fmt.Sprintf("pid %d sleep", p.PID()) && filepath.Base(p.Executable()) != "sh"
	})
	if !after.Start.Equal(began) {
		t.Errorf("start %s, then %s", began, after.Start)
	}
	p.Renew()
	sample(t, p, &after)
	if !after.Start.After(began) || p.Name() != "sleep" {
		t.Errorf("it was executed again: start %s, before %s; name %s", after.Start, began, p.Name())
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.Renew()
	if began := after.Start; !p.Started().Equal(began) {
		t.Errorf("it has ended: start %s, before %s", p.Started(), began)
	}
}

// A script that executes a program of its own name, as many packages have, is another program too.
func TestProcessExecutesItsName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	program, script := filepath.Join(dir, "program"), filepath.Join(dir, "script")
	for _, d := range []string{program, script} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	text := "#!/bin/sh\nread line\nexec " + program + "/server 1000\n"
	if err := errors.Join(os.WriteFile(program+"/server", data, 0o700), os.WriteFile(script+"/server", []byte(text),
		0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script + "/server")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := newProcessOf(t, cmd.Process.Pid)
	var before, after sampler.Sample
	sample(t, p, &before)
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the program of the same name", func() bool {
		sample(t, p, &after)
		return p.Executable() == program+"/server"
	})
	if p.Name() != "server" || !after.Start.After(before.Start) {
		t.Errorf("%s: start %s, before %s", p, after.Start, before.Start)
	}
}

// A name is what its process makes it.
func TestProcessNameIsPrintable(t *testing.T) {
	p := newProcessOf(t, os.Getpid())
	p.program = program{comm: "a\x1b[2J\u202eb", path: "/tmp/\x07"}
	if got, want := fmt.Sprint(p, p.Name(), p.Executable()),
		fmt.Sprintf("pid %d a\ufffd[2J\ufffdba\ufffd[2J\ufffdb/tmp/\ufffd", os.Getpid()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// While the proc file system is gone, nothing is known of a process that lives.
func TestProcIsGone(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		pid  int
		root string
		want bool
	}{
		{"lives, no proc", os.Getpid(), t.TempDir(), false},
		{"ended, no proc", ended.Process.Pid, t.TempDir(), true},
		{"not shown", os.Getpid(), live.ProcRoot, true},
	} {
		if got := isOver(test.pid, test.root); got != test.want {
			t.Errorf("%s: over is %v", test.name, got)
		}
	}
}

// A process without memory of its own has no reading of it, as one has that is about to execute a program.
func TestProcessWithoutMemory(t *testing.T) {
	const kthreadd = 2
	if comm, err := os.ReadFile("/proc/2/comm"); err != nil || string(comm) != "kthreadd\n" {
		t.Skip("the threads of the kernel are not seen here")
	}
	p, err := New(kthreadd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var s sampler.Sample
	_ = p.Sample(t.Context(), &s) // its descriptors may not be readable
	if rss, ok := s.Value(sampler.RSSBytes); ok {
		t.Errorf("%v bytes", rss)
	}
	if threads, ok := s.Value(sampler.Threads); !ok || threads != 1 {
		t.Errorf("%v threads, want 1", threads)
	}
}

func TestNewProcessErrors(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	other := make(chan int)
	release := make(chan struct{})
	defer close(release)
	go func() { // on another thread than this one; one of the two is not the main thread
		runtime.LockOSThread()
		other <- unix.Gettid()
		<-release
	}()
	tid := <-other
	if tid == os.Getpid() {
		tid = unix.Gettid()
	}
	for pid, want := range map[int]string{
		0:             "not a process id",
		-1:            "not a process id",
		math.MaxInt32: "no such process",
		tid:           fmt.Sprintf("is a thread of process %d", os.Getpid()),
	} {
		if _, err := New(pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pid %d: %v, want %q", pid, err, want)
		}
	}
}

func TestProcessClose(t *testing.T) {
	p := newProcessOf(t, os.Getpid())
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	var s sampler.Sample
	if err := p.Sample(context.Background(), &s); !errors.Is(err, os.ErrClosed) || len(s.Readings) != 0 {
		t.Errorf("Sample after Close: %v, readings %v", err, s.Readings)
	}
}

// The descriptors of another user's process. Since Linux 6.2 their number is public as long as there are any, so the
// process has none.
func TestProcessOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	c := testchild.Start(t)
	c.Order(t, "bare")
	await.Until(t, func() string {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID))
		if err != nil {
			t.Skipf("the child could not rid itself of its descriptors: %v", err)
		}
		if len(list) == 0 && testchild.StateOf(t, c.PID) == "S" { // not just before it loads its libraries
			return ""
		}
		return fmt.Sprintf("the child still has descriptors: %v", list)
	})
	type result struct {
		err    error
		sample sampler.Sample
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine, as it can become root no more
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			results <- result{err: errno}
			return
		}
		p, err := New(c.PID)
		if err != nil {
			results <- result{err: err}
			return
		}
		var r result
		r.err = p.Sample(context.Background(), &r.sample)
		results <- r
	}()
	r := <-results
	want := fmt.Sprintf("sampler: not read: open_fds: open /proc/%d/fd: permission denied (run as the user of "+
		"process %[1]d, or as root)", c.PID)
	if r.err == nil || r.err.Error() != want || !errors.Is(r.err, fs.ErrPermission) {
		t.Errorf("error %v, want %s", r.err, want)
	}
	if d := cmp.Diff([]string{sampler.RSSBytes, sampler.Threads, sampler.CPUSeconds}, resourcesOf(&r.sample)); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
}

func BenchmarkProcess(b *testing.B) {
	p := newProcessOf(b, os.Getpid())
	var s sampler.Sample
	b.ReportAllocs()
	for b.Loop() {
		sample(b, p, &s)
	}
}

// A process whose file was replaced by that of the next release runs the program that it did.
func TestReplacedProgram(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sleep")
	// By another process: while this one has it open to write, none can execute it.
	if out, err := exec.Command("cp", sleep, program).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	cmd := exec.Command(program, "1000")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	before := newProcessOf(t, cmd.Process.Pid).Executable()
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if after := newProcessOf(t, cmd.Process.Pid).Executable(); before != program || after != program {
		t.Errorf("%q, then %q, want %q", before, after, program)
	}
}
