package finding

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// Notice is what was alerted of one finding. The zero value is a finding of which nothing was.
type Notice struct {
	Alerted  bool
	Severity alerting.Severity // highest that was alerted
}

// Cooldown is the latest alert on one subject, over all its findings. The zero value is none.
type Cooldown struct {
	ever     bool
	at       int64
	severity alerting.Severity
}

// Start begins the cooldown with an alert at an instant, unix nanoseconds.
func (c *Cooldown) Start(at int64, severity alerting.Severity) {
	*c = Cooldown{ever: true, at: at, severity: severity}
}

// Latest returns the latest alert; ok is false where there was none.
func (c *Cooldown) Latest() (at int64, severity alerting.Severity, ok bool) {
	return c.at, c.severity, c.ever
}

// Due decides whether a finding that holds is to be alerted at an instant (unix nanoseconds): at its start, and when
// its severity rises. Within the cooldown after an alert on the same subject only a higher severity is; a finding that
// still holds when the cooldown ends is alerted then. What is due is taken as alerted.
func (n *Notice) Due(last *Cooldown, at int64, severity alerting.Severity, cooldown time.Duration) bool {
	if n.Alerted && severity <= n.Severity {
		return false
	}
	if !n.Alerted && last.ever && severity <= last.severity && at-last.at < int64(cooldown) {
		return false
	}
	last.Start(at, severity)
	*n = Notice{Alerted: true, Severity: severity}
	return true
}
