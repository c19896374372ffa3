package detector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	saved "github.com/mdzesseis/leaktrend/detector/state"
)

// useWebhook puts the webhook of a configuration into its slot.
func useWebhook(slot *webhook.Slot, config Config) error {
	var w *webhook.Webhook
	if config.AlertWebhookURL != "" {
		var err error
		w, err = webhook.New(webhook.Config{URL: config.AlertWebhookURL, Format: config.AlertWebhookFormat})
		if err != nil {
			return fmt.Errorf("alert_webhook_url: %w", err)
		}
	}
	slot.Use(w)
	return nil
}

// webhookOf is the webhook of a monitor, as far as lives that follow one another share it.
type webhookOf struct{ m *ResourceMonitor }

// receiverOf identifies where the webhook delivers to, without its secrets: "" where there is none.
func receiverOf(config Config) string {
	if config.AlertWebhookURL == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", config.AlertWebhookURL, config.AlertWebhookFormat))
	return hex.EncodeToString(sum[:8])
}

// delivered returns the receiver of the webhook, and the ids of the alerts on active findings that it accepted.
func (w webhookOf) delivered(config Config, holding []alerting.Alert) (receiver string, ids []string) {
	if receiver = receiverOf(config); receiver == "" {
		return "", nil
	}
	for i := range holding {
		if id := w.m.state.ledger.idOf(holding[i].ID); !slices.Contains(ids, id) &&
			w.m.dispatcher.Told(webhookSink, id) {
			ids = append(ids, id)
		}
	}
	return receiver, ids
}

// resume has alerts that were told in an earlier life be told of their end. The webhook is told of what it did not take
// there, as a receiver that refused it or another one, and of all where it forgets what nobody repeats.
func (w webhookOf) resume(config Config, alerts []alerting.Alert, s *saved.Saved) {
	current := w.m.webhook.Current()
	same := s.Receiver == receiverOf(config) && (current == nil || current.Format() != "alertmanager")
	w.m.dispatcher.Resume(func(sink string, a *alerting.Alert) bool {
		return sink == webhookSink && current != nil && !(same && slices.Contains(s.Delivered, a.ID))
	}, alerts...)
}

// logUploads returns what logs that captures cannot be posted, and that they can again.
func logUploads(logger *logrus.Logger) func(error) {
	return func(err error) {
		if err != nil {
			logger.WithError(err).Warn("Resource monitor: captures cannot be posted (capture_url), retrying")
			return
		}
		logger.Info("Resource monitor: captures are posted again (capture_url)")
	}
}

// contentType returns what a capture of that name is.
func contentType(name string) string {
	if strings.HasSuffix(name, ".txt") {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// awaitDelivery ends the delivery and waits until alerts and captures are delivered, for as long as alerts may take.
func awaitDelivery(uploads *webhook.Uploader, end func(), delivered <-chan struct{}) {
	soon, cancel := context.WithTimeout(context.Background(), uploadGrace)
	defer cancel()
	end()
	uploads.Flush(soon)
	<-delivered
}

// uploadGrace is how long captures may take to be posted in the end, no longer than the alerts beside them.
const uploadGrace = 5 * time.Second

// leftBehind names what does not return although its time is over.
type leftBehind []string

func (l *leftBehind) add(what string) { *l = append(*l, what) }

func (l leftBehind) err() error {
	if len(l) == 0 {
		return nil
	}
	return fmt.Errorf("stopped without what does not return: %s", strings.Join(l, ", "))
}
