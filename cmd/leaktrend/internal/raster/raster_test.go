package raster

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

var (
	_ plot.Canvas = (*Canvas)(nil)
	_ plot.Canvas = (*plot.SVG)(nil)
)

func drawn(t *testing.T, draw func(c *Canvas)) image.Image {
	t.Helper()
	c, err := New(100, 60)
	if err != nil {
		t.Fatal(err)
	}
	draw(c)
	var b bytes.Buffer
	if err := c.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// at returns the colour at a point of the plot.
func at(img image.Image, x, y float64) color.NRGBA {
	return color.NRGBAModel.Convert(img.At(int(x*density), int(y*density))).(color.NRGBA)
}

var white = color.NRGBA{255, 255, 255, 255}

func TestCanvas(t *testing.T) {
	nan := plot.Point{X: math.NaN(), Y: math.NaN()}
	img := drawn(t, func(c *Canvas) {
		c.Area(plot.Own, []plot.Point{{X: 0, Y: 0}, {X: 20, Y: 0}, {X: 20, Y: 10}, {X: 0, Y: 10}})
		c.Line(plot.FitLine, []plot.Point{{X: 0, Y: 30}, {X: 40, Y: 30}, nan, {X: 60, Y: 30}, {X: 100, Y: 30}})
		c.Mark(plot.AlertMark, plot.Triangle, plot.Point{X: 80, Y: 10}, 6, "")
		c.Mark(plot.ResolvedMark, plot.Ring, plot.Point{X: 50, Y: 10}, 6, "")
	})
	if got := img.Bounds().Size(); got != image.Pt(200, 120) {
		t.Errorf("size %v", got)
	}
	for _, test := range []struct {
		name string
		x, y float64
		want color.NRGBA
	}{
		{"paper", 5, 50, white},
		{"area", 10, 5, colorOf(plot.Own)},
		{"beside the area", 30, 5, white},
		{"line", 20, 29.9, colorOf(plot.FitLine)},
		{"where the pen is lifted", 50, 29.9, white},
		{"line again", 80, 29.9, colorOf(plot.FitLine)},
		{"triangle", 80, 9, colorOf(plot.AlertMark)},
		{"inside of the ring", 50, 10, white},
		{"ring", 55.9, 9.9, colorOf(plot.ResolvedMark)},
	} {
		if got := at(img, test.x, test.y); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Text begins, is centred or ends at its point.
func TestText(t *testing.T) {
	for _, test := range []struct {
		align       plot.Align
		left, right bool
	}{{plot.Start, false, true}, {plot.Middle, true, true}, {plot.End, true, false}} {
		img := drawn(t, func(c *Canvas) { c.Text(plot.Text, plot.Point{X: 50, Y: 30}, test.align, plot.Label{Text: "1,024"}) })
		var left, right bool
		for x := range 200 {
			for y := range 120 {
				if c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA); c.R < 128 {
					left, right = left || x < 98, right || x > 102
				}
			}
		}
		if left != test.left || right != test.right {
			t.Errorf("alignment %d: left %v, right %v", test.align, left, right)
		}
	}
}
