package plot

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// texts is a canvas that keeps the labels of the time axis.
type texts struct {
	SVG
	labels []placed
}

type placed struct {
	Label
	x     float64
	align Align
}

func (t *texts) Text(_ Ink, at Point, align Align, l Label) {
	if l.As != "" {
		t.labels = append(t.labels, placed{l, at.X, align})
	}
}

// On a phone the plot shrinks and its texts do not: the times that are shown there leave room for the name of the zone.
func TestTimesOnPhoneLeaveRoomForZone(t *testing.T) {
	resource, _ := sampler.Lookup(sampler.OpenFDs)
	from := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixNano()
	for span := time.Minute; span < 40*24*time.Hour; span += span / 60 {
		c := Chart{Resource: resource}
		for i := range int64(2) {
			at := from + i*int64(span)
			c.Bins = append(c.Bins, Bin{First: at, Last: at, Min: 1, Max: 2, MinAt: at, MaxAt: at, Value: 1,
				Mean: math.NaN()})
		}
		var on texts
		c.Draw(&on, Width, Height)
		zone := on.labels[len(on.labels)-1]
		const letter = 6.2
		for _, l := range on.labels[:len(on.labels)-1] {
			edge := l.x*onPhone + letter*float64(len(l.Text))/2
			if l.align == Start {
				edge += letter * float64(len(l.Text)) / 2
			}
			if left := zone.x*onPhone - letter*float64(len(zone.Text)); !l.Minor && edge > left {
				t.Errorf("%s: %s ends at %.0f, and %s begins at %.0f", span, l.Text, edge, zone.Text, left)
			}
		}
	}
}
