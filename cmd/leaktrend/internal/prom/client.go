// Package prom reads a Prometheus server, or one that speaks its API, as a good neighbour: in chunks that respect the server's limits, a
// few at a time, and patient when it asks for patience.
package prom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

const (
	// MostPoints is how many values a server gives for one series in one answer. Prometheus refuses more.
	MostPoints = 11_000

	mostAnswer   = 64 << 20 // bytes of one answer
	fewestPoints = 32       // a range of time this short is not cut any further
	firstRetry   = 500 * time.Millisecond
	lastRetry    = 30 * time.Second
	attempts     = 5
	rereads      = 2  // further attempts after an answer that cannot be read
	mostFailures = 3  // queries that failed in a row for good, after which the server counts as gone
	mostDenied   = 20 // queries that were denied in a row, after which all others will be; a proxy may deny some
	mostWarnings = 5  // of the server that are kept
	mostRedirect = 5
	shownDetail  = 120 // characters of what a server says
)

// TokenVariable names the environment variable that may hold a bearer token.
const TokenVariable = "LEAKTREND_PROMETHEUS_TOKEN"

var (
	// ErrTooLarge says that the server, or this client, will not answer as much at once. A smaller query may succeed.
	ErrTooLarge = errors.New("too much for one query")
	// ErrDenied says that the server does not give this client what it asked for.
	ErrDenied = errors.New("access denied")
	// ErrGone says that the server failed, or denied access, so often in a row that it is asked no more.
	ErrGone = errors.New("the server does not answer any more, or denies access")
)

// Config says which server to read, and how.
type Config struct {
	// URL of the server, http or https, up to what stands before /api/v1. A user and password in it are sent as basic authentication.
	URL string
	// HTTPConfig is a file in the form of promtool's --http.config.file: basic_auth, authorization, oauth2, tls_config, proxy_url. Empty = none.
	HTTPConfig string
	// Headers is a file with a header a line, as in "X-Scope-OrgID: team". Empty = none.
	Headers string
	// Token is sent as a bearer token if neither file says how to authenticate. Empty = none.
	Token string
	// Concurrency is how many queries run at a time, at least 1.
	Concurrency int
	// Timeout is how long one attempt may take, above 0.
	Timeout time.Duration
}

// Client reads one server. It is safe for concurrent use. No error of it holds a credential.
type Client struct {
	api     v1.API
	shown   string
	secrets *strings.Replacer
	timeout time.Duration
	slots   chan struct{}
	close   func()
	sleep   func(context.Context, time.Duration) error

	queries, retries, points atomic.Int64
	failures                 atomic.Int64 // for good, in a row
	denied                   atomic.Int64 // in a row
	busy                     atomic.Int64 // nanoseconds that queries took, waiting for a slot not included

	mu       sync.Mutex
	warnings []string
}

// New returns a client, or an error that says what is wrong with the configuration.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not of the form http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH (not shown, it may hold a secret)")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("a server's address has no query")
	}
	httpConfig := &config.HTTPClientConfig{FollowRedirects: true, EnableHTTP2: true}
	httpConfig.ProxyFromEnvironment = true
	if c.HTTPConfig != "" {
		if httpConfig, err = loadHTTPConfig(c.HTTPConfig); err != nil {
			return nil, err
		}
	}
	headers := http.Header{}
	if c.Headers != "" {
		if headers, err = readHeaders(c.Headers); err != nil {
			return nil, err
		}
	}
	secrets := secretsOf(u, httpConfig, headers)
	authenticates := httpConfig.BasicAuth != nil || httpConfig.Authorization != nil || httpConfig.OAuth2 != nil || headers.Get("Authorization") != ""
	switch {
	case authenticates && u.User != nil:
		return nil, errors.New("credentials both in the URL and in a file")
	case authenticates:
	case u.User != nil:
		password, _ := u.User.Password()
		httpConfig.BasicAuth = &config.BasicAuth{Username: u.User.Username(), Password: config.Secret(password)}
	case c.Token != "":
		httpConfig.Authorization = &config.Authorization{Type: "Bearer", Credentials: config.Secret(c.Token)}
		secrets = append(secrets, c.Token)
	}
	u.User = nil
	client, err := config.NewClientFromConfig(*httpConfig, "leaktrend", config.WithUserAgent("leaktrend"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.HTTPConfig, err)
	}
	p := &Client{
		shown: u.String(), secrets: redact.Replacer(redact.Mark, secrets...), timeout: c.Timeout, slots: make(chan struct{}, c.Concurrency),
		close: client.CloseIdleConnections, sleep: sleep,
	}
	client.Transport = &transport{next: client.Transport, headers: headers}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !httpConfig.FollowRedirects || len(via) > mostRedirect || req.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}
	base, err := api.NewClient(api.Config{Address: u.String(), Client: client})
	if err != nil {
		return nil, errors.New("the address cannot be used")
	}
	p.api = v1.NewAPI(base)
	return p, nil
}

