package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	tty.tmux("-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "sh")
	t.Cleanup(func() { tty.tmux("kill-server") })
	tty.tmux("set-option", "-g", "window-size", "manual")
	return tty
}

func (tty *terminal) tmux(args ...string) string {
	tty.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", tty.socket}, args...)...)
	cmd.Env = append(os.Environ(), "PS1=$ ", "NO_COLOR=")
	out, err := cmd.CombinedOutput()
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
	return tty.await(fmt.Sprintf("%q", texts), func(screen string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(screen, text) })
	})
}

// marks waits until the mark is at a resource, whatever the verdict on it.
func (tty *terminal) marks(resource string) {
	tty.t.Helper()
	marked := regexp.MustCompile(`(?m)^▸ .* ` + resource + ` `)
	tty.await("the mark at "+resource, marked.MatchString)
}

// await waits until the screen is as it should be, and returns it.
func (tty *terminal) await(what string, is func(screen string) bool) string {
	tty.t.Helper()
	var screen string
	for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if screen = tty.tmux("capture-pane", "-p"); is(screen) {
			return screen
		}
	}
	tty.t.Fatalf("the terminal does not show %s:\n%s", what, screen)
	return ""
}

// Watching several processes on a real terminal: the list, a plot, another size, one that ends and one that comes, and
// the shell afterwards.
func TestWatchOnTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s of real time")
	}
	t.Parallel()
	name := fmt.Sprintf("leaktrend-test-%d", os.Getpid())
	first, second := leaky(t, name), leaky(t, name)
	tty := newTerminal(t, 80, 24)
	dir := t.TempDir()
	tty.run(fmt.Sprintf("stty -g >%s/before; %s=1 %s watch --name [l]%s --soak 2m --interval 100ms --exit-code; "+
		"code=$?; stty -g >%s/after; echo code $code",
		dir, asCommand, os.Args[0], name[1:], dir))
	pid := func(c *exec.Cmd) string { return fmt.Sprintf("pid %d ", c.Process.Pid) }
	// There is room for the latest alert alone, of either process.
	tty.shows("2 processes", pid(first), pid(second), "LEAK     open_fds", "critical  pid ", ": open_fds leak",
		"? help")
	tty.shows("▸ LEAK     open_fds") // the mark is at what leaks until a key moves it
	tty.press("j")
	tty.marks("threads")
	tty.press("k")
	tty.shows("▸ LEAK     open_fds")

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
	t.Parallel()
	child := leaky(t, "leaktrend")
	for name, end := range map[string]func(tty *terminal, pid int){
		"ctrl-c": func(tty *terminal, _ int) { tty.press("C-c") },
		"term": func(_ *terminal, pid int) {
			if err := exec.Command("kill", "-TERM", strconv.Itoa(pid)).Run(); err != nil {
				t.Error(err)
			}
		},
		"suspended": func(tty *terminal, _ int) {
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
			tty.run(fmt.Sprintf("%s=1 sh -c 'echo $$ >%s/pid; exec %s watch --pid %d --interval 100ms'", asCommand, dir,
				os.Args[0], child.Process.Pid))
			tty.shows("? help", "open_fds")
			text, err := os.ReadFile(filepath.Join(dir, "pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			end(tty, pid)
			tty.shows("early  open_fds")
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
