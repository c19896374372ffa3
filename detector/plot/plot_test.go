package plot

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

var update = flag.Bool("update", false, "write the golden files anew")

var began = time.Date(2026, 11, 23, 15, 28, 33, 0, time.UTC)

// leak is a chart in which everything there is to draw is drawn: descriptors that grow by 30 an hour to a ceiling that
// is near.
func leak() *Chart {
	resource, _ := sampler.Lookup(sampler.OpenFDs)
	c := &Chart{
		Title: "open_fds", Desc: `open_fds <leak> of "a & b": +30/h`, Resource: resource,
		Limit: Level{180, "alert at"}, Ceiling: Level{220, "limit"},
		Exhaustion: began.Add(3*time.Hour + 20*time.Minute),
		Fits: []Fit{{From: began.Add(time.Hour), To: began.Add(2 * time.Hour), Value: 130,
			SlopePerSecond: 30. / 3600}},
		Marks: []Mark{
			{At: began.Add(30 * time.Minute), Kind: Restart, Label: "restart", Text: "the process restarted"},
			{At: began.Add(90 * time.Minute), Kind: Firing, Label: "high", Text: "open_fds leak: +30/h"},
			{At: began.Add(110 * time.Minute), Kind: Resolved, Label: "resolved", Text: "given back"},
		},
	}
	for i := range 121 {
		if i > 60 && i < 70 {
			continue // a gap
		}
		value := float64(100 + i/2)
		if i%30 == 17 {
			value += 20
		}
		b := binOf(began.Add(time.Duration(i)*time.Minute), value)
		b.Mean, b.Deviation, b.Gap = 100+float64(i)/4, 4, i == 70
		c.Bins = append(c.Bins, b)
	}
	for i := range 24 {
		from := began.Add(time.Duration(i) * 5 * time.Minute)
		if i != 13 {
			c.Minimums = append(c.Minimums, Minimum{from, from.Add(5 * time.Minute), float64(100 + i*5/2)})
		}
	}
	return c
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

// wellFormed fails where a text is no XML, or an attribute holds no number where it should.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if element, ok := token.(xml.StartElement); ok {
			for _, a := range element.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q of %s", a.Name.Local, a.Value, element.Name.Local)
				}
			}
		}
	}
}

func TestSVG(t *testing.T) {
	c := leak()
	var file strings.Builder
	if err := c.WriteSVG(&file); err != nil {
		t.Fatal(err)
	}
	inline := c.Inline("p1")
	wellFormed(t, file.String())
	wellFormed(t, inline)
	checkGolden(t, "leak.svg", file.String())
	checkGolden(t, "leak.inline", inline)
	for _, k := range c.Key() {
		wellFormed(t, k.Swatch())
	}
	checkGolden(t, "leak.spark", Spark(c.Bins))
}

// What a chart can be filled with is drawn, without a NaN and without a panic.
func TestSVGOfOddCharts(t *testing.T) {
	at := began.UnixNano()
	bin := func(v float64) Bin {
		return Bin{First: at, Last: at, Min: v, Max: v, MinAt: at, MaxAt: at, Value: v, Mean: math.NaN()}
	}
	second := bin(5)
	second.First, second.Last, second.MinAt, second.MaxAt = at+1e9, at+1e9, at+1e9, at+1e9
	for name, c := range map[string]*Chart{
		"empty":      {Title: "x"},
		"one sample": {Bins: []Bin{bin(7)}},
		"zero":       {Bins: []Bin{bin(0)}},
		"negative":   {Bins: []Bin{bin(-3), second}},
		"huge":       {Bins: []Bin{bin(1e100), second}},
		"tiny":       {Bins: []Bin{bin(1e-300), bin(1e-300)}},
		"bytes":      {Bins: []Bin{bin(1 << 62), second}, Resource: sampler.Resource{Unit: "bytes"}},
		"seconds":    {Bins: []Bin{bin(0.001), second}, Resource: sampler.Resource{Unit: "seconds"}},
		"mean without": {Bins: []Bin{{First: at, Last: at, MinAt: at, MaxAt: at, Mean: math.NaN(),
			Deviation: math.NaN()}, second}},
		"exhausted": {Bins: []Bin{bin(5), second}, Ceiling: Level{5, "c"}, Exhaustion: began},
		"fit outside": {Bins: []Bin{bin(5), second},
			Fits: []Fit{{From: began.Add(-time.Hour), To: began.Add(time.Hour), Value: -1e9, SlopePerSecond: 1e9}}},
		"marks outside": {Bins: []Bin{bin(5), second}, Marks: []Mark{{At: began.Add(-time.Hour)},
			{At: began.Add(time.Hour)}}},
		"ceiling far beyond": {Bins: []Bin{bin(5), second}, Ceiling: Level{1e18, "c"},
			Exhaustion: began.Add(24 * time.Hour * 365 * 90)},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := c.WriteSVG(&b); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{b.String(), c.Inline("p"), "<p>" + Spark(c.Bins) + "</p>"} {
				wellFormed(t, text)
				if strings.Contains(text, "NaN") {
					t.Errorf("NaN in %s", text)
				}
			}
		})
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 24)
	if err != nil || len(color) != 7 {
		t.Fatalf("color %q", color)
	}
	linear := func(v uint64) float64 {
		s := float64(v&0xff) / 255
		if s <= .04045 {
			return s / 12.92
		}
		return math.Pow((s+.055)/1.055, 2.4)
	}
	return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
}

