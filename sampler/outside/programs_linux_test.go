package outside

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programsVar names a file of programs for TestPrograms, one a line: a name, the command, and where it serves
// /debug/pprof/heap, if it does, with | between them.
const programsVar = "LEAKTREND_OUTSIDE_PROGRAMS"

// TestPrograms prints what is read of programs of others, as they come. Their goroutines are held against the traceback
// with which each of them ends, one by one, and their heap against what they serve. None may be wrong.
func TestPrograms(t *testing.T) {
	path := os.Getenv(programsVar)
	if path == "" {
		t.Skip(programsVar + " names no file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("| program | Go | goroutines: right | wrong | unknown | heap stacks: right | wrong | unknown | said " +
		"|\n|---|---|---|---|---|---|---|---|---|")
	for line := range strings.Lines(string(text)) {
		fields := append(strings.Split(strings.TrimSpace(line), " | "), "", "")
		if fields[0] != "" && !strings.HasPrefix(fields[0], "#") {
			evaluateProgram(t, fields[0], fields[1], fields[2])
		}
	}
}

func evaluateProgram(t *testing.T, name, command, served string) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", "exec "+command)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, log, append(os.Environ(), "GOTRACEBACK=all", "HOME="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	time.Sleep(6 * time.Second)
	p, err := Open(cmd.Process.Pid)
	if err != nil {
		if _, ended := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)); ended != nil {
			err = errors.New("it has ended")
		}
		fmt.Printf("| %s | | | | | | | | %v |\n", name, err)
		return
	}
	defer p.Close()
	var messages []string
	heap := [3]int{}
	if h, err := p.Heap(t.Context()); err != nil {
		messages = append(messages, err.Error())
	} else if served == "" {
		messages = append(messages, fmt.Sprintf("%d stacks of the heap", len(h.Stacks)))
	} else if heap, err = compareServed(t, p, served); err != nil {
		messages = append(messages, err.Error())
	}
	before := goroutinesOf(t, p)
	time.Sleep(200 * time.Millisecond)
	after := goroutinesOf(t, p)
	_ = cmd.Process.Signal(syscall.SIGABRT)
	_ = cmd.Wait()
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	result := [3]int{}
	for id, frames := range tracebackOf(t, log) {
		switch stood := before[id]; {
		case stood == nil || !slices.Equal(stood, after[id]):
			result[2]++
		case isTraceback(withoutVersions(frames), withoutVersions(stood)):
			result[0]++
		default:
			result[1]++
			t.Errorf("%s: goroutine %s\n%s\nis read as\n%s", name, id, strings.Join(frames, "\n"),
				strings.Join(stood, "\n"))
		}
	}
	fmt.Printf("| %s | %s | %d | %d | %d | %d | %d | %d | %s |\n", name, p.Version(), result[0], result[1], result[2],
		heap[0], heap[1], heap[2],
		strings.Join(messages, "; "))
}

