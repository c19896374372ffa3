// Package webhook posts alerts over HTTP: as JSON, as a message for Slack, or to an Alertmanager. Each form has a
// file of its own. Shared are how a post is made and what its failure means. Delivery without HTTP belongs
// elsewhere.
package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// Config says where and how a Webhook posts alerts.
type Config struct {
	// URL takes the posts, http or https; credentials in it are sent as basic authentication.
	URL string
	// Format is auto, json, slack or alertmanager; empty means auto, which goes by the URL: alertmanager where its path
	// ends in /api/v1/alerts or /api/v2/alerts, slack for a Slack host, else json.
	Format string
	// Client replaces the webhook's own HTTP client. Redirects are not followed in any case.
	Client *http.Client
	// Instance is Alertmanager's label of that name. Empty means host:pid of the alert's process.
	Instance string
	// Hold is how long a firing alert lives in Alertmanager after a post, at least a minute. 0 means 5 minutes, which
	// Refresh keeps up.
	Hold time.Duration
	// GeneratorURL is where Alertmanager's alerts link to; empty for nowhere.
	GeneratorURL string
}

// Webhook posts alerts over HTTP. It is safe for concurrent use, and where that has a meaning it sends one alert at a
// time.
//
// json posts the Alert in its JSON form, slack a text with the summary, the top sites and the top parts. For
// alertmanager, alerts go to /api/v2/alerts, also where the URL names /api/v1/alerts, which Alertmanager dropped in
// 0.27. A firing alert ends there by itself 5 minutes (Hold) after its last post; Refresh repeats it until the resolved
// one was sent, so it outlives its process by that at most. As the severity is a label, an alert whose severity changes
// is ended and begun anew in one post.
//
// Status 2xx is success. 408, 429, 5xx and a failing connection are worth a retry, after the response's Retry-After if
// it has one; any other status is a refusal, redirects too: the error is marked by alerting.Final, and a Dispatcher
// offers the alert again every 1 to 5 minutes for as long as its finding holds. Errors show of the URL only scheme and
// host.
type Webhook struct {
	form   form
	format string
	client *http.Client
	own    bool // the client
}

// form is how alerts are written and kept up for one kind of receiver.
type form interface {
	alerting.Sink
	alerting.Refresher
}

var (
	_ alerting.Sink      = (*Webhook)(nil)
	_ alerting.Refresher = (*Webhook)(nil)
)

// New returns a Webhook, or an error that says what is wrong with the configuration without repeating the URL.
func New(cfg Config) (*Webhook, error) {
	u, err := webURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("alerting: webhook URL %w", err)
	}
	if cfg.Hold != 0 && cfg.Hold < time.Minute {
		return nil, errors.New("alerting: an alert must be held for a minute or more")
	}
	if cfg.GeneratorURL != "" {
		if _, err := webURL(cfg.GeneratorURL); err != nil {
			return nil, fmt.Errorf("alerting: generator URL %w", err)
		}
	}
	format := cmp.Or(cfg.Format, "auto")
	switch format {
	case "auto":
		format = guessFormat(u)
	case "json", "slack", "alertmanager":
	default:
		return nil, errors.New("alerting: unknown webhook format: want auto, json, slack or alertmanager")
	}
	if format == "alertmanager" {
		u = alertsURL(u)
	}
	w := &Webhook{format: format, client: clientOf(&cfg), own: cfg.Client == nil}
	p := newPoster(u, w.client)
	switch format {
	case "slack":
		w.form = slack{poster: p}
	case "alertmanager":
		w.form = &alertmanager{
			poster: p, instance: cfg.Instance, generatorURL: cfg.GeneratorURL, hold: cmp.Or(cfg.Hold, holdTime),
			turn: make(chan struct{}, 1),
		}
	default:
		w.form = jsonForm{poster: p}
	}
	return w, nil
}

// Format returns how alerts are written: json, slack or alertmanager, also where the configuration leaves it to the
// URL.
func (w *Webhook) Format() string { return w.format }

// clientOf returns the client of a webhook: the one that was given, or one that holds on to a single connection.
func clientOf(cfg *Config) *http.Client {
	var client http.Client
	if cfg.Client != nil {
		client = *cfg.Client
	} else {
		client.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: attemptTimeout,
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       90 * time.Second,
			ForceAttemptHTTP2:     true,
		}
	}
	if client.Timeout == 0 {
		client.Timeout = attemptTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

func webURL(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil: // which may quote any part of the URL
		return nil, errors.New("cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

const (
	alertsV1 = "/api/v1/alerts"
	alertsV2 = "/api/v2/alerts"
)

func guessFormat(u *url.URL) string {
	path := strings.TrimRight(u.Path, "/")
	host := strings.ToLower(u.Hostname())
	switch {
	case strings.HasSuffix(path, alertsV1), strings.HasSuffix(path, alertsV2):
		return "alertmanager"
	case host == "hooks.slack.com", strings.HasSuffix(host, ".slack.com") && strings.Contains(path, "/services/"):
		return "slack"
	}
	return "json"
}

// Send posts one alert.
func (w *Webhook) Send(ctx context.Context, a alerting.Alert) error { return w.form.Send(ctx, a) }

// Refresh repeats the alerts that Alertmanager holds as firing, and ends those of findings that hold no more. With the
// other formats it does nothing.
func (w *Webhook) Refresh(ctx context.Context, firing func(id string) bool) error {
	return w.form.Refresh(ctx, firing)
}

// CloseIdleConnections closes the connections of the webhook's own client that are not in use. A Dispatcher calls it
// when Run ends.
func (w *Webhook) CloseIdleConnections() {
	if w.own {
		w.client.CloseIdleConnections()
	}
}