// Text has a contrast of 4.5 or more, as whatever is a line or a mark may have a label of its own ink (WCAG 2.2, AA).
func TestContrast(t *testing.T) {
	for ink := Text; ink < inkCount; ink++ {
		look := ink.Style()
		if ink == Grid || look.Opacity > 0 {
			continue // decoration
		}
		for _, pair := range [][2]string{{look.Light, Paper.Style().Light}, {look.Dark, Paper.Style().Dark}} {
			a, b := luminance(t, pair[0]), luminance(t, pair[1])
			if contrast := (max(a, b) + .05) / (min(a, b) + .05); contrast < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", look.Name, pair[0], pair[1], contrast)
			}
		}
	}
}

func TestValueAxis(t *testing.T) {
	const mb = 1 << 20
	for _, test := range []struct {
		low, high float64
		unit      string
		want      []string
		sample    float64 // the largest; 0 is about as high as the axis
	}{
		{0, 224, "", []string{"0", "50", "100", "150", "200", "250"}, 0},
		{0, 12_000, "", []string{"0", "5,000", "10,000", "15,000"}, 0},
		{0, .37, "", []string{"0", "0.1", "0.2", "0.3", "0.4"}, 0},
		{10, 10.4, "", []string{"10", "11"}, 0},
		{97, 119, "", []string{"95", "100", "105", "110", "115", "120"}, 0},
		{-3, 5, "", []string{"-4", "-2", "0", "2", "4", "6"}, 0},
		{0, 2.2 * mb, "bytes", []string{"0 ", "0.5 MB", "1.0 MB", "1.5 MB", "2.0 MB", "2.5 MB"}, 0},
		{0, 900 * 1024, "bytes", []string{"0 ", "200 KB", "400 KB", "600 KB", "800 KB", "1000 KB"}, 0},
		{10 * 1024 * mb, 10.9 * 1024 * mb, "bytes", []string{"10.0 GB", "10.2 GB", "10.4 GB", "10.6 GB", "10.8 GB",
			"11.0 GB"}, 0},
		{0, 7200, "seconds", []string{"0s", "30m", "1h", "1h 30m", "2h"}, 0},
		// In the unit in which the samples are written, unless that makes numbers too long.
		{0, 1.2 * 1024 * mb, "bytes", []string{"0 ", "500 MB", "1000 MB", "1500 MB"}, 900 * mb},
		{0, 4 * 1024 * mb, "bytes", []string{"0 ", "1 GB", "2 GB", "3 GB", "4 GB"}, 900 * mb},
	} {
		var got []string
		sample := test.sample
		if sample == 0 {
			sample = test.high
		}
		for _, tick := range valueAxis(test.low, test.high, sample, test.unit, test.unit == "" && test.high > 1,
			5).ticks {
			got = append(got, tick.label)
		}
		want := append([]string(nil), test.want...)
		want[0] = strings.TrimSpace(want[0])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%g to %g %s (-want +got):\n%s", test.low, test.high, test.unit, diff)
		}
	}
}

// Names and units come from the programs and files of others.
func TestTextFromOutside(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	c := Chart{
		Title: evil, Desc: evil, Resource: sampler.Resource{Name: evil, Unit: evil},
		Bins:    []Bin{{First: 1, Last: 2, Min: 1, Max: 3, Value: 2, Mean: math.NaN()}},
		Marks:   []Mark{{At: time.Unix(0, 2), Kind: Firing, Label: evil, Text: evil}},
		Ceiling: Level{Value: 3, Name: evil}, Limit: Level{Value: 2, Name: evil},
	}
	var file strings.Builder
	if err := c.WriteSVG(&file); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{c.Inline(evil), file.String()} {
		if strings.Contains(text, "<script") || !strings.Contains(text, "&lt;script") {
			t.Errorf("not escaped:\n%s", text)
		}
	}
}

