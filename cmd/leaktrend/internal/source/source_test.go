package source

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
)

func TestComplete(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		name string
		args string
		want Flags
		says string // the error, if one is due
	}{
		{"pid", "--pid 7", Flags{PID: 7, Interval: 5 * second}, ""},
		{"name", "--name redis", Flags{Name: "redis", Interval: 5 * second}, ""},
		{"url", "--url http://x/metrics", Flags{URL: "http://x/metrics", Interval: 5 * second}, ""},
		{"duration", "--pid 7 --duration 1m", Flags{PID: 7, Interval: 5 * second, Duration: time.Minute}, ""},
		{"interval", "--pid 7 --interval 1h", Flags{PID: 7, Interval: time.Hour}, ""},
		{"least interval", "--pid 7 --interval 10ms", Flags{PID: 7, Interval: 10 * time.Millisecond}, ""},
		{"interval and soak", "--pid 7 --interval 3s --soak 20m",
			Flags{PID: 7, Interval: 3 * second, Soak: 20 * time.Minute}, ""},
		{"least soak", "--pid 7 --soak 10s", Flags{PID: 7, Interval: 50 * time.Millisecond, Soak: 10 * second}, ""},
		{"soak 1m", "--pid 7 --soak 1m", Flags{PID: 7, Interval: 50 * time.Millisecond, Soak: time.Minute}, ""},
		{"soak 90s: rounded", "--pid 7 --soak 90s", Flags{PID: 7, Interval: 80 * time.Millisecond, Soak: 90 * second},
			""},
		{"soak 4m", "--pid 7 --soak 4m", Flags{PID: 7, Interval: 200 * time.Millisecond, Soak: 4 * time.Minute}, ""},
		{"soak 20m", "--pid 7 --soak 20m", Flags{PID: 7, Interval: second, Soak: 20 * time.Minute}, ""},
		{"soak 100m", "--pid 7 --soak 100m", Flags{PID: 7, Interval: 5 * second, Soak: 100 * time.Minute}, ""},
		{"soak 48h: no slower than without", "--pid 7 --soak 48h",
			Flags{PID: 7, Interval: 5 * second, Soak: 48 * time.Hour}, ""},

		{"nothing", "", Flags{}, "one of --pid, --name and --url is needed"},
		{"pid 0", "--pid 0", Flags{}, "--pid 0: no process has this id"},
		{"no name", "--name=", Flags{}, "--name and --url must not be empty"},
		{"no url", "--url=", Flags{}, "--name and --url must not be empty"},
		{"two", "--pid 7 --url http://x", Flags{}, "only one of --pid, --name and --url can be given"},
		{"three", "--pid 7 --url http://x --name x", Flags{}, "only one of --pid, --name and --url can be given"},
		{"negative pid", "--pid -7", Flags{}, "--pid -7: no process has this id"},
		{"negative duration", "--pid 7 --duration -1s", Flags{}, "--duration -1s: must not be negative, as in 1h"},
		{"short soak", "--pid 7 --soak 9s", Flags{}, "--soak 9s: must be at least 10s, as in 20m"},
		{"negative soak", "--pid 7 --soak -20m", Flags{}, "--soak -20m: must not be negative, as in 20m"},
		{"short interval", "--pid 7 --interval 9ms", Flags{}, "--interval 9ms: must be at least 10ms, as in 5s"},
		{"negative interval", "--pid 7 --interval -1s --soak 20m", Flags{},
			"--interval -1s: must be at least 10ms, as in 5s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f Flags
			fs := pflag.NewFlagSet("", pflag.ContinueOnError)
			f.Register(fs)
			err := flags.Explain(&cobra.Command{}, fs.Parse(strings.Fields(test.args)))
			if err == nil {
				err = f.Complete()
			}
			if test.says != "" {
				if err == nil || err.Error() != test.says {
					t.Errorf("error %v, want %q", err, test.says)
				}
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, f, cmpopts.IgnoreUnexported(Flags{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOpenURL(t *testing.T) {
	f := Flags{URL: "http://user:secret@127.0.0.1:1/metrics"}
	source, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if got := source.String(); strings.Contains(got, "secret") || !strings.Contains(got, "127.0.0.1:1/metrics") {
		t.Errorf("called %s", got)
	}
	f.URL = "ftp://x"
	if _, err := f.Open(); err == nil {
		t.Error("ftp is opened")
	}
}

func TestOpenProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are sampled on Linux only")
	}
	// The command lines of two children carry what no other's does.
	mark := fmt.Sprintf("100%d", os.Getpid())
	var pids []int
	for range 2 {
		child := exec.Command("sleep", mark)
		if err := child.Start(); err != nil {
			t.Skip(err)
		}
		defer func() { _ = child.Wait() }()
		defer func() { _ = child.Process.Kill() }()
		pids = append(pids, child.Process.Pid)
	}
	open := func(f Flags) (string, error) {
		source, err := f.Open()
		if err != nil {
			return "", err
		}
		defer source.Close()
		return source.String(), nil
	}
	if got, err := open(Flags{PID: pids[0]}); got != fmt.Sprintf("pid %d sleep", pids[0]) || err != nil {
		t.Errorf("by pid: %q, %v", got, err)
	}
	pattern := "^sleep " + mark + "$"
	_, err := open(Flags{Name: pattern})
	want := fmt.Sprintf("--name %s: 2 processes match, choose one with --pid:\n  pid %d sleep\n  pid %d sleep",
		pattern, min(pids[0], pids[1]), max(pids[0], pids[1]))
	if err == nil || err.Error() != want {
		t.Errorf("two match: %v\nwant: %s", err, want)
	}
	pattern = "^sleep " + mark + "0$"
	if _, err := open(Flags{Name: pattern}); err == nil || err.Error() != "--name "+pattern+": no such process" {
		t.Errorf("none matches: %v", err)
	}
	if _, err := open(Flags{Name: "("}); err == nil || !strings.Contains(err.Error(), "pattern") {
		t.Errorf("no pattern: %v", err)
	}
	self := strconv.Itoa(os.Getpid())
	if _, err := open(Flags{PID: 1 << 30}); err == nil || strings.Contains(err.Error(), self) {
		t.Errorf("no process: %v", err)
	}
}

func TestListIsShort(t *testing.T) {
	var pids []int
	for i := range 25 {
		pids = append(pids, 1<<30+i) // no process has such an id
	}
	lines := strings.Split(list(pids), "\n")
	if len(lines) != 21 || lines[0] != "  pid 1073741824" || lines[20] != "  and 5 more" {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}
