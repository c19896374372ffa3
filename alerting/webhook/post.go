package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler/figure"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// maxBody is how many bytes of a response are read so that its connection can be used again.
const maxBody = 64 << 10

const (
	// attemptTimeout is how long one post may take, unless the client that was given says otherwise.
	attemptTimeout = 10 * time.Second
	// maxWait is what a receiver can ask for at most before the next attempt.
	maxWait = time.Minute
)

// poster posts JSON to an address.
type poster struct {
	what    string // is posted to, for errors; "" means webhook
	target  string // with its secrets
	shown   string // without
	secrets *strings.Replacer
	client  *http.Client
}

// newPoster hides all of the address but scheme and host: with many webhooks the path is the secret.
func newPoster(u *url.URL, client *http.Client) poster {
	secrets := append(redact.Secrets(u), u.String(), u.RequestURI(), u.EscapedPath(), u.Path)
	return poster{target: u.String(), shown: redact.URL(u), secrets: redact.Replacer(redact.Mark, secrets...),
		client: client}
}

func (p *poster) post(ctx context.Context, payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return alerting.Final(p.errorf("cannot be encoded: %w", err))
	}
	return p.send(ctx, figure.RoundJSON(body), http.Header{"Content-Type": {"application/json"}})
}

// send posts a body.
func (p *poster) send(ctx context.Context, body []byte, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.target, bytes.NewReader(body))
	if err != nil {
		return alerting.Final(p.errorf("no request: %w", err))
	}
	req.Header = header
	req.Header.Set("User-Agent", "leaktrend")
	resp, err := p.client.Do(req)
	if err != nil {
		return p.errorf("%w", err)
	}
	defer resp.Body.Close()
	// The status has decided; the rest is read only so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody)
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err = p.errorf("status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch {
	case resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode == http.StatusTooManyRequests,
		resp.StatusCode >= 500:
		if after := retryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
			return &alerting.RetryAfterError{Err: err, After: after}
		}
		return err
	}
	return alerting.Final(err)
}

// webhookError has a text without secrets. What it wraps may hold some and can be tested for, but not printed.
type webhookError struct {
	text  string
	cause error
}

func (e *webhookError) Error() string        { return e.text }
func (e *webhookError) Is(target error) bool { return errors.Is(e.cause, target) }

func (p *poster) errorf(format string, args ...any) error {
	cause := fmt.Errorf(format, args...)
	text := redact.Cause(cause).Error()
	return &webhookError{cmp.Or(p.what, "webhook") + " " + p.shown + ": " + redact.Text(p.secrets.Replace(text)), cause}
}

// retryAfter returns the wait that a Retry-After header asks for, 0 to 1 minute; 0 if it asks for none.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxWait)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}
