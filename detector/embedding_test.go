package detector_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// compiled is what a service compiles that embeds the detector, besides the standard library, each with the reason. A
// module stands for all its packages.
var compiled = map[string]string{
	module + "/detector":                               "what a service embeds",
	module + "/detector/config":                        "its configuration, which files hold too",
	module + "/detector/engine":                        "the decisions",
	module + "/detector/finding":                       "the life of a finding",
	module + "/detector/state":                         "what was learned is kept for the next start",
	module + "/detector/state/filelock":                "by one writer at a time",
	module + "/detector/lives":                         "what is known over the lives of a process",
	module + "/detector/sites":                         "lines of code live by the same rules",
	module + "/detector/evidence":                      "what an alert names",
	module + "/detector/incident":                      "one cause is one incident",
	module + "/detector/history":                       "what the plots show",
	module + "/detector/plot":                          "the plots of the live page",
	module + "/detector/page":                          "the live page",
	module + "/detector/wording":                       "the sentences of alerts and verdicts",
	module + "/detector/internal/pair":                 "the host's two constructors give one monitor",
	module + "/detector/monitoring":                    "the host's second monitor",
	module + "/detector/leakdetection":                 "the host's first monitor, with its gauge",
	module + "/detector/internal/guard":                "a panic costs no more than what panicked",
	module + "/trend":                                  "the statistics of growth",
	module + "/baseline":                               "what is normal",
	module + "/sampler":                                "what a sample is",
	module + "/sampler/self":                           "samples of this process",
	module + "/sampler/internal/clock":                 "the time of a sample",
	module + "/sampler/internal/live":                  "counters of a live process",
	module + "/sampler/profile":                        "profiles of this process",
	module + "/sampler/gotype":                         "the type that is allocated at a line",
	module + "/sampler/callgraph":                      "which line leads into a library that waits or opens for it",
	module + "/sampler/internal/image":                 "the program's file, for both",
	module + "/sampler/breakdown":                      "what descriptors and threads are",
	module + "/sampler/redact":                         "secrets stay out of what is logged and shown",
	module + "/sampler/figure":                         "figures as people read them, in alerts, tables and plots",
	module + "/alerting":                               "alerts, and how they are delivered",
	module + "/alerting/webhook":                       "delivery over HTTP",
	module + "/alerting/internal/text":                 "numbers and times in alerts",
	"github.com/sirupsen/logrus":                       "the host's logger",
	"github.com/prometheus/procfs":                     "reads /proc",
	"golang.org/x/sys":                                 "system calls",
	"golang.org/x/arch":                                "decodes the call that allocates, to name the type",
	"gonum.org/v1/gonum":                               "regressions and distributions",
	"gopkg.in/yaml.v3":                                 "the configuration in a file",
	module + "/detector/collector":                     "for those who have a Prometheus registry",
	"github.com/prometheus/client_golang":              "the registry",
	"github.com/prometheus/client_model":               "for the registry",
	"github.com/prometheus/common":                     "for the registry",
	"github.com/beorn7/perks":                          "for the registry",
	"github.com/cespare/xxhash/v2":                     "for the registry",
	"github.com/golang/protobuf":                       "for the registry",
	"github.com/matttproud/golang_protobuf_extensions": "for the registry",
	"google.golang.org/protobuf":                       "for the registry",
	module + "/detector/otelmetrics":                   "for those who have a provider of OpenTelemetry's meters",
	"go.opentelemetry.io/otel/metric":                  "the provider, without the SDK",
	"go.opentelemetry.io/otel/attribute":               "for the provider",
	"go.opentelemetry.io/otel/internal":                "for the provider",
	module + "/detector/expvars":                       "for those who have expvar",
	module + "/detector/internal/metric":               "what these three export",
}

// collectorOnly is what only a service compiles that embeds the collector.
var collectorOnly = []string{
	module + "/detector/collector", module + "/detector/leakdetection", "github.com/prometheus/client_golang",
	"github.com/prometheus/client_model", "github.com/prometheus/common",
	"github.com/beorn7/perks", "github.com/cespare/xxhash/v2", "github.com/golang/protobuf",
	"github.com/matttproud/golang_protobuf_extensions",
	"google.golang.org/protobuf",
}

// otelOnly is what only a service compiles that embeds the OpenTelemetry metrics.
var otelOnly = []string{
	module + "/detector/otelmetrics", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/attribute",
	"go.opentelemetry.io/otel/internal",
}

