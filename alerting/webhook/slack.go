package webhook

import (
	"context"
	"fmt"
	"strings"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/internal/text"
)

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// topSites is how many sites, and how many parts, a message names.
const topSites = 5

// slack posts an alert as a text with the summary, the top sites and the top parts.
type slack struct {
	poster
	noRefresh
}

func (s slack) Send(ctx context.Context, a alerting.Alert) error {
	return s.post(ctx, map[string]string{"text": slackText(a)})
}

// slackText is the alert as a message of a few lines.
func slackText(a alerting.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s\n", strings.ToUpper(string(a.Status)), a.Summary)
	fmt.Fprintf(&b, "severity %s, %s of %s", a.Severity, a.Kind, a.Resource)
	if a.New {
		b.WriteString(", new")
	}
	if p := a.Process.String(); p != "" {
		b.WriteString(", process " + p)
	}
	fmt.Fprintf(&b, "\nat %s", text.When(a.Time))
	if !a.Since.IsZero() {
		fmt.Fprintf(&b, ", since %s", text.When(a.Since))
	}
	if a.Exhaustion != nil && a.Status == alerting.Firing {
		fmt.Fprintf(&b, ", exhausted (%s) at %s", a.Exhaustion.Source, text.When(a.Exhaustion.At))
		if !a.Exhaustion.Earliest.IsZero() {
			fmt.Fprintf(&b, ", from %s to %s", text.When(a.Exhaustion.Earliest), text.When(a.Exhaustion.Latest))
		}
	}
	if a.Fingerprint != "" {
		fmt.Fprintf(&b, "\nincident %s, fingerprint %s", a.Incident, a.Fingerprint)
	}
	if len(a.Resources) > 1 {
		for _, line := range all(a.Resources) {
			b.WriteString("\n• " + line)
		}
	}
	for _, line := range append(lines(a.Sites), lines(a.Parts)...) {
		b.WriteString("\n• " + line)
	}
	for _, line := range all(a.Profiles) {
		b.WriteString("\n• capture " + line)
	}
	return slackEscaper.Replace(b.String())
}

// lines names the first few sites or parts.
func lines[T fmt.Stringer](some []T) []string { return all(some[:min(len(some), topSites)]) }

// all names each of some.
func all[T fmt.Stringer](some []T) []string {
	var lines []string
	for _, one := range some {
		lines = append(lines, one.String())
	}
	return lines
}
