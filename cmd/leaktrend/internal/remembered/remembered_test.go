package remembered

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write the golden files anew")

// some returns a directory with the state of a process that was deployed daily, and crashed in between.
func some(t *testing.T) string {
	t.Helper()
	began := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	record := lives.New(1)
	add := func(version string, hours float64, rate float64, ended lives.End, near string) {
		track, constant := lives.NewTrack(1), lives.NewTrack(1)
		for age := 0.; age <= hours; age += 1. / 60 {
			track.Add(int64(age*3.6e12), 40+rate*age)
			constant.Add(int64(age*3.6e12), 7)
		}
		curve, still := track.Curve(), constant.Curve()
		still.Start, still.Last = 7, 7
		curve.Start, curve.Last, curve.Grew = 40, 40+rate*hours, rate > 0
		end := began.Add(time.Duration(hours * 3.6e12))
		record.Add(lives.Life{
			Start: began, First: began.Add(time.Second), End: end, Version: version,
			Revision: "4f2d1e9c0b7a4f2d1e9c0b7a", Ended: ended, Near: near,
			Curves: map[string]lives.Curve{sampler.OpenFDs: curve, "queue_length": curve, "build_info": still,
				"limit": still},
		})
		began = end.Add(20 * time.Second)
	}
	add("2.0.0", 24, 0, lives.Replaced, "")
	add("2.1.0", .01, 0, lives.Replaced, "")
	add("2.1.0", .02, 0, lives.Replaced, "")
	add("2.1.0", 24, 4, lives.Replaced, "")
	add("2.1.0", 20, 4, lives.Exhausted, sampler.OpenFDs)
	add("", 6, 4, lives.Running, "")
	dir := t.TempDir()
	f, _, _, err := state.Open(dir, state.Key{Executable: "worker", Instance: "host-1\x1b"}, began)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(state.Saved{Record: record}, began); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForms(t *testing.T) {
	all, err := Read([]string{some(t)})
	if err != nil {
		t.Fatal(err)
	}
	all[0].File = "worker.state"
	for name, write := range map[string]func(*bytes.Buffer) error{
		"lives.txt":   func(b *bytes.Buffer) error { return WriteText(b, all) },
		"lives.jsonl": func(b *bytes.Buffer) error { return WriteJSON(b, all) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s; go test -update writes it anew (-want +got):\n%s", name, diff)
		}
	}
}

// The page has a curve for each life and resource, and a row.
func TestPage(t *testing.T) {
	all, err := Read([]string{some(t)})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, all); err != nil {
		t.Fatal(err)
	}
	type found struct{ Pictures, Latest, First, Others, Rows, Foreign int }
	count := func(text string) int { return strings.Count(page.String(), text) }
	got := found{count("<svg "), count(`class="l-fit"`), count(`class="l-guide"`), count(`class="l-dense"`),
		count("<tr>\n<th scope=\"row\""), count(`src="`) + count(`href="http`)}
	if diff := cmp.Diff(found{Pictures: 2, Latest: 2, First: 2, Others: 4, Rows: 10, Foreign: 0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The levels of a resource may be of any sign and size.
func TestLevels(t *testing.T) {
	began := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		from, to float64
		labels   int
	}{{-2, 2, 4}, {-5, -5, 5}, {-1e100, -1e100, 5}, {0, 0, 5}, {10, 20, 5}} {
		track := lives.NewTrack(1)
		for age := 0.; age <= 24; age += 1. / 60 {
			track.Add(int64(age*3.6e12), test.from+(test.to-test.from)*age/24)
		}
		record := lives.New(1)
		record.Add(lives.Life{
			Start: began, First: began, End: began.Add(24 * time.Hour), Ended: lives.Stopped,
			Curves: map[string]lives.Curve{"temperature\x1b[2J": track.Curve()},
		})
		p := processOf("worker.state", state.Saved{Record: record})
		var text bytes.Buffer
		if err := WriteText(&text, []*Process{p}); err != nil || strings.Contains(text.String(), "\x1b") {
			t.Errorf("%v: %q", err, &text)
		}
		if labels := strings.Count(string(p.Resources[0].curves("life")), `text-anchor="end"`); labels != test.labels {
			t.Errorf("%g to %g: %d levels, want %d", test.from, test.to, labels, test.labels)
		}
	}
}

// What can be read is shown though something else cannot.
func TestReadInPart(t *testing.T) {
	dir := some(t)
	if err := os.WriteFile(filepath.Join(dir, "other.state"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Read([]string{dir, filepath.Join(dir, "none"), t.TempDir()})
	if len(all) != 1 || err == nil {
		t.Fatalf("%d processes, %v", len(all), err)
	}
	for _, want := range []string{"other.state: damaged", "none: no such file", "no states in this directory"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	var text bytes.Buffer
	if err := WriteJSON(&text, all); err != nil || !json.Valid(bytes.Split(text.Bytes(), []byte("\n"))[0]) {
		t.Errorf("%v: %s", err, &text)
	}
}