// Some programs export the largest number there is for "no limit".
func TestExtremeLevels(t *testing.T) {
	at := func(values ...float64) (bins []Bin) {
		for i, v := range values {
			instant := int64(i+1) * int64(time.Hour)
			bins = append(bins, Bin{First: instant, Last: instant, Min: v, Max: v, Value: v, Mean: math.NaN()})
		}
		return bins
	}
	const largest = math.MaxFloat64
	for _, bins := range [][]Bin{
		at(largest, largest), at(-largest, -largest), at(-largest, largest), at(0, 5e-324), at(1e17, 1e17+16),
		at(-3, 5), at(largest, 7),
	} {
		for _, unit := range []string{"", "bytes", "seconds"} {
			c := Chart{Title: "level", Bins: bins, Resource: sampler.Resource{Name: "level", Unit: unit}}
			f, values := c.axes(Height)
			finite := f.high-f.low > 0 && !math.IsInf(f.high-f.low, 0)
			if n := len(values.ticks); !finite || n < 2 || n > 12 {
				t.Errorf("%g %s: from %g to %g, %d levels", bins[0].Min, unit, f.low, f.high, n)
			}
			if text := c.Inline("id"); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("%g %s: %s", bins[0].Min, unit, text)
			}
		}
	}
}

func TestTimeAxis(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones here: ", err)
	}
	for _, test := range []struct {
		from string
		span time.Duration
		zone *time.Location
		want []string
	}{
		{"2026-11-23T15:28:33Z", 30 * time.Minute, time.UTC, []string{"15:30", "15:35", "15:40", "15:45", "15:50",
			"15:55"}},
		{"2026-11-23T15:28:33Z", 40 * time.Second, time.UTC, []string{"15:28:35", "15:28:40", "15:28:45", "15:28:50",
			"15:28:55", "15:29:00", "15:29:05", "15:29:10"}},
		{"2026-11-23T15:28:33Z", 20 * time.Hour, berlin, []string{"18:00", "21:00", "Nov 24", "03:00", "06:00", "09:00",
			"12:00"}},
		// A day of 25 hours lies in it.
		{"2026-10-24T00:00:00Z", 4 * 24 * time.Hour, berlin, []string{"12:00", "Oct 25", "12:00", "Oct 26", "12:00",
			"Oct 27", "12:00", "Oct 28"}},
		{"2026-10-24T00:00:00Z", 14 * 24 * time.Hour, berlin, []string{"Oct 26", "Oct 28", "Oct 30", "Nov 1", "Nov 3",
			"Nov 5", "Nov 7"}},
	} {
		from, err := time.Parse(time.RFC3339, test.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tick := range timeAxis(from.UnixNano(), from.Add(test.span).UnixNano(), test.zone, 8) {
			got = append(got, tick.label)
			if tick.at.Format("15:04") != "00:00" && tick.as == AsDay {
				t.Errorf("%s is called a day at %s", tick.label, tick.at)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s and %s (-want +got):\n%s", test.from, test.span, diff)
		}
	}
}

func TestZoneName(t *testing.T) {
	for want, zone := range map[string]*time.Location{
		"UTC": time.UTC, "CET": time.FixedZone("CET", 3600), "UTC+05:30": time.FixedZone("+0530", 19800),
	} {
		if got := zoneName(began.UnixNano(), zone); got != want {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// binOf returns the bin of one sample without a baseline.
func binOf(at time.Time, value float64) Bin {
	ns := at.UnixNano()
	return Bin{First: ns, Last: ns, Min: value, Max: value, MinAt: ns, MaxAt: ns, Value: value, Mean: math.NaN()}
}

// A spike of one sample in a million is in the picture, at its place and height.
func TestSpikeIsDrawn(t *testing.T) {
	var bins []Bin
	for i := range 1_000_000 {
		value := 100.
		if i == 777_777 {
			value = 950
		}
		b := binOf(began.Add(time.Duration(i)*time.Second), value)
		if i%700 > 0 {
			bins[len(bins)-1].Merge(&b)
			continue
		}
		bins = append(bins, b)
	}
	c := &Chart{Title: "x", Bins: bins}
	var drawn recorder
	c.Draw(&drawn, Width, Height)
	f, _ := c.axes(Height)
	f.right, f.top, f.bottom = Width, marginTop, Height-marginBottom
	want := fmt.Sprintf("%.1f %.1f", f.x(began.Add(777_777*time.Second).UnixNano()), f.y(950))
	found := 0
	for _, p := range drawn[SampleLine] {
		if fmt.Sprintf("%.1f %.1f", p.X, p.Y) == want {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the spike is drawn %d times at %s", found, want)
	}
	if n := len(drawn[SampleLine]); n > 3*Width {
		t.Errorf("%d points", n)
	}
	if n := len(c.Inline("p")); n > 60_000 {
		t.Errorf("%d bytes", n)
	}
}

// recorder keeps the lines drawn.
type recorder map[Ink][]Point

func (r *recorder) Line(ink Ink, points []Point) {
	if *r == nil {
		*r = recorder{}
	}
	(*r)[ink] = append((*r)[ink], points...)
}
func (r *recorder) Area(Ink, []Point)                       {}
func (r *recorder) Mark(Ink, Shape, Point, float64, string) {}
func (r *recorder) Text(Ink, Point, Align, Label)           {}
