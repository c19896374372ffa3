package replay

import (
	"testing"
	"time"
)

// A step by a factor between units, between steady values, is told; what restarts and bursts do is not.
func TestUnitStep(t *testing.T) {
	begin := time.Date(2026, 10, 25, 2, 0, 0, 0, time.UTC)
	growing := func(from, by float64, n int) (all []float64) {
		for i := range n {
			all = append(all, from+by*float64(i))
		}
		return all
	}
	for _, test := range []struct {
		name   string
		values []float64
		want   string
	}{
		{"bytes, then KiB", append(growing(4.39e8, 4e5, 10), growing(443e6/1024, 400, 10)...),
			"rss is 1024 times smaller from " +
				"2026-10-25 02:10:00 UTC on: its unit seems to change there, and its verdict does not hold then"},
		{"MB, then bytes", append(growing(400, 0, 10), growing(400e6, 0, 10)...), "rss is 1000000 times larger from " +
			"2026-10-25 02:10:00 UTC on: its unit seems to change there, and its verdict does not hold then"},
		{"steady", growing(4e8, 1e5, 20), ""},
		{"a restart", append(growing(4e8, 1e5, 10), growing(3e5, 1e4, 10)...), ""},
		{"one reading", append(append(growing(4e8, 0, 10), 4e8/1024), growing(4e8, 0, 10)...), ""},
		{"before it is steady", append([]float64{1e7, 4e8}, growing(4e8/1024, 0, 10)...), ""},
		{"small counts", append(growing(10240, 0, 10), growing(10, 0, 10)...), ""},
		{"from zero", append(growing(0, 0, 10), growing(4e8, 0, 10)...), ""},
	} {
		var u unitStep
		for i, v := range test.values {
			u.add(begin.Add(time.Duration(i)*time.Minute), v)
		}
		if got := u.note("rss"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
