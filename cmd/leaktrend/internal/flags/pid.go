package flags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// pid is a flag for the id of one process. A shell often gives it, as in --pid $(pgrep x), which may find none or
// several.
type pid int

// PID adds a flag for the id of one process, 0 where it is not given.
func PID(fs *pflag.FlagSet, at *int, usage string) { fs.Var((*pid)(at), "pid", usage) }

func (p *pid) String() string { return strconv.Itoa(int(*p)) }

// Type is that of the value, as the help has it.
func (*pid) Type() string { return "int" }

// Set takes an id.
func (p *pid) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err == nil {
		*p = pid(n)
	}
	return err
}

// errNoID is what is wrong where nothing stands for an id.
var errNoID = errors.New("the process id is missing; if a command was to give it, as in $(pgrep NAME), it found no " +
	"process")

// maxIDs is how many ids are shown of several.
const maxIDs = 5

func errSeveral(ids []string) error {
	shown := strings.Join(ids[:min(len(ids), maxIDs)], " ")
	if len(ids) > maxIDs {
		shown += " ..."
	}
	return fmt.Errorf("needs one process id, not %d (%s); leaktrend watch --name PATTERN takes all that match",
		len(ids), shown)
}

// ofPID says what is wrong with a flag for a process id and what stands behind it; nil where it is no such flag, or one
// value that is wrong.
func ofPID(f *pflag.Flag, value string) error {
	ids := strings.Fields(value)
	switch _, ok := f.Value.(*pid); {
	case !ok:
		return nil
	case len(ids) == 0, strings.HasPrefix(value, "--"):
		return errNoID
	case len(ids) > 1:
		return errSeveral(ids)
	}
	return nil
}

// surplusIDs says what is wrong where one id is given to its flag, and others stand behind it; nil where that is not
// so.
func surplusIDs(fs *pflag.FlagSet, args []string) error {
	f := fs.Lookup("pid")
	if f == nil || !f.Changed {
		return nil
	}
	for _, arg := range args {
		if _, err := strconv.Atoi(arg); err != nil {
			return nil
		}
	}
	return fmt.Errorf("--pid: %w", errSeveral(append([]string{f.Value.String()}, args...)))
}
