//go:build unix

package screen

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// suspend gives the terminal back to the shell until the program is continued.
func suspend(s *scene) {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if s.tc.Suspend() != nil {
		return
	}
	if unix.Kill(0, unix.SIGTSTP) == nil { // the whole job, as the terminal does
		<-continued
	}
	_ = s.tc.Resume()
}
