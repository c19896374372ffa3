package flags

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// values are what the flags of the command of these tests hold.
type values struct {
	Soak, Every, Since, Timeout time.Duration
	Format, Out, Until          string
	PID                         int
	Seed                        uint64
	FDR                         float64
	Wait                        bool
	Groups                      []string
}

// command returns leaktrend watch with flags of all types, and leaktrend replay with another format.
func command() (watch *cobra.Command, v *values) {
	root := &cobra.Command{Use: "leaktrend"}
	root.SetFlagErrorFunc(Explain)
	watch = &cobra.Command{Use: "watch", Run: func(*cobra.Command, []string) {}}
	replay := &cobra.Command{Use: "replay"}
	root.AddCommand(watch, replay)
	v = &values{Format: "text", Since: 7 * 24 * time.Hour}
	fs := watch.Flags()
	Duration(fs, &v.Soak, "soak", Range{Min: 10 * time.Second, Zero: true, Example: "20m"}, "")
	Duration(fs, &v.Every, "every", Range{Min: time.Minute, Example: "1h"}, "")
	Duration(fs, &v.Since, "since", Range{Min: 6 * time.Hour, Max: 366 * 24 * time.Hour, Example: "7d"}, "")
	Duration(fs, &v.Timeout, "timeout", Range{Max: time.Hour, Example: "1m"}, "")
	Choice(fs, &v.Format, "format", []string{"text", "json"}, "")
	fs.StringVarP(&v.Out, "out", "o", "", "")
	fs.StringVar(&v.Until, "until", "", "")
	PID(fs, &v.PID, "")
	fs.Uint64Var(&v.Seed, "seed", 0, "")
	fs.Float64Var(&v.FDR, "fdr", 0, "")
	fs.BoolVar(&v.Wait, "wait", false, "")
	fs.StringSliceVar(&v.Groups, "group-by", nil, "")
	fs.Bool("version", false, "")
	Exclude(fs, "every", "until")
	format := "text"
	Choice(replay.Flags(), &format, "format", []string{"text", "json", "junit"}, "")
	watch.InitDefaultHelpFlag()
	return watch, v
}

