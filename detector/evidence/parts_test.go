package evidence

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
)

var partsStart = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// What is kept reaches back to the start, and is densest in the latest time.
func TestPartsKept(t *testing.T) {
	var p Parts
	for hour := range 1000 {
		at := partsStart.Add(time.Duration(hour) * time.Hour)
		if p.due(0, at, 0, hour > 0) {
			p.keep(0, &breakdown.Breakdown{Time: at}, hour > 0, at.Add(30*time.Minute))
		}
	}
	var hours []int
	for _, b := range p.kept[0].list {
		hours = append(hours, int(b.Time.Sub(partsStart).Hours()))
	}
	if len(hours) != maxBreakdowns || hours[0] != 0 || hours[maxBreakdowns-1] != 999 || hours[maxBreakdowns-2] < 990 ||
		hours[1] < 100 {
		t.Errorf("kept of hours %v, want %d: the first, and the closer the later", hours, maxBreakdowns)
	}
	if start := p.kept[0].start; start == nil || !start.Time.Equal(partsStart.Add(time.Hour)) {
		t.Errorf("of the settled start: %v, want that of hour 1", start)
	}
	if p.due(0, partsStart.Add(1000*time.Hour), 1, true); len(p.kept[0].list) > 0 {
		t.Error("a new process is compared with the one before it")
	}
}

func TestPartsBefore(t *testing.T) {
	var p Parts
	if p.before(0, &alerting.Alert{}) != nil {
		t.Error("nothing was kept")
	}
	for _, minutes := range []int{0, 10, 20} {
		p.keep(0, &breakdown.Breakdown{Time: partsStart.Add(time.Duration(minutes) * time.Minute)}, minutes > 0,
			time.Time{})
	}
	for _, test := range []struct {
		kind  alerting.Kind
		since int // minutes
		want  int
	}{
		{alerting.Trend, 15, 10}, {alerting.Trend, 20, 20}, {alerting.Trend, 500, 20}, {alerting.Trend, -5, 0},
		{alerting.Trend, 5, 0}, // growth from before the start had settled
		{alerting.Limit, 500, 10}, {alerting.Limit, 5, 10},
	} {
		a := alerting.Alert{Event: alerting.Event{Kind: test.kind,
			Since: partsStart.Add(time.Duration(test.since) * time.Minute)}}
		if got := int(p.before(0, &a).Time.Sub(partsStart).Minutes()); got != test.want {
			t.Errorf("%s since minute %d: compared with minute %d, want %d", test.kind, test.since, got, test.want)
		}
	}
}

// faulty is a process whose directory cannot be told without a panic.
type faulty struct{}

func (faulty) ProcDir() string { panic("no directory") }

func (faulty) Alive() error { return nil }

// A breakdown that panics is an error, and costs nothing else.
func TestPartsFault(t *testing.T) {
	p := NewParts(atRest(config.Default()))
	if err := p.Keep(t.Context(), faulty{}); err == nil || !strings.Contains(err.Error(), "panic: ") {
		t.Errorf("error %v", err)
	}
}

// readable is a process that can be read from some time on.
type readable struct {
	breakdown.Process
	present bool
}

func (r *readable) GoMemory() (breakdown.GoMemory, bool) { return breakdown.GoMemory{}, r.present }

// What was kept of a program that could not be read when it had hardly begun is replaced once it can, and only then.
func TestPartsOnceReadable(t *testing.T) {
	memory := slices.Index(partResources[:], sampler.RSSBytes)
	for _, test := range []struct {
		name    string
		process breakdown.Process
		i, kept int
		want    bool
	}{
		{"cannot be read yet", &readable{}, memory, 1, false}, {"can be read", &readable{present: true},
			memory, 1, true},
		{"descriptors", &readable{present: true}, 0, 1, false}, {"nothing was kept", &readable{present: true},
			memory, 0, false},
		{"more was kept", &readable{present: true}, memory, 2, false}, {"is never read", nil, memory, 1, false},
	} {
		var p Parts
		for hour := range test.kept {
			p.keep(test.i, &breakdown.Breakdown{Time: partsStart.Add(time.Duration(hour) * time.Hour)},
				true, time.Time{})
		}
		if got := p.better(test.i, test.process); got != test.want {
			t.Errorf("%s: better %t", test.name, got)
		}
	}
}
