package walls

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const page = "docs/architecture.md"

func readPage(t *testing.T) (text, root string) {
	t.Helper()
	root = moduleRoot(t)
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b), root
}

// named is a path: words that are joined by slashes.
var named = regexp.MustCompile(`[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+`)

// TestPageNamesWhatExists: a page that names what is gone leads astray.
func TestPageNamesWhatExists(t *testing.T) {
	text, root := readPage(t)
	paths := named.FindAllString(text, -1)
	if len(paths) < 100 {
		t.Fatalf("only %d paths are named", len(paths))
	}
	for _, path := range paths {
		path = strings.TrimRight(path, ".")
		if strings.HasPrefix(filepath.Base(path), "NAME") {
			continue // any
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			t.Errorf("%s names %s, which does not exist", page, path)
		}
	}
}

// TestPageNamesFunctions: where a file and a name stand beside each other, the file declares the name.
func TestPageNamesFunctions(t *testing.T) {
	text, _ := readPage(t)
	all, _ := sources(t)
	pairs := regexp.MustCompile("`([a-z0-9_/]+\\.go)`\\s+`([A-Za-z.]+)`").FindAllStringSubmatch(text, -1)
	if len(pairs) < 30 {
		t.Fatalf("only %d names stand beside their files", len(pairs))
	}
	for _, pair := range pairs {
		i := slices.IndexFunc(all, func(s source) bool { return s.path() == pair[1] })
		if i < 0 {
			t.Errorf("%s: there is no %s", page, pair[1])
		} else if !declares(all[i].file, pair[2]) {
			t.Errorf("%s: %s does not declare %s", page, pair[1], pair[2])
		}
	}
}

// declares reports whether a file has a function, a method (as Type.Method) or a type of a name.
func declares(file *ast.File, name string) bool {
	return slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
		switch d := d.(type) {
		case *ast.FuncDecl:
			of := d.Name.Name
			if d.Recv != nil {
				of = receiver(d) + "." + of
			}
			return of == name
		case *ast.GenDecl:
			return slices.ContainsFunc(d.Specs, func(spec ast.Spec) bool {
				typed, ok := spec.(*ast.TypeSpec)
				return ok && typed.Name.Name == name
			})
		}
		return false
	})
}

// TestPageHasEveryPackage: a package that the page does not name has no place yet.
func TestPageHasEveryPackage(t *testing.T) {
	text, _ := readPage(t)
	words := named.FindAllString(text, -1)
	words = append(words, regexp.MustCompile(`[a-z]+`).FindAllString(text, -1)...)
	all, _ := sources(t)
	for _, s := range all {
		// Packages of the command are named in the picture by their last part.
		_, last, inside := strings.Cut(s.dir, "cmd/leaktrend/internal/")
		if !slices.Contains(words, s.dir) && !(inside && slices.Contains(words, last)) {
			t.Errorf("%s has no place in %s: say there what it is for", s.dir, page)
			words = append(words, s.dir) // once is enough
		}
	}
}

// TestRooms: each of the rooms below sampler/recording and sampler/outside imports only those that the page has below
// it, so that what all formats share, or what only reads, never comes to depend on what is made of it.
func TestRooms(t *testing.T) {
	text, _ := readPage(t)
	all, _ := sources(t)
	for _, below := range []string{"sampler/recording/internal/", "sampler/outside/internal/"} {
		var rooms []string
		for _, row := range regexp.MustCompile("(?m)^\\| `("+below+"[a-z/]+)` \\|").FindAllStringSubmatch(text, -1) {
			rooms = append(rooms, row[1])
		}
		if len(rooms) < 10 {
			t.Fatalf("only %d rooms of %s stand in the table", len(rooms), below)
		}
		for _, s := range all {
			if !strings.HasPrefix(s.dir, below) || s.test() {
				continue
			}
			from := slices.Index(rooms, s.dir)
			for _, spec := range s.file.Imports {
				_, room, inside := strings.Cut(spec.Path.Value, below)
				room = below + strings.TrimSuffix(room, `"`)
				if to := slices.Index(rooms, room); inside && to <= from {
					t.Errorf("%s imports %s, which does not stand below it in %s", s.path(), room, page)
				}
			}
		}
	}
}

// TestReliabilityNamesTests: what the page of faults says is held by a test, is.
func TestReliabilityNamesTests(t *testing.T) {
	all, _ := sources(t)
	b, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(b), -1)
	if len(tests) < 30 {
		t.Fatalf("only %d tests are named", len(tests))
	}
	for _, name := range tests {
		if !slices.ContainsFunc(all, func(s source) bool { return s.test() && declares(s.file, name) }) {
			t.Errorf("docs/reliability.md names %s, which does not exist", name)
		}
	}
}
