package profile

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

var ballast [][]byte

//go:noinline
func allocatesTheirs() { ballast = append(ballast, make([]byte, 8<<20)) }

//go:noinline
func allocatesOurs() { ballast = append(ballast, make([]byte, 8<<20)) }

// What is theirs is left out of a profile, and the rest is as it was.
func TestPrune(t *testing.T) {
	allocatesTheirs()
	allocatesOurs()
	runtime.GC()
	runtime.GC()
	defer func() { ballast = nil }()
	var whole bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&whole, 0); err != nil {
		t.Fatal(err)
	}
	isTheirs := func(function string) bool { return strings.HasSuffix(function, ".allocatesTheirs") }
	data, err := Prune(whole.Bytes(), isTheirs)
	if err != nil {
		t.Fatal(err)
	}
	stacks := func(data []byte) (names map[string]int, p *profile.Profile) {
		t.Helper()
		p, err := profile.ParseData(data)
		if err != nil {
			t.Fatal(err)
		}
		names = make(map[string]int)
		for _, s := range p.Sample {
			for _, l := range s.Location {
				for _, line := range l.Line {
					names[line.Function.Name]++
				}
			}
		}
		return names, p
	}
	before, all := stacks(whole.Bytes())
	after, kept := stacks(data)
	const path = "github.com/mdzesseis/leaktrend/sampler/profile."
	if before[path+"allocatesTheirs"] == 0 || after[path+"allocatesTheirs"] != 0 {
		t.Errorf("theirs: %d samples, then %d", before[path+"allocatesTheirs"], after[path+"allocatesTheirs"])
	}
	if n := before[path+"allocatesOurs"]; n == 0 || after[path+"allocatesOurs"] != n {
		t.Errorf("the others': %d samples, then %d", n, after[path+"allocatesOurs"])
	}
	if len(kept.SampleType) != len(all.SampleType) || kept.Period != all.Period ||
		len(kept.Mapping) != len(all.Mapping) {
		t.Errorf("the rest is %d types, period %d, %d mappings, was %d, %d, %d",
			len(kept.SampleType), kept.Period, len(kept.Mapping), len(all.SampleType), all.Period, len(all.Mapping))
	}
}

func FuzzPrune(f *testing.F) {
	var whole bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&whole, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		pruned, err := Prune(data, func(string) bool { return false })
		if err != nil {
			return
		}
		if _, err := profile.ParseData(data); err != nil {
			return // which knows more of what may stand there
		}
		if _, err := profile.ParseData(pruned); err != nil {
			t.Errorf("was a profile: %v", err)
		}
	})
}
