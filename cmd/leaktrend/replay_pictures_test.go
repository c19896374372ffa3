package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A report and plots come beside what replay prints, which stays as it is.
func TestReplayPictures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	recording := recordingOf(t, "goroutines", 40, leaking)
	page, plots := filepath.Join(dir, "report.html"), filepath.Join(dir, "plots")
	plain := leaktrend(t, "", "replay", recording)
	arguments := []string{"replay", "--html", page, "--plot", plots, recording}
	got := leaktrend(t, "", arguments...)
	if diff := cmp.Diff(plain.stdout, got.stdout); diff != "" {
		t.Errorf("other output (-without pictures +with):\n%s", diff)
	}
	text, err := os.ReadFile(page)
	if err != nil || !bytes.Contains(text, []byte("<h1>1 recording: 1 with a leak</h1>")) {
		t.Errorf("%v\n%.3000s", err, text)
	}
	svg, err := os.ReadFile(filepath.Join(plots, "recording.goroutines.svg"))
	if err != nil || !bytes.Contains(svg, []byte(`class="l-fit"`)) {
		t.Errorf("%v\n%.3000s", err, svg)
	}

	// Nothing is overwritten unless that is asked for.
	if got := leaktrend(t, "", arguments...); got.code != exitUsage || !strings.Contains(got.stderr, "--force") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if got := leaktrend(t, "", "replay", "--plot", plots, recording); got.code != exitUsage ||
		!strings.Contains(got.stderr, "--force") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if got := leaktrend(t, "", append(arguments, "--force")...); got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	again, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same recording gives another page: %v", err)
	}

	// Standard input has a name too.
	in, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	if got := leaktrend(t, string(in), "replay", "--plot", plots, "-"); got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if _, err := os.Stat(filepath.Join(plots, "standard-input.goroutines.svg")); err != nil {
		t.Error(err)
	}
}

// What was judged is in the report also when another recording could not be.
func TestReportBesideAFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad, page := recordingOf(t, "goroutines", 40, leaking), filepath.Join(dir, "bad.csv"),
		filepath.Join(dir, "report.html")
	if err := os.WriteFile(bad, []byte("\x00\x01"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := leaktrend(t, "", "replay", "--html", page, bad, good)
	if got.code != exitUsage || !strings.Contains(got.stderr, bad) {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("with a leak")) {
		t.Errorf("%v\n%.3000s", err, text)
	}
}
