package testchild

import (
	"math"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// becomeBare turns the child into a program that sleeps, without any descriptor. It returns only if that fails.
func becomeBare() error {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		return err
	}
	if err := unix.CloseRange(0, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	return unix.Exec(sleep, []string{"sleep", "1000"}, os.Environ())
}
