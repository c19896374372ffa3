package evaluate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write the golden files anew")

// frozenSeeds is how many recordings of each family are held; every second one has limits and processor time.
const frozenSeeds = 20

// TestDecisionsAreFrozen holds every event of the shipped recordings and of all generated families, but for its
// sentence: what decides may be built anew, and decides the same. A change of the method updates the golden files, and
// says by its figures why.
func TestDecisionsAreFrozen(t *testing.T) {
	shipped, err := filepath.Glob("../../../../../testdata/recordings/*.csv")
	if err != nil || len(shipped) < 24 {
		t.Fatalf("%d recordings, %v", len(shipped), err)
	}
	recordings, err := dataset.LoadUnlabelled(t.Context(), shipped)
	if err != nil {
		t.Fatal(err)
	}
	draw := make([]func() *dataset.Recording, 0, 1000)
	for _, r := range recordings {
		draw = append(draw, func() *dataset.Recording { return r })
	}
	checkFrozen(t, "recordings", draw)

	draw = draw[:0]
	for _, f := range generate.Families() {
		for seed := range uint64(frozenSeeds) {
			draw = append(draw, func() *dataset.Recording {
				known := seed%2 == 1
				r := generate.One(generate.Options{Seed: seed, PerFamily: 1, Load: known, Ceilings: known}, f.Name, 0)
				r.Name = fmt.Sprintf("%s, seed %d", f.Name, seed)
				return r
			})
		}
	}
	checkFrozen(t, "families", draw)
}

// checkFrozen compares the events of recordings, in their order, with a golden file: a line of JSON for each.
func checkFrozen(t *testing.T, name string, draw []func() *dataset.Recording) {
	t.Helper()
	events := make([][]byte, len(draw))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				events[i] = eventsOf(t, draw[i]())
			}
		}()
	}
	for i := range draw {
		next <- i
	}
	close(next)
	workers.Wait()
	got := bytes.Join(events, nil)

	golden := filepath.Join("testdata", name+".events.jsonl.gz")
	if *update {
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := w.Write(got); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(want, got) {
		return
	}
	wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		if wantLines[i] != gotLines[i] {
			t.Fatalf("%s: %d events, want %d; the first that differs is number %d (-want +got):\n%s", name,
				len(gotLines), len(wantLines), i,
				cmp.Diff(strings.Split(wantLines[i], ","), strings.Split(gotLines[i], ",")))
		}
	}
	t.Fatalf("%s: %d events, want %d", name, len(gotLines), len(wantLines))
}

// eventsOf returns what the detector decides of a recording.
func eventsOf(t *testing.T, r *dataset.Recording) []byte {
	config := detector.DefaultConfig()
	config.Adaptive.Soak = r.Soak
	d, err := detector.New(config)
	if err != nil {
		t.Error(err)
		return nil
	}
	var (
		lines  bytes.Buffer
		sample sampler.Sample
		source = r.Source()
		encode = json.NewEncoder(&lines)
	)
	for source.Sample(context.Background(), &sample) == nil {
		for _, e := range d.Observe(&sample) {
			e.Summary, e.SinceFirst = "", false // what is said of a decision, and follows from it
			if err := encode.Encode(struct {
				Recording string `json:"recording"`
				alerting.Event
			}{filepath.Base(r.Name), e}); err != nil {
				t.Error(err)
			}
		}
	}
	return lines.Bytes()
}
