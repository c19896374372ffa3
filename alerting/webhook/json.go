package webhook

import (
	"context"

	"github.com/mdzesseis/leaktrend/alerting"
)

// jsonForm posts an alert in its JSON form.
type jsonForm struct {
	poster
	noRefresh
}

func (j jsonForm) Send(ctx context.Context, a alerting.Alert) error { return j.post(ctx, a) }

// noRefresh is for receivers that forget nothing.
type noRefresh struct{}

func (noRefresh) Refresh(context.Context, func(id string) bool) error { return nil }
