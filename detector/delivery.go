package detector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting/webhook"
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
