// Package raster draws plots as PNG pictures.
package raster

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

// density is how many pixels a unit of the plot has: pictures are looked at on dense screens.
const density = 2

// Canvas is a plot.Canvas of pixels, in the light colours.
type Canvas struct {
	img           *vgimg.Canvas
	height        float64
	regular, bold *opentype.Font
	faces         map[plot.Ink]font.Face
}

// New returns a white canvas of a size in units of the plot.
func New(width, height float64) (*Canvas, error) {
	c := &Canvas{height: height, faces: make(map[plot.Ink]font.Face)}
	for _, f := range []struct {
		to  **opentype.Font
		ttf []byte
	}{{&c.regular, liberationsansregular.TTF}, {&c.bold, liberationsansbold.TTF}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, err
		}
		*f.to = parsed
	}
	const pointsPerInch = 72
	c.img = vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(pointsPerInch*density))
	return c, nil
}

// WritePNG writes the picture.
func (c *Canvas) WritePNG(w io.Writer) error {
	_, err := vgimg.PngCanvas{Canvas: c.img}.WriteTo(w)
	return err
}

func (c *Canvas) point(p plot.Point) vg.Point {
	return vg.Point{X: vg.Length(p.X), Y: vg.Length(c.height - p.Y)}
}

func (c *Canvas) path(points []plot.Point, closed bool) (path vg.Path) {
	down := false
	for _, p := range points {
		switch {
		case p.Lifted():
			down = false
			continue
		case down:
			path.Line(c.point(p))
		default:
			path.Move(c.point(p))
		}
		down = true
	}
	if closed {
		path.Close()
	}
	return path
}

// shadeOf returns the colour of an ink with its opacity.
func shadeOf(ink plot.Ink) color.NRGBA {
	shade := colorOf(ink)
	if opacity := ink.Look().Opacity; opacity > 0 {
		shade.A = uint8(math.Round(255 * opacity))
	}
	return shade
}

// colorOf returns the colour of an ink, and transparent black for one that is not #rrggbb.
func colorOf(ink plot.Ink) color.NRGBA {
	look := ink.Look()
	n, err := strconv.ParseUint(look.Light[1:], 16, 24)
	if err != nil {
		return color.NRGBA{}
	}
	return color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}
}

// Line implements plot.Canvas.
func (c *Canvas) Line(ink plot.Ink, points []plot.Point) {
	look := ink.Look()
	var dash []vg.Length
	for _, d := range look.Dash {
		dash = append(dash, vg.Length(d))
	}
	c.img.SetColor(shadeOf(ink))
	c.img.SetLineWidth(vg.Length(look.Width))
	c.img.SetLineDash(dash, 0)
	c.img.Stroke(c.path(points, false))
}

// Area implements plot.Canvas.
func (c *Canvas) Area(ink plot.Ink, outline []plot.Point) {
	c.img.SetColor(shadeOf(ink))
	c.img.Fill(c.path(outline, true))
}

// Mark implements plot.Canvas. A picture shows no title.
func (c *Canvas) Mark(ink plot.Ink, shape plot.Shape, at plot.Point, radius float64, _ string) {
	path := c.path(shape.Outline(at, radius), true)
	edge, fill, width := plot.Paper, ink, 1.
	if len(path) <= 1 {
		path = nil
		path.Move(c.point(plot.Point{X: at.X + radius, Y: at.Y}))
		path.Arc(c.point(at), vg.Length(radius), 0, 2*math.Pi)
		path.Close()
	}
	if shape == plot.Ring {
		edge, fill, width = ink, plot.Paper, 2
	}
	c.img.SetColor(colorOf(fill))
	c.img.Fill(path)
	c.img.SetColor(colorOf(edge))
	c.img.SetLineWidth(vg.Length(width))
	c.img.SetLineDash(nil, 0)
	c.img.Stroke(path)
}

// Text implements plot.Canvas.
func (c *Canvas) Text(ink plot.Ink, at plot.Point, align plot.Align, label plot.Label) {
	face := c.face(ink)
	p := c.point(at)
	p.X += vg.Length(label.Shift)
	switch align {
	case plot.Middle:
		p.X -= face.Width(label.Text) / 2
	case plot.End:
		p.X -= face.Width(label.Text)
	}
	// A halo keeps it legible over lines.
	const halo = 1.2
	c.img.SetColor(colorOf(plot.Paper))
	for _, d := range []vg.Point{{X: halo}, {X: -halo}, {Y: halo}, {Y: -halo}, {X: .8, Y: .8}, {X: -.8, Y: .8}, {X: .8, Y: -.8}, {X: -.8, Y: -.8}} {
		c.img.FillString(face, p.Add(d), label.Text)
	}
	c.img.SetColor(colorOf(ink))
	c.img.FillString(face, p, label.Text)
}

func (c *Canvas) face(ink plot.Ink) font.Face {
	face, ok := c.faces[ink]
	if !ok {
		look := ink.Look()
		size, of := look.Size, c.regular
		if size == 0 {
			size = plot.TextSize
		}
		if look.Bold {
			of = c.bold
		}
		face = font.Face{Font: font.Font{Size: vg.Length(size)}, Face: of}
		c.faces[ink] = face
	}
	return face
}
