package formats_test

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/delimited"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/jsonfiles"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/listings"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/logs"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/timeseries"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// checkRead reads a text, and checks what holds of whatever can be read: times that rise, numbers that are finite,
// samples that can be recorded.
func checkRead(t *testing.T, g *gathered.File, err error) {
	if err != nil {
		return
	}
	if len(g.Processes) == 0 {
		t.Fatal("neither a process nor an error")
	}
	for _, p := range g.Processes {
		w := recording.NewWriter(io.Discard, g.Header)
		var s sampler.Sample
		last, n := time.Time{}, 0
		for p.Sample(&s) {
			if n++; n > 1 && !s.Time.After(last) {
				t.Fatalf("%v after %v", s.Time, last)
			}
			last = s.Time
			for _, r := range s.Readings {
				if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
					t.Fatalf("%s = %v", r.Resource, r.Value)
				}
			}
			if err := w.Write(&s); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			t.Fatal("a process without samples")
		}
	}
}

// fuzz fuzzes the reader of one format, from its files.
func fuzz(f *testing.F, read func(t *input.Text, o input.Options) (*gathered.File, error), patterns ...string) {
	seeds := 0
	for _, pattern := range patterns {
		files, err := filepath.Glob("../../testdata/formats/" + pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range slices.DeleteFunc(files, func(path string) bool {
			return strings.HasSuffix(path, ".golden")
		}) {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatalf("no files like %v", patterns)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, o := range []input.Options{{}, {Interval: time.Minute}} {
			in, err := input.New(t.Context(), bufio.NewReaderSize(bytes.NewReader(text), input.BlockSize), "f",
				input.DefaultBounds)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(in.Head)) == 0 {
				return
			}
			g, err := read(in, o)
			checkRead(t, g, err)
		}
	})
}

func FuzzDelimited(f *testing.F) { fuzz(f, delimited.Read, "*.csv", "*.tsv", "statm*") }

func FuzzJSON(f *testing.F) { fuzz(f, jsonfiles.JSON.Read, "*.json", "*.jsonl") }

func FuzzMetrics(f *testing.F) { fuzz(f, timeseries.PromText.Read, "*.om", "*.prom") }

func FuzzQueryRange(f *testing.F) { fuzz(f, timeseries.QueryRange.Read, "promtool*") }

func FuzzMprof(f *testing.F) { fuzz(f, timeseries.Mprof.Read, "mprof*") }

func FuzzLineProtocol(f *testing.F) { fuzz(f, timeseries.LineProtocol.Read, "influx-lines*") }

func FuzzFluxCSV(f *testing.F) { fuzz(f, timeseries.FluxCSV.Read, "influx-annotated*") }

func FuzzSysstat(f *testing.F) { fuzz(f, listings.Sysstat.Read, "pidstat*", "sar*") }

func FuzzPsrecord(f *testing.F) { fuzz(f, listings.Psrecord.Read, "psrecord*") }

func FuzzPs(f *testing.F) { fuzz(f, listings.Ps.Read, "ps-*") }

func FuzzDockerStats(f *testing.F) { fuzz(f, listings.DockerStats.Read, "docker*.log") }

func FuzzKubectlTop(f *testing.F) { fuzz(f, listings.KubectlTop.Read, "kubectl*") }

func FuzzStatus(f *testing.F) { fuzz(f, logs.Status.Read, "proc-*") }

func FuzzFrames(f *testing.F) { fuzz(f, timeseries.ReadFrames, "grafana-*.json") }

func FuzzSadf(f *testing.F) { fuzz(f, listings.ReadSadf, "sadf-j*") }

// FuzzTools fuzzes the readers of what single tools write, each recognized by its beginning.
func FuzzTools(f *testing.F) {
	fuzz(f, formats.Read, "gc-*.log", "console-log.txt", "python-dict.log", "*under-dates.log", "rrd-*", "atop-*",
		"nmon*",
		"dstat*.csv", "graphite-raw*", "statsd*", "go-gctrace*", "node-trace*", "console-*", "records-*", "sqlite*",
		"pm2*", "wmic*", "loki*", "ruby*")
}

func FuzzKeyValues(f *testing.F) { fuzz(f, logs.KeyValues.Read, "log*.txt") }
