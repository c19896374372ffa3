package alerting

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is how many bytes of a response are read so that its connection can be used again.
const maxBody = 64 << 10

// WebhookConfig says where and how a Webhook posts alerts.
type WebhookConfig struct {
	// URL takes the posts, http or https; credentials in it are sent as basic authentication.
	URL string
	// Format is auto, json, slack or alertmanager; empty means auto, which goes by the URL: alertmanager where its path ends in
	// /api/v1/alerts or /api/v2/alerts, slack for a Slack host, else json.
	Format string
	// Client replaces the webhook's own HTTP client. Redirects are not followed in any case.
	Client *http.Client
	// Instance is Alertmanager's label of that name. Empty means host:pid of the alert's process.
	Instance string
	// Hold is how long a firing alert lives in Alertmanager after a post, at least a minute. 0 means 5 minutes, which Refresh keeps up.
	Hold time.Duration
	// GeneratorURL is where Alertmanager's alerts link to; empty for nowhere.
	GeneratorURL string
}

// Webhook posts alerts over HTTP. It is safe for concurrent use, and where that has a meaning it sends one alert at a time.
//
// json posts the Alert in its JSON form, slack a text with the summary, the top sites and the top parts. For alertmanager, alerts go to
// /api/v2/alerts, also where the URL names /api/v1/alerts, which Alertmanager dropped in 0.27. A firing alert ends there by
// itself 5 minutes (Hold) after its last post; Refresh repeats it until the resolved one was sent, so it outlives its process by
// that at most. As the severity is a label, an alert whose severity changes is ended and begun anew in one post.
//
// Status 2xx is success. 408, 429, 5xx and a failing connection are worth a retry, after the response's Retry-After if it has
// one; any other status is final, redirects too. Errors show of the URL only scheme and host.
type Webhook struct {
	format  string
	target  string // with its secrets
	shown   string // without
	secrets *strings.Replacer
	client  *http.Client
	own     bool // the client

	instance     string
	generatorURL string
	hold         time.Duration
	turn         chan struct{} // holds a token while posted is in use
	posted       []postedAlert // what Alertmanager holds as firing, oldest first
}

var (
	_ Sink      = (*Webhook)(nil)
	_ Refresher = (*Webhook)(nil)
)

// NewWebhook returns a webhook, or an error that says what is wrong with the configuration without repeating the URL.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
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
	w := &Webhook{
		format: format, target: u.String(), shown: redactURL(u), secrets: secretsOf(u),
		instance: cfg.Instance, generatorURL: cfg.GeneratorURL, hold: cmp.Or(cfg.Hold, holdTime), turn: make(chan struct{}, 1),
	}
	var client http.Client
	if cfg.Client != nil {
		client = *cfg.Client
	} else {
		w.own = true
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
	w.client = &client
	return w, nil
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

// alertsURL returns the v2 address of an Alertmanager given by that, by its v1 address or by its base.
func alertsURL(u *url.URL) *url.URL {
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, alertsV1), alertsV2)
	v2 := *u
	v2.Path, v2.RawPath = "", ""
	return v2.JoinPath(path, alertsV2)
}

// secretsOf returns what removes the secret parts of a URL from a text that a server or proxy had a hand in.
func secretsOf(u *url.URL) *strings.Replacer {
	parts := []string{u.String(), u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery}
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.String(), u.User.Username(), password, url.QueryEscape(password))
	}
	for _, values := range u.Query() {
		for _, v := range values {
			parts = append(parts, v, url.QueryEscape(v))
		}
	}
	var pairs []string
	for _, p := range parts {
		if len(p) >= 4 { // shorter ones would garble the text and protect nothing
			pairs = append(pairs, p, hidden)
		}
	}
	return strings.NewReplacer(pairs...)
}

// Send posts one alert.
func (w *Webhook) Send(ctx context.Context, a Alert) error {
	switch w.format {
	case "alertmanager":
		return w.sendAlertmanager(ctx, a)
	case "slack":
		return w.post(ctx, map[string]string{"text": slackText(a)})
	}
	return w.post(ctx, a)
}

// CloseIdleConnections closes the connections of the webhook's own client that are not in use. A Dispatcher calls it when
// Run ends.
func (w *Webhook) CloseIdleConnections() {
	if w.own {
		w.client.CloseIdleConnections()
	}
}

func (w *Webhook) post(ctx context.Context, payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return Final(w.errorf("cannot be encoded: %w", err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.target, bytes.NewReader(body))
	if err != nil {
		return Final(w.errorf("no request: %w", err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "leaktrend")
	resp, err := w.client.Do(req)
	if err != nil {
		return w.errorf("%w", err)
	}
	defer resp.Body.Close()
	// The status has decided; the rest is read only so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody)
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err = w.errorf("status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch {
	case resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		if after := retryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
			return &laterError{err, after}
		}
		return err
	}
	return Final(err)
}

// webhookError has a text without secrets. What it wraps may hold some and can be tested for, but not printed.
type webhookError struct {
	text  string
	cause error
}

func (e *webhookError) Error() string        { return e.text }
func (e *webhookError) Is(target error) bool { return errors.Is(e.cause, target) }

func (w *Webhook) errorf(format string, args ...any) error {
	cause := fmt.Errorf(format, args...)
	text := cause.Error()
	if e := (*url.Error)(nil); errors.As(cause, &e) {
		text = e.Err.Error() // the rest is the URL
	}
	return &webhookError{"webhook " + w.shown + ": " + redact(w.secrets.Replace(text)), cause}
}

// retryAfter returns the wait that a Retry-After header asks for, 0 to 1 minute; 0 if it asks for none.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, lastRetry)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), lastRetry)
	}
	return 0
}

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackText is the alert as a message of a few lines.
func slackText(a Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s\n", strings.ToUpper(string(a.Status)), a.Summary)
	fmt.Fprintf(&b, "severity %s, %s of %s", a.Severity, a.Kind, a.Resource)
	if p := processText(a.Process); p != "" {
		b.WriteString(", process " + p)
	}
	fmt.Fprintf(&b, "\nat %s", instant(a.Time))
	if !a.Since.IsZero() {
		fmt.Fprintf(&b, ", since %s", instant(a.Since))
	}
	if a.Exhaustion != nil && a.Status == Firing {
		fmt.Fprintf(&b, ", exhausted (%s) at %s", a.Exhaustion.Source, instant(a.Exhaustion.At))
	}
	for _, line := range append(siteLines(a.Sites), partLines(a.Parts)...) {
		b.WriteString("\n• " + line)
	}
	return slackEscaper.Replace(b.String())
}
