package procmem

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is said to be missing is what is: another user, a scope, a capability, or nothing that leaktrend could have.
func TestWhatGivesTheRight(t *testing.T) {
	const asRoot = "run leaktrend as root, or with CAP_SYS_PTRACE"
	const lacks = "run leaktrend with CAP_SYS_PTRACE, which root lacks here (docker run --cap-add SYS_PTRACE, or " +
		"capabilities.add in its securityContext)"
	for _, test := range []struct {
		caller Caller
		want   string
	}{
		{Caller{root: true}, lacks + "; in a pod also with shareProcessNamespace: true"},
		{Caller{root: true, scope: "1"}, lacks + "; in a pod also with shareProcessNamespace: true"},
		{Caller{root: true, same: true, scope: "1"}, lacks + ", or set kernel.yama.ptrace_scope to 0 (it is 1 here)"},
		{Caller{root: true, same: true}, lacks + ": the process runs as the same user, but has more rights, by " +
			"setuid or capabilities of its file, or has asked not to be read"},
		{Caller{}, "run leaktrend as the user of process 7, as root, or with CAP_SYS_PTRACE; in a pod also with " +
			"shareProcessNamespace: true"},
		{Caller{scope: "0"}, "run leaktrend as the user of process 7, as root, or with CAP_SYS_PTRACE; in a pod also " +
			"with shareProcessNamespace: true"},
		{Caller{scope: "1"}, "run leaktrend as the user of process 7 and kernel.yama.ptrace_scope 0 (it is 1 here), " +
			"as root, or with CAP_SYS_PTRACE; " +
			"in a pod also with shareProcessNamespace: true"},
		{Caller{same: true, scope: "1"}, asRoot + ", or set kernel.yama.ptrace_scope to 0 (it is 1 here)"},
		{Caller{same: true, scope: "0"}, asRoot + ": the process runs as the same user, but has more rights, by " +
			"setuid or capabilities of its file, or has asked not to be read"},
		{Caller{same: true, scope: "2"}, asRoot + ": kernel.yama.ptrace_scope is 2, which forbids it to all others"},
		{Caller{scope: "2"}, asRoot + ": kernel.yama.ptrace_scope is 2, which forbids it to all others"},
		{Caller{capable: true, scope: "3"}, "kernel.yama.ptrace_scope is 3, which forbids it to all until the system " +
			"is booted with another one"},
		{Caller{capable: true}, "leaktrend has CAP_SYS_PTRACE, so a security module forbids it, as AppArmor and " +
			"SELinux do, or the process is in another user " +
			"namespace: allow it there, or run leaktrend outside of containers"},
	} {
		if diff := cmp.Diff(test.want, test.caller.Remedy(7)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.caller, diff)
		}
	}
}

func TestCaller(t *testing.T) {
	own := strconv.Itoa(os.Geteuid())
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sys/kernel/yama/ptrace_scope", "2\n")
	write("7/status", "Name:\tx\nUid:\t"+own+"\t"+own+"\t"+own+"\t"+own+"\nGid:\t0\n")
	write("8/status", "Name:\tx\nUid:\t"+own+"\t"+own+"\t1234567\t"+own+"\nGid:\t0\n")
	for pid, same := range map[int]bool{7: true, 8: false, 9: false} {
		got := CallerOf(root, pid)
		got.root, got.capable = false, false // as the test runs as
		if diff := cmp.Diff(Caller{same: same, scope: "2"}, got, cmp.AllowUnexported(Caller{})); diff != "" {
			t.Errorf("%d (-want +got):\n%s", pid, diff)
		}
	}
}
