package install

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const root = "../../../../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// buildLine is how the Dockerfile builds.
var buildLine = regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 .* go build .*) -o /leaktrend (\S+)$`)

// built runs the build of the Dockerfile, once for all tests, and returns the file that it makes.
var built = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "install", "Dockerfile"))
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "leaktrend-install-*")
	if err != nil {
		return "", err
	}
	scratch = dir
	path := filepath.Join(dir, "leaktrend")
	line := buildLine.FindStringSubmatch(string(text))
	if line == nil {
		return "", os.ErrNotExist
	}
	run := exec.Command("sh", "-ec", line[1]+" -o "+path+" "+line[2])
	run.Dir = root
	run.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH, "GOFLAGS=-buildvcs=auto")
	if out, err := run.CombinedOutput(); err != nil {
		return "", &fs.PathError{Op: string(out), Path: path, Err: err}
	}
	return path, nil
})

var scratch string

func TestMain(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
	}
	os.Exit(code)
}

func leaktrend(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the command anew")
	}
	if runtime.GOOS != "linux" {
		t.Skip("images are of Linux")
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The build of the Dockerfile makes one static file that runs without anything else, as in an image from scratch.
func TestDockerfile(t *testing.T) {
	path := leaktrend(t)
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 || file.Section(".interp") != nil {
		t.Errorf("not static: %v, %v", libraries, err)
	}
	if file.Section(".symtab") != nil {
		t.Error("not stripped")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 32<<20 {
		t.Errorf("%d bytes, over 32 MB", info.Size())
	}
	run := exec.Command(path, "version")
	run.Env = []string{}
	out, err := run.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "leaktrend ") {
		t.Errorf("version: %v\n%s", err, out)
	}
	// The go command does not know the file .git of a further work tree.
	if git, err := os.Stat(filepath.Join(root, ".git")); err == nil && git.IsDir() &&
		!strings.Contains(string(out), "\n  revision  ") {
		t.Errorf("built from a checkout, it does not know its revision:\n%s", out)
	}
	if binary, err := os.ReadFile(path); err != nil || bytes.Contains(binary, []byte(mustAbs(t, root)+"/")) {
		t.Errorf("the binary holds the path that it was built in (%v)", err)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// What the image consists of, and that it has no rights.
func TestImage(t *testing.T) {
	t.Parallel()
	_, image, ok := strings.Cut(read(t, "docs/install/Dockerfile"), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image is not made from scratch")
	}
	var got []string
	for line := range strings.Lines(image) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			got = append(got, line)
		}
	}
	want := []string{
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
		"COPY --from=build /leaktrend /leaktrend",
		"USER 65532:65532",
		`ENTRYPOINT ["/leaktrend"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the image (-want +got):\n%s", diff)
	}
	// A tracked file that is left out makes the version that of a changed checkout.
	for line := range strings.Lines(read(t, ".dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") &&
			!slices.Contains(strings.Split(read(t, ".gitignore"), "\n"), line) {
			t.Errorf(".dockerignore leaves out %s, which git does not ignore", line)
		}
	}
}

// systemd accepts the unit, and rates it well.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze")
	}
	self, err := os.Executable() // any file that can be executed, as the command is not installed
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "leaktrend@redis-server.service")
	text := strings.Replace(read(t, "docs/install/leaktrend@.service"), "/usr/local/bin/leaktrend ", self+" ", 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=25", "--no-pager",
		unit).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: an exposure over 2.5: %v\n%s", err, out)
	}
}

