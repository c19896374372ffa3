package scores

import (
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
)

// The shipped table was made with the present detector: other series of the same families are in line with it.
func TestCalibrationIsOfThisDetector(t *testing.T) {
	if testing.Short() {
		t.Skip("measures a thousand series")
	}
	c := calibration.Default()
	for _, part := range []struct {
		name    string
		leaking bool
		shipped calibration.Sample
	}{
		{"healthy", false, c.CheckHealthy},
		{"leaking", true, c.CheckLeaking},
	} {
		got := calibration.NewSample() // of both halves, as in the table
		for _, ranges := range []generate.Split{generate.Tune, generate.Report} {
			half, err := Measure(t.Context(), Options{Seed: 4321, Ranges: ranges, PerFamily: 20, Leaking: part.leaking})
			if err != nil {
				t.Fatal(err)
			}
			got = got.And(half)
		}
		for i, counts := range got {
			if counts.N == 0 {
				continue
			}
			// Both are draws of one chance, if the detector is the same: Poisson of the pooled rate, in both
			// directions.
			shipped := part.shipped[i]
			for k, threshold := range calibration.Thresholds {
				rate := float64(counts.Reached[k]+shipped.Reached[k]+1) / float64(counts.N+shipped.N)
				expected := distuv.Poisson{Lambda: rate * float64(counts.N)}
				n := float64(counts.Reached[k])
				if expected.CDF(n) < 1e-5 || 1-expected.CDF(n-1) < 1e-5 {
					t.Errorf("%s after %v: %d of %d series score %g or more, but %d of %d in the table; go generate "+
						"%s makes it anew",
						part.name, counts.Length, counts.Reached[k], counts.N, threshold, shipped.Reached[k], shipped.N,
						"./cmd/leaktrend/internal/fleet/calibration")
				}
			}
		}
	}
}