// loadHTTPConfig reads a file of the Prometheus tools. The errors of their YAML parser may quote a line that holds a secret.
func loadHTTPConfig(path string) (*config.HTTPClientConfig, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	c, _, err := config.LoadHTTPConfigFile(path)
	if err != nil {
		text := err.Error()
		if strings.Contains(text, "yaml") || strings.Contains(text, "`") {
			text = "not YAML in the form of the Prometheus tools' HTTP configuration"
			for _, word := range strings.Fields(err.Error()) {
				if _, e := strconv.Atoi(strings.TrimSuffix(word, ":")); e == nil {
					text += ", line " + strings.TrimSuffix(word, ":")
					break
				}
			}
		}
		return nil, fmt.Errorf("%s: %s", path, text)
	}
	return c, nil
}

// readHeaders reads a file with a header a line. Its errors name the line and never show a value.
func readHeaders(path string) (http.Header, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	headers := http.Header{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || value == "" || name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%s:%d: want NAME: VALUE", path, number)
		}
		headers.Add(name, value)
	}
	return headers, nil
}

// isToken reports whether a header's name may hold a character (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func secretsOf(u *url.URL, c *config.HTTPClientConfig, headers http.Header) (all []string) {
	file := func(path string) {
		if text, err := os.ReadFile(path); path != "" && err == nil {
			all = append(all, strings.TrimSpace(string(text)))
		}
	}
	all = append(all, redact.Secrets(u)...)
	if b := c.BasicAuth; b != nil {
		all = append(all, string(b.Password))
		file(b.PasswordFile)
	}
	if a := c.Authorization; a != nil {
		all = append(all, string(a.Credentials))
		file(a.CredentialsFile)
	}
	if o := c.OAuth2; o != nil {
		all = append(all, string(o.ClientSecret))
		file(o.ClientSecretFile)
	}
	for _, values := range headers {
		all = append(all, values...)
	}
	return all
}

// String returns the server's address without credentials.
func (c *Client) String() string { return c.shown }

// Begin forgets failures and warnings: a server that was gone may be back.
func (c *Client) Begin() {
	c.failures.Store(0)
	c.denied.Store(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = nil
}

// Close closes idle connections.
func (c *Client) Close() { c.close() }

// Stats says what reading has cost so far.
type Stats struct {
	Queries, Retries, Points int64
	Busy                     time.Duration // sum of the time that the queries took
}

// Stats returns the cost so far.
func (c *Client) Stats() Stats {
	return Stats{Queries: c.queries.Load(), Retries: c.retries.Load(), Points: c.points.Load(), Busy: time.Duration(c.busy.Load())}
}

// Warnings returns the first warnings of the server, each once: a federating one may know that a part of it did not answer.
func (c *Client) Warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.warnings)
}

func (c *Client) warn(warnings v1.Warnings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range warnings {
		w = c.clean(w)
		if len(c.warnings) < mostWarnings && !slices.Contains(c.warnings, w) {
			c.warnings = append(c.warnings, w)
		}
	}
}

// Grid is evenly spaced instants.
type Grid struct {
	Start time.Time
	Step  time.Duration
	N     int
}

// At returns instant number i.
func (g Grid) At(i int) time.Time { return g.Start.Add(time.Duration(i) * g.Step) }

// Series is one time series on a grid. Values are NaN where the server has none.
type Series struct {
	Labels model.Metric
	Values []float64
}

