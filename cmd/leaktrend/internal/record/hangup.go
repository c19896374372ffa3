package record

import (
	"os"
	"os/signal"
	"syscall"
)

// OnHangup has SIGHUP flush and reopen a recording, as after its file was rotated, until stop is called. Where it comes
// because the terminal is gone, and nobody asked to outlive that, as nohup does, it calls end.
func OnHangup(f *File, end func()) (stop func()) {
	outlives := signal.Ignored(syscall.SIGHUP) || !hasTerminal()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
			case <-ended:
				return
			}
			f.Reopen()
			if !outlives && !hasTerminal() {
				end()
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(ended)
	}
}

// hasTerminal reports whether a terminal controls this process.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}
