package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector"
)

// block returns the first fenced block of a language in the README that contains a text.
func block(t *testing.T, language, contains string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.FromSlash("../../README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(match[1], contains) {
			return match[1]
		}
	}
	t.Fatalf("the README has no %s block with %q", language, contains)
	return ""
}

func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := detector.WriteConfig(&want, detector.DefaultConfig(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), block(t, "yaml", "resource_monitoring:")); diff != "" {
		t.Errorf("the configuration in the README differs from the defaults (-want +got):\n%s", diff)
	}
}

func TestReadmeReplay(t *testing.T) {
	const command = "$ go run ./cmd/leaktrend replay testdata/recordings\n"
	shown, _ := strings.CutPrefix(block(t, "console", command), command)
	t.Chdir(filepath.FromSlash("../.."))
	got := leaktrend(t, "", "replay", "testdata/recordings")
	// The README shows the first recordings and the last line.
	for _, part := range strings.Split(shown, "...\n") {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("replay does not print what the README shows:\n%s\nbut\n%s", part, got.stdout)
		}
	}
}

// The scan that the README shows is that of the tests.
func TestReadmeScan(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "scan.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), block(t, "text", "http://prometheus:9090")); diff != "" {
		t.Errorf("the README shows another scan (-want +got):\n%s", diff)
	}
}

// The pictures are what the command makes that the README names. go test -update writes them anew, but for the
// screenshot.
func TestReadmePictures(t *testing.T) {
	readme, err := os.ReadFile(filepath.FromSlash("../../README.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := strings.TrimPrefix(strings.Split(block(t, "console", "--plot docs"), "\n")[0], "$ TZ=UTC go run ./cmd/leaktrend ")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.FromSlash("../.."))
	dir := t.TempDir()
	arguments := strings.Fields(strings.NewReplacer("--plot docs", "--plot "+dir, "report.html", filepath.Join(dir, "report.html")).Replace(command))
	run := exec.Command(self, arguments...) // a process of its own, for the zone is that of all of it
	run.Env = append(os.Environ(), asCommand+"=1", "TZ=UTC")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shown := regexp.MustCompile(`\]\(docs/([^)]*)\)`).FindAllStringSubmatch(string(readme), -1)
	if len(shown) < 3 {
		t.Errorf("the README shows %d pictures", len(shown))
	}
	for _, match := range shown {
		path := filepath.Join("docs", match[1])
		if filepath.Ext(path) != ".svg" {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, match[1]))
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

// Every command and flag that the README names exists.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.FromSlash("../../README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?:go run \\./cmd/leaktrend|`leaktrend) ([a-z]+)([^`\n]*)").FindAllStringSubmatch(string(readme), -1) {
		help := leaktrend(t, "", match[1], "--help")
		if help.code != 0 || !strings.Contains(help.stdout, "leaktrend "+match[1]) {
			t.Errorf("the README names the command %q, which does not exist", match[1])
		}
		for _, flag := range regexp.MustCompile("--[a-z-]+").FindAllString(match[2], -1) {
			if !strings.Contains(help.stdout, flag) {
				t.Errorf("%s has no %s, which the README names", match[1], flag)
			}
		}
	}
}
