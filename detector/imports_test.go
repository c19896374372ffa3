package detector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/mdzesseis/leaktrend"

// under reports whether path is one of these packages or stands below it.
func under(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

const plotsAreLight = "every service that embeds the detector compiles the plots: they need the resource table and " +
	"little of the standard library"

const roomsAreApart = "the rooms of sampler import sampler and what is internal to it: a service compiles the " +
	"sources that it samples, and no other"

// roomFault says why a room of sampler must not import another of our packages; "" where it may.
func roomFault(from, to string) string {
	switch {
	case to == "sampler", under(to, "sampler/internal", "testdata/await"):
	case under(from, "sampler/recording") && under(to, "sampler/recording/internal"): // the rooms of its formats
	case under(from, "sampler/outside") && under(to, "sampler/outside/internal"): // the rooms of what it reads
	case to == "sampler/promtext" && under(from, "sampler/endpoint", "sampler/recording"): // both read Prometheus text
	// who does not read another process's profiles compiles the one alone
	case to == "sampler/profile" && under(from, "sampler/profile"):
	default:
		return roomsAreApart
	}
	return ""
}

// edgeFault says why a package, named without the module's path, must not import another; "" where it may. Tests may
// import what they like.
func edgeFault(from, to string) string {
	own := to == module || strings.HasPrefix(to, module+"/")
	to = strings.TrimPrefix(to, module+"/")
	command := under(from, "cmd")
	leaves := []string{"sampler", "baseline", "trend", "alerting"}
	if own && under(from, "alerting") && under(to, "alerting") {
		own = false // a leaf too: who delivers by other ways compiles no HTTP
	}
	forTests := []string{"testdata/await", "detector/internal/hosttest", "sampler/internal/testchild",
		"sampler/outside/internal/debuginfo/debugtest"}
	switch {
	case own && under(to, forTests...) && !under(from, forTests...) && !under(from, "cmd/leaktrend/internal/testkit"):
		return "only tests use what waits, builds and starts programs for them"
	case own && (to == "sampler/redact" || to == "sampler/figure"):
		return "" // the packages below the leaves: secrets are hidden in one place, and figures written in one
	case own && under(to, forTests...):
		return ""
	case own && under(from, "sampler") && from != "sampler":
		return roomFault(from, to)
	case own && under(from, leaves...):
		return "the leaves import none of our packages"
	case own && to == "cmd/leaktrend/internal/testkit/browsertest":
		return "only tests open a browser"
	case under(from, "detector/plot") &&
		(own && to != "sampler" || !own && strings.Contains(strings.Split(to, "/")[0], ".") ||
			under(to, "net", "text", "html/template")):
		return plotsAreLight
	case own && under(from, "detector/page") && under(to, "detector/engine", "detector/finding", "detector/config"):
		return "the page shows what it is given: it knows no engine"
	case own && under(from, "detector/engine", "detector/finding", "detector/lives", "detector/sites",
		"detector/history") && under(to, "detector/wording", "detector/page"):
		return "what decides gives reasons and figures: sentences are composed above it"
	case own && under(from, "detector/evidence") && under(to, "detector/page", "detector/history"):
		return "evidence is what an alert names: it shows nothing"
	case own && under(from, "detector") && !under(to, append(leaves, "detector")...):
		return "the detector imports the leaves alone"
	case own && under(to, "cmd") && !command:
		return "only the command imports what belongs to it"
	case own:
		return ""
	}
	for _, home := range []struct {
		of     string
		at     []string
		reason string
	}{
		{"github.com/prometheus/procfs", []string{"sampler"}, "procfs has its home in sampler"},
		{"gonum.org/v1/gonum", []string{"trend", "cmd"}, "gonum has its home in trend"},
		{"gopkg.in/yaml.v3", []string{"detector/config", "cmd"},
			"yaml.v3 has its home in the detector's configuration"},
		{"github.com/prometheus/client_golang/api", []string{"detector/earlier"},
			"the client of a Prometheus has its home in detector/earlier"},
		{"github.com/prometheus/client_golang", []string{"detector/collector", "detector/earlier", "cmd"},
			"the Prometheus client has its home in detector/collector"},
		{"go.opentelemetry.io/otel/sdk", nil, "which SDK reads the metrics is the service's choice: only tests " +
			"import one"},
		{"go.opentelemetry.io", []string{"detector/otelmetrics"}, "OpenTelemetry has its home in detector/otelmetrics"},
		{"github.com/prometheus/common", []string{"detector/earlier", "cmd"},
			"the Prometheus client has its home in detector/collector"},
		{"github.com/sirupsen/logrus", []string{"alerting", "detector", "cmd"},
			"logrus has its home in alerting and the monitor"},
		{"github.com/spf13", []string{"cmd"}, "the command line has its home in cmd"},
		{"golang.org/x/term", []string{"cmd"}, "the terminal has its home in cmd"},
		{"github.com/gdamore", []string{"cmd"}, "the terminal has its home in cmd"},
		{"github.com/google/pprof", []string{"sampler/profile/remote", "cmd"},
			"the parser of profiles has its home in sampler/profile/remote"},
		{"golang.org/x/arch", []string{"sampler/gotype", "sampler/outside"},
			"decoding of instructions has its home in sampler/gotype and sampler/outside"},
		{"github.com/prometheus/common/config", []string{"detector/earlier"},
			"the client of a Prometheus has its home in detector/earlier"},
		{"golang.org/x/sys", []string{"sampler", "detector/state/filelock", "cmd"},
			"system calls have their home in sampler"},
		{"github.com/influxdata", []string{"sampler/recording"},
			"the formats of others have their home in sampler/recording"},
		{"golang.org/x/text", []string{"sampler/recording"},
			"the formats of others have their home in sampler/recording"},
	} {
		if under(to, home.of) && !under(from, home.at...) {
			return home.reason
		}
	}
	if under(from, "baseline", "trend") && (under(to, "os", "net", "log", "syscall") ||
		under(to, "github.com/sirupsen")) {
		return "baseline and trend are pure arithmetic: no os, net, log or clock"
	}
	return ""
}

func TestEdgeFault(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{"sampler", module + "/trend", "the leaves import none of our packages"},
		{"alerting", module + "/cmd/leaktrend/internal/report", "the leaves import none of our packages"},
		{"trend", module, "the leaves import none of our packages"},
		{"alerting/webhook", module + "/alerting", ""},
		{"alerting", module + "/sampler/redact", ""},
		{"alerting", module + "/sampler/figure", ""},
		{"alerting", module + "/sampler", "the leaves import none of our packages"},
		{"detector", module + "/cmd/leaktrend/internal/replay", "the detector imports the leaves alone"},
		{"detector", module + "/sampler", ""},
		{"detector/page", module + "/detector/engine", "the page shows what it is given: it knows no engine"},
		{"detector/page", module + "/detector/plot", ""},
		{"detector/finding", module + "/detector/wording", "what decides gives reasons and figures: sentences are " +
			"composed above it"},
		{"detector/wording", module + "/detector/finding", ""},
		{"detector/evidence", module + "/detector/page", "evidence is what an alert names: it shows nothing"},
		{"detector", module + "/detector/plot", ""},
		{"detector/plot", module + "/sampler", ""},
		{"detector/plot", module + "/detector", plotsAreLight},
		{"detector/plot", "gonum.org/v1/plot/vg", plotsAreLight},
		{"detector/plot", "html/template", plotsAreLight},
		{"detector/plot", "html", ""},
		{"cmd/leaktrend", module + "/cmd/leaktrend/internal/testkit/browsertest", "only tests open a browser"},
		{"cmd/leaktrend/internal/demo", module + "/testdata/await", "only tests use what waits, builds and starts " +
			"programs for them"},
		{"detector", module + "/detector/internal/hosttest", "only tests use what waits, builds and starts programs " +
			"for them"},
		{"other", module + "/cmd/leaktrend", "only the command imports what belongs to it"},
		{"cmd/leaktrend", module + "/cmd/leaktrend/internal/replay", ""},
		{"detector", "github.com/prometheus/procfs/sysfs", "procfs has its home in sampler"},
		{"sampler", "github.com/prometheus/procfs", ""},
		{"baseline", "gonum.org/v1/gonum/stat", "gonum has its home in trend"},
		{"detector", "github.com/prometheus/client_golang/prometheus", "the Prometheus client has its home in " +
			"detector/collector"},
		{"sampler", "github.com/prometheus/common/expfmt", "the Prometheus client has its home in detector/collector"},
		{"detector/collector", "github.com/prometheus/client_golang/prometheus", ""},
		{"detector/collector", module + "/detector", ""},
		{"detector/collector", module + "/cmd/leaktrend/internal/rules", "the detector imports the leaves alone"},
		{"detector/internal/metric", "github.com/prometheus/client_golang/prometheus",
			"the Prometheus client has its home in detector/collector"},
		{"detector/internal/metric", "go.opentelemetry.io/otel/metric",
			"OpenTelemetry has its home in detector/otelmetrics"},
		{"detector/otelmetrics", "go.opentelemetry.io/otel/metric", ""},
		{"detector/otelmetrics", "go.opentelemetry.io/otel/sdk/metric",
			"which SDK reads the metrics is the service's choice: only tests import one"},
		{"cmd/leaktrend/internal/evaluation", "gonum.org/v1/gonum/stat", ""},
		{"detector", "gopkg.in/yaml.v3", "yaml.v3 has its home in the detector's configuration"},
		{"detector/config", "gopkg.in/yaml.v3", ""},
		{"alerting", "gopkg.in/yaml.v3", "yaml.v3 has its home in the detector's configuration"},
		{"sampler", "github.com/sirupsen/logrus", "logrus has its home in alerting and the monitor"},
		{"detector", "github.com/spf13/cobra", "the command line has its home in cmd"},
		{"alerting", "golang.org/x/term", "the terminal has its home in cmd"},
		{"detector", "github.com/gdamore/tcell/v2", "the terminal has its home in cmd"},
		{"sampler/profile/remote", module + "/sampler/profile", ""},
		{"sampler/profile/remote", module + "/sampler", ""},
		{"sampler/profile/remote", module + "/sampler/self", roomsAreApart},
		{"sampler/recording", module + "/sampler/promtext", ""},
		{"sampler/recording", module + "/sampler/internal/scan", ""},
		{"sampler/recording", module + "/sampler/redact", ""},
		{"sampler/recording", module + "/sampler/recording/internal/table", ""},
		{"sampler/recording/internal/table", module + "/sampler/recording/internal/input", ""},
		{"sampler/recording/internal/table", module + "/sampler/recording", roomsAreApart},
		{"sampler/endpoint", module + "/sampler/recording/internal/table", roomsAreApart},
		{"sampler/outside", module + "/sampler/outside/internal/search", ""},
		{"sampler/outside/internal/search", module + "/sampler/outside", roomsAreApart},
		{"sampler/process", module + "/sampler/outside/internal/procmem", roomsAreApart},
		{"sampler/self", module + "/sampler/process", roomsAreApart},
		{"sampler/self", module + "/sampler/promtext", roomsAreApart},
		{"sampler/internal/live", module + "/sampler/self", roomsAreApart},
		{"sampler/endpoint", module + "/detector", roomsAreApart},
		{"sampler", module + "/sampler/self", "the leaves import none of our packages"},
		{"sampler/profile", "github.com/google/pprof/profile", "the parser of profiles has its home in " +
			"sampler/profile/remote"},
		{"sampler", "golang.org/x/arch/x86/x86asm", "decoding of instructions has its home in sampler/gotype and " +
			"sampler/outside"},
		{"sampler/gotype", "golang.org/x/arch/x86/x86asm", ""},
		{"detector", "github.com/prometheus/client_golang/api/prometheus/v1",
			"the client of a Prometheus has its home in detector/earlier"},
		{"detector/earlier/prom", "github.com/prometheus/common/config", ""},
		{"detector", "golang.org/x/sys/unix", "system calls have their home in sampler"},
		{"trend", "net/http", "baseline and trend are pure arithmetic: no os, net, log or clock"},
		{"baseline", "log/slog", "baseline and trend are pure arithmetic: no os, net, log or clock"},
		{"baseline", "math", ""},
	} {
		if got := edgeFault(test.from, test.to); got != test.want {
			t.Errorf("%s imports %s: %q, want %q", test.from, test.to, got, test.want)
		}
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func goList(t *testing.T, goos string, arguments ...string) []listed {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	cmd := exec.Command(tool, append([]string{"list", "-json=ImportPath,Dir,GoFiles,Imports"}, arguments...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0", "GOFLAGS=")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &complaint)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		seen := map[string]bool{}
		for _, p := range goList(t, goos, "./...") {
			from := strings.TrimPrefix(p.ImportPath, module+"/")
			seen[from] = true
			for _, to := range p.Imports {
				if why := edgeFault(from, to); why != "" {
					t.Errorf("%s: %s imports %s: %s", goos, from, to, why)
				}
			}
		}
		for _, name := range []string{"sampler", "baseline", "trend", "alerting", "detector"} {
			if !seen[name] {
				t.Errorf("%s: there is no package %s", goos, name)
			}
		}
	}
}

// clockUses returns where a file reads or waits for the clock, as "FUNCTION at LINE".
func clockUses(file string, src any) (uses []string, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, spec := range f.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); path == "time" {
			name = "time"
			if spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && name != "" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name && slices.Contains(clock, s.Sel.Name) {
				uses = append(uses, fmt.Sprintf("%s at %d", s.Sel.Name, set.Position(s.Pos()).Line))
			}
		}
		return true
	})
	return uses, nil
}

func TestClockUses(t *testing.T) {
	src := "package p\nimport clock \"time\"\nvar a = clock.Now()\nvar b = clock.Second\nfunc f() {\n" +
		"\t<-clock.After(b)\n\tclock.NewTicker(b)\n}\n"
	got, err := clockUses("p.go", src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Now at 3", "After at 6", "NewTicker at 7"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The engine and its arithmetic know no time but that of the samples, and what says or keeps what they decide needs
// none either.
func TestNoClock(t *testing.T) {
	pure := []string{"engine", "finding", "sites", "wording", "history", "plot", "config"}
	arguments := []string{"./baseline", "./trend"}
	for _, name := range pure {
		arguments = append(arguments, "./detector/"+name)
	}
	packages := goList(t, "linux", arguments...)
	if len(packages) != len(arguments) {
		t.Errorf("%d packages were looked at, want %d", len(packages), len(arguments))
	}
	for _, p := range packages {
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			uses, err := clockUses(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range uses {
				t.Errorf("%s uses the clock: time.%s; the time of the samples is the only one there", path, use)
			}
		}
	}
}
