package webhook

import (
	"context"
	"sync/atomic"

	"github.com/mdzesseis/leaktrend/alerting"
)

// Slot is a sink for the webhook that is configured at the moment, if any; the zero value has none. It lets a reload
// change the webhook while alerts wait for the old one: those go to the new. It is safe for concurrent use.
type Slot struct{ current atomic.Pointer[Webhook] }

var (
	_ alerting.Sink      = (*Slot)(nil)
	_ alerting.Refresher = (*Slot)(nil)
)

// Use replaces the webhook; nil is for none. The new one knows nothing of what the old one was told: see
// alerting.Dispatcher.Renew.
func (s *Slot) Use(w *Webhook) {
	if old := s.current.Swap(w); old != nil {
		old.CloseIdleConnections()
	}
}

// Current returns the webhook in use; nil for none.
func (s *Slot) Current() *Webhook { return s.current.Load() }

// Send posts the alert; without a webhook there is nothing to do.
func (s *Slot) Send(ctx context.Context, a alerting.Alert) error {
	if w := s.Current(); w != nil {
		return w.Send(ctx, a)
	}
	return nil
}

// Refresh repeats what the receiver of the webhook would forget.
func (s *Slot) Refresh(ctx context.Context, firing func(id string) bool) error {
	if w := s.Current(); w != nil {
		return w.Refresh(ctx, firing)
	}
	return nil
}

// CloseIdleConnections lets go of the webhook's connections.
func (s *Slot) CloseIdleConnections() {
	if w := s.Current(); w != nil {
		w.CloseIdleConnections()
	}
}
