package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
)

var osServices = []service{
	{name: "exec-pipe", resource: sampler.OpenFDs, library: "os/exec", work: runTool, call: unreadPipe, rate: 1},
	{name: "exec-not-waited", resource: sampler.Goroutines, library: "os/exec", work: runTool, call: notWaited,
		rate: 1},
	{name: "file-open", resource: sampler.OpenFDs, library: "os", work: readFiles, call: openFile, rate: 20},
	{name: "file-scanned", resource: sampler.OpenFDs, library: "os, bufio", work: readFiles, call: scanFile},
	{name: "raw-open", resource: sampler.OpenFDs, library: "syscall", work: readFiles, call: rawOpen, rate: 20},
	{name: "raw-socket", resource: sampler.OpenFDs, library: "x/sys/unix", work: readFiles, call: rawSocket, rate: 20},
	{name: "tcp-dial", resource: sampler.OpenFDs, library: "net", work: echo, call: dialTCP},
	{name: "tcp-listen", resource: sampler.OpenFDs, library: "net", work: echo, call: listenTCP},
	{name: "thread-locked", resource: sampler.Threads, work: echo, call: lockedThread, rate: 1, hold: 10},
	{name: "thread-syscall", resource: sampler.Threads, library: "syscall", work: echo, call: blockedRead, rate: 1,
		hold: 10},
	{name: "thread-flock", resource: sampler.Threads, library: "x/sys/unix", work: echo, call: blockedLock, rate: 1,
		hold: 10},
}

func runTool(*world) { must(exec.Command("true").Output()) }

func unreadPipe(w *world) func() {
	cmd := exec.Command("true")
	out := must(cmd.StdoutPipe()) // or: exec-pipe
	check(cmd.Start())            // leak: exec-pipe
	w.kept = append(w.kept, cmd)
	return func() { w.kept = w.kept[1:]; _, _ = io.Copy(io.Discard, out); check(cmd.Wait()) }
}

func notWaited(*world) func() {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "true")
	check(cmd.Start()) // leak: exec-not-waited
	return func() { _ = cmd.Wait(); cancel() }
}

func file(w *world) string {
	return once(w, "file", func() string {
		name := filepath.Join(w.dir, "data")
		check(os.WriteFile(name, []byte("a line\nanother\n"), 0o600))
		return name
	})
}

func readFiles(w *world) {
	for range 4 {
		must(os.ReadFile(file(w)))
	}
	f := must(os.Open(file(w)))
	must(f.Stat())
	f.Close()
}

func openFile(w *world) func() {
	f := must(os.Open(file(w))) // leak: file-open
	w.kept = append(w.kept, f)
	return func() { w.kept = w.kept[1:]; f.Close() }
}

func scanFile(w *world) func() {
	f := must(os.Open(file(w))) // or: file-scanned
	lines := bufio.NewScanner(f)
	lines.Scan() // leak: file-scanned
	w.kept = append(w.kept, lines)
	return func() { w.kept = w.kept[1:]; f.Close() }
}

func rawOpen(w *world) func() {
	fd := must(syscall.Open(file(w), syscall.O_RDONLY, 0)) // leak: raw-open
	return func() { _ = syscall.Close(fd) }
}

func rawSocket(w *world) func() {
	fd := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) // leak: raw-socket
	check(unix.Connect(fd, &unix.SockaddrUnix{Name: w.Unix}))
	return func() { _ = unix.Close(fd) }
}

func echo(w *world) {
	c := must(net.Dial("tcp", w.Echo))
	must(c.Write([]byte("a")))
	must(c.Read(make([]byte, 1)))
	c.Close()
}

func dialTCP(w *world) func() {
	c := must(net.Dial("tcp", w.Echo)) // leak: tcp-dial
	conns := once(w, "conns", func() map[int]net.Conn { return map[int]net.Conn{} })
	n := w.n
	conns[n] = c
	return func() { delete(conns, n); c.Close() }
}

func listenTCP(w *world) func() {
	l := must(net.Listen("tcp", "127.0.0.1:0")) // leak: tcp-listen
	w.kept = append(w.kept, l)
	return func() { w.kept = w.kept[1:]; l.Close() }
}

func lockedThread(*world) func() {
	over := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		<-over // leak: thread-locked
	}()
	return func() { close(over) }
}

func blockedRead(*world) func() {
	var ends [2]int
	check(syscall.Pipe(ends[:]))
	go func() {
		_, _ = syscall.Read(ends[0], make([]byte, 1)) // leak: thread-syscall
		_ = syscall.Close(ends[0])
	}()
	return func() { _ = syscall.Close(ends[1]) }
}

func blockedLock(w *world) func() {
	lock := func() *os.File { return must(os.Create(filepath.Join(w.dir, "lock"))) }
	held := once(w, "lock", func() *os.File {
		f := lock()
		check(unix.Flock(int(f.Fd()), unix.LOCK_EX))
		return f
	})
	f := lock()
	go func() {
		_ = unix.Flock(int(f.Fd()), unix.LOCK_SH) // leak: thread-flock
		f.Close()
	}()
	return func() {
		if w.n%10 == 0 { // those that wait get it all at once
			_ = unix.Flock(int(held.Fd()), unix.LOCK_UN)
			_ = unix.Flock(int(held.Fd()), unix.LOCK_EX)
		}
	}
}
