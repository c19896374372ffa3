package prom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

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
	start := time.Now()
	defer func() { c.busy.Add(int64(time.Since(start))) }()
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
			c.known.Store(true)
			c.failures.Store(0)
			c.denied.Store(0)
			c.oversize.Store(0)
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
		if seen.status == 0 && c.onRetry != nil && !c.known.Swap(true) {
			c.onRetry(err)
		}
		if err := c.sleep(ctx, max(backoff(attempt), min(seen.retryAfter, lastRetry))); err != nil {
			return err
		}
	}
}

func (c *Client) gone() bool {
	return c.failures.Load() >= maxFailures || c.denied.Load() >= maxDenied || c.oversize.Load() >= maxOversize
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
	var apiErr *v1.Error
	if !errors.As(err, &apiErr) {
		if errors.Is(err, errAnswerTooLarge) {
			c.oversize.Add(1)
			return finalAnswer, fmt.Errorf("%w: an answer larger than %d MiB", ErrTooLarge, maxAnswer>>20)
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
	kind, text, status := apiErr.Type, apiErr.Msg, seen.status
	// Of some statuses the API client leaves the answer unread.
	var detail struct {
		Type  v1.ErrorType `json:"errorType"`
		Error string       `json:"error"`
	}
	if json.Unmarshal([]byte(apiErr.Detail), &detail) == nil && detail.Error != "" {
		kind, text = detail.Type, detail.Error
	}
	whole := text // a limit may be named behind an echo of the whole query
	text = c.clean(text)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return finalAnswer, fmt.Errorf("%w: status %d", ErrDenied, status)
	case kind == v1.ErrTimeout:
		return finalAnswer, fmt.Errorf("%w: the server ran out of time: %s", ErrTooLarge, text)
	case isTooLong(whole, status):
		return finalAnswer, fmt.Errorf("%w: %s", errTooLong, text)
	case isTooLarge(whole, status):
		return finalAnswer, fmt.Errorf("%w: %s", ErrTooLarge, text)
	case status/100 == 3:
		return finalAnswer, errors.New("redirects to another host, which is not followed")
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return passing, fmt.Errorf("status %d: %s", status, text)
	case status/100 == 2 && kind == v1.ErrBadResponse:
		if strings.HasPrefix(seen.contentType, "text/html") {
			return unreadableAnswer, errors.New("the answer is a web page, not that of a Prometheus: is a proxy or a " +
				"login in between?")
		}
		return unreadableAnswer, fmt.Errorf("the answer is not the JSON of a Prometheus, or was cut off: %s", text)
	}
	return finalAnswer, fmt.Errorf("status %d: %s", status, text)
}

// tooLong are the words in which a query is refused for the length of its time, or the number of its instants: one for
// fewer series would be too.
var tooLong = []string{
	"maximum resolution",                                           // Prometheus, Thanos, Mimir: 11,000 points
	"query time range exceeds",                                     // Mimir, Cortex
	"too many points for the given step", "maxpointspertimeseries", // VictoriaMetrics
}

// tooLarge are those in which one is refused for its size otherwise.
var tooLarge = []string{
	"too many samples",                        // Prometheus: query.max-samples
	"the query exceeded the", "the query hit", // Mimir, Cortex: max-series-, -chunks-, -bytes-, -memory-per-query
	// Mimir
	"err-mimir-max-",
	// Thanos' stores
	"exceeded series limit", "exceeded chunks limit", "exceeded bytes limit", "exceeded samples limit", "violated",
	"larger than max",                      // what Thanos and Mimir send to each other
	"-search.max", "not enough memory for", // VictoriaMetrics
	// others
	"exceeds the limit", "limit reached", "limit exceeded", "too many points", "too large", "exceeded", "memory limit",
}

// isTooLong reports whether a query is refused for its length.
func isTooLong(text string, status int) bool { return refusesSize(status) && holdsAny(text, tooLong) }

// isTooLarge reports whether a query is refused for its size.
func isTooLarge(text string, status int) bool {
	return status == http.StatusRequestEntityTooLarge || status == http.StatusRequestURITooLong ||
		refusesSize(status) && holdsAny(text, tooLarge)
}

// refusesSize reports whether an answer of a status may refuse a query for its size.
func refusesSize(status int) bool {
	return status == http.StatusUnprocessableEntity || status == http.StatusBadRequest
}

func holdsAny(text string, words []string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// clean makes a text of the server fit to be shown: the begin of it and the end, where the reason stands if the query
// is echoed before.
func (c *Client) clean(text string) string {
	text = c.secrets.Replace(text)
	text = redact.Printable(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > shownBegin+shownEnd {
		text = string(runes[:shownBegin]) + redact.Mark + string(runes[len(runes)-shownEnd:])
	}
	return text
}
