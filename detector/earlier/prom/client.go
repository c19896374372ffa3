// Package prom reads a Prometheus server, or one with the same API, as a good neighbour: in chunks that respect the
// server's limits, with few queries at a time, and with patience when the server asks for it. What the series mean
// is for the caller.
package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
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
	// MaxPoints is how many values a server gives for one series in one answer. Prometheus refuses more.
	MaxPoints = 11_000

	maxAnswer = 64 << 20 // bytes of one answer: several times what a query of as many points as are asked for gives
	// values of all answers to one query, of which there may be many series for a short time each
	maxHeld     = 8 << 20
	maxOversize = 32 // answers in a row that were larger, after which smaller queries are no help
	minPoints   = 32 // a range of time this short is not cut any further
	firstRetry  = 500 * time.Millisecond
	lastRetry   = 30 * time.Second
	attempts    = 5
	rereads     = 2  // further attempts after an answer that cannot be read
	maxFailures = 3  // queries that failed in a row for good, after which the server counts as gone
	maxDenied   = 20 // queries that were denied in a row, after which all others will be; a proxy may deny some
	maxWarnings = 5  // of the server that are kept
	maxRedirect = 5
	shownBegin  = 60 // characters of what a server says...
	shownEnd    = 140
)

// TokenVariable names the environment variable that may hold a bearer token.
const TokenVariable = "LEAKTREND_PROMETHEUS_TOKEN"

var (
	// ErrTooLarge says that the server, or this client, will not answer as much at once. A smaller query may succeed.
	ErrTooLarge = errors.New("too much for one query")
	// errTooLong is ErrTooLarge for the number of instants.
	errTooLong = fmt.Errorf("%w: too long a time", ErrTooLarge)
	// ErrDenied says that the server does not give this client what it asked for.
	ErrDenied = errors.New("access denied")
	// ErrGone says that the server failed, or denied access, so often in a row that it is asked no more.
	ErrGone = errors.New("the server does not answer any more, or denies access")
)

// Config says which server to read, and how.
type Config struct {
	// URL of the server, http or https, up to what stands before /api/v1. A user and password in it are sent as basic
	// authentication.
	URL string
	// HTTPConfig is a file in the form of promtool's --http.config.file: basic_auth, authorization, oauth2, tls_config,
	// proxy_url. Empty = none.
	HTTPConfig string
	// Headers is a file with a header a line, as in "X-Scope-OrgID: team". Empty = none.
	Headers string
	// Token is sent as a bearer token if neither file says how to authenticate. Empty = none.
	Token string
	// Concurrency is how many queries run at a time, at least 1.
	Concurrency int
	// Compress has the server compress its answers: a fifth of the bytes, for several times its processor time.
	Compress bool
	// Timeout is how long one attempt may take, above 0.
	Timeout time.Duration
	// MaxValues is how many values all answers to one query may hold together; 0 = 8 Mi, 64 MB.
	MaxValues int
	// OnRetry is called once, before the first attempt that reached no server is repeated, unless the server has
	// answered before. nil = nobody wants to know.
	OnRetry func(error)
}

// Client reads one server. It is safe for concurrent use. No error of it holds a credential.
type Client struct {
	api     v1.API
	ranges  ranges
	shown   string
	secrets *strings.Replacer
	timeout time.Duration
	held    int // values of all answers to one query, at most
	slots   chan struct{}
	close   func()
	sleep   func(context.Context, time.Duration) error
	onRetry func(error)

	queries, retries, points atomic.Int64
	failures                 atomic.Int64 // for good, in a row
	denied                   atomic.Int64 // in a row
	known                    atomic.Bool  // whether the server has answered, or it was told that it did not
	oversize                 atomic.Int64 // answers in a row
	instants                 atomic.Int64 // that the server takes at once; 0 = MaxPoints, as far as is known
	busy                     atomic.Int64 // nanoseconds that queries took, waiting for a slot not included

	mu       sync.Mutex
	warnings []string
}

// ErrAddress is in the errors of New that are about the URL.
var ErrAddress = errors.New("the address of the server")

// New returns a client, or an error that says what is wrong with the configuration.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w must be like http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH (not shown, it "+
			"may hold a secret)", ErrAddress)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w must have no query", ErrAddress)
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
	authenticates := httpConfig.BasicAuth != nil || httpConfig.Authorization != nil || httpConfig.OAuth2 != nil ||
		headers.Get("Authorization") != ""
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
		shown: u.String(), secrets: redact.Replacer(redact.Mark, secrets...), timeout: c.Timeout,
		held: cmp.Or(c.MaxValues, maxHeld), slots: make(chan struct{}, c.Concurrency),
		close: client.CloseIdleConnections, sleep: sleep, onRetry: c.OnRetry,
	}
	client.Transport = &transport{next: client.Transport, headers: headers, compress: c.Compress}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !httpConfig.FollowRedirects || len(via) > maxRedirect || req.URL.Host != via[0].URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}
	base, err := api.NewClient(api.Config{Address: u.String(), Client: client})
	if err != nil {
		return nil, errors.New("the address cannot be used")
	}
	p.api, p.ranges = v1.NewAPI(base), ranges{base, client, c.Timeout}
	return p, nil
}

