package formats

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// namedFormat is a known format that is not read, recognized by its first lines, with the way out.
type namedFormat struct {
	form         *regexp.Regexp
	what, wayOut string
}

// named are those that resemble formats which are read.
var named = []namedFormat{
	{regexp.MustCompile(`^\s*Processes: \d+ total`), "listings of top of macOS",
		"write date and ps instead: date -Is; ps -axo pid,rss,comm"},
	{regexp.MustCompile(`^ATOP - `), "screens of atop", "write it with atop -P PRM,MEM"},
	{regexp.MustCompile(`^#<-+(?:CPU|Memory|Disks|Network)`), "screens of collectl",
		"write it with collectl -P, which has the date"},
	{regexp.MustCompile(`^\s*Handles\s+NPM\(K\)`), "a table of PowerShell's Get-Process",
		"pipe it to Select-Object -Property @{n='Time';e={Get-Date -Format " +
			"o}},Id,ProcessName,WorkingSet64,HandleCount | Export-Csv -Append"},
	{regexp.MustCompile(`^Timestamp\s+CounterSamples`), "the listing of PowerShell's Get-Counter",
		"pipe it to Export-Counter -FileFormat CSV, or record with typeperf -f CSV"},
	{regexp.MustCompile(`^Image Name\s+PID Session Name|^Abbildname\s+PID Sitzungsname`), "listings of tasklist",
		"record with typeperf -f CSV, as in typeperf \"\\Process(NAME)\\Private Bytes\" -si 60 -f CSV -o FILE"},
	{regexp.MustCompile(`^\s*(?:garbage-first heap|PSYoungGen|def new generation|ZHeap|Shenandoah Heap)\s`),
		"jcmd GC.heap_info", "write it with jstat -gc -t PID 60s, or log with -Xlog:gc:gc.log:time"},
	{regexp.MustCompile(`^\s*num\s+#instances\s+#bytes\s+class name`), "histograms of classes of a JVM",
		"write the heap with jstat -gc -t PID 60s, or log with -Xlog:gc:gc.log:time"},
	{regexp.MustCompile(`: size=[\d.]+ [KMG]?i?B, count=\d+, average=`), "listings of Python's tracemalloc",
		"log tracemalloc.get_traced_memory() with a time, as in TIME current=N"},
	{regexp.MustCompile(`\[\{total,\d+\}|^\S+ \[info\] \[total: \d+`), "terms of Erlang or Elixir",
		"log them with a date as names and values, as in 2026-03-02T00:00:00Z total=N processes=N"},
	{regexp.MustCompile(`^[A-Z][A-Z0-9-]+-MIB::\S+ = [A-Za-z0-9]+: |^\.?1\.3\.6\.1\.\S+ = `), "answers of SNMP",
		"write a line of CSV for each: echo \"$(date -Is),$(snmpget -Oqv ...)\""},
}

// namedLast are refused where no other format has recognized them.
var namedLast = []namedFormat{
	{regexp.MustCompile(`^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ \S+:\d+\]`),
		"a log of glog or klog, whose times have no year", "log with the year (--log_year_in_prefix), or write it as " +
			"in 2026-03-02T00:00:00Z rss=N"},
	{regexp.MustCompile(`^(?:<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S`),
		"a log of syslog, whose times have no year", "write it with journalctl -o short-iso, or have rsyslog use " +
			"RSYSLOG_SyslogProtocol23Format"},
	{regexp.MustCompile(`^(?:---\s*$|- [A-Za-z_][\w.-]*:(?: |$))`), "YAML", "write it as JSON, one object a line: yq " +
		"-o=json -I=0 '.[]' FILE"},
	{regexp.MustCompile(`^desc: `), "a file of massif", "print it with ms_print; leaktrend needs one reading a line, " +
		"with its time"},
	{regexp.MustCompile(`^DATATYPE::`), "performance data of Nagios for PNP",
		"export the RRD: rrdtool fetch FILE AVERAGE"},
}

// refuse refuses a text that no format has recognized, and that is no table.
func refuse(start []byte, name string) error {
	if what := strings.ToLower(string(start[:min(len(start), 200)])); strings.HasPrefix(what, "<!doctype") ||
		strings.HasPrefix(what, "<html") || strings.HasPrefix(what, "<?xml") {
		if bytes.Contains(start[:min(len(start), 1000)], []byte("<sysstat")) {
			return fmt.Errorf("%s: XML of sysstat: write it with sadf -j or sadf -d", name)
		}
		return fmt.Errorf("%s: a page or XML: no table or metrics; save the data as CSV", name)
	}
	if pprofHead.Match(start) {
		return fmt.Errorf("%s: a pprof profile: a single moment; leaktrend needs readings over time, as of "+
			"leaktrend record", name)
	}
	if bytes.IndexByte(start[:min(len(start), 4096)], 0) >= 0 {
		return fmt.Errorf("%s: %s", name, binaryKind(start, name))
	}
	if sqlDump.Match(start) {
		return fmt.Errorf("%s: SQL statements: export the table itself, as CSV or with mysql -B", name)
	}
	return refuseNamed(start, name, namedLast)
}

// refuseNamed refuses a text in one of the formats that are known by name and not read.
func refuseNamed(start []byte, name string, formats []namedFormat) error {
	const maxLines = 8
	n := 0
	for line := range bytes.Lines(start) {
		if n++; n > maxLines {
			return nil
		}
		line = bytes.TrimRight(line, "\r\n")
		for _, f := range formats {
			if f.form.Match(line) {
				return fmt.Errorf("%s: %s: not read; %s", name, f.what, f.wayOut)
			}
		}
	}
	return nil
}

// sqlDump is the beginning of a dump as MySQL writes it, or of statements alone.
var sqlDump = regexp.MustCompile(`(?i)^-- (?:MySQL|MariaDB) dump|^/\*M?!|^INSERT INTO `)

// pprofHead is the beginning of a profile that is unpacked, as Go writes it, or behind its first byte, which is a line
// end: the names of a type of sample and of its unit, by number.
var pprofHead = regexp.MustCompile(`^Z?[\x04-\x06]\x08[\x01-\x7f]{1,2}\x10`)

// spreadsheet matches the first entries of a packed spreadsheet, or the end of its name.
var spreadsheet = regexp.MustCompile(`\[Content_Types\]\.xml|xl/` +
	`|opendocument\.spreadsheet|(?i:\.(?:xls[xmb]|ods|numbers)$)`)

// binaryKind names a binary file by its first bytes, and a packed one also by its name.
func binaryKind(start []byte, name string) string {
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		if spreadsheet.Match(start[:min(len(start), 4096)]) || spreadsheet.MatchString(name) {
			return "a spreadsheet: save the sheet as CSV"
		}
		return "a ZIP archive: unpack it first (unzip)"
	}
	for prefix, what := range map[string]string{
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
