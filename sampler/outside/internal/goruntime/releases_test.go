package goruntime

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/instructions"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

var update = flag.Bool("update", false, "write the table of releases anew, with LEAKTREND_RELEASES")

// toolchainsVar names the toolchains that the table is made from or held against, as in "go1.21.13 go1.27.3".
const toolchainsVar = "LEAKTREND_RELEASES"

// TestReleases holds the table against what debuggers read of the smallest program, as a toolchain builds it: this one,
// or those of LEAKTREND_RELEASES, for both architectures. With -update it makes the table.
func TestReleases(t *testing.T) {
	toolchains := strings.Fields(os.Getenv(toolchainsVar))
	architectures := []string{"amd64", "arm64"}
	if len(toolchains) == 0 {
		toolchains = []string{runtime.Version()}
		architectures = []string{runtime.GOARCH}
		if !releases.IsPlain(runtime.Version()) || !slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) ||
			runtime.GOOS != "linux" {
			t.Skip("not a toolchain of the table")
		}
	}
	table, err := releases.Rows()
	if err != nil {
		t.Fatal(err)
	}
	made := make(map[string]releases.Release)
	for _, toolchain := range toolchains {
		for _, arch := range architectures {
			key := releases.ReleaseOf(toolchain) + " " + arch
			var builds []build
			for _, variant := range variants(arch) {
				if toolchain != runtime.Version() || len(builds) == 0 || os.Getenv(toolchainsVar) != "" {
					builds = append(builds, hello(t, toolchain, arch, variant))
				}
			}
			offsets, err := releases.OffsetsOf(dwarfOf(t, builds[0].image))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := releases.LayoutOf(offsets); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			if *update {
				made[key] = releases.Release{Offsets: offsets, Variables: recipesOf(t, builds),
					Waits: waitsOf(t, builds[0].image)}
				continue
			}
			row, ok := table[key]
			if !ok {
				t.Errorf("%s is not in the table: run %s=%q go test ./sampler/outside/internal/goruntime -run "+
					"Releases -update", key,
					toolchainsVar, toolchain)
				continue
			}
			if diff := gocmp.Diff(offsets, row.Offsets); diff != "" {
				t.Errorf("%s: offsets (-program +table):\n%s", key, diff)
			}
			if diff := gocmp.Diff(waitsOf(t, builds[0].image), row.Waits); diff != "" {
				t.Errorf("%s: what goroutines wait for (-program +table):\n%s", key, diff)
			}
			if got, want := wrapperOf(t, builds[0].image),
				row.Offsets["internal/abi.FuncIDWrapper"]; uint64(got) != want {
				t.Errorf("%s: wrappers are of the kind %d, %d in the table", key, got, want)
			}
			for _, b := range builds {
				for name, at := range b.image.Symbols(symbolsOf()[1:]...) {
					if got, ok := find(row.Variables[name], b.functions, arch, 2); !ok || got != at {
						t.Errorf("%s %s: the code leads to %s at %#x (%v), it is at %#x", key, b.variant, name, got, ok,
							at)
					}
				}
			}
		}
	}
	if *update {
		maps.Copy(table, made)
		text, err := json.MarshalIndent(table, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../releases/releases.json", append(text, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// variants are how a program may be built without its runtime being another one.
func variants(arch string) []string {
	if arch == "amd64" {
		return []string{"", "pie", "v3"}
	}
	return []string{"", "pie"}
}

// build is the smallest program, built in some way.
type build struct {
	variant   string
	image     *objfile.Image
	functions map[string]instructions.Code
	sizes     map[string]uint64 // of variables
}

func hello(t *testing.T, toolchain, arch, variant string) build {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module hello\n\ngo 1.21\n",
		"main.go": "package main\n\nfunc f(n int) { println(n) }\n\nfunc main() { go f(1) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"build", "-o", "hello"}
	env := append(os.Environ(), "GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if toolchain != runtime.Version() {
		env = append(env, "GOTOOLCHAIN="+toolchain)
	}
	switch variant {
	case "pie":
		args = append(args, "-buildmode=pie")
	case "v3":
		env = append(env, "GOAMD64=v3")
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	file, err := os.Open(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	headers, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := objfile.Open(file, headers.Entry)
	if err != nil {
		t.Fatal(err)
	}
	all, err := headers.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	b := build{variant: toolchain + " " + arch + " " + variant, image: m, functions: make(map[string]instructions.Code),
		sizes: make(map[string]uint64)}
	for i, s := range all {
		switch elf.ST_TYPE(s.Info) {
		case elf.STT_FUNC:
			if !strings.HasPrefix(s.Name, "runtime.") || strings.HasSuffix(s.Name, ".abi0") {
				continue
			}
			end := s.Value + s.Size
			if i+1 < len(all) && all[i+1].Value >= end && all[i+1].Value < end+64 {
				end = all[i+1].Value // with the padding, as the table of lines has it
			}
			c := instructions.Code{Base: s.Value, Bytes: make([]byte, end-s.Value)}
			if !m.Read(c.Base, c.Bytes) {
				t.Fatalf("%s cannot be read", s.Name)
			}
			b.functions[s.Name] = c
		case elf.STT_OBJECT:
			b.sizes[s.Name] = s.Size
		}
	}
	return b
}

func dwarfOf(t *testing.T, m *objfile.Image) debuginfo.Info {
	t.Helper()
	data, err := m.DebugInfo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recipesOf finds the places in the code that lead to the variables in all of some builds, for each the three in
// functions that name the fewest addresses.
func recipesOf(t *testing.T, builds []build) map[string][]releases.Recipe {
	t.Helper()
	all := make(map[string][]releases.Recipe)
	for _, name := range symbolsOf()[1:] {
		counts := make(map[releases.Recipe]int)
		for _, b := range builds {
			at, ok := b.image.Symbols(name)[name]
			if !ok {
				t.Fatalf("%s: no symbol %s", b.variant, name)
			}
			for function, c := range b.functions {
				if strings.HasPrefix(function, "runtime.mallocgcSmall") {
					continue // which not every way to build has
				}
				found := instructions.Operands(c, b.image.Arch)
				for i, o := range found {
					if o >= at && o < at+max(b.sizes[name], 1) {
						counts[releases.Recipe{Function: function, Operand: i, Of: len(found), Less: int64(o - at)}]++
					}
				}
			}
		}
		var list []releases.Recipe
		for r, n := range counts {
			if n == len(builds) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b releases.Recipe) int {
			return cmp.Or(cmp.Compare(a.Of, b.Of), strings.Compare(a.Function, b.Function),
				cmp.Compare(a.Operand, b.Operand))
		})
		list = slices.CompactFunc(list, func(a, b releases.Recipe) bool { return a.Function == b.Function })
		if len(list) < 2 {
			t.Errorf("%s: the code leads to %s in %d places", builds[0].variant, name, len(list))
		}
		all[name] = list[:min(3, len(list))]
	}
	return all
}

// wrapperOf returns the kind of the function that is made for a go statement with arguments.
func wrapperOf(t *testing.T, m *objfile.Image) uint8 {
	t.Helper()
	symbols, err := m.Elf.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	section := m.Elf.Section(".gopclntab")
	if section == nil {
		t.Fatal("no table of lines")
	}
	word := func(at uint64) uint64 {
		value, _ := m.Uint32(section.Addr + at)
		return uint64(value)
	}
	// The header of the table says how many functions there are, and where: runtime.pcHeader. Each has its entry, and
	// where it is described.
	count, functions := word(8), word(64)
	text := uint64(0)
	for _, s := range symbols {
		if s.Name == "runtime.text" {
			text = s.Value
		}
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || !strings.HasPrefix(s.Name, "main.main.") {
			continue
		}
		for i := range count {
			if text+word(functions+8*i) != s.Value {
				continue
			}
			const kindAt = 40 // in runtime._func
			kind := [1]byte{}
			if !m.Read(section.Addr+functions+word(functions+8*i+4)+kindAt, kind[:]) {
				t.Fatalf("%s cannot be read", s.Name)
			}
			return kind[0]
		}
		t.Fatalf("%s is not in the table", s.Name)
	}
	t.Fatal("there is no such function")
	return 0
}

// waitsOf reads the runtime's words for what goroutines wait for.
func waitsOf(t *testing.T, m *objfile.Image) (words []string) {
	t.Helper()
	const name = "runtime.waitReasonStrings"
	symbols, err := m.Elf.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name != name {
			continue
		}
		headers := make([]byte, s.Size)
		if !m.Read(s.Value, headers) {
			t.Fatalf("%s cannot be read", name)
		}
		for ; len(headers) >= 16; headers = headers[16:] {
			word := make([]byte, binary.LittleEndian.Uint64(headers[8:]))
			if len(word) > 100 || !m.Read(binary.LittleEndian.Uint64(headers), word) {
				t.Fatalf("%s: a word cannot be read", name)
			}
			words = append(words, string(bytes.TrimSpace(word)))
		}
	}
	if len(words) < 20 {
		t.Fatalf("%d words", len(words))
	}
	return words
}
