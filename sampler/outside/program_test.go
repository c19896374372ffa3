package outside

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// counts are stacks with what is on them, as testdata/program tells.
type counts map[string][2]int64

// reported is what a program says of itself.
type reported struct {
	Goroutines, Heap counts
	Number           int
	Live             uint64
	Objects          uint64 // live by the latest collection, or allocated since
	InUse, Stacks    uint64
	Collections      uint64
}

// program is a process of testdata/program.
type program struct {
	cmd *exec.Cmd
	pid int
	in  io.Writer
	out *json.Decoder
}

// stripped is the options of a build without symbols and without what debuggers read.
const stripped = "-ldflags=-s -w"

// needsRow returns the version of this toolchain, and skips a test where that is none of the table.
func needsRow(t testing.TB) string {
	t.Helper()
	if _, ok := releases.RowOf(runtime.Version(), runtime.GOARCH); !ok || !releases.IsPlain(runtime.Version()) ||
		runtime.GOOS != "linux" {
		t.Skipf("%s for %s/%s is not in the table", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	}
	return runtime.Version()
}

// built are programs by their options, for all tests.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// buildProgram builds testdata/program, or what the first option names in testdata. Options are those of go build, but
// for "cgo", "KEY=VALUE" of the environment, "strip" and "nosections", which take out what is not loaded.
func buildProgram(t testing.TB, options ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	directory := filepath.Join("testdata", "program")
	if len(options) > 0 && strings.HasPrefix(options[0], "testdata/") {
		directory = options[0]
	}
	key := strings.Join(options, " ")
	if path, ok := built.paths[key]; ok {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "outside")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.paths = dir, make(map[string]string)
	}
	path := filepath.Join(built.dir, "program"+strconv.Itoa(len(built.paths)))
	args, env := []string{"build", "-o", path}, append(os.Environ(), "GOFLAGS=-buildvcs=false")
	cgo := "CGO_ENABLED=0"
	for _, o := range options {
		switch {
		case o == directory:
		case o == "cgo":
			cgo = "CGO_ENABLED=1"
		case o == "strip", o == "nosections":
		case strings.HasPrefix(o, "GO"):
			env = append(env, o)
		default:
			args = append(args, o)
		}
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = copyProgram(t, directory), append(env, cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", options, err, out)
	}
	if slices.Contains(options, "strip") {
		if out, err := exec.Command("strip", "--strip-all", path).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v\n%s", err, out)
		}
	}
	if slices.Contains(options, "nosections") {
		dropSections(t, path)
	}
	built.paths[key] = path
	return path
}

// dropSections has the header of a program say that it has no sections, as packers and sstrip do.
func dropSections(t testing.TB, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// of the section headers: where, and of what size, how many, and which has the names
	const offset, counts = 0x28, 0x3a
	_, where := file.WriteAt(make([]byte, 8), offset)
	_, what := file.WriteAt(make([]byte, 6), counts)
	if err := errors.Join(where, what); err != nil {
		t.Fatal(err)
	}
}

// copyProgram copies the program to a module of its own, which older releases build too.
func copyProgram(t testing.TB, from string) string {
	t.Helper()
	dir := filepath.Join(built.dir, filepath.Base(from))
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/program\n\ngo 1.21\n"),
		0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a program, by a command of its own where there is one.
func start(t testing.TB, command ...string) *program {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd, cmd.Process.Pid, in, json.NewDecoder(bufio.NewReader(out))}
	t.Cleanup(p.stop)
	return p
}

// stop ends the program. Doing so again does nothing.
func (p *program) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// order has the program do something.
func (p *program) order(t testing.TB, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, order); err != nil {
		t.Fatal(err)
	}
}

// report has the program do something, and returns what it says of itself then.
func (p *program) report(t testing.TB, order string) (all reported) {
	t.Helper()
	p.order(t, order)
	if err := p.out.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// stalls returns for how long a goroutine of the program stood still within 10 s, the longest and all but one in a
// thousand.
func (p *program) stalls(t testing.TB) (d [2]time.Duration) {
	t.Helper()
	p.order(t, "stalls")
	if err := p.out.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// keyOf writes a stack as testdata/program does: the runtime's records have 32 functions.
func keyOf(stack []Frame) string {
	var b strings.Builder
	for _, f := range stack[:min(32, len(stack))] {
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

func countsOf(p *Profile) counts {
	all := make(counts)
	for _, s := range p.Stacks {
		k := keyOf(s.Frames)
		all[k] = [2]int64{all[k][0] + int64(s.Count), all[k][1] + int64(s.Bytes)}
	}
	return all
}

// withoutMain leaves out the goroutine that answers, which stands elsewhere then.
func withoutMain(all counts) counts {
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(key string, _ [2]int64) bool { return strings.Contains(key, "main.main ") })
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }

func selfExe(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
