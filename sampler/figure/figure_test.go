package figure

import "testing"

func TestUnitOf(t *testing.T) {
	for name, want := range map[string]string{
		"rss_bytes": "bytes", "cpu_seconds": "seconds", "open_fds": "", "sent_bytes_total": "bytes", "bytes": "",
		`container_memory_working_set_bytes{pod="a_seconds"}`: "bytes", `requests{unit="_bytes"}`: "",
	} {
		if got := UnitOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A level, the one before it and the growth between them add up as they are shown.
func TestGrowth(t *testing.T) {
	const mb = 1 << 20
	for _, test := range []struct {
		value, before float64
		unit, want    string
	}{
		{66.24 * mb, 12.86 * mb, "bytes", "53.3 MB"}, // 66.2 - 12.9, not 53.4
		{1.96 * mb, 854.4 * 1024, "bytes", "1.2 MB"},
		{500.4, 200.4, "bytes", "300 B"},
		{10 * mb, 40 * mb, "bytes", "-30 MB"},
		{74.4, 18.5, "", "55"}, // 74 - 19
		{9.5, 3.2, "", "6.3"},
		{7200, 3600, "seconds", "1h"},
	} {
		if got := Format(Growth(test.value, test.before, test.unit), test.unit); got != test.want {
			t.Errorf("%s after %s is %s more, want %s", Format(test.value, test.unit), Format(test.before, test.unit),
				got, test.want)
		}
	}
}
