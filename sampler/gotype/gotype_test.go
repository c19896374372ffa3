package gotype

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// named is what the test program's ways of allocating are named; "" is honestly blank. See testdata/program.
var named = map[string]string{
	"newSmall":          "main.small",
	"newLarge":          "main.large",
	"newNoPointers":     "main.noPointers",
	"newInt":            "int",
	"newArray":          "[100]main.small",
	"branches":          "main.noPointers | main.small",
	"anonymous":         "struct { X *main.small; Y *main.small }",
	"makeSlice":         "[]main.small",
	"makeBytes":         "[]uint8",
	"makeCopy":          "[]string",
	"appendSlice":       "[]main.small",
	"appendStrings":     "[]string",
	"variadic":          "[2]interface {}",
	"makeMap":           "map[string]*main.small",
	"makeMapSmall":      "", // the call takes no type; what the map grows by is named
	"growMap":           "map[string]*main.small",
	"assignMap":         "map[uint64]main.small",
	"makeChan":          "chan *main.large",
	"concat":            "string",
	"toString":          "string",
	"toBytes":           "[]uint8",
	"builder":           "[]uint8",
	"grown":             "[]uint8",
	"closure":           "closure { X0 *main.small; X1 int }",
	"escaping":          "closure { X0 *int } | int",
	"interfaceOfStruct": "main.large",
	"interfaceOfNumber": "", // convT64 serves every type of that size
	"interfaceOfString": "", // convTstring serves every type of that kind
	"newPair[...]":      "main.pair[...]",
	"reflected":         "", // the type is a value at run time
	"table":             "", // a jump table: the way to the call is not seen
}

// build builds the test program, or skips the test where that is not possible.
func build(t *testing.T, environment []string, flags ...string) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command(tool, append(append([]string{"build", "-o", path}, flags...), "./testdata/program")...)
	cmd.Env = append(append(os.Environ(), "GOFLAGS=-buildvcs=false"), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// run runs the program, which must not crash, and returns what it named.
func run(t *testing.T, command ...string) (types map[string]string, why string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaint)
	}
	text, done := strings.CutSuffix(string(out), "done\n")
	if !done {
		t.Fatalf("the program did not end:\n%s", out)
	}
	types = map[string]string{}
	for line := range strings.Lines(text) {
		way, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			t.Fatalf("unexpected line %q", line)
		}
		if way == "none" {
			return nil, name
		}
		types[way] = name
	}
	return types, ""
}

