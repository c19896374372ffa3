package alerting

import "slices"

// health is how a sink's last attempt went.
type health uint8

const (
	healthy health = iota
	retrying
	rejecting
)

// outlet is one sink with its queue.
type outlet struct {
	name string
	sink Sink
	wake chan struct{} // holds a token when the queue may have grown
	turn chan struct{} // holds a token while a goroutine serves the sink

	queue         []pending // oldest first
	current       *Alert    // being sent; still in the queue unless pushed out
	pushedOut     bool      // current has left the queue for newer alerts
	calls         uint64    // calls made so far
	inCall        bool
	sending       health
	refreshing    health
	overflows     bool   // alerts were dropped since the queue was last empty
	droppedBefore uint64 // before the queue was last empty
	stats         SinkStats
}

type pending struct {
	alert    *Alert // never written to; also its identity in the queue
	attempts int
}

// The methods of outlet need the dispatcher's mutex.

func (o *outlet) push(a *Alert) {
	if len(o.queue) == queueSize {
		if o.queue[0].alert == o.current {
			o.pushedOut = true // whether it counts as dropped is known after the attempt
		} else {
			o.stats.Dropped++
		}
		o.queue = slices.Delete(o.queue, 0, 1)
	}
	o.queue = append(o.queue, pending{alert: a})
}

func (o *outlet) waiting() int {
	n := len(o.queue)
	if o.pushedOut {
		n++
	}
	return n
}

// next returns the index of the alert whose turn it is, or -1. Alerts go in order of age, but one that fails again and
// again lets others go first, so that a receiver that chokes on it still gets the rest. Alerts of one finding keep
// their order.
func (o *outlet) next() int {
	best := -1
	for i, p := range o.queue {
		if best >= 0 && p.attempts/maxTurns >= o.queue[best].attempts/maxTurns {
			continue
		}
		if !slices.ContainsFunc(o.queue[:i], func(q pending) bool { return q.alert.ID == p.alert.ID }) {
			best = i
		}
	}
	return best
}
