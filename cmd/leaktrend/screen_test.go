package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// terminal is a shell in a real terminal emulator.
type terminal struct {
	t      *testing.T
	socket string
}

// newTerminal starts tmux with a shell in it.
func newTerminal(t *testing.T, width, height int) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux")
	}
	tty := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	t.Setenv("PS1", "$ ")
	t.Setenv("NO_COLOR", "")
	tty.tmux("-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "sh")
	t.Cleanup(func() { tty.tmux("kill-server") })
	tty.tmux("set-option", "-g", "window-size", "manual")
	return tty
}

func (tty *terminal) tmux(args ...string) string {
	tty.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", tty.socket}, args...)...).CombinedOutput()
	if err != nil {
		tty.t.Fatalf("tmux %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func (tty *terminal) run(command string) { tty.tmux("send-keys", "-l", command+"\n") }

// press sends a key by the name that tmux has for it.
func (tty *terminal) press(key string) { tty.tmux("send-keys", key) }

// shows waits until the screen contains all of some texts, and returns it.
func (tty *terminal) shows(texts ...string) string {
	tty.t.Helper()
	var screen string
	for range 200 {
		screen = tty.tmux("capture-pane", "-p")
		missing := false
		for _, text := range texts {
			missing = missing || !strings.Contains(screen, text)
		}
		if !missing {
			return screen
		}
		time.Sleep(100 * time.Millisecond)
	}
	tty.t.Fatalf("the terminal does not show %q:\n%s", texts, screen)
	return ""
}

// Watching several processes on a real terminal: the list, a plot, another size, one that ends and one that comes, and the shell afterwards.
func TestWatchOnTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s of real time")
	}
	name := fmt.Sprintf("leaktrend-test-%d", os.Getpid())
	first, second := leaky(t, name), leaky(t, name)
	tty := newTerminal(t, 80, 24)
	dir := t.TempDir()
	tty.run(fmt.Sprintf("stty -g >%s/before; %s=1 %s watch --name [l]%s --soak 2m --interval 100ms --exit-code; code=$?; stty -g >%s/after; echo code $code",
		dir, asCommand, os.Args[0], name[1:], dir))
	pid := func(c *exec.Cmd) string { return fmt.Sprintf("pid %d ", c.Process.Pid) }
	// There is room for the latest alert alone, of either process.
	tty.shows("2 processes", pid(first), pid(second), "LEAK      open_fds", "critical  pid ", ": open_fds leak", "? help")
	tty.shows("▸ LEAK      open_fds") // the mark is at what leaks until a key moves it
	tty.press("j")
	tty.shows("▸ ok        threads")
	tty.press("k")
	tty.shows("▸ LEAK      open_fds")

	tty.press("Enter")
	tty.shows("┤", "⠶ values", "───", "▲")
	tty.press("w")
	tty.shows("LAST 24H")
	tty.tmux("resize-window", "-x", "200", "-y", "60")
	tty.shows("WHY", "q quit", "critical  "+pid(first), "critical  "+pid(second))
	tty.press("?")
	tty.shows("has the shape of a leak")
	tty.press("Escape")

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	third := leaky(t, name)
	tty.shows("2 processes, 1 ended", pid(first), "  ended ", pid(third))
	if on := tty.tmux("display-message", "-p", "#{alternate_on}"); strings.TrimSpace(on) != "1" {
		t.Errorf("the screen is not the alternate one: %s", on)
	}

	tty.press("q")
	// The alerts and the last verdicts stay.
	tty.shows("code 1", "critical  "+pid(second), "LEAK  open_fds")
	if on := tty.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}"); strings.TrimSpace(on) != "0 1" {
		t.Errorf("alternate screen and cursor: %s", on)
	}
	sameFiles(t, dir+"/before", dir+"/after")
}