func TestTypes(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("types are named on linux/amd64 and linux/arm64")
	}
	_, noC := exec.LookPath("gcc")
	for _, test := range []struct {
		name        string
		environment []string
		flags       []string
		c           bool // needs a C compiler
		only        string
		table       string // what "table" is named there
	}{
		{name: "static", environment: []string{"CGO_ENABLED=0"}},
		{name: "stripped", environment: []string{"CGO_ENABLED=0"}, flags: []string{"-trimpath", "-ldflags=-s -w"}},
		{name: "position-independent", environment: []string{"CGO_ENABLED=0"}, flags: []string{"-buildmode=pie"}},
		{name: "cgo", environment: []string{"CGO_ENABLED=1"}, c: true},
		{name: "cgo, linked by the system, position-independent, stripped", environment: []string{"CGO_ENABLED=1"},
			flags: []string{"-buildmode=pie", "-ldflags=-s -w -linkmode=external"}, c: true},
		{name: "without optimization", environment: []string{"CGO_ENABLED=0"}, flags: []string{"-gcflags=-N -l"},
			table: "main.small"},
		{name: "vector instructions", environment: []string{"CGO_ENABLED=0", "GOAMD64=v3"}, only: "amd64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			switch {
			case testing.Short() && test.name != "static":
				t.Skip("builds the standard library anew")
			case test.only != "" && test.only != runtime.GOARCH:
				t.Skip("for ", test.only)
			case test.c && noC != nil:
				t.Skip("no C compiler: ", noC)
			}
			types, why := run(t, build(t, test.environment, test.flags...))
			if why != "" {
				t.Fatal(why)
			}
			want := maps.Clone(named)
			want["table"] = test.table // without optimization there is no jump table
			if diff := cmp.Diff(want, types); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The decoder for arm64, in an emulator.
func TestTypesArm64(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the standard library anew")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH == "arm64" {
		t.Skip("for Linux on another processor")
	}
	emulator, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Skip("Debian package qemu-user: ", err)
	}
	for name, flags := range map[string][]string{"static": nil, "stripped": {"-ldflags=-s -w"}} {
		t.Run(name, func(t *testing.T) {
			types, why := run(t, emulator, build(t, []string{"GOARCH=arm64", "CGO_ENABLED=0"}, flags...))
			if why != "" {
				t.Fatal(why)
			}
			if diff := cmp.Diff(named, types); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A program whose file does not tell where things are runs as before, and nothing is named.
func TestTypesOfOddFiles(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("types are named on linux/amd64 and linux/arm64")
	}
	original, err := os.ReadFile(build(t, []string{"CGO_ENABLED=0"}))
	if err != nil {
		t.Fatal(err)
	}
	// Places in the header of a 64-bit ELF file.
	const sectionsAt, sectionNumber, sectionNames = 40, 60, 62
	for _, test := range []struct {
		name   string
		change func(file []byte)
		named  bool // types may still be named
	}{
		{"no section headers", func(b []byte) {
			copy(b[sectionsAt:], make([]byte, 8))
			copy(b[sectionNumber:], make([]byte, 4))
		}, false},
		{"section headers beyond the end", func(b []byte) {
			binary.NativeEndian.PutUint64(b[sectionsAt:], 1<<40)
		}, false},
		{"sections moved in memory", func(b []byte) { moveSections(b, 16, 4096) }, false},
		{"sections moved in the file", func(b []byte) { moveSections(b, 24, 4096) }, false},
		{"sections longer than the file", func(b []byte) { moveSections(b, 32, 1<<33) }, true},
		{"names of sections nowhere", func(b []byte) {
			binary.NativeEndian.PutUint16(b[sectionNames:], 0xfff0)
		}, false},
		{"sections cut", func(b []byte) { cutSections(b) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := bytes.Clone(original)
			test.change(changed)
			path := filepath.Join(t.TempDir(), "odd")
			if err := os.WriteFile(path, changed, 0o755); err != nil {
				t.Fatal(err)
			}
			types, why := run(t, path)
			if !test.named {
				for way, name := range types {
					if name != "" {
						t.Errorf("%s is named %s", way, name)
					}
				}
				t.Log(why)
				return
			}
			for way, name := range types {
				if name != "" && name != named[way] {
					t.Errorf("%s is named %s", way, name)
				}
			}
		})
	}
}

// eachSection passes the section headers of a file.
func eachSection(file []byte, f func(header []byte)) {
	at := binary.NativeEndian.Uint64(file[40:])
	for range binary.NativeEndian.Uint16(file[60:]) {
		f(file[at : at+64])
		at += 64
	}
}

func moveSections(file []byte, field int, by uint64) {
	eachSection(file, func(header []byte) {
		if v := binary.NativeEndian.Uint64(header[16:]); v != 0 { // one that is in memory
			binary.NativeEndian.PutUint64(header[field:], binary.NativeEndian.Uint64(header[field:])+by)
		}
	})
}

func cutSections(file []byte) {
	eachSection(file, func(header []byte) { binary.NativeEndian.PutUint64(header[32:], 1) })
}

func TestReadable(t *testing.T) {
	for _, test := range []struct {
		name string
		form form
		want string
	}{
		{"main.node", asGiven, "main.node"},
		{"main.node", sliceOf, "[]main.node"},
		{"map[string]int", asGiven, "map[string]int"},
		{"struct { F uintptr; X0 int }", asGiven, "closure { X0 int }"},
		{"struct { F uintptr }", asGiven, "closure"},
		{"noalg.struct { F uintptr; X0 *int }", asGiven, "closure { X0 *int }"},
		{"struct { F uintptr; X0 int }", sliceOf, "[]struct { F uintptr; X0 int }"},
		{"main.pair[go.shape.string,int]", asGiven, "main.pair[...]"},
		{"*main.pair[go.shape.string]", sliceOf, "[]*main.pair[...]"},
		{"go.shape.int", sliceOf, ""},
		{"map[go.shape.string]int", asGiven, ""},
		{"[]go.shape.string", asGiven, ""},
		{"func(main.pair[go.shape.int]) int", asGiven, ""},
	} {
		if got := readable(test.name, test.form); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestNew(t *testing.T) {
	r, err := New()
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		if err != nil {
			t.Fatal(err)
		}
		if name := r.Allocated(nil); name != "" {
			t.Errorf("no stack is named %s", name)
		}
		if name := r.Allocated([]uintptr{1, 1 << 30}); name != "" {
			t.Errorf("a stack from nowhere is named %s", name)
		}
		return
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}
