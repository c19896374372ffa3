package webhook

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mdzesseis/leaktrend/alerting"
)

// Slot is a sink for the webhook that is configured at the moment, if any; the zero value has none. It lets a reload
// change the webhook while alerts wait for the old one: those go to the new. It is safe for concurrent use.
type Slot struct {
	mu      sync.Mutex
	current *Webhook
	missing []alerting.Alert // of findings that hold, which the current webhook did not get
}

var (
	_ alerting.Sink      = (*Slot)(nil)
	_ alerting.Refresher = (*Slot)(nil)
)

// Use replaces the webhook. The alerts of the findings that hold are sent to it with the next refresh. nil is for no
// webhook.
func (s *Slot) Use(w *Webhook, holding []alerting.Alert) {
	s.mu.Lock()
	old := s.current
	s.current, s.missing = w, holding
	s.mu.Unlock()
	if old != nil {
		old.CloseIdleConnections()
	}
}

// Current returns the webhook in use; nil for none.
func (s *Slot) Current() *Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Send posts the alert; without a webhook there is nothing to do. It stands for what is missing of the same finding,
// which may be older.
func (s *Slot) Send(ctx context.Context, a alerting.Alert) error {
	s.mu.Lock()
	w := s.current
	s.missing = slices.DeleteFunc(s.missing, func(m alerting.Alert) bool { return m.ID == a.ID })
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.Send(ctx, a)
}

// Refresh sends a new webhook the alerts of the findings that hold, and repeats those that it would forget.
func (s *Slot) Refresh(ctx context.Context, firing func(id string) bool) error {
	s.mu.Lock()
	w, missing := s.current, s.missing
	s.missing = nil
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	var failed []alerting.Alert
	var errs []error
	for _, a := range missing {
		if !firing(a.ID) {
			continue
		}
		if err := w.Send(ctx, a); err != nil {
			failed, errs = append(failed, a), append(errs, err)
		}
	}
	s.mu.Lock()
	if s.current == w {
		s.missing = failed
	}
	s.mu.Unlock()
	return errors.Join(append(errs, w.Refresh(ctx, firing))...)
}

// CloseIdleConnections lets go of the webhook's connections.
func (s *Slot) CloseIdleConnections() {
	if w := s.Current(); w != nil {
		w.CloseIdleConnections()
	}
}
