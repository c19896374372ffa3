package main

import (
	"bytes"
	"os"
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

// Every command and flag that the README names exists.
func TestReadmeCommands(t *testing.T) {
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
