package evidence

import (
	"context"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/wording"
)

// request requests the evidence of one alert. Fields are guarded by the mutex of the queue unless noted otherwise;
// alert and lacking are changed by the goroutine that works for the evidence alone, which may read them without it.
type request struct {
	ctx      context.Context // ends when its evidence is of no use any more
	cancel   context.CancelFunc
	answered chan struct{} // closed once all sources were called
	started  time.Time
	waits    processorWaits

	alert     alerting.Alert // with the evidence so far
	lacking   []*named       // what has not yet been added
	delivered bool
	had       int  // amount of the evidence that was delivered
	outdated  bool // the finding is over, or was alerted again
}

func newRequest(a alerting.Alert, sources []*named, now time.Time) *request {
	r := &request{answered: make(chan struct{}), started: now, alert: a.Clone(), lacking: sources}
	r.ctx, r.cancel = context.WithDeadline(context.Background(), now.Add(maxLate))
	r.waits.begin()
	return r
}

// outdate has the alert not be delivered again.
func (r *request) outdate() {
	r.outdated = true
	if r.delivered {
		r.cancel()
	}
}

// deliver returns the alert with the evidence so far, and with what is missing in it.
func (r *request) deliver() alerting.Alert {
	a := r.alert.Clone()
	if len(r.lacking) > 0 {
		why := wording.NotYet(time.Since(r.started), r.waits.longest())
		for _, s := range r.lacking {
			a.Missing = append(a.Missing, alerting.Missing{What: s.name, Why: why})
		}
	}
	r.delivered, r.had = true, r.amount()
	if r.outdated {
		r.cancel()
	}
	return a
}

// amount measures how much evidence there is: it grows with everything that is added.
func (r *request) amount() int {
	n := len(r.alert.Sites) + len(r.alert.Parts) + len(r.alert.Profiles)
	if r.alert.Holder != "" {
		n++
	}
	for i := range r.alert.Sites {
		if r.alert.Sites[i].Holder != "" {
			n++
		}
	}
	return n
}
