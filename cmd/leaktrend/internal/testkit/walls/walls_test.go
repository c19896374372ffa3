package walls

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// source is one Go file of the module.
type source struct {
	dir, name string // from the module's root, with slashes
	text      []byte
	file      *ast.File
}

func (s *source) path() string { return s.dir + "/" + s.name }

func (s *source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// sources returns all Go files of the module but those of testdata.
func sources(t *testing.T) (all []source, positions *token.FileSet) {
	t.Helper()
	root := moduleRoot(t)
	positions = token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		file, err := parser.ParseFile(positions, relative, text, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, name := filepath.Split(relative)
		all = append(all, source{strings.TrimSuffix(dir, "/"), name, text, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d files found below %s", len(all), root)
	}
	return all, positions
}

// pure packages compute: instants, values and configuration in, decisions out.
var pure = []string{"trend", "baseline", "detector/finding", "detector/lives", "detector/engine"}

func TestPurePackagesKnowNoWorld(t *testing.T) {
	all, positions := sources(t)
	clocks := []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}
	for _, s := range all {
		if !slices.Contains(pure, s.dir) || s.test() {
			continue
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			for _, world := range []string{"os", "net", "log", "syscall", "github.com/sirupsen/logrus"} {
				if path == world || strings.HasPrefix(path, world+"/") {
					t.Errorf("%s imports %s: what decides knows neither files, network nor log, so that replay "+
						"decides what the live run decided",
						s.path(), path)
				}
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
					t.Errorf("%s: time.%s: the time of the samples is the only clock of what decides",
						positions.Position(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestSentences: what decides returns reasons and figures. A literal of three words or more outside of an error or a
// panic is a sentence.
func TestSentences(t *testing.T) {
	silent := append([]string{"detector/history", "detector/sites"}, pure...)
	all, positions := sources(t)
	for _, s := range all {
		if !slices.Contains(silent, s.dir) || s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				return name != "panic" && name != "Errorf" && name != "New"
			case *ast.ImportSpec:
				return false
			case *ast.BasicLit:
				if n.Kind == token.STRING && strings.Count(n.Value, " ") >= 2 {
					t.Errorf("%s: %s: sentences for people are composed in detector/wording and detector/page, from "+
						"a reason and figures",
						positions.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
	}
}

// TestTopLevel: the agreed folders hold every Go file.
func TestTopLevel(t *testing.T) {
	all, _ := sources(t)
	agreed := []string{"sampler", "baseline", "trend", "detector", "alerting", "cmd"}
	for _, s := range all {
		top, _, _ := strings.Cut(s.dir, "/")
		if !slices.Contains(agreed, top) {
			t.Errorf("%s stands outside of %s: the top level is agreed", s.path(), strings.Join(agreed, ", "))
		}
	}
}

const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	all, _ := sources(t)
	for _, s := range all {
		if lines := bytes.Count(s.text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, over %d: a file that long holds two ideas", s.path(), lines, maxLines)
		}
	}
}

// A tab counts for four columns.
const maxColumns = 120

// TestLinesAreShort leaves out what cannot be broken: the lines of a raw string, and the output of an example.
func TestLinesAreShort(t *testing.T) {
	all, positions := sources(t)
	for _, s := range all {
		whole := map[int]bool{}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(text.Value, "`") {
				first := positions.Position(text.Pos()).Line
				for i := range strings.Count(text.Value, "\n") + 1 {
					whole[first+i] = true
				}
			}
			return true
		})
		output := false
		for i, line := range strings.Split(string(s.text), "\n") {
			comment := strings.HasPrefix(strings.TrimSpace(line), "//")
			output = comment && (output || strings.Contains(line, "// Output:"))
			columns := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			if columns > maxColumns && !whole[i+1] && !output {
				t.Errorf("%s:%d ends at column %d, beyond %d", s.path(), i+1, columns, maxColumns)
			}
		}
	}
}

const maxExported = 15

// moreExported are the packages that may export more than maxExported top-level names, with the number and the reason.
var moreExported = map[string]struct {
	max    int
	reason string
}{
	"sampler": {23, "eleven are the names of the resources, five write and read figures " +
		"and times"},
	"sampler/profile": {16, "a profile and what is made of it: sites, stacks, a traceback, a file"},
	"sampler/internal/scan": {24, "internal: the cells, numbers, counts, times and names that all " +
		"formats share"},
	"alerting": {36, "the alert's JSON is a contract of a dozen types"},
	"detector": {29, "the API of two monitors of the first host, and aliases of what its " +
		"users name"},
	"detector/lives": {17,
		"a record of lives is a format of several types, beside what judges it"},
	"detector/engine": {17, "configuration, decisions, states and verdicts are four vocabularies " +
		"of one step"},
	"detector/wording":                    {20, "a sentence for each kind of decision and of evidence"},
	"detector/plot":                       {26, "what a canvas of any kind has to draw"},
	"cmd/leaktrend/internal/lab/evaluate": {16, "a name for each figure that is measured"},
	"cmd/leaktrend/internal/lab/tune":     {19, "a name for each figure that is reported"},
}

func TestFewExportedNames(t *testing.T) {
	all, _ := sources(t)
	names := map[string]map[string]bool{}
	for _, s := range all {
		if s.test() {
			continue
		}
		if names[s.dir] == nil {
			names[s.dir] = map[string]bool{}
		}
		for _, d := range exported(s.file) {
			if d.owner == "" {
				names[s.dir][d.name] = true
			}
		}
	}
	for dir, of := range names {
		limit, reason := maxExported, "about a dozen names are what a reader keeps in mind: a constructor, a verb, a "+
			"result"
		if more, ok := moreExported[dir]; ok {
			limit, reason = more.max, more.reason
			if len(of) <= maxExported {
				t.Errorf("%s exports %d names and needs no exception any more", dir, len(of))
			}
		}
		if len(of) > limit {
			list := make([]string, 0, len(of))
			for name := range of {
				list = append(list, name)
			}
			slices.Sort(list)
			t.Errorf("%s exports %d names, over %d (%s): %s", dir, len(of), limit, reason, strings.Join(list, " "))
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	all, positions := sources(t)
	for _, s := range all {
		if s.test() {
			continue
		}
		for _, d := range exported(s.file) {
			if !d.documented && !wellKnown[d.name[strings.LastIndexByte(d.name, '.')+1:]] {
				t.Errorf("%s: %s is exported and not documented: units, range and errors belong to a name that "+
					"others use",
					positions.Position(d.pos), d.name)
			}
		}
	}
}

// TestPackagesSayWhatTheyAreFor: a package without a comment takes anything in.
func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	all, _ := sources(t)
	says := map[string]bool{}
	for _, s := range all {
		if !s.test() {
			says[s.dir] = says[s.dir] || s.file.Doc != nil
		}
	}
	for dir, documented := range says {
		if !documented {
			t.Errorf("%s has no package comment: it says what belongs there and what does not", dir)
		}
	}
}

// wellKnown methods say by their name what they do.
var wellKnown = map[string]bool{"String": true, "Error": true, "Unwrap": true, "MarshalText": true,
	"UnmarshalText": true}

// TestMethodsStandTogether: a type whose methods are spread over many files is many types.
func TestMethodsStandTogether(t *testing.T) {
	all, _ := sources(t)
	files := map[string]map[string]bool{}
	for _, s := range all {
		if s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				of := s.dir + "." + receiver(f)
				if files[of] == nil {
					files[of] = map[string]bool{}
				}
				files[of][system.ReplaceAllString(s.name, ".go")] = true
			}
		}
	}
	for of, in := range files {
		if len(in) > 2 {
			list := make([]string, 0, len(in))
			for name := range in {
				list = append(list, name)
			}
			slices.Sort(list)
			t.Errorf("%s has methods in %d files (%s): two at most, or it is more than one type", of, len(in),
				strings.Join(list, " "))
		}
	}
}

// system is the end of a file's name that says for which system it is: one of them is compiled.
var system = regexp.MustCompile(`_(linux|windows|darwin|unix|nounix|other|amd64|arm64)\.go$`)

// declared is an exported name of a file. What belongs to a type, as a method or a value of an enumeration, has its
// name as owner.
type declared struct {
	name, owner string
	pos         token.Pos
	documented  bool
}

func exported(file *ast.File) (all []declared) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			of := receiver(d)
			if d.Name.IsExported() && (of == "" || ast.IsExported(of)) {
				name := d.Name.Name
				if of != "" {
					name = of + "." + name
				}
				all = append(all, declared{name, of, d.Pos(), d.Doc != nil})
			}
		case *ast.GenDecl:
			values := enumerates(d)
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						all = append(all, declared{spec.Name.Name, "", spec.Pos(), d.Doc != nil || spec.Doc != nil ||
							spec.Comment != nil})
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							// its type is
							documented := d.Doc != nil || spec.Doc != nil || spec.Comment != nil || values != ""
							all = append(all, declared{name.Name, values, name.Pos(), documented})
						}
					}
				}
			}
		}
	}
	return all
}

// enumerates returns the type whose values a declaration lists, or "".
func enumerates(d *ast.GenDecl) string {
	if d.Tok != token.CONST || len(d.Specs) == 0 {
		return ""
	}
	of, ok := d.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident)
	if !ok || !of.IsExported() {
		return ""
	}
	return of.Name
}

// receiver returns the name of the type that a function is a method of, or "".
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	x := f.Recv.List[0].Type
	for {
		switch of := x.(type) {
		case *ast.StarExpr:
			x = of.X
		case *ast.IndexExpr:
			x = of.X
		case *ast.Ident:
			return of.Name
		default:
			return fmt.Sprint(x)
		}
	}
}
