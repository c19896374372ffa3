package procmem

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Caller is what is known of the rights that decide whether a process may be read.
type Caller struct {
	root    bool   // may lack capabilities nevertheless
	capable bool   // has CAP_SYS_PTRACE
	same    bool   // runs as the user of the process
	scope   string // kernel.yama.ptrace_scope; "" where there is none
}

// CallerOf looks at this process, or rather thread, before another one, by the proc file system that is mounted at a
// root.
func CallerOf(root string, pid int) (c Caller) {
	c.root = os.Geteuid() == 0
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err == nil {
		c.capable = sets[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
	}
	if data, err := os.ReadFile(filepath.Join(root, "sys/kernel/yama/ptrace_scope")); err == nil {
		c.scope = strings.TrimSpace(string(data))
	}
	status, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "status"))
	if _, users, found := strings.Cut(string(status), "\nUid:"); err == nil && found {
		users, _, _ = strings.Cut(users, "\n")
		own := strconv.Itoa(os.Geteuid())
		fields := strings.Fields(users)
		c.same = len(fields) >= 3 && fields[0] == own && fields[1] == own && fields[2] == own
	}
	return c
}

// Remedy says how to obtain the right to read a process.
func (c Caller) Remedy(pid int) string {
	asRoot := "run leaktrend as root, or with CAP_SYS_PTRACE"
	if c.root {
		asRoot = "run leaktrend with CAP_SYS_PTRACE, which root lacks here (docker run --cap-add SYS_PTRACE, or " +
			"capabilities.add in its securityContext)"
	}
	switch {
	case c.scope == "3":
		return "kernel.yama.ptrace_scope is 3, which forbids it to all until the system is booted with another one"
	case c.capable:
		return "leaktrend has CAP_SYS_PTRACE, so a security module forbids it, as AppArmor and SELinux do, or the " +
			"process is in another user " +
			"namespace: allow it there, or run leaktrend outside of containers"
	case c.scope == "2":
		return asRoot + ": kernel.yama.ptrace_scope is 2, which forbids it to all others"
	case c.same && c.scope == "1":
		return asRoot + ", or set kernel.yama.ptrace_scope to 0 (it is 1 here)"
	case c.same:
		return asRoot + ": the process runs as the same user, but has more rights, by setuid or capabilities of its " +
			"file, or has asked not to be read"
	}
	if c.root {
		return asRoot + "; in a pod also with shareProcessNamespace: true"
	}
	scope := ""
	if c.scope != "" && c.scope != "0" {
		scope = " and kernel.yama.ptrace_scope 0 (it is " + c.scope + " here)"
	}
	return fmt.Sprintf("run leaktrend as the user of process %d%s, as root, or with CAP_SYS_PTRACE; in a pod also "+
		"with shareProcessNamespace: true", pid, scope)
}
