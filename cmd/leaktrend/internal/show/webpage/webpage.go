// Package webpage is the frame of all pages that the command writes: each needs nothing but itself, and they look
// alike. What is on a page is for the package that writes it; the live page of a monitor is detector/page.
package webpage

import (
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

//go:embed frame.html
var frameText string

// Frame is what stands around the content of a page. A template has it as "head" and "foot".
type Frame struct {
	Title, Summary string
	Skip           string // the id that the first link of the page leads to; "" is no link
	Style          template.CSS
	Script         template.JS
}

// NewFrame returns the frame of a page that needs nothing else, with the script of its plots.
func NewFrame(title, summary string) Frame {
	return Frame{Title: title, Summary: summary, Style: template.CSS(plot.Style()), Script: template.JS(plot.Script)}
}

// Template parses a page. Besides the frame it may use "columns", the head of a table of findings with a name for the
// second column, "tag", "course" and "left", cells of its rows, and at, which writes an instant: in the zone until a
// script puts it into the reader's.
func Template(text string, zone *time.Location) *template.Template {
	at := func(as string, t time.Time) template.HTML { return instant(as, t.In(zone)) }
	page := template.Must(template.New("frame").Funcs(template.FuncMap{"at": at}).Parse(frameText))
	return template.Must(page.New("page").Parse(text))
}

// instant returns an instant for a page with plot.Script, which puts it into the zone of whoever looks; until then it
// is in its own. as is how it is written: plot.AsZone, or in full.
func instant(as string, t time.Time) template.HTML {
	if text := sampler.FormatInstant(t, ""); text != "" { // no date, and in no zone
		if as == string(plot.AsZone) {
			return ""
		}
		return template.HTML(template.HTMLEscapeString(text))
	}
	text := t.Format("2006-01-02 15:04:05")
	if as == string(plot.AsZone) {
		text = t.Format("MST")
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-at="%d" data-as="%s">%s</time>`,
		t.Format(time.RFC3339), t.UnixMilli(), template.HTMLEscapeString(as), template.HTMLEscapeString(text)))
}
