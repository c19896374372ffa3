package spark

import (
	"math"
	"testing"
	"unicode/utf8"
)

func TestDraw(t *testing.T) {
	ramp := func(n int, from, step float64) (values []float64) {
		for i := range n {
			values = append(values, from+step*float64(i))
		}
		return values
	}
	for _, test := range []struct {
		name   string
		values []float64
		width  int
		want   string
	}{
		{"nothing", nil, 8, ""},
		{"no width", ramp(8, 0, 1), 0, ""},
		{"negative width", ramp(8, 0, 1), -1, ""},
		{"one value", []float64{7}, 8, "▁"},
		{"fewer values than columns", ramp(4, 0, 10), 8, "▁▃▆█"},
		{"one column", ramp(8, 0, 1), 1, "▁"},
		{"a column each", ramp(8, 0, 1), 8, "▁▂▃▄▅▆▇█"},
		{"two values a column", ramp(16, 0, 1), 8, "▁▂▃▄▅▆▇█"},
		{"uneven columns", ramp(7, 0, 1), 3, "▁▄█"},
		{"flat", ramp(20, 5, 0), 8, "▁▁▁▁▁▁▁▁"},
		{"flat at zero", ramp(20, 0, 0), 8, "▁▁▁▁▁▁▁▁"},
		{"flat and negative", ramp(20, -5, 0), 8, "▁▁▁▁▁▁▁▁"},
		{"noise stays low", []float64{100, 101, 100, 102, 101, 100, 102, 100}, 8, "▁▁▁▁▁▁▁▁"},
		{"a rise of a fourteenth is a third as high", ramp(8, 93, 1), 8, "▁▁▁▂▂▃▃▃"},
		{"negative", ramp(8, -7, 1), 8, "▁▂▃▄▅▆▇█"},
		{"noise below zero stays low", []float64{-100, -101, -100, -102, -101, -100, -102, -100}, 8, "▁▁▁▁▁▁▁▁"},
		{"across zero", []float64{-4, 4, -4, 4}, 4, "▁█▁█"},
		{"falling", ramp(8, 7, -1), 8, "█▇▆▅▄▃▂▁"},
	} {
		var l Line
		for _, v := range test.values {
			l.Add(v)
		}
		if got := l.Draw(test.width); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// However long the series, the bins hold equally many values each, and together the mean of all.
func TestMergeKeepsTheMean(t *testing.T) {
	for _, n := range []int{127, 128, 129, 1000, 128 << 5, 100_003} {
		var (
			l   Line
			sum float64
		)
		for i := range n {
			v := float64(i % 97)
			sum += v
			l.Add(v)
		}
		got := l.sum
		for _, mean := range l.means {
			got += mean * float64(l.per)
		}
		if math.Abs(got-sum) > 1e-9*sum || len(l.means)*l.per+l.count != n || len(l.means) >= maxBins || l.per > 1 &&
			len(l.means) < maxBins/2 {
			t.Errorf("%d values: sum %v in %d bins of %d and %d more, want %v", n, got, len(l.means), l.per, l.count,
				sum)
		}
		if got := utf8.RuneCountInString(l.Draw(24)); got != 24 {
			t.Errorf("%d values: %d columns, want 24", n, got)
		}
	}
}

// A long series keeps its shape.
func TestMergeKeepsTheShape(t *testing.T) {
	var l Line
	for i := range 100_000 {
		l.Add(float64(i))
	}
	if got, want := l.Draw(8), "▁▂▃▄▅▆▇█"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzDraw(f *testing.F) {
	f.Add(1., -2., 300, 24)
	f.Add(math.MaxFloat64, -math.MaxFloat64, 5, 80)
	f.Fuzz(func(t *testing.T, a, b float64, n, width int) {
		var l Line
		n = min(max(n, 0), 1000)
		for i := range n {
			l.Add([]float64{a, b}[i%2])
		}
		width = min(width, 1000)
		if got := utf8.RuneCountInString(l.Draw(width)); got > max(width, 0) || got == 0 && n > 0 && width > 0 {
			t.Errorf("%d columns of %d", got, width)
		}
	})
}
