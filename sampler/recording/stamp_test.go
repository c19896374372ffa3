package recording

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// A stamp that is wrong costs its own row alone, wherever it stands and whatever the form of the file; a gap, a clock
// that is set for good and sparse rows cost nothing.
func TestWrongStamps(t *testing.T) {
	const start, rows = int64(1_772_409_600), 600
	year := int64(365 * 24 * 3600)
	regular := func(step int64) []int64 {
		times := make([]int64, rows)
		for i := range times {
			times[i] = start + int64(i)*step
		}
		return times
	}
	insert := func(at int, wrong ...int64) []int64 { return slices.Insert(regular(60), at, wrong...) }
	later := regular(60)
	for i := 300; i < rows; i++ {
		later[i] += year
	}
	forms := map[string]struct {
		head, tail string
		row        func(i int, t int64) string
	}{
		"recording": {"# leaktrend recording v1\ntime,a\n", "", func(i int, t int64) string {
			return fmt.Sprintf("%d,%d\n", t, i)
		}},
		"dates": {"time,a\n", "", func(i int, t int64) string {
			return fmt.Sprintf("%s,%d\n", time.Unix(t, 0).UTC().Format(time.RFC3339), i)
		}},
		"local": {"# leaktrend recording v1\na,time\n", "", func(i int, t int64) string {
			return fmt.Sprintf("%d,%s\n", i, time.Unix(t, 0).UTC().Format("2006-01-02 15:04:05"))
		}},
		"semicolons": {"time;a\n", "", func(i int, t int64) string { return fmt.Sprintf("%d;%d\n", t, i) }},
		"processes": {"time;pid;a\n", "", func(i int, t int64) string {
			return fmt.Sprintf("%d;%d;%d\n%d;7;1\n", t, 5, i, t)
		}},
		"metrics": {"", "", func(i int, t int64) string { return fmt.Sprintf("a %d %d\n", i, t) }},
		"JSON":    {"", "", func(i int, t int64) string { return fmt.Sprintf(`{"time":%d,"a":%d}`+"\n", t, i) }},
	}
	for name, test := range map[string]struct {
		times []int64
		skip  int
	}{
		"as it should be":                     {regular(60), 0},
		"a row a year ahead":                  {insert(300, start+year), 1},
		"three rows a year ahead":             {insert(300, start+year, start+year+60, start+year+120), 3},
		"the first row a year ahead":          {insert(0, start+year), 1},
		"the first rows a year ahead":         {insert(0, start+year, start+year+60, start+year+120), 3},
		"a row long ago":                      {insert(300, 5), 1},
		"the first row long ago":              {insert(0, 5), 1},
		"the first rows long ago":             {insert(0, 5, 10, 15), 3},
		"the clock is set ahead for good":     {later, 0},
		"a row a day":                         {regular(86400 + 60), 0},
		"a row in two months":                 {regular(61 * 86400)[:20], 0},
		"the last row after a gap of a month": {append(regular(60), start+30*86400), 0},
	} {
		for form, f := range forms {
			t.Run(name+"/"+form, func(t *testing.T) {
				var text strings.Builder
				text.WriteString(f.head)
				for i, at := range test.times {
					text.WriteString(f.row(i+1, at))
				}
				file, err := Read(t.Context(), strings.NewReader(text.String()), "f", Options{})
				if err != nil {
					t.Fatal(err)
				}
				got := 0
				var s sampler.Sample
				for file.Recordings[0].Sample(t.Context(), &s) == nil {
					got++
				}
				if want := len(test.times) - test.skip; got != want {
					_, faults := file.Recordings[0].Faults()
					t.Errorf("%d samples of %d, want %d; faults %v", got, len(test.times), want, faults)
				}
				if n, _ := file.Recordings[0].Faults(); (n > 0) != (test.skip > 0) {
					t.Errorf("%d faults", n)
				}
			})
		}
	}
}
