package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// notWords are what no user should read: names of our packages and of Go's, of its functions and system calls.
var notWords = regexp.MustCompile(`strconv|pflag|cobra|invalid argument|(^|: ` +
	`)(sampler|alerting|detector|engine|yaml|recording|regexp): |dial tcp|lookup |parsing regexp|` +
	`unexpected EOF|\b(stat|open|read|mkdir|lstat) \S+: |arg\(s\)|\b1 ` +
	`(lines|faults|samples|values|cells|targets|recordings|points)\b|%!`)

// Whatever is wrong with a command line, it is told in its own words, on standard error, with exit code 2.
func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := recordingOf(t, "goroutines", .2, steady)
	empty, text, badYAML := file("empty.csv", ""), file("text.csv", "x"), file("bad.yaml", "resource_monitoring: [1,2")
	faults, noTimes := file("faults.yaml", "resource_monitoring:\n  check_interval: 30\n  adaptive:\n"+
		"    sensitivity: 99\n"), file("notime.csv", "a,b\n1,2\n")
	labels, headers := file("labels.yaml", "recordings: 5\n"), file("headers", "nohead")
	oneFault := file("fault.csv", "# leaktrend recording v1\ntime,a\nnever,5\n")
	failed, cut := file("failed.json", `{"status":"error","error":"boom"}`), file("cut.json", `{"a":`)
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	none, d, self := filepath.Join(dir, "none"), filepath.Join(dir, "d"), strconv.Itoa(os.Getpid())
	const server = "http://127.0.0.1:1"
	missing := none + ": no such file or directory"
	for _, test := range []struct {
		line string // @ stands for a blank in a word
		says string
	}{
		{"bogus", "bogus: no such command; leaktrend -h lists them"},
		{"help bogus", "bogus: no such command; leaktrend -h lists them"},
		{"replays " + good, "replays: no such command; did you mean replay?"},
		{"--bogus", "--bogus: leaktrend has no such flag; leaktrend -h lists them"},
		{"replay", "replay needs a recording or a directory: leaktrend replay FILE or DIR... [flags]"},
		{"replay " + none, missing},
		{"replay " + d, d + ": no recordings in this directory"},
		{"replay " + empty, empty + ": no samples"},
		{"replay " + text, text + ": no samples: neither a table with numbers nor in a format that leaktrend knows"},
		{"replay " + noTimes, "or say how far apart its rows are, as in --interval 30s"},
		{"replay " + oneFault, "no samples; 1 fault, the first: "},
		{"replay " + failed, failed + ": the Prometheus server answered with an error: boom"},
		{"replay " + cut, cut + ": JSON that ends too early"},
		{"replay --config " + badYAML + " " + good, badYAML + ":1: did not find expected ',' or ']'"},
		{"replay --config " + faults + " " + good, "check_interval: 30 has no unit; write 30s\n" + faults +
			":4: adaptive.sensitivity: 99 is not between 0.1 and 10"},
		{"replay --config " + none + " " + good, missing},
		{"replay --config " + d + " " + good, d + ": is a directory"},
		{"replay --html " + d + " " + good, d + " is a directory"},
		{"replay --html " + none + "/x " + good, missing},
		{"replay --plot " + good + " " + good, "--plot: " + good + ": not a directory"},
		{"replay --soak 5minutes " + good, "--soak 5minutes: must be a duration, as in 30s, 1h30m, 7d or 1d12h"},
		{"replay --interval -1m " + good, "--interval -1m: must be above zero, as in 1m"},
		{"replay --format", "--format: its value is missing"},
		{"replay --exit-code=maybe " + good, "--exit-code maybe: must be true or false"},
		{"convert " + good, "-o RECORDING is needed: the file to write"},
		{"convert", "convert needs a file: leaktrend convert FILE -o RECORDING [flags]"},
		{"convert " + good + " " + good + " -o x", "convert takes a file, and one only"},
		{"convert " + good + " -o " + d, d + " is a directory"},
		{"convert " + none + " -o x", missing},
		{"check " + none, missing},
		{"check " + d, d + ": is a directory"},
		{"record --pid " + self, "-o FILE is needed: the recording to write"},
		{"record --pid 2147483647 -o " + none, "--pid: process 2147483647: no such process"},
		{"record --pid 0 -o " + none, "--pid 0: no process has this id"},
		{"record --pid self -o " + none, "--pid self: must be a whole number"},
		{"record --name a( -o " + none, "--name a(: the pattern is not a regular expression: missing closing ): a("},
		{"record --name no@such@process -o " + none, "--name no such process: no such process"},
		{"record --url localhost:9090 -o " + none, "--url: must be like http://HOST[:PORT]/PATH or " +
			"https://HOST[:PORT]/PATH (not shown, it may hold a secret)"},
		{"record --pid " + self + " -o " + none + "/x", missing},
		{"watch", "one of --pid, --name and --url is needed"},
		{"watch " + self, self + ": watch takes no arguments, only flags; leaktrend watch -h lists them"},
		{"watch -pid " + self, "-pid: a flag of several letters has two dashes, as in --pid"},
		{"watch --pid 1 --pids 2", "--pids: watch has no such flag; did you mean --pid?"},
		{"watch --name a(", "--name a(: the pattern is not a regular expression: missing closing ): a("},
		{"tune", "tune needs a labels file, recordings, or --generate N"},
		{"tune " + none, missing},
		{"tune " + labels, labels + ":1: must be a list"},
		{"tune " + good + " --budget 1/30", "--budget 1/30: the time must be a duration, as in 30s, 1h30m, 7d or " +
			"1d12h; a budget is ALARMS/TIME, as in 1/30d"},
		{"tune " + good + " --seed -1", "--seed -1: must be a whole number of at least 0"},
		{"scan", "scan needs --prometheus URL"},
		{"scan --soak 1m", "--soak: scan has no such flag; leaktrend scan -h lists them"},
		{"scan --prometheus x", "--prometheus: the address of the server must be like http://HOST[:PORT]/PATH"},
		{"scan --prometheus " + server + " --since 7", "--since 7: must be a duration, as in 30s, 1h30m, 7d or 1d12h"},
		{"scan --prometheus " + server + " --step 1d", "--step 1d: must be from 1m to 20m, as in 5m"},
		{"scan --prometheus " + server + " --timeout 0", "--timeout 0: must be at least 1ms, as in 1m"},
		{"scan --prometheus " + server + " --http-config " + none, missing},
		{"scan --prometheus " + server + " --headers " + headers, headers + ":1: want NAME: VALUE"},
		{"scan --prometheus " + server + " --alertmanager x", "--alertmanager: webhook URL must begin with http:// " +
			"or https://"},
		{"scan --prometheus " + server + " --concurrency many", "--concurrency many: must be a whole number"},
		{"scan --prometheus " + server + " --fdr low", "--fdr low: must be a number"},
		{"rules --match job=api", "--match job=api: must be label matchers"},
		{"rules -o " + d, d + " is a directory"},
		{"demo --leak water", "--leak water: must be goroutines, heap, fds or none"},
		{"demo --listen here --duration 1ms", "--listen here: missing port in address"},
		{"demo --duration 0", "--duration 0: must be above zero, as in 2m"},
		{"man bogus", "bogus: no such command"},
		{"completion tcsh", "tcsh: no such command; leaktrend completion -h lists them"},
		{"version --format xml", "--format xml: must be text or json"},
	} {
		args := strings.Fields(test.line)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "@", " ")
		}
		got := leaktrend(t, "", args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%s: exit code %d, no %q in\n%s", test.line, got.code, test.says, got.stderr)
		}
		if bad := notWords.FindString(got.stderr); bad != "" {
			t.Errorf("%s: %q among the words of\n%s", test.line, bad, got.stderr)
		}
	}
}