// yamlOf decodes a file, strictly: a key that stands twice is an error.
func yamlOf(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	type build struct {
		Main         string
		Env          []string
		Flags        []string
		LDFlags      []string `yaml:"ldflags"`
		GOOS         []string `yaml:"goos"`
		GOArch       []string `yaml:"goarch"`
		ModTimestamp string   `yaml:"mod_timestamp"`
	}
	var got struct {
		Version  int
		Builds   []build
		Checksum struct{ Algorithm string }
		SBOMs    []struct{ Artifacts string } `yaml:"sboms"`
		Archives []struct {
			Files []any
		}
	}
	yamlOf(t, ".goreleaser.yaml", &got)
	want := []build{{
		Main: "./cmd/leaktrend", Env: []string{"CGO_ENABLED=0"}, Flags: []string{"-trimpath", "-buildvcs=true"},
		LDFlags: []string{"-s -w"},
		GOOS:    []string{"linux", "darwin", "windows"}, GOArch: []string{"amd64", "arm64"},
		ModTimestamp: "{{ .CommitTimestamp }}",
	}}
	if diff := cmp.Diff(want, got.Builds); diff != "" {
		t.Errorf("builds (-want +got):\n%s", diff)
	}
	if got.Version != 2 || got.Checksum.Algorithm != "sha256" || len(got.SBOMs) != 1 ||
		got.SBOMs[0].Artifacts != "binary" {
		t.Errorf("checksums and SBOM: %+v", got)
	}
	// Each file of the archives is there, but for what the hooks make.
	for _, f := range got.Archives[0].Files {
		path, ok := f.(string)
		if !ok {
			continue
		}
		if files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(path))); err != nil || len(files) == 0 {
			t.Errorf("%s: no such files (%v)", path, err)
		}
	}
}

// The workflows are YAML, and each step does something.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	for _, path := range []string{".github/workflows/ci.yaml", ".github/workflows/release.yaml",
		"docs/install/github-soak.yaml"} {
		var w struct {
			On          any
			Permissions map[string]string
			Jobs        map[string]struct {
				RunsOn  string `yaml:"runs-on"`
				Timeout int    `yaml:"timeout-minutes"`
				Steps   []struct{ Uses, Run string }
			}
		}
		yamlOf(t, path, &w)
		if w.On == nil || w.Permissions["contents"] == "" || len(w.Jobs) == 0 {
			t.Errorf("%s: %+v", path, w)
		}
		for name, job := range w.Jobs {
			if job.RunsOn == "" || job.Timeout == 0 || len(job.Steps) == 0 {
				t.Errorf("%s: job %s: %+v", path, name, job)
			}
			for i, step := range job.Steps {
				if (step.Uses == "") == (step.Run == "") {
					t.Errorf("%s: job %s: step %d neither uses nor runs one thing: %+v", path, name, i, step)
				}
			}
		}
	}
	if !strings.Contains(read(t, ".github/workflows/ci.yaml"), "- run: .ci/run\n") {
		t.Error("CI does not run .ci/run")
	}
}

// Each target that contributors are told of is there, and has a line in the list.
func TestMakefile(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	targets := regexp.MustCompile("`make ([a-z]+)").FindAllStringSubmatch(read(t, ".github/CONTRIBUTING.md"), -1)
	if len(targets) < 6 {
		t.Errorf("only %q are told of", targets)
	}
	for _, target := range targets {
		if !strings.Contains(makefile, "\n"+target[1]+": ## ") {
			t.Errorf("make %s is not in the Makefile", target[1])
		}
	}
}

// The issue templates are forms of GitHub, and a verdict is not reported without a recording.
func TestIssueTemplates(t *testing.T) {
	t.Parallel()
	required := map[string]map[string]bool{}
	for _, name := range []string{"wrong-verdict", "bug"} {
		var form struct {
			Name, Description string
			Body              []struct {
				Type, ID    string
				Attributes  struct{ Label string }
				Validations struct{ Required bool }
			}
		}
		yamlOf(t, ".github/ISSUE_TEMPLATE/"+name+".yaml", &form)
		if form.Name == "" || form.Description == "" {
			t.Errorf("%s has no name or no description", name)
		}
		required[name] = map[string]bool{}
		for _, field := range form.Body {
			if !slices.Contains([]string{"textarea", "dropdown"}, field.Type) || field.ID == "" ||
				field.Attributes.Label == "" {
				t.Errorf("%s: %+v", name, field)
			}
			required[name][field.ID] = field.Validations.Required
		}
	}
	want := map[string]map[string]bool{
		"wrong-verdict": {"what": true, "recording": true, "truth": true, "output": true, "version": true},
		"bug":           {"steps": true, "file": false, "version": true},
	}
	if diff := cmp.Diff(want, required); diff != "" {
		t.Errorf("what is required (-want +got):\n%s", diff)
	}
}