func TestFlags(t *testing.T) {
	watch, v := command()
	for name, want := range map[string]string{"soak": "0", "since": "7d", "format": "text"} {
		if got := watch.Flags().Lookup(name).DefValue; got != want {
			t.Errorf("the default of --%s is shown as %s, want %s", name, got, want)
		}
	}
	err := watch.ParseFlags([]string{"--soak", "20m", "--every=1w", "--since", "1d12h", "--timeout", "1h", "--format",
		"json", "-o", "x", "--wait"})
	want := values{Soak: 20 * time.Minute, Every: 7 * 24 * time.Hour, Since: 36 * time.Hour, Timeout: time.Hour,
		Format: "json", Out: "x", Wait: true}
	if diff := cmp.Diff(want, *v); diff != "" || err != nil {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	if err := watch.Flags().Set("soak", "0"); err != nil || v.Soak != 0 {
		t.Errorf("--soak 0: %v, %v", v.Soak, err)
	}
}

func TestExplain(t *testing.T) {
	const noProcess = "the process id is missing; if a command was to give it, as in $(pgrep NAME), it found no process"
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--soak", "5x"}, "--soak 5x: must be a duration, as in 30s, 1h30m, 7d or 1d12h"},
		{[]string{"--soak", "9s"}, "--soak 9s: must be at least 10s, as in 20m"},
		{[]string{"--soak", "-1h"}, "--soak -1h: must not be negative, as in 20m"},
		{[]string{"--soak", ""}, `--soak "": must be a duration, as in 30s, 1h30m, 7d or 1d12h`},
		{[]string{"--soak", "9999999h"}, "--soak 9999999h: is too long: the maximum is 292 years"},
		{[]string{"--every", "0"}, "--every 0: must be at least 1m, as in 1h"},
		{[]string{"--since", "1h"}, "--since 1h: must be from 6h to 366d, as in 7d"},
		{[]string{"--since", "53w"}, "--since 53w: must be from 6h to 366d, as in 7d"},
		{[]string{"--timeout", "0s"}, "--timeout 0s: must be above zero, as in 1m"},
		{[]string{"--timeout", "-1s"}, "--timeout -1s: must be above zero, as in 1m"},
		{[]string{"--timeout", "61m"}, "--timeout 61m: must be at most 1h, as in 1m"},
		{[]string{"--format", "xml"}, "--format xml: must be text or json"},
		{[]string{"--pid", "one"}, "--pid one: must be a whole number"},
		{[]string{"--pid", "99999999999999999999"}, "--pid 99999999999999999999: is out of range"},
		{[]string{"--seed", "-1"}, "--seed -1: must be a whole number of at least 0"},
		{[]string{"--fdr", "a"}, "--fdr a: must be a number"},
		{[]string{"--fdr", "1e999"}, "--fdr 1e999: is out of range"},
		{[]string{"--wait=maybe"}, "--wait maybe: must be true or false"},
		{[]string{"--group-by", `a"b`}, `--group-by a"b: must be a list, parted by commas, with quotes in pairs`},
		{[]string{"--pid"}, "--pid: " + noProcess},
		{[]string{"--pid", ""}, "--pid: " + noProcess},
		{[]string{"--pid", "--soak", "1m"}, "--pid: " + noProcess},
		{[]string{"--pid", "12 34"}, "--pid: needs one process id, not 2 (12 34); leaktrend watch --name PATTERN " +
			"takes all that match"},
		{[]string{"--pid", "1\n2\n3\n4\n5\n6"}, "--pid: needs one process id, not 6 (1 2 3 4 5 ...); leaktrend watch " +
			"--name PATTERN takes all that match"},
		{[]string{"-o"}, "-o: its value is missing"},
		{[]string{"--pids", "4"}, "--pids: watch has no such flag; did you mean --pid?"},
		{[]string{"--soka", "1m"}, "--soka: watch has no such flag; did you mean --soak?"},
		{[]string{"--osak", "1m"}, "--osak: watch has no such flag; did you mean --soak?"},
		{[]string{"--somk", "1m"}, "--somk: watch has no such flag; did you mean --soak?"},
		// two letters from soak
		{[]string{"--moat", "1m"}, "--moat: watch has no such flag; leaktrend watch -h lists them"},
		{[]string{"--tmieout", "1m"}, "--tmieout: watch has no such flag; did you mean --timeout?"},
		{[]string{"--wings"}, "--wings: watch has no such flag; leaktrend watch -h lists them"},
		{[]string{"-pid", "4"}, "-pid: a flag of several letters has two dashes, as in --pid"},
		{[]string{"-pid=4"}, "-pid: a flag of several letters has two dashes, as in --pid"},
		{[]string{"-x"}, "-x: watch has no such flag; leaktrend watch -h lists them"},
		{[]string{"---pid"}, "---pid: no flag is written like this; leaktrend watch -h lists them"},
	} {
		watch, _ := command()
		if err := Explain(watch, watch.ParseFlags(test.args)); err == nil || err.Error() != test.says {
			t.Errorf("%q: %v, want %s", test.args, err, test.says)
		}
	}
}

func TestArguments(t *testing.T) {
	watch, _ := command()
	for _, test := range []struct {
		of   cobra.PositionalArgs
		args []string
		says string
	}{
		{NoArgs, nil, ""},
		{NoArgs, []string{"4242"}, "4242: watch takes no arguments, only flags; leaktrend watch -h lists them"},
		{OneArg("a file"), []string{"a"}, ""},
		{OneArg("a file"), nil, "watch needs a file: leaktrend watch [flags]"},
		{OneArg("a file"), []string{"a", "b"}, "b: watch takes a file, and one only"},
		{SomeArgs("a file"), []string{"a", "b"}, ""},
		{SomeArgs("a file"), nil, "watch needs a file: leaktrend watch [flags]"},
	} {
		says := ""
		if err := test.of(watch, test.args); err != nil {
			says = err.Error()
		}
		if says != test.says {
			t.Errorf("%q: %s, want %s", test.args, says, test.says)
		}
	}
}

