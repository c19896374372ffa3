package testchild

import (
	"os/exec"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

// Sleep starts a program that is no Go program, and waits until it has settled. It ends with the test.
func Sleep(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await.True(t, "sleep sleeps", func() bool { return StateOf(t, cmd.Process.Pid) == "S" })
	return cmd
}

// StateOf returns the state of a process as in proc(5).
func StateOf(t testing.TB, pid int) string {
	t.Helper()
	p, err := procfs.NewProc(pid)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := p.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return stat.State
}
