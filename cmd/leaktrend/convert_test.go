package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was understood of a table is written as a recording, one for each process in it, and replaces nothing unasked.
func TestConvert(t *testing.T) {
	t.Parallel()
	table := "time;goroutines;open files\n2026-11-23 10:00:00;12;9\n2026-11-23 10:01:00;13;9\n"
	got := leaktrend(t, table, "convert", "-", "-o", "-")
	want := outcome{stdout: "# leaktrend recording v1\n# source: standard input\ntime,goroutines,open files\n" +
		"2026-11-23T10:00:00Z,12,9\n2026-11-23T10:01:00Z,13,9\n",
		stderr: "standard input: 2 rows of 2, 1m at 1m, a table with semicolons, 2 columns judged\n"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	dir := t.TempDir()
	two := writeText(t, dir, "two.csv", "time,pid,rss_kb\n2026-11-23T10:00:00Z,7,1024\n2026-11-23T10:00:00Z,8,2048\n"+
		"2026-11-23T10:01:00Z,7,1025\n2026-11-23T10:01:00Z,8,2049\n")
	arguments := []string{"convert", two, "-o", filepath.Join(dir, "out.csv")}
	if got := leaktrend(t, "", arguments...); got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "2 processes by pid") {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"out.pid-7.csv": "# leaktrend recording v1\n# source: two.csv pid 7\ntime,rss_bytes\n" +
			"2026-11-23T10:00:00Z,1048576\n2026-11-23T10:01:00Z,1049600\n",
		"out.pid-8.csv": "# leaktrend recording v1\n# source: two.csv pid 8\ntime,rss_bytes\n" +
			"2026-11-23T10:00:00Z,2097152\n2026-11-23T10:01:00Z,2098176\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if diff := cmp.Diff(want, string(text)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{arguments, "--force"},
		{[]string{"convert", two}, "-o: name the recording"},
		{[]string{"convert", two, "-o", "-"}, "2 processes, and each is a recording"},
		{[]string{"convert", filepath.Join(dir, "none.csv"), "-o", "-"}, "none.csv"},
	} {
		if got := leaktrend(t, "", test.args...); got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%v: %+v, want %q", test.args, got, test.says)
		}
	}
}

// Processes whose names differ only in what a path cannot hold get files of their own: none is lost.
func TestConvertKeepsProcessesApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	two := writeText(t, dir, "two.csv", "time,pod,rss_kb\n2026-11-23T10:00:00Z,a/b,1024\n2026-11-23T10:00:00Z,a:b,2048\n"+
		"2026-11-23T10:01:00Z,a/b,1025\n2026-11-23T10:01:00Z,a:b,2049\n")
	if got := leaktrend(t, "", "convert", two, "--force", "-o", filepath.Join(dir, "out.csv")); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	var sources []string
	for _, name := range []string{"out.pod-a-b.csv", "out.pod-a-b-2.csv"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, strings.Split(string(text), "\n")[1])
	}
	if diff := cmp.Diff([]string{"# source: two.csv pod a/b", "# source: two.csv pod a:b"}, sources); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