// Range evaluates a query at every instant of a grid. What the server finds too large for one query is asked for in shorter ranges
// of time if split is set, else the error is ErrTooLarge.
func (c *Client) Range(ctx context.Context, query string, g Grid, split bool) ([]Series, error) {
	var all []Series
	byLabels := make(map[model.Fingerprint]int)
	var read func(from, n int) error
	read = func(from, n int) error {
		for ; n > MostPoints; from, n = from+MostPoints, n-MostPoints {
			if err := read(from, MostPoints); err != nil {
				return err
			}
		}
		matrix, err := c.queryRange(ctx, query, v1.Range{Start: g.At(from), End: g.At(from + n - 1), Step: g.Step})
		if split && errors.Is(err, ErrTooLarge) && n > fewestPoints {
			if err := read(from, n/2); err != nil {
				return err
			}
			return read(from+n/2, n-n/2)
		}
		if err != nil {
			return err
		}
		for _, stream := range matrix {
			key := stream.Metric.Fingerprint()
			at, ok := byLabels[key]
			if !ok {
				at = len(all)
				byLabels[key] = at
				values := make([]float64, g.N)
				for i := range values {
					values[i] = math.NaN()
				}
				all = append(all, Series{stream.Metric, values})
			}
			for _, pair := range stream.Values {
				i := int(math.Round(float64(pair.Timestamp.Time().Sub(g.Start)) / float64(g.Step)))
				if i >= 0 && i < g.N {
					all[at].Values[i] = float64(pair.Value)
				}
			}
			c.points.Add(int64(len(stream.Values)))
		}
		return nil
	}
	return all, read(0, g.N)
}

func (c *Client) queryRange(ctx context.Context, query string, r v1.Range) (model.Matrix, error) {
	var matrix model.Matrix
	err := c.try(ctx, func(ctx context.Context) (v1.Warnings, error) {
		value, warnings, err := c.api.QueryRange(ctx, query, r, v1.WithTimeout(c.timeout))
		if err != nil {
			return warnings, err
		}
		var ok bool
		if matrix, ok = value.(model.Matrix); !ok {
			return warnings, fmt.Errorf("answered a range query with a %s", value.Type())
		}
		return warnings, nil
	})
	return matrix, err
}

// LabelValues returns the values that a label has in the series that match any of the selectors, in a range of time.
func (c *Client) LabelValues(ctx context.Context, label string, matches []string, start, end time.Time) ([]string, error) {
	var all []string
	err := c.try(ctx, func(ctx context.Context) (v1.Warnings, error) {
		values, warnings, err := c.api.LabelValues(ctx, label, matches, start, end)
		all = all[:0]
		for _, v := range values {
			all = append(all, string(v))
		}
		return warnings, err
	})
	return all, err
}

