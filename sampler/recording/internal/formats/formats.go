// Package formats knows which reader a file needs. A new format is a row in the table here, and a file in the room of
// its kind.
package formats

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/delimited"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/jsonfiles"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/listings"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/logs"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/timeseries"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// formats are tried in this order; what none of them is, is read as a table.
var formats = []gathered.Format{
	logs.Inspected,
	logs.GCLog,
	logs.GCTrace,
	jsonfiles.JSON,
	jsonfiles.StampedJSON,
	timeseries.RRD,
	listings.Atop,
	listings.Nmon,
	listings.Dstat,
	timeseries.GraphiteRaw,
	timeseries.FluxCSV,
	timeseries.QueryRange,
	timeseries.PromText,
	timeseries.LineProtocol,
	timeseries.Mprof,
	logs.Records,
	listings.Sysstat,
	listings.Psrecord,
	listings.DockerStats,
	listings.KubectlTop,
	listings.Top,
	listings.Vmstat,
	listings.Free,
	listings.Ps,
	logs.Status,
	logs.KeyValues,
}

// Read recognizes the format of a text and reads it.
func Read(t *input.Text, o input.Options) (*gathered.File, error) {
	start, name := bytes.TrimLeft(t.Head, " \t\r\n"), t.Name
	if len(start) == 0 {
		return nil, fmt.Errorf("%s: no samples", name)
	}
	if err := refuseNamed(start, name, false); err != nil {
		return nil, err
	}
	for _, f := range formats {
		if f.Recognizes(start) {
			return f.Read(t, o)
		}
	}
	if what := strings.ToLower(string(start[:min(len(start), 200)])); strings.HasPrefix(what, "<!doctype") ||
		strings.HasPrefix(what, "<html") || strings.HasPrefix(what, "<?xml") {
		if bytes.Contains(start[:min(len(start), 1000)], []byte("<sysstat")) {
			return nil, fmt.Errorf("%s: XML of sysstat: write it with sadf -j or sadf -d", name)
		}
		return nil, fmt.Errorf("%s: a page or XML: no table or metrics; save the data as CSV", name)
	}
	if bytes.IndexByte(start[:min(len(start), 4096)], 0) >= 0 {
		return nil, fmt.Errorf("%s: %s", name, binaryKind(start))
	}
	if sqlDump.Match(start) {
		return nil, fmt.Errorf("%s: statements of SQL: export the table itself, as CSV or with mysql -B", name)
	}
	if err := refuseNamed(start, name, true); err != nil {
		return nil, err
	}
	return delimited.Read(t, o)
}

// sqlDump is the beginning of a dump as MySQL writes it, or of statements alone.
var sqlDump = regexp.MustCompile(`(?i)^-- (?:MySQL|MariaDB) dump|^/\*M?!|^INSERT INTO `)

// binaryKind names a binary file by its first bytes.
func binaryKind(start []byte) string {
	for prefix, what := range map[string]string{
		"PK\x03\x04":       "a ZIP archive or a spreadsheet: save the sheet as CSV",
		"\x28\xb5\x2f\xfd": "Zstandard: unpack it first (zstd -d)",
		"\xfd7zXZ":         "xz: unpack it first (xz -d)", "BZh": "bzip2: unpack it first (bunzip2)",
		"SQLite format 3": "an SQLite database: export the table as CSV",
		"PAR1":            "Parquet: export it as CSV", "JAVA PROFILE": "a heap dump of a JVM: a single moment; " +
			"leaktrend needs " +
			"readings over time, as of jstat -gc -t", "FLR\x00": "a recording of Java Flight Recorder: write it with " +
			"jfr print --json --events jdk.GCHeapSummary",
		"\x7fELF": "an executable or a core file", "ARROW1": "Arrow: export it as CSV",
		"Obj\x01": "Avro: export it as JSON lines", "\xd5\x96": "a data file of sysstat: write it as text with sadf " +
			"-d FILE -- -r ALL",
	} {
		if bytes.HasPrefix(start, []byte(prefix)) {
			return what
		}
	}
	return "binary data in no format that leaktrend knows: save it as CSV"
}
