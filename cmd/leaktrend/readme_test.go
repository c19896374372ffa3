package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler/outside"
)

func TestReadmeReplay(t *testing.T) {
	const command = "$ leaktrend replay testdata/recordings\n"
	shown, _ := strings.CutPrefix(block(t, "console", command), command)
	t.Chdir(filepath.FromSlash("../.."))
	got := leaktrend(t, "", "replay", "testdata/recordings")
	// The page shows the first recordings and the last line.
	for _, part := range strings.Split(shown, "...\n") {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("replay does not print what the page shows:\n%s\nbut\n%s", part, got.stdout)
		}
	}
}

// shape is a printed text without its figures, times and plots, which are others in each run: a plot has gaps where a
// busy machine took no sample.
func shape(text string) string {
	for _, part := range []struct{ re, as string }{
		{`[▁-█]+( +[▁-█]+)*`, "~"}, {`[0-9-]* ?[0-9]+:[0-9]+:[0-9]+( UTC)?`, "T"},
		{`\b[0-9.]+[a-z]+( [0-9]+[a-z]+)*\b`, "D"},
		{`[+-]?\b[0-9][0-9,.]*( [kMG]?B)?(/h)?`, "N"}, {`\s+`, " "},
	} {
		text = regexp.MustCompile(part.re).ReplaceAllString(text, part.as)
	}
	return text
}

// The screen that the README shows is that of a process which leaks.
func TestReadmeWatch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of real time")
	}
	t.Parallel()
	const command = "$ leaktrend watch --name worker.py --soak 10m\n"
	parts := func(screen string) []string { // those that do not depend on how fast it leaks
		return regexp.MustCompile(`STATE .*? LIMIT|▸ LEAK .*? D|open_fds \(.*? came back|open_fds leak: .*? growing `+
			`since|↑↓ .*? quit`).FindAllString(shape(screen), -1)
	}
	want := parts(block(t, "console", command))
	if len(want) != 5 {
		t.Fatalf("the README shows %q alone", want)
	}
	name := fmt.Sprintf("leaktrend-readme-%d", os.Getpid())
	tty := newTerminal(t, 80, 14)
	leaky(t, name)
	tty.run(fmt.Sprintf("%s=1 %s watch --name [l]%s --soak 2m --interval 100ms", asCommand, os.Args[0], name[1:]))
	tty.await(fmt.Sprintf("%q", want), func(screen string) bool { return slices.Equal(parts(screen), want) })
}

// The screen that the README shows of a Go process that knows nothing of leaktrend is that of testdata/sessions, and
// its live page draws the path that is in the picture.
func TestReadmeOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of real time")
	}
	t.Parallel()
	const command = "$ leaktrend watch --pid $(pgrep -x sessions) --soak 1m\n"
	parts := func(screen string) []string {
		// Which memory is called first depends on when the collector runs.
		same := strings.ReplaceAll(shape(screen), "heap_live_bytes leak: ", "rss_bytes leak: ")
		return regexp.MustCompile(`STATE .*? LIMIT|ok goroutines|▸ LEAK|rss_bytes leak: .*? growing since|kept by `+
			`.*? entries|↑↓ .*? quit`).FindAllString(same, -1)
	}
	want := parts(block(t, "console", command))
	if len(want) != 6 {
		t.Fatalf("the README shows %q alone", want)
	}
	tty := newTerminal(t, 80, 36)
	sessions := filepath.Join(t.TempDir(), "sessions")
	if out, err := exec.Command("go", "build", "-o", sessions, "./testdata/sessions").CombinedOutput(); err != nil {
		t.Skipf("needs go: %v\n%s", err, out)
	}
	process := exec.Command(sessions)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	if o, err := outside.Open(process.Process.Pid); err != nil {
		t.Skip("this toolchain is not known, or this system forbids it: ", err)
	} else {
		_ = o.Close()
	}
	tty.run(fmt.Sprintf("%s=1 %s watch --pid %d --soak 30s --listen 127.0.0.1:0", asCommand, os.Args[0],
		process.Process.Pid))
	var address string
	tty.await(fmt.Sprintf("%q", want), func(screen string) bool {
		address = regexp.MustCompile(`http://\S+/debug/leaks/`).FindString(screen)
		return slices.Equal(parts(screen), want)
	})
	answer, err := http.Get(address + "status")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var status struct{ Alerts []alerting.Alert }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range status.Alerts {
		for _, s := range a.Sites {
			if s.HolderPath == nil || len(got) > 0 {
				continue
			}
			for _, step := range s.HolderPath.Steps {
				got = append(got, step.Kind+" "+step.Name+step.Reference+" "+step.Type)
			}
		}
	}
	if d := cmp.Diff([]string{"variable main.shop.sessions[…] main.Shop", "object .Cart main.Session",
		"object  []uint8"}, got); d != "" {
		t.Errorf("the path (-want +got):\n%s", d)
	}
}

