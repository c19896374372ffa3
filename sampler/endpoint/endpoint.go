// Package endpoint samples a process through its Prometheus metrics, over HTTP. Package promtext knows what the text
// and its metrics mean. A Prometheus server, with the history of many processes, is read elsewhere.
package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/clock"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

const (
	maxAnswer       = 8 << 20 // bytes of an answer that are read
	maxSeries       = 20_000  // gauges of an answer that are read, beside those that have a meaning here
	maxMulti        = 100_000 // metrics of which it is remembered that they had several series
	endpointTimeout = 10 * time.Second
	maxRedirects    = 5
	redacted        = "xxxxx"
)

// Source reads a process through its Prometheus metrics. The metrics of Go and of the process become
// the known resources, every other gauge a resource of its own name; counters, histograms and summaries are left out. A
// metric with several series gives resources with labels in their names. Not safe for concurrent use.
type Source struct {
	url    *url.URL
	client *http.Client
	own    *http.Transport // of its own client; nil if a client was given
	clock  *clock.Clock

	answer   bytes.Buffer
	multi    map[string]bool // metrics that were seen with several series: their names stay
	start    time.Time
	ceilings []sampler.Ceiling
	declared []sampler.Resource // as of the latest sample
}

// New returns a Source for a metrics URL (http or https). A nil client means one of its own, which gives up
// after 10 seconds and follows no redirect to another host.
func New(metricsURL string, client *http.Client) (*Source, error) {
	u, err := url.Parse(metricsURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The error of url.Parse may contain a password.
		return nil, errors.New("must be like http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH (not shown, it may " +
			"hold a secret)")
	}
	e := &Source{url: u, client: client, clock: clock.New(), multi: map[string]bool{}}
	if client == nil {
		e.own = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			MaxIdleConns:          1,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   endpointTimeout,
			ResponseHeaderTimeout: endpointTimeout,
			ForceAttemptHTTP2:     true,
		}
		e.client = &http.Client{Transport: e.own, Timeout: endpointTimeout, CheckRedirect: sameHost}
	}
	return e, nil
}

func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host {
		return fmt.Errorf("redirect to another host, %s", req.URL.Host)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// String returns the URL without user, password and the values of its query.
func (e *Source) String() string {
	u := *e.url
	u.Fragment, u.RawFragment = "", ""
	if u.User != nil {
		u.User = url.User(redacted)
	}
	if u.RawQuery != "" {
		parts := strings.Split(u.RawQuery, "&")
		for i, part := range parts {
			if name, _, ok := strings.Cut(part, "="); ok {
				parts[i] = name + "=" + redacted
			} else {
				parts[i] = redacted
			}
		}
		u.RawQuery = strings.Join(parts, "&")
	}
	return u.String()
}

// Resources describes the resources of the latest sample whose declaration says more than their names.
func (e *Source) Resources() []sampler.Resource { return e.declared }

// Close closes idle connections of its own client. The Endpoint may be used again.
func (e *Source) Close() error {
	if e.own != nil {
		e.own.CloseIdleConnections()
	}
	return nil
}

// Sample reads the endpoint once and stamps the sample when the answer is complete. An error says what could not be
// read, in full or in part; a later call may succeed. It never shows a user, a password or a value of the query.
func (e *Source) Sample(ctx context.Context, s *sampler.Sample) error {
	complete, err := e.fetch(ctx)
	s.Reset(e.clock.Now())
	if err == nil {
		err = e.read(e.answer.Bytes(), s)
	}
	if !complete && len(s.Readings) > 0 {
		err = fmt.Errorf("the answer is larger than %d MiB: the rest is not read", maxAnswer>>20)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e, err)
	}
	return nil
}

// fetch reads an answer, or the whole lines at the start of one that is too large.
func (e *Source) fetch(ctx context.Context) (complete bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url.String(), nil)
	if err != nil {
		return false, e.clean(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	req.Header.Set("User-Agent", "leaktrend")
	resp, err := e.client.Do(req)
	if err != nil {
		return false, e.clean(err)
	}
	defer func() {
		// A connection is only used again when its body was read to the end; a long rest is not worth that.
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		_ = resp.Body.Close()
	}()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("answered %s", e.scrub(resp.Status))
	}
	e.answer.Reset()
	n, err := io.Copy(&e.answer, io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return false, fmt.Errorf("reading the answer: %w", e.clean(err))
	}
	if n > maxAnswer {
		e.answer.Truncate(bytes.LastIndexByte(e.answer.Bytes()[:maxAnswer], '\n') + 1)
	}
	return n <= maxAnswer, nil
}

// errHungUp replaces io.EOF, which from a Source would mean that there are no more samples.
var errHungUp = errors.New("the connection was closed without an answer")

// clean takes the URL out of an error of net/http.
func (e *Source) clean(err error) error {
	err = redact.Cause(err)
	if errors.Is(err, io.EOF) {
		return errHungUp
	}
	// What remains may quote a Location header that repeats the request's query.
	if e.own == nil || strings.Contains(err.Error(), "Location") {
		if text := e.scrub(err.Error()); text != err.Error() {
			return errors.New(text)
		}
	}
	return err
}

// scrub takes the secrets out of a text that came from elsewhere, and what is not to be printed.
func (e *Source) scrub(text string) string {
	return redact.Printable(redact.Replacer(redacted, redact.Secrets(e.url)...).Replace(text))
}

// read takes the readings that it can use out of an answer.
func (e *Source) read(body []byte, s *sampler.Sample) error {
	set := promtext.NewSet()
	set.Start, set.Max = e.start, maxSeries
	var m promtext.Line
	lines, bad := 0, 0
	var first error
	for number := 1; len(body) > 0; number++ {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		body = rest
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] == '#' {
			set.Declare(line)
			continue
		}
		lines++
		err := m.Parse(line)
		if err == nil {
			// NaN is how an exporter says that it has no value.
			switch err = set.Add(&m, s.Time.UnixNano()); err {
			case promtext.ErrNotFinite:
				err = nil
			case promtext.ErrOrder:
				err = errors.New("the series appears twice")
			}
		}
		if err != nil {
			if bad++; bad == 1 {
				first = fmt.Errorf("line %d, %s: %w", number, scan.Shown([]byte(e.scrub(string(line)))), err)
			}
		}
		if lines == bad && (bad == 20 || line[0] == '<') { // HTML
			break
		}
	}
	if lines == bad {
		return e.notMetrics(first)
	}
	if len(e.multi) > maxMulti {
		clear(e.multi)
	}
	set.Finish(e.multi)
	set.Sample(s)
	e.start, e.declared = set.Start, set.Declared()
	if !slices.Equal(e.ceilings, s.Ceilings) {
		e.ceilings = s.Ceilings
	}
	s.Ceilings = e.ceilings
	switch {
	case len(s.Readings) == 0:
		return fmt.Errorf("no usable gauge among its %s", scan.Count(lines, "metric"))
	case set.Over > 0:
		return fmt.Errorf("the answer has more than %d gauges: the rest is not read", maxSeries)
	case bad > 0:
		return fmt.Errorf("%s could not be read, the first: %w", scan.Count(bad, "line"), first)
	}
	return nil
}

// notMetrics explains an answer without any metric.
func (e *Source) notMetrics(first error) error {
	hint := ""
	if e.url.Path == "" || e.url.Path == "/" {
		hint = " (metrics are often at /metrics)"
	}
	if first == nil {
		return errors.New("the answer has no metrics" + hint)
	}
	return fmt.Errorf("the answer is not Prometheus text format%s: %w", hint, first)
}
