package detector

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func (t *tracker) growthSummary(e *alerting.Event) string {
	text := fmt.Sprintf("%s leak: %s for %s without ever coming back, %s now, %s before (since %s)",
		e.Resource, t.resource.FormatPerHour(e.SlopePerHour), sampler.FormatDuration(e.Time.Sub(e.Since)),
		t.resource.Format(e.Value), t.resource.Format(e.Baseline), e.Since.Format("2006-01-02 15:04:05 MST"))
	return text + t.timeLeft(e)
}

func (t *tracker) timeLeft(e *alerting.Event) string {
	if e.Exhaustion == nil {
		return ""
	}
	return fmt.Sprintf("; %s left to the limit of %s",
		sampler.FormatDuration(e.Exhaustion.At.Sub(e.Time)), t.resource.Format(e.Exhaustion.Limit))
}

func (t *tracker) limitSummary(e *alerting.Event, i int) string {
	now, start := t.resource.Format(e.Value), t.resource.Format(e.Baseline)
	switch i {
	case nearCeiling:
		return fmt.Sprintf("%s at %.0f %% of what the process can have: %s of %s",
			e.Resource, 100*e.Value/t.ceiling.Level, now, t.resource.Format(t.ceiling.Level)) + t.timeLeft(e)
	case growthRate:
		return fmt.Sprintf("%s grew by %.0f %% within one interval: %s now, %s before (growth_rate_threshold)",
			e.Resource, 100*(e.Value-t.previous)/t.previous, now, t.resource.Format(t.previous))
	}
	limit := t.resource.Format(t.threshold.value)
	if t.threshold.absolute {
		return fmt.Sprintf("%s above the limit: %s now, limit %s (%s), %s at the start",
			e.Resource, now, limit, t.threshold.key, start) + t.timeLeft(e)
	}
	return fmt.Sprintf("%s grew by %s above the start, more than the limit of %s (%s): %s now, %s at the start",
		e.Resource, t.resource.Format(e.Value-e.Baseline), limit, t.threshold.key, now, start) + t.timeLeft(e)
}

func (t *tracker) resolvedSummary(e *alerting.Event, why string) string {
	return fmt.Sprintf("%s %s resolved after %s: %s (%s now)", e.Resource, e.Kind,
		sampler.FormatDuration(e.Time.Sub(e.Since).Round(time.Millisecond)), why, t.resource.Format(e.Value))
}