// Ctrl-C and a signal end it as well, and the terminal is as before.
func TestTerminalIsRestored(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s of real time")
	}
	child := leaky(t, "leaktrend")
	for name, end := range map[string]func(tty *terminal){
		"ctrl-c": func(tty *terminal) { tty.press("C-c") },
		"term": func(tty *terminal) {
			shell := strings.TrimSpace(tty.tmux("display-message", "-p", "#{pane_pid}"))
			out, err := exec.Command("pgrep", "-P", shell).Output()
			if err != nil {
				t.Fatal(err)
			}
			_ = exec.Command("kill", "-TERM", strings.TrimSpace(string(out))).Run()
		},
		"suspended": func(tty *terminal) {
			tty.press("C-z")
			tty.shows("Stopped")
			tty.run("fg")
			tty.shows("? help")
			tty.press("q")
		},
	} {
		t.Run(name, func(t *testing.T) {
			tty := newTerminal(t, 80, 24)
			dir := t.TempDir()
			tty.run("set -m; stty -g >" + dir + "/before")
			tty.run(fmt.Sprintf("%s=1 %s watch --pid %d --interval 100ms", asCommand, os.Args[0], child.Process.Pid))
			tty.shows("? help", "open_fds")
			end(tty)
			tty.shows("too short  open_fds")
			tty.run("stty -g >" + dir + "/after; echo all' 'is well")
			tty.shows("all is well")
			sameFiles(t, dir+"/before", dir+"/after")
		})
	}
}

func sameFiles(t *testing.T, one, other string) {
	t.Helper()
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) == 0 || string(a) != string(b) {
		t.Errorf("the terminal was %s, and is %s", a, b)
	}
}

// reactingOutput is what a command has written up to now, which is shown to a function as it grows.
type reactingOutput struct {
	bytes.Buffer
	seen func(text string)
}

func (o *reactingOutput) Write(p []byte) (int, error) {
	n, err := o.Buffer.Write(p)
	o.seen(o.String())
	return n, err
}

// Elsewhere than on a terminal watch ends with the last process, and tells by its exit code what was found on any of them.
func TestWatchEndsWithLastProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 8 s of real time")
	}
	name := fmt.Sprintf("leaktrend-last-%d", os.Getpid())
	first, second := leaky(t, name), leaky(t, name)
	var alerted atomic.Bool
	stdout := &reactingOutput{seen: func(text string) {
		if strings.Count(text, "open_fds leak: ") == 2 && !alerted.Swap(true) {
			_ = first.Process.Kill()
		}
	}}
	stderr := &reactingOutput{seen: func(text string) {
		if strings.Contains(text, fmt.Sprintf("process %d (", first.Process.Pid)) {
			_ = second.Process.Kill()
		}
	}}
	err := run(t.Context(), []string{"watch", "--name", name, "--soak", "1m", "--exit-code", "--duration", "1m"}, nil, stdout, stderr)
	got := outcome{exitCode(err), stdout.String(), stderr.String()}
	if got.code != exitLeak || !strings.Contains(got.stderr, "the last process of --name "+name+" ended") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, child := range []*exec.Cmd{first, second} {
		for _, want := range []string{
			fmt.Sprintf("level=warning msg=\"pid %d ", child.Process.Pid),
			fmt.Sprintf("process %d ", child.Process.Pid),
		} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("no %q in\n%s", want, got.stderr)
			}
		}
	}
	if n := strings.Count(got.stdout, "open_fds leak: "); n < 2 {
		t.Errorf("%d alerts, want one for each process:\n%s", n, got.stdout)
	}

	// A recording is of one process.
	third, fourth := leaky(t, name), leaky(t, name)
	got = leaktrend(t, "", "watch", "--name", name, "-o", filepath.Join(t.TempDir(), "x.csv"), "--duration", "1s")
	if got.code != exitUsage || !strings.Contains(got.stderr, "2 processes match, choose one with --pid") {
		t.Errorf("exit code %d\n%s (%d, %d)", got.code, got.stderr, third.Process.Pid, fourth.Process.Pid)
	}
}
