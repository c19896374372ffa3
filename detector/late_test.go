package detector

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// TestWatchThatBeginsLate: of a leak that had long been going on when the watch began there is little against the level
// that it has reached. It is not said to be ok while the growth goes on.
func TestWatchThatBeginsLate(t *testing.T) {
	type said struct {
		Verdict string
		Why     string
	}
	for _, test := range []struct {
		name  string
		level func(age time.Duration) float64
		want  said
	}{
		{"a leak", rising(10_000, 50),
			said{"early", "grew by 933 (9 %) in 21h 20m, not yet for long enough; called in 1d 5h at the earliest"}},
		{"one that has stopped", func(age time.Duration) float64 { return 10_000 + 50*min(age.Hours(), 15) },
			said{"ok", "grew by no more than 3.4 % within 21h 20m; a leak that doubles it in 3d 11h would have been called"}},
		{"next to nothing", rising(10_000, 5),
			said{"ok", "grew by no more than 0.9 % within 21h 20m; a leak that doubles it in 3d 11h would have been called"}},
		{"none", rising(10_000, 0),
			said{"ok", "does not grow; a leak that doubles it in 3d 11h would have been called"}},
	} {
		d := newDetector(t, DefaultConfig())
		observeAll(d, series(30*time.Hour, time.Minute, column{sampler.Goroutines, test.level}))
		s := d.Status()[0]
		if diff := cmp.Diff(test.want, said{s.Verdict.String(), s.Why}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