// String returns the server's address without credentials.
func (c *Client) String() string { return c.shown }

// Begin forgets failures and warnings: a server that was gone may be back.
func (c *Client) Begin() {
	c.failures.Store(0)
	c.denied.Store(0)
	c.oversize.Store(0)
	c.instants.Store(0)
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
	return Stats{Queries: c.queries.Load(), Retries: c.retries.Load(), Points: c.points.Load(),
		Busy: time.Duration(c.busy.Load())}
}

// Warnings returns the first warnings of the server, each once: a federating one may know that a part of it did not
// answer.
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
		if len(c.warnings) < maxWarnings && !slices.Contains(c.warnings, w) {
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

// GridTo returns the grid of a length of time that ends at the last multiple of the step up to an instant.
func GridTo(end time.Time, length, step time.Duration) Grid {
	n := max(int(length/step), 1)
	last := end.UTC().Truncate(step)
	return Grid{Start: last.Add(-time.Duration(n-1) * step), Step: step, N: n}
}

// At returns instant number i.
func (g Grid) At(i int) time.Time { return g.Start.Add(time.Duration(i) * g.Step) }

// Series is one time series on a grid. Values are NaN where the server has none.
type Series struct {
	Labels model.Metric
	Values []float64
}

// Range evaluates a query at every instant of a grid. What the server finds too large for one query is asked for in
// shorter ranges of time if split is set, or if the number of instants alone is what it refuses; else the error is
// ErrTooLarge. The number that it took then is remembered.
func (c *Client) Range(ctx context.Context, query string, g Grid, split bool) ([]Series, error) {
	var all []Series
	byLabels := make(map[model.Fingerprint]int)
	var read func(from, n int) error
	read = func(from, n int) error {
		for atOnce := c.atOnce(); n > atOnce; from, n = from+atOnce, n-atOnce {
			if err := read(from, atOnce); err != nil {
				return err
			}
		}
		part, err := c.queryRange(ctx, query, Grid{g.At(from), g.Step, n})
		tooLong := errors.Is(err, errTooLong)
		if tooLong && n > minPoints {
			c.shorter(n / 2)
		}
		if (split || tooLong) && errors.Is(err, ErrTooLarge) && n > minPoints {
			if err := read(from, n/2); err != nil {
				return err
			}
			return read(from+n/2, n-n/2)
		}
		if err != nil {
			return err
		}
		for _, one := range part {
			key := one.Labels.Fingerprint()
			at, ok := byLabels[key]
			switch {
			case !ok && n == g.N:
				byLabels[key], all = len(all), append(all, one)
				continue
			case !ok:
				if at = len(all); (at+1)*g.N > c.held {
					return fmt.Errorf("%w: %d series or more of %d values each", ErrTooLarge, at+1, g.N)
				}
				byLabels[key], all = at, append(all, Series{one.Labels, empty(g.N)})
			}
			for i, v := range one.Values {
				if !math.IsNaN(v) {
					all[at].Values[from+i] = v
				}
			}
		}
		return nil
	}
	return all, read(0, g.N)
}

// empty returns so many values that are none.
func empty(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// atOnce returns how many instants are asked for at once.
func (c *Client) atOnce() int {
	if n := int(c.instants.Load()); n > 0 {
		return n
	}
	return MaxPoints
}

// shorter notes that the server takes fewer instants than were asked for.
func (c *Client) shorter(n int) {
	if n < c.atOnce() {
		c.instants.Store(int64(n))
	}
}

func (c *Client) queryRange(ctx context.Context, query string, g Grid) (series []Series, err error) {
	err = c.try(ctx, func(ctx context.Context) (v1.Warnings, error) {
		a, err := c.ranges.query(ctx, query, g)
		if err != nil {
			return nil, err
		}
		series = a.series
		c.points.Add(a.points)
		return a.warnings, nil
	})
	return series, err
}

// LabelNames returns the names of the labels of the series that match any of the selectors, in a range of time.
func (c *Client) LabelNames(ctx context.Context, matches []string, start, end time.Time) (names []string, err error) {
	err = c.try(ctx, func(ctx context.Context) (warnings v1.Warnings, err error) {
		names, warnings, err = c.api.LabelNames(ctx, matches, start, end)
		return warnings, err
	})
	return names, err
}

// LabelValues returns the values that a label has in the series that match any of the selectors, in a range of time.
func (c *Client) LabelValues(ctx context.Context, label string, matches []string, start, end time.Time) ([]string,
	error) {
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

// Series calls each with the values that some labels have in a series that matches any of the selectors, in a range of
// time; "" is that of a label that a series lacks. It may be called more than once with the same values, which are
// valid until it returns. Where the list is too much for one answer the error is ErrTooLarge.
//
// It has the server list the series, while for LabelValues a Prometheus looks at each value that the label has
// anywhere: so this costs it less where few of the values match.
func (c *Client) Series(ctx context.Context, labels, matches []string, start, end time.Time,
	each func(values []string)) error {
	return c.try(ctx, func(ctx context.Context) (v1.Warnings, error) {
		return c.ranges.eachSeries(ctx, labels, matches, start, end, each)
	})
}
