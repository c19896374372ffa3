package replay

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// minSoakSamples is how many samples a soak run must have to say anything.
const minSoakSamples = 30

// Soaked is what a soak run of the length of a recording makes of a resource that is too early to tell by the physical
// time constants.
type Soaked struct {
	Length  time.Duration // of the recording, to the second; 0 = not looked at
	Verdict detector.Verdict
}

// early reports whether a resource of a recording is too early to tell by the physical time constants.
func (r *Result) early() bool {
	return r.Soak == 0 && r.Samples >= minSoakSamples && r.Last.Sub(r.First) >= time.Minute &&
		slices.ContainsFunc(r.Resources, func(c Resource) bool { return c.Judged && c.Verdict == detector.Early })
}

// soak judges the recordings of a file that are too early to tell once more, as soak runs. What cannot be read again
// says nothing.
func soak(ctx context.Context, path string, results []*Result, o Options) {
	if o.Given || path == "-" || !slices.ContainsFunc(results, (*Result).early) {
		return
	}
	in, err := os.Open(path)
	if err != nil {
		return
	}
	defer in.Close()
	f, err := recording.Read(ctx, in, NameOf(path), o.Reading)
	if err != nil || len(f.Recordings) != len(results) {
		return
	}
	for i, r := range f.Recordings {
		if !results[i].early() {
			continue
		}
		length := results[i].Last.Sub(results[i].First).Truncate(time.Second)
		again := Options{Config: o.Config, Given: true}
		again.Config.Adaptive.Soak = length
		soaked, err := judge(ctx, r, results[i].File, again)
		if err != nil {
			continue
		}
		for k := range results[i].Resources {
			c := &results[i].Resources[k]
			of := slices.IndexFunc(soaked.Resources, func(s Resource) bool {
				return s.Resource.Name == c.Resource.Name
			})
			if c.Verdict == detector.Early && of >= 0 {
				c.Soaked = Soaked{length, soaked.Resources[of].Verdict}
			}
		}
	}
}