// try runs one query until it succeeds, fails for good, or has had its attempts.
func (c *Client) try(ctx context.Context, query func(context.Context) (v1.Warnings, error)) error {
	if c.gone() {
		return ErrGone
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.slots }()
	began := time.Now()
	defer func() { c.busy.Add(int64(time.Since(began))) }()
	unreadable := 0
	for attempt := 1; ; attempt++ {
		if c.gone() {
			return ErrGone
		}
		c.queries.Add(1)
		var seen response
		limited, cancel := context.WithTimeout(context.WithValue(ctx, responseKey{}, &seen), c.timeout)
		warnings, err := query(limited)
		cancel()
		c.warn(warnings)
		if err == nil {
			c.failures.Store(0)
			c.denied.Store(0)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict, err := c.judge(err, &seen)
		if verdict == unreadableAnswer {
			unreadable++
		}
		switch {
		case verdict == finalAnswer:
			c.failures.Store(0) // it does answer
			if errors.Is(err, ErrDenied) {
				c.denied.Add(1)
			}
			return err
		case attempt == attempts || unreadable > rereads:
			c.failures.Add(1)
			return fmt.Errorf("%w (%d attempts)", err, attempt)
		}
		c.retries.Add(1)
		if err := c.sleep(ctx, max(backoff(attempt), min(seen.retryAfter, lastRetry))); err != nil {
			return err
		}
	}
}

func (c *Client) gone() bool {
	return c.failures.Load() >= mostFailures || c.denied.Load() >= mostDenied
}

// backoff returns the wait after so many failed attempts: a random time in the upper half of 0.5 s, 1 s, 2 s and so on.
func backoff(failures int) time.Duration {
	d := min(firstRetry<<(failures-1), lastRetry)
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type verdict uint8

const (
	finalAnswer      verdict = iota // asking again would give the same
	passing                         // worth another attempt
	unreadableAnswer                // worth one or two
)

// judge says whether a failure is worth another attempt, and puts it in words that hold no secret.
func (c *Client) judge(err error, seen *response) (verdict, error) {
	var said *v1.Error
	if !errors.As(err, &said) {
		if errors.Is(err, errAnswerTooLarge) {
			return finalAnswer, fmt.Errorf("%w: an answer larger than %d MiB", ErrTooLarge, mostAnswer>>20)
		}
		err = redact.Cause(err)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return passing, fmt.Errorf("no answer within %v", c.timeout)
		case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			return passing, errors.New("the connection was closed before the answer ended")
		}
		return passing, errors.New(c.clean(err.Error()))
	}
	kind, text, status := said.Type, said.Msg, seen.status
	// Of some statuses the API client leaves the answer unread.
	var detail struct {
		Type  v1.ErrorType `json:"errorType"`
		Error string       `json:"error"`
	}
	if json.Unmarshal([]byte(said.Detail), &detail) == nil && detail.Error != "" {
		kind, text = detail.Type, detail.Error
	}
	text = c.clean(text)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return finalAnswer, fmt.Errorf("%w: status %d", ErrDenied, status)
	case kind == v1.ErrTimeout:
		return finalAnswer, fmt.Errorf("%w: the server ran out of time: %s", ErrTooLarge, text)
	case isTooLarge(text, status):
		return finalAnswer, fmt.Errorf("%w: %s", ErrTooLarge, text)
	case status/100 == 3:
		return finalAnswer, errors.New("redirects to another host, which is not followed")
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return passing, fmt.Errorf("status %d: %s", status, text)
	case status/100 == 2 && kind == v1.ErrBadResponse:
		if strings.HasPrefix(seen.contentType, "text/html") {
			return unreadableAnswer, errors.New("the answer is a web page, not that of a Prometheus: is a proxy or a login in between?")
		}
		return unreadableAnswer, fmt.Errorf("the answer is not the JSON of a Prometheus, or was cut off: %s", text)
	}
	return finalAnswer, fmt.Errorf("status %d: %s", status, text)
}

// isTooLarge knows the words in which Prometheus and those that speak its API refuse a query for its size.
func isTooLarge(text string, status int) bool {
	if status == http.StatusRequestEntityTooLarge {
		return true
	}
	if status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
		return false
	}
	text = strings.ToLower(text)
	for _, words := range []string{"too many samples", "maximum resolution", "exceeds the limit", "limit reached", "too many points", "too large", "exceeded", "memory limit"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// clean makes a text of the server fit to be shown.
func (c *Client) clean(text string) string {
	text = c.secrets.Replace(text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > shownDetail {
		text = string(runes[:shownDetail]) + redact.Mark
	}
	return text
}

// response is what the transport saw of an answer, and the API client does not tell.
type response struct {
	status      int
	contentType string
	retryAfter  time.Duration
}

type responseKey struct{}

// transport adds the headers, notes the answer's, and bounds its size.
type transport struct {
	next    http.RoundTripper
	headers http.Header
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(t.headers) > 0 {
		req = req.Clone(req.Context())
		for name, values := range t.headers {
			req.Header[name] = values
			if name == "Host" {
				req.Host = values[0]
			}
		}
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if seen, ok := req.Context().Value(responseKey{}).(*response); ok {
		*seen = response{resp.StatusCode, resp.Header.Get("Content-Type"), retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	resp.Body = &boundedBody{resp.Body, mostAnswer}
	return resp, nil
}

var errAnswerTooLarge = errors.New("answer too large")

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errAnswerTooLarge
	}
	return n, err
}

// retryAfter returns the wait that a Retry-After header asks for; 0 if it asks for none.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
