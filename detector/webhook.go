package detector

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mdzesseis/leaktrend/alerting"
)

// webhookSlot is a sink for the webhook that is configured at the moment, if any. It lets a reload change the webhook while alerts
// wait for the old one: those go to the new.
type webhookSlot struct {
	mu      sync.Mutex
	current *alerting.Webhook
	owed    []alerting.Alert // findings that hold, which the current webhook was not told of
}

var (
	_ alerting.Sink      = (*webhookSlot)(nil)
	_ alerting.Refresher = (*webhookSlot)(nil)
)

// use replaces the webhook. The findings that hold are sent to it with the next refresh.
func (s *webhookSlot) use(w *alerting.Webhook, holding []alerting.Alert) {
	s.mu.Lock()
	old := s.current
	s.current, s.owed = w, holding
	s.mu.Unlock()
	if old != nil {
		old.CloseIdleConnections()
	}
}

func (s *webhookSlot) webhook() *alerting.Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Send posts the alert; without a webhook there is nothing to do. It stands for what is owed of the same finding, which may be older.
func (s *webhookSlot) Send(ctx context.Context, a alerting.Alert) error {
	s.mu.Lock()
	w := s.current
	s.owed = slices.DeleteFunc(s.owed, func(o alerting.Alert) bool { return o.ID == a.ID })
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.Send(ctx, a)
}

// Refresh tells a new webhook of the findings that hold, and repeats those that it would forget.
func (s *webhookSlot) Refresh(ctx context.Context, firing func(id string) bool) error {
	s.mu.Lock()
	w, owed := s.current, s.owed
	s.owed = nil
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	var failed []alerting.Alert
	var errs []error
	for _, a := range owed {
		if !firing(a.ID) {
			continue
		}
		if err := w.Send(ctx, a); err != nil {
			failed, errs = append(failed, a), append(errs, err)
		}
	}
	s.mu.Lock()
	if s.current == w {
		s.owed = failed
	}
	s.mu.Unlock()
	return errors.Join(append(errs, w.Refresh(ctx, firing))...)
}

// CloseIdleConnections lets go of the webhook's connections.
func (s *webhookSlot) CloseIdleConnections() {
	if w := s.webhook(); w != nil {
		w.CloseIdleConnections()
	}
}