// Ids behind that of --pid are those of a pattern that several processes match.
func TestSurplusIDs(t *testing.T) {
	for args, says := range map[string]string{
		"34 56":   "--pid: needs one process id, not 3 (12 34 56); leaktrend watch --name PATTERN takes all that match",
		"34 more": "34: watch takes no arguments, only flags; leaktrend watch -h lists them",
	} {
		watch, _ := command()
		if err := watch.ParseFlags([]string{"--pid", "12"}); err != nil {
			t.Fatal(err)
		}
		if err := NoArgs(watch, strings.Fields(args)); err == nil || err.Error() != says {
			t.Errorf("%s: %v, want %s", args, err, says)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	type variables map[string]string
	const week = 7 * 24 * time.Hour
	for _, test := range []struct {
		name string
		args []string
		set  variables
		want values
		says string
	}{
		{"none", nil, nil, values{Format: "text", Since: week}, ""},
		{"all types", nil, variables{"LEAKTREND_SOAK": "1d", "LEAKTREND_FORMAT": "json", "LEAKTREND_OUT": "x",
			"LEAKTREND_PID": "4", "LEAKTREND_SEED": "5",
			"LEAKTREND_FDR": ".1", "LEAKTREND_WAIT": "true", "LEAKTREND_GROUP_BY": "a,b"},
			values{Soak: 24 * time.Hour, Format: "json", Out: "x", PID: 4, Seed: 5, FDR: .1, Wait: true,
				Groups: []string{"a", "b"}, Since: week}, ""},
		{"flags win", []string{"--pid", "5", "-o", "y"}, variables{"LEAKTREND_PID": "wrong", "LEAKTREND_OUT": "x"},
			values{Format: "text", PID: 5, Out: "y", Since: week}, ""},
		{"the command's own wins", nil, variables{"LEAKTREND_PID": "wrong", "LEAKTREND_WATCH_PID": "5",
			"LEAKTREND_REPLAY_PID": "6"}, values{Format: "text", PID: 5, Since: week}, ""},
		{"empty is none", nil, variables{"LEAKTREND_PID": "", "LEAKTREND_WATCH_FORMAT": "", "LEAKTREND_FORMAT": "json"},
			values{Format: "json", Since: week}, ""},
		{"what a flag excludes", []string{"--until", "now"}, variables{"LEAKTREND_EVERY": "1h"},
			values{Format: "text", Until: "now", Since: week}, ""},
		{"the version of an image", nil, variables{"LEAKTREND_VERSION": "1.2", "LEAKTREND_HELP": "true"},
			values{Format: "text", Since: week}, ""},
		{"a format of others", nil, variables{"LEAKTREND_FORMAT": "junit"}, values{Format: "text", Since: week}, ""},
		{"a format of nobody", nil, variables{"LEAKTREND_FORMAT": "xml"}, values{},
			"LEAKTREND_FORMAT=xml: must be text or json (LEAKTREND_WATCH_FORMAT is for watch alone)"},
		{"a format of others, for this one", nil, variables{"LEAKTREND_WATCH_FORMAT": "junit"}, values{},
			"LEAKTREND_WATCH_FORMAT=junit: must be text or json"},
		{"no number", nil, variables{"LEAKTREND_PID": "one"}, values{},
			"LEAKTREND_PID=one: must be a whole number (LEAKTREND_WATCH_PID is for watch alone)"},
		{"out of range", nil, variables{"LEAKTREND_WATCH_SOAK": "1s"}, values{},
			"LEAKTREND_WATCH_SOAK=1s: must be at least 10s, as in 20m"},
	} {
		watch, v := command()
		if err := watch.ParseFlags(test.args); err != nil {
			t.Fatal(err)
		}
		err := FromEnvironment(watch, func(name string) (string, bool) {
			value, ok := test.set[name]
			return value, ok
		})
		switch {
		case test.says != "" || err != nil:
			if err == nil || err.Error() != test.says {
				t.Errorf("%s: %v, want %s", test.name, err, test.says)
			}
		default:
			if diff := cmp.Diff(test.want, *v); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	}
}

// An error that names a flag which nobody wrote says where it is from.
func TestName(t *testing.T) {
	watch, _ := command()
	if err := watch.ParseFlags([]string{"--soak", "1h"}); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"LEAKTREND_PID": "4", "LEAKTREND_WATCH_OUT": "x"}
	if err := FromEnvironment(watch, func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"--pid 4: not a process id": "--pid 4: not a process id (--pid is from LEAKTREND_PID)",
		"--pid and -o: one at a time": "--pid and -o: one at a time (-o is from LEAKTREND_WATCH_OUT, --pid is from " +
			"LEAKTREND_PID)",
		"--soak 1h goes with --pidfile": "--soak 1h goes with --pidfile",
		"a-o":                           "a-o",
	} {
		cause := errors.New(text)
		if got := Name(watch, cause); got.Error() != want || !errors.Is(got, cause) {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if got := Name(watch, nil); got != nil {
		t.Error(got)
	}
}

func TestHint(t *testing.T) {
	watch, _ := command()
	const want = "Variables stand in for flags that are not given: LEAKTREND_EVERY for --every,\n" +
		"or LEAKTREND_WATCH_EVERY for that of watch alone."
	if got := Hint(watch); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Hint(watch.Root()); got != "" {
		t.Errorf("of a command without flags: %q", got)
	}
}
