package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// twoPIDs is a table of two processes.
const twoPIDs = "time,pid,rss_kb\n" +
	"2026-03-02T00:00:00Z,1,100\n2026-03-02T00:00:00Z,2,200\n2026-03-02T00:01:00Z,1,101\n2026-03-02T00:01:00Z,2,0\n" +
	"2026-03-02T00:02:00Z,1,101\n2026-03-02T00:02:00Z,2,202\n"

func TestConvert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "out.csv")
	got := leaktrend(t, twoPIDs, "convert", "-", "-o", out)
	wantErr := "standard input: 6 rows of 6, 2m at 1m, a CSV table, 2 processes by pid, 1 column judged, 1 gap where " +
		"rss_kb is 0 or less\nrenamed: rss_kb is rss_bytes, in bytes, in the recording\n"
	if got.code != 0 || got.stderr != wantErr {
		t.Fatalf("exit code %d, stderr %q, want %q", got.code, got.stderr, wantErr)
	}
	for name, want := range map[string]string{
		"out.pid-1.csv": "# leaktrend recording v1\n# source: standard input pid 1\ntime,rss_bytes\n" +
			"2026-03-02T00:00:00Z,102400\n2026-03-02T00:01:00Z,103424\n2026-03-02T00:02:00Z,103424\n",
		"out.pid-2.csv": "# leaktrend recording v1\n# source: standard input pid 2\ntime,rss_bytes\n" +
			"2026-03-02T00:00:00Z,204800\n2026-03-02T00:02:00Z,206848\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, test := range []struct {
		stdin string
		args  []string
		says  string
	}{
		{twoPIDs, []string{"-", "-o", "-"}, "the file holds 2 processes"},
		{twoPIDs, []string{"-", "-o", out}, "is not empty; --force"},
		{twoPIDs, []string{"-"}, "-o RECORDING is needed"},
		{"n,rss_kb\n1,5\n2,6\n3,7\n", []string{"-", "-o", "-"}, "a CSV table: it has no time: n counts samples; say " +
			"how far apart they are, as in --interval 1m"},
	} {
		if got := leaktrend(t, test.stdin, append([]string{"convert"}, test.args...)...); got.code != 2 ||
			!strings.Contains(got.stderr, test.says) {
			t.Errorf("%v: exit code %d, stderr %q, want %q", test.args, got.code, got.stderr, test.says)
		}
	}
	one := leaktrend(t, "n,rss_kb\n1,5\n2,6\n3,7\n", "convert", "--interval", "1m", "-", "-o", "-")
	if want := "# leaktrend recording v1\n# source: standard input\ntime,rss_bytes\n1970-01-01T00:01:00Z,5120\n" +
		"1970-01-01T00:02:00Z,6144\n1970-01-01T00:03:00Z,7168\n"; one.stdout != want {
		t.Errorf("got %q, want %q", one.stdout, want)
	}
}

// The exit code tells what was found, and where nothing was, whether all was read and judged.
func TestReplayExitCodeTellsWhatWasRead(t *testing.T) {
	t.Parallel()
	var steady strings.Builder
	steady.WriteString("time,pid,fds\n")
	for i := range 2000 {
		fmt.Fprintf(&steady, "%d,7,%d\n", 1_770_000_000+60*i, 100+i*i%7)
	}
	for name, test := range map[string]struct {
		input string
		code  int
	}{
		"healthy":          {steady.String(), 0},
		"a row not read":   {steady.String() + "broken\n", 3},
		"too short":        {twoPIDs, 3},
		"without a time":   {"rss_kb\n1\n2\n", 2},
		"an identifier":    {strings.ReplaceAll(steady.String(), ",7,", ",8,"), 0},
		"nothing in there": {"", 2},
	} {
		if got := leaktrend(t, test.input, "replay", "--exit-code", "-"); got.code != test.code {
			t.Errorf("%s: exit code %d, want %d; %s%s", name, got.code, test.code, got.stderr, got.stdout)
		}
	}
}