// walls are what no service that embeds the detector compiles, with the reason.
var walls = map[string]string{
	module + "/cmd":               "the command is not the library",
	module + "/internal":          "what helps tests",
	module + "/sampler/recording": "only the command reads and writes recordings",
	module + "/sampler/endpoint":  "only the command reads other processes' metrics",
	module + "/sampler/promtext":  "the text form of metrics is for endpoints and recordings",
	module + "/sampler/process":   "only the command reads other processes",
	"github.com/spf13":            "the command line",
	"github.com/gdamore":          "the terminal",
	"golang.org/x/term":           "the terminal",
	"github.com/google/pprof":     "only the command parses the profiles of other processes",
	"github.com/google/go-cmp":    "for tests",
	"testing":                     "for tests",
	"html/template":               "its reflection is for the command's reports",
	"go/parser":                   "no Go code is read",
}

// listedAs returns the entry of compiled that a package comes under, "" for the standard library; ok is false where
// there is none.
func listedAs(path string) (entry string, ok bool) {
	if host, _, _ := strings.Cut(path, "/"); !strings.Contains(host, ".") {
		return "", true
	}
	if _, ok := compiled[path]; ok {
		return path, true
	}
	for entry := range compiled {
		if !under(entry, module) && under(path, entry) {
			return entry, true
		}
	}
	return "", false
}

// What a service compiles is listed, no more and no less, and nothing of it is beyond the walls.
func TestWhatAServiceCompiles(t *testing.T) {
	found := map[string]bool{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, embedded := range []string{"detector", "detector/monitoring", "detector/collector",
			"detector/leakdetection", "detector/otelmetrics", "detector/expvars"} {
			for _, p := range goList(t, goos, "-deps", "./"+embedded) {
				entry, listed := listedAs(p.ImportPath)
				if listed {
					found[entry] = true
				} else {
					t.Errorf("%s: a service that embeds %s compiles %s, of which nobody says why", goos, embedded,
						p.ImportPath)
				}
				if embedded != "detector/collector" && embedded != "detector/leakdetection" &&
					slices.Contains(collectorOnly, entry) {
					t.Errorf("%s: %s is for the collector alone, and a service without it compiles %s", goos, entry,
						p.ImportPath)
				}
				if embedded != "detector/otelmetrics" && slices.Contains(otelOnly, entry) {
					t.Errorf("%s: %s is for OpenTelemetry alone, and a service without it compiles %s", goos, entry,
						p.ImportPath)
				}
				if (embedded == "detector" || embedded == "detector/monitoring" ||
					embedded == "detector/otelmetrics") && p.ImportPath == "expvar" {
					t.Errorf("%s: a service that embeds %s compiles expvar, which adds /debug/vars to the default mux",
						goos, embedded)
				}
				for wall, why := range walls {
					if under(p.ImportPath, wall) {
						t.Errorf("%s: a service that embeds %s compiles %s: %s", goos, embedded, p.ImportPath, why)
					}
				}
			}
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(compiled)) {
		if !found[entry] {
			t.Errorf("%s is listed and not compiled any more", entry)
		}
	}
}

// A test that checks for leaks compiles no monitor, and nothing that it would bring into the test beside.
func TestWhatALeaktestCompiles(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range goList(t, goos, "-deps", "./detector/leaktest") {
			entry, listed := listedAs(p.ImportPath)
			switch {
			case p.ImportPath == module+"/detector/leaktest":
			case !listed:
				t.Errorf("%s: a test compiles %s, of which nobody says why", goos, p.ImportPath)
			case under(p.ImportPath, "net/http", module+"/detector/page", module+"/alerting/webhook") ||
				p.ImportPath == module+"/detector":
				t.Errorf("%s: a test compiles %s: the monitor, its page and its webhook are for services", goos,
					p.ImportPath)
			case slices.Contains(collectorOnly, entry), slices.Contains(otelOnly, entry):
				t.Errorf("%s: a test compiles %s, which is for metrics alone", goos, p.ImportPath)
			}
			if p.ImportPath == "testing" {
				t.Errorf("%s: detector/leaktest imports testing, which adds its flags to every program", goos)
			}
		}
	}
}

func TestListedAs(t *testing.T) {
	for path, want := range map[string]string{
		"net/http":                                 "",
		"crypto/internal/entropy/v1.0.0":           "",
		module + "/trend":                          module + "/trend",
		module + "/trend/more":                     "none",
		module + "/sampler/recording":              "none",
		"github.com/prometheus/procfs/internal/fs": "github.com/prometheus/procfs",
		"github.com/prometheus/procfsx":            "none",
	} {
		got, ok := listedAs(path)
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%s comes under %q, want %q", path, got, want)
		}
	}
}
