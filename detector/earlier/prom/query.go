package prom

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// ranges asks for range queries and lists of series. Their answers are read while they come.
type ranges struct {
	base    api.Client
	http    *http.Client
	timeout time.Duration
}

// query evaluates a query at the instants of a grid. Errors that the server states are a *v1.Error.
func (c *ranges) query(ctx context.Context, query string, g Grid) (*answer, error) {
	resp, err := c.post(ctx, "/api/v1/query_range", url.Values{
		"query": {query}, "start": {seconds(g.Start)}, "end": {seconds(g.At(g.N - 1))},
		"timeout": {strconv.FormatFloat(c.timeout.Seconds(), 'f', -1, 64)},
		"step":    {strconv.FormatFloat(g.Step.Seconds(), 'f', -1, 64)},
	})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return decodeAnswer(resp.Body, g)
	}
	return nil, refusal(resp)
}

// seconds writes an instant as the API takes it.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// post asks something of a server, by GET where it takes no POST, as the client library does.
func (c *ranges) post(ctx context.Context, path string, values url.Values) (*http.Response, error) {
	form, at := values.Encode(), c.base.URL(path, nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(request)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed && resp.StatusCode != http.StatusNotImplemented {
		return resp, err
	}
	resp.Body.Close()
	at.RawQuery = form
	if request, err = http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil); err != nil {
		return nil, err
	}
	return c.http.Do(request)
}

// maxRefusal bounds what is read of an answer that is an error.
const maxRefusal = 1 << 20

// refusal returns the error that an answer is.
func refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var failure struct {
		Type    v1.ErrorType `json:"errorType"`
		Message string       `json:"error"`
	}
	if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
		return &v1.Error{Type: failure.Type, Msg: failure.Message, Detail: string(text)}
	}
	// Gateways and some rulers answer in plain words.
	message := strings.TrimSpace(string(text))
	if message == "" || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		message = http.StatusText(resp.StatusCode)
	}
	return &v1.Error{Type: v1.ErrBadResponse, Msg: message}
}
