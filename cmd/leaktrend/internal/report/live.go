package report

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
)

// Lines writes the JSON form of what is judged while it happens: events as they come, and the verdicts on what has
// ended. It is safe for concurrent use. What cannot be written is dropped: whoever watches goes on.
type Lines struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

// NewLines returns Lines that go to a writer, an object with each Write.
func NewLines(w io.Writer) *Lines { return &Lines{encoder: newEncoder(w)} }

// alertLine is a line of the JSON form with what an alert has besides: the fields of the outer struct win over those of
// the alert's event, which have the same names.
type alertLine struct {
	eventLine
	Status *struct{} `json:"status,omitempty"` // that is the state
	alerting.Alert
}

// Alert writes an alert on a file, or what stands for one: an event, with what names its cause.
func (l *Lines) Alert(file string, a *alerting.Alert) {
	l.write(alertLine{eventLine: eventOf(file, &a.Event), Alert: *a})
}

// Event writes an event of a file, or what stands for one.
func (l *Lines) Event(file string, e *alerting.Event) { l.write(eventOf(file, e)) }

// Verdicts writes the verdict on each resource of a result.
func (l *Lines) Verdicts(r *replay.Result) {
	for i := range r.Resources {
		l.write(verdictOf(r, &r.Resources[i]))
	}
}

func (l *Lines) write(line any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.encoder.Encode(line)
}
