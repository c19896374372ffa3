package fleet

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A finding stands by what is there now: a climb that has fallen back is none, whether it fell hours ago or a quarter
// of an hour, at once or by and by, and a leak whose latest reading alone is low still is one.
func TestFellBack(t *testing.T) {
	fallen := func(ago, over int) []float64 {
		back := week.N - ago
		return values(func(i int) float64 {
			level := 1e8 * (1 + .6*float64(min(i, back))/float64(back))
			if i >= back {
				level -= 6e7 * min(1, float64(i-back+1)/float64(over))
			}
			return level * (1 + .01*math.Sin(float64(i*i)))
		})
	}
	slip := fallen(0, 1)
	slip[week.N-1] = 1e8
	leak := []string{"app_cache_bytes job=cache 1/1"}
	for _, test := range []struct {
		name   string
		values []float64
		want   []string
	}{
		{"not yet", fallen(0, 1), leak},
		{"a low reading at the end", slip, leak},
		{"a quarter of an hour ago", fallen(3, 1), nil},
		{"four hours ago", fallen(48, 1), nil},
		{"over two hours, four hours ago", fallen(48, 24), nil},
	} {
		m := &memory{}
		m.add("__name__=app_cache_bytes,job=cache,instance=a:80", test.values)
		r, err := scanOf(t, m, func(o *Options) { o.Matches, o.GroupBy = []string{"app_cache_bytes"}, []string{"job"} })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, brief(append(r.Findings, r.Suspects...))); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", test.name, diff)
		}
	}
}