// checkDemo compares what a demo printed with what the README shows of it.
func checkDemo(t *testing.T, printed string) {
	t.Helper()
	const command = "$ leaktrend demo\n"
	shown, _ := strings.CutPrefix(block(t, "console", command+"..."), command)
	for _, part := range strings.Split(shown, "...\n")[1:] {
		if !strings.Contains(shape(printed), shape(part)) {
			t.Errorf("demo does not print what the README shows:\n%s\nbut\n%s", part, printed)
		}
	}
}

// The scan that the pages show is that of the tests.
func TestReadmeScan(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "scan.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), block(t, "text", "http://prometheus:9090")); diff != "" {
		t.Errorf("the page shows another scan (-want +got):\n%s", diff)
	}
}

// The pictures are what the command makes that the pages name. go test -update writes them anew, but for the
// screenshot.
func TestReadmePictures(t *testing.T) {
	all := pages(t)
	command := strings.TrimPrefix(strings.Split(block(t, "console", "--plot docs"), "\n")[0], "$ TZ=UTC leaktrend ")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.FromSlash("../.."))
	dir := t.TempDir()
	arguments := strings.Fields(strings.NewReplacer("--plot docs", "--plot "+dir, "report.html",
		filepath.Join(dir, "report.html")).Replace(command))
	run := exec.Command(self, arguments...) // a process of its own, for the zone is that of all of it
	run.Env = append(os.Environ(), asCommand+"=1", "TZ=UTC")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shown := make(map[string]bool) // by file of docs
	for _, p := range all {
		for _, match := range regexp.MustCompile(`!\[[^\]]*\]\(([^)]*)\)`).FindAllStringSubmatch(p.text, -1) {
			shown[strings.TrimPrefix(match[1], "docs/")] = true
		}
	}
	if len(shown) < 3 {
		t.Errorf("the pages show %d pictures", len(shown))
	}
	for name := range shown {
		path := filepath.Join("docs", name)
		if filepath.Ext(path) != ".svg" {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the command makes (-want +got); go test -update writes it anew:\n%s", path, diff)
		}
	}
}

// Every command and flag that the pages name exists.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, match := range regexp.MustCompile(
			"(?m)(?:^\\$ (?:[A-Z]+=\\S+ )*|`)leaktrend ([a-z]+)([^`\n]*)").FindAllStringSubmatch(p.text, -1) {
			help := leaktrend(t, "", match[1], "--help")
			if help.code != 0 || !strings.Contains(help.stdout, "leaktrend "+match[1]) {
				t.Errorf("%s names the command %q, which does not exist", p.name, match[1])
			}
			for _, flag := range regexp.MustCompile("--[a-z-]+").FindAllString(match[2], -1) {
				if !strings.Contains(help.stdout, flag) {
					t.Errorf("%s has no %s, which %s names", match[1], flag, p.name)
				}
			}
		}
	}
}