// goroutinesOf returns the frames of each goroutine by its id, as a traceback has them.
func goroutinesOf(t *testing.T, p *Process) map[string][]string {
	t.Helper()
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, g := range list {
		frames := []string{}
		for _, f := range g.Frames {
			if !isInternal(f.Function) {
				frames = append(frames, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
			}
		}
		all[fmt.Sprint(g.ID)] = frames
	}
	return all
}

// isInternal reports whether a traceback may leave a function out.
func isInternal(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/") ||
		strings.HasPrefix(function, "runtime/internal/")
}

var (
	goroutineLine = regexp.MustCompile(`^goroutine (\d+) .*\[(.*)\]:$`)
	placeLine     = regexp.MustCompile(`^\t(\S.*?:\d+)( .*)?$`)
	wrapperName   = regexp.MustCompile(`(\.gowrap\d+|\.deferwrap\d+|-fm)$`)
	versionOf     = regexp.MustCompile(`@v[^/]*`) // which files of the program's own module are read without
	typesOf       = regexp.MustCompile(`\[[^\]]*\]`)
)

// tracebackOf reads the goroutines of a traceback, without those that were running, and without functions that the
// compiler has made.
func tracebackOf(t *testing.T, from io.Reader) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	id, function := "", ""
	for lines.Scan() {
		line := lines.Text()
		switch m := goroutineLine.FindStringSubmatch(line); {
		case m != nil:
			if id = m[1]; id == "0" || strings.HasPrefix(m[2], "running") {
				id = ""
				continue
			}
			all[id] = []string{}
		case line == "":
			id = ""
		case id == "" || strings.HasPrefix(line, "created by "):
			function = ""
		case strings.HasPrefix(line, "..."):
			all[id] = append(all[id], "...")
		case placeLine.MatchString(line):
			if place := placeLine.FindStringSubmatch(line)[1]; function != "" && !isInternal(function) &&
				place != "<autogenerated>"+":1" && !wrapperName.MatchString(function) {
				all[id] = append(all[id], function+" "+place)
			}
			function = ""
		default:
			if i := strings.LastIndexByte(line, '('); i > 0 {
				function = typesOf.ReplaceAllString(line[:i], "[...]")
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(all, func(_ string, frames []string) bool { return len(frames) == 0 }) // of the runtime's own
	return all
}

func withoutVersions(frames []string) (all []string) {
	for _, f := range frames {
		all = append(all, versionOf.ReplaceAllString(f, ""))
	}
	return all
}

// isTraceback reports whether frames are those of a traceback, which may leave out those in the middle.
func isTraceback(traceback, frames []string) bool {
	if i := slices.IndexFunc(traceback, func(f string) bool { return strings.HasPrefix(f, "...") }); i >= 0 {
		return len(frames) >= i && slices.Equal(traceback[:i], frames[:i])
	}
	return slices.Equal(traceback, frames)
}

var errNeverStill = errors.New("there was a collection each time")

// compareServed holds the heap against what the program says of it, after the same garbage collection.
func compareServed(t *testing.T, p *Process, address string) (result [3]int, err error) {
	t.Helper()
	for range 5 {
		before, err := p.Heap(t.Context())
		if err != nil {
			return result, err
		}
		response, err := http.Get(address + "?debug=1")
		if err != nil {
			return result, err
		}
		served := servedHeap(t, response.Body)
		_ = response.Body.Close()
		after, err := p.Heap(t.Context())
		if err != nil {
			return result, err
		}
		if before.Collections != after.Collections {
			continue
		}
		read := make(map[string]int)
		for _, s := range after.Stacks {
			var frames []string
			for _, f := range s.Frames {
				if f.Function != "runtime.goexit" && (len(frames) > 0 || !isInternal(f.Function)) {
					frames = append(frames, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
				}
			}
			read[strings.Join(withoutVersions(frames), "\n")] += int(s.Count)
		}
		for key, n := range served {
			switch got, ok := read[key]; {
			case key == "": // of the runtime alone
			case !ok:
				result[2]++
			case got == n:
				result[0]++
			default:
				result[1]++
				t.Errorf("%d objects, %d are read:\n%s", n, got, key)
			}
			delete(read, key)
		}
		for key := range read {
			if key != "" {
				result[1]++
				t.Errorf("no objects are there, but read:\n%s", key)
			}
		}
		return result, nil
	}
	return result, errNeverStill
}

var (
	recordLine = regexp.MustCompile(`^(\d+): \d+ \[`)
	frameLine  = regexp.MustCompile(`^#\t0x[0-9a-f]+\t(.*)\+0x[0-9a-f]+\t+(.*:\d+)$`)
)

// servedHeap reads the live objects of each stack from a profile of the heap in the form of text.
func servedHeap(t *testing.T, from io.Reader) map[string]int {
	t.Helper()
	all := make(map[string]int)
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	count := 0
	var frames []string
	end := func() {
		if count > 0 {
			all[strings.Join(withoutVersions(frames), "\n")] += count
		}
		count, frames = 0, nil
	}
	for lines.Scan() {
		if m := recordLine.FindStringSubmatch(lines.Text()); m != nil {
			end()
			_, _ = fmt.Sscan(m[1], &count)
		} else if m := frameLine.FindStringSubmatch(lines.Text()); m != nil && m[1] != "runtime.goexit" &&
			(len(frames) > 0 || !isInternal(m[1])) {
			frames = append(frames, typesOf.ReplaceAllString(m[1], "[...]")+" "+m[2])
		}
	}
	end()
	return all
}
