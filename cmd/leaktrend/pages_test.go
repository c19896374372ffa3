package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is README.md or a page of docs.
type page struct{ name, text string }

// pages returns all pages, the README first.
func pages(t *testing.T) []page {
	t.Helper()
	names, err := filepath.Glob(filepath.FromSlash("../../docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, name := range append([]string{filepath.FromSlash("../../README.md")}, names...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{strings.TrimPrefix(filepath.ToSlash(name), "../../"), string(text)})
	}
	return all
}

// blocks returns the fenced blocks of a language, of all languages if it is empty.
func (p page) blocks(language string) (found []string) {
	for _, match := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```").FindAllStringSubmatch(p.text, -1) {
		if language == "" || match[1] == language {
			found = append(found, match[2])
		}
	}
	return found
}

// step is a command of a page, with what the page shows of its output.
type step struct{ page, command, shown string }

// steps returns the commands of all pages: the lines of blocks that begin with "$ ".
func steps(t *testing.T) (all []step) {
	t.Helper()
	for _, p := range pages(t) {
		for _, block := range p.blocks("") {
			if !strings.HasPrefix(block, "$ ") {
				continue
			}
			for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
				command, shown, _ := strings.Cut(part, "\n")
				all = append(all, step{p.name, command, shown})
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d commands on all pages", len(all))
	}
	return all
}

// block returns the first fenced block of a language on the pages that contains a text.
func block(t *testing.T, language, contains string) string {
	t.Helper()
	for _, p := range pages(t) {
		for _, text := range p.blocks(language) {
			if strings.Contains(text, contains) {
				return text
			}
		}
	}
	t.Fatalf("no page has a %s block with %q", language, contains)
	return ""
}

// elsewhere are commands that TestReadmeSteps does not run as they stand, since they need a server, go on until they
// are interrupted, or take long: the tests that run them.
var elsewhere = map[string]string{
	"leaktrend replay testdata/recordings":                 "TestReadmeReplay",
	"leaktrend watch --pid 4242 --soak 10m":                "TestWatchFindsLeakOfAnotherLanguage",
	"leaktrend watch --name worker.py --soak 10m":          "TestReadmeWatch",
	"leaktrend watch --pid $(pgrep -x sessions) --soak 1m": "TestReadmeOutside",
	"leaktrend demo":                                             "TestDemo",
	"leaktrend demo --leak fds":                                  "TestDemo",
	"leaktrend demo --listen 127.0.0.1:6061":                     "TestLivePageInBrowser",
	"leaktrend scan --prometheus http://localhost:9090":          "TestScanFleet",
	"leaktrend tune --generate 100 --generate-seed 31 --verbose": "TestTune",
	"go install ./cmd/leaktrend":                                 "TestReadmeInstall",
	"go get github.com/mdzesseis/leaktrend":                      "TestReadmeInstall",
	"chromium --headless --hide-scrollbars --screenshot=docs/report.png " +
		"--window-size=1100,1095 report.html": "TestReportInBrowser",
	"TZ=UTC leaktrend replay --force --plot docs --html report.html testdata/recordings/node-leak.csv " +
		"testdata/recordings/go-pool.csv": "TestReadmePictures",
}

// apart are pages whose commands other tests run, each with the package and the test.
var apart = map[string][2]string{"docs/operations.md": {"cmd/leaktrend/internal/testkit/install",
	"TestOperationsCommands"}}

// foreign are programs of others: what they are told is not tested here.
var foreign = []string{"docker", "sed", "vmalert"}

// Every command of the pages runs as it stands and prints what the page shows, or is run by another test.
func TestReadmeSteps(t *testing.T) {
	t.Parallel()
	dirs := make(map[string]string) // of each page
	declared := declaredTests(t, "cmd/leaktrend")
	unused := maps.Clone(elsewhere)
	for _, s := range steps(t) {
		if by, ok := apart[s.page]; ok {
			if !slices.Contains(declaredTests(t, by[0]), by[1]) {
				t.Errorf("%s: there is no %s in %s", s.page, by[1], by[0])
			}
			continue
		}
		program, _, _ := strings.Cut(s.command, " ")
		test, ok := elsewhere[s.command]
		delete(unused, s.command)
		switch {
		case ok && slices.Contains(declared, test), slices.Contains(foreign, program):
		case ok:
			t.Errorf("%s: %s: there is no %s", s.page, s.command, test)
		case program == "leaktrend":
			if dirs[s.page] == "" {
				dirs[s.page] = workplace(t)
			}
			got, code := shell(t, dirs[s.page], s.command)
			if code != 0 {
				t.Errorf("%s: %s: exit code %d\n%s", s.page, s.command, code, got)
			}
			for _, part := range strings.Split(s.shown, "...\n") {
				if !strings.Contains(got, part) {
					t.Errorf("%s: %s does not print\n%s\nbut\n%s", s.page, s.command, part, got)
				}
			}
		case strings.Contains(s.command, "go "):
			if err := checkGo(t, s.command); err != nil {
				t.Errorf("%s: %s: %v", s.page, s.command, err)
			}
		default:
			t.Errorf("%s: nothing runs %s", s.page, s.command)
		}
	}
	for command := range unused {
		t.Errorf("no page has the command %s", command)
	}
}

// The commands of Go within the text of the pages run something, too.
func TestReadmeGoCommands(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range pages(t) {
		for _, match := range regexp.MustCompile("`((?:[A-Z_]+=(?:\"[^\"]*\"|\\S+) )*go (?:test|run|generate) "+
			"[^`]*\\./[^`]+)`").FindAllStringSubmatch(p.text, -1) {
			found++
			if err := checkGo(t, match[1]); err != nil {
				t.Errorf("%s: %s: %v", p.name, match[1], err)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands of Go were found", found)
	}
}

// checkGo says what a go test, go run or go generate would not find: its packages, its tests or benchmarks, the
// variables it is given. To run them takes from seconds to half an hour each.
func checkGo(t *testing.T, command string) error {
	words := regexp.MustCompile(`[A-Z_]+="[^"]*"|'[^']*'|"[^"]*"|\S+`).FindAllString(command, -1)
	at := slices.Index(words, "go")
	if at < 0 || at+1 == len(words) {
		return fmt.Errorf("no command of go")
	}
	var patterns, dirs, flags []string
	for i := at + 2; i < len(words); i++ {
		word := strings.Trim(words[i], `'"`)
		switch {
		case strings.HasPrefix(word, "./"):
			dirs = append(dirs, word)
		case word == "-run" && i+1 < len(words):
			i++
			if pattern := strings.Trim(words[i], `'"`); pattern != "^$" {
				patterns = append(patterns, pattern)
			}
		case word == "-bench" && i+1 < len(words):
			i++
			for _, alternative := range strings.Split(strings.Trim(words[i], `'"`), "|") {
				patterns = append(patterns, "^Benchmark.*"+alternative)
			}
		case strings.HasPrefix(word, "-"):
			flags = append(flags, strings.TrimLeft(word, "-"))
		}
	}
	if len(dirs) == 0 {
		return fmt.Errorf("it names no package")
	}
	var sources strings.Builder
	var tests []string
	for _, dir := range dirs {
		text := sourcesOf(t, dir)
		if text == "" {
			return fmt.Errorf("there is no Go in %s", dir)
		}
		sources.WriteString(text)
		tests = append(tests, declaredTests(t, dir)...)
	}
	holds := func(text string) bool { return strings.Contains(sources.String(), text) }
	for _, variable := range words[:at] {
		if name, _, _ := strings.Cut(variable, "="); !holds(name) {
			return fmt.Errorf("nothing reads %s", name)
		}
	}
	switch words[at+1] {
	case "test":
		for _, pattern := range patterns {
			pattern, _, _ = strings.Cut(pattern, "/") // what follows selects sub-tests
			for _, alternative := range strings.Split(pattern, "|") {
				re, err := regexp.Compile(alternative)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(tests, re.MatchString) {
					return fmt.Errorf("nothing matches %s", alternative)
				}
			}
		}
	case "run":
		for _, flag := range flags {
			if !holds(`"` + flag + `"`) {
				return fmt.Errorf("there is no -%s", flag)
			}
		}
	case "generate":
		if !holds("//go:generate ") {
			return fmt.Errorf("nothing is generated")
		}
	default:
		return fmt.Errorf("nothing runs it")
	}
	return nil
}

// sourcesOf returns the Go files of a package together, with "/..." those of the packages below it too.
func sourcesOf(t *testing.T, dir string) string {
	t.Helper()
	root, below := strings.CutSuffix(dir, "/...")
	root = filepath.Join("..", "..", filepath.FromSlash(root))
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && !below {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// declaredTests returns the tests, benchmarks and examples of packages.
func declaredTests(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w+)\(`).FindAllStringSubmatch(
		sourcesOf(t, dir), -1) {
		names = append(names, match[1])
	}
	return names
}