// Every link from page to page leads somewhere.
func TestReadmeLinks(t *testing.T) {
	t.Parallel()
	anchors := make(map[string][]string)
	for _, p := range pages(t) {
		for _, match := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllStringSubmatch(p.text, -1) {
			anchor := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(match[1]), "")
			anchors[p.name] = append(anchors[p.name], strings.ReplaceAll(anchor, " ", "-"))
		}
	}
	for _, p := range pages(t) {
		for _, match := range regexp.MustCompile(`\]\(([^):]*)\)`).FindAllStringSubmatch(p.text, -1) {
			to, anchor, deep := strings.Cut(match[1], "#")
			target := p.name
			if to != "" {
				target = path.Join(path.Dir(p.name), to)
			}
			if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(target))); err != nil {
				t.Errorf("%s links to %s, which does not exist", p.name, match[1])
			}
			if deep && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s links to %s: there is no such heading", p.name, match[1])
			}
		}
	}
}

// What a newcomer installs is the command, of this module.
func TestReadmeInstall(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile(filepath.FromSlash("../../go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "github.com/mdzesseis/leaktrend"
	if !strings.HasPrefix(string(module), "module "+name+"\n") {
		t.Errorf("go.mod names another module than %s", name)
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	install := exec.Command(tool, "install", "./cmd/leaktrend")
	install.Dir = filepath.FromSlash("../..")
	bin := t.TempDir()
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(bin, "leaktrend"), "version").CombinedOutput(); err != nil ||
		!strings.HasPrefix(string(out), "leaktrend ") {
		t.Errorf("leaktrend version: %v\n%s", err, out)
	}
}

// workplace is a directory as the pages take for granted, with a configuration and the recordings, and this program as
// leaktrend.
func workplace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.FromSlash("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"leaktrend": self, "testdata": filepath.Join(root, "testdata")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	config := new(bytes.Buffer)
	if err := detector.WriteConfig(config, detector.DefaultConfig(), nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.yaml", "configs/config.yaml"} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, config.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shell runs a command line in a workplace, and returns what it printed and its exit code.
func shell(t *testing.T, dir, line string) (printed string, code int) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell: ", err)
	}
	command := exec.Command(sh, "-c", line)
	command.Dir = dir
	command.Env = append(os.Environ(), asCommand+"=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), command.ProcessState.ExitCode()
}

// Figures that are said in more than one place are those of the table in docs/detection.md.
func TestReadmeFigures(t *testing.T) {
	t.Parallel()
	all := pages(t)
	detection := all[slices.IndexFunc(all, func(p page) bool { return p.name == "docs/detection.md" })]
	// measured returns the rate of false alarms and the recall that the table has of a method.
	measured := func(method string) []string {
		row := regexp.MustCompile(`(?m)^\| \**` + regexp.QuoteMeta(method) +
			`\** \| \**([0-9.]+)[^|]*\| ([0-9]+) %`).FindStringSubmatch(detection.text)
		if row == nil {
			t.Fatalf("%s has no row of %s", detection.name, method)
		}
		return row[1:]
	}
	for _, claim := range []struct {
		what, text string
		pattern    string
		want       []string
	}{
		{"the README", all[0].text, `raises ([0-9.]+) false alarms in 1000 process-days and finds ([0-9]+) %`,
			measured("leaktrend, from the series alone")},
		{"the README", all[0].text, "`predict_linear` in Prometheus raises ([0-9.]+) and finds ([0-9]+) %",
			measured("Prometheus `predict_linear`")},
		{"rules", measuredRules, `: ([0-9.]+) false alarms per 1000 process-days, ([0-9]+) %`,
			measured("Prometheus rules written by `leaktrend rules`")},
		{"rules", measuredRules, `leaktrend itself: ([0-9.]+) and ([0-9]+) %`,
			measured("leaktrend, with limits and `cpu_seconds`")},
	} {
		got := regexp.MustCompile(claim.pattern).FindStringSubmatch(strings.Join(strings.Fields(claim.text), " "))
		if len(got) == 0 || !slices.Equal(got[1:], claim.want) {
			t.Errorf("%s says %q, the table %q", claim.what, got, claim.want)
		}
	}
}

// The README is short: details belong to a page of docs.
func TestReadmeLength(t *testing.T) {
	t.Parallel()
	const maxWords = 2000
	if n := len(strings.Fields(pages(t)[0].text)); n > maxWords {
		t.Errorf("the README has %d words, more than %d", n, maxWords)
	}
}
