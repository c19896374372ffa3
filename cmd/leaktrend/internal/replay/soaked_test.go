package replay

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// What is too early to tell by the physical time constants is judged once more as the soak run that it may be.
func TestSoaked(t *testing.T) {
	for _, test := range []struct {
		name    string
		minutes int
		value   func(minute int) int
		note    string
		given   bool
		verdict detector.Verdict
		want    Soaked
	}{
		{"doubles within two hours", 120, func(m int) int {
			return 100 + m*5/6
		}, "", false, detector.Early, Soaked{119 * time.Minute, detector.Leak}},
		{"flat, and too short", 40, func(int) int {
			return 100
		}, "", false, detector.Early, Soaked{39 * time.Minute, detector.OK}},
		{"flat for long", 600, func(int) int { return 100 }, "", false, detector.OK, Soaked{}},
		{"recorded as a soak run", 120, func(m int) int {
			return 100 + m*5/6
		}, "# soak: 10h\n", false, detector.Suspect, Soaked{}},
		{"the constants are the user's", 120, func(m int) int {
			return 100 + m*5/6
		}, "", true, detector.Early, Soaked{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			fmt.Fprintf(&text, "# leaktrend recording v1\n%stime,goroutines\n", test.note)
			for m := range test.minutes {
				fmt.Fprintf(&text, "%d,%d\n", 1_795_000_000+60*m, test.value(m))
			}
			path := write(t, filepath.Join(t.TempDir(), "r.csv"), text.String())
			result, err := fileOf(t.Context(), path, Options{Config: detector.DefaultConfig(), Given: test.given})
			if err != nil {
				t.Fatal(err)
			}
			if c := result.Resources[0]; c.Verdict != test.verdict || c.Soaked != test.want {
				t.Errorf("%v, as a soak run %+v; want %v, %+v", c.Verdict, c.Soaked, test.verdict, test.want)
			}
		})
	}
}
