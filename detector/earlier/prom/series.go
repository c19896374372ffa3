package prom

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// seriesValues asks once. Errors that the server states are a *v1.Error.
func (c *ranges) seriesValues(ctx context.Context, label string, matches []string, start, end time.Time) ([]string, v1.Warnings, error) {
	resp, err := c.post(ctx, "/api/v1/series", url.Values{"match[]": matches, "start": {seconds(start)}, "end": {seconds(end)}})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, nil, refusal(resp)
	}
	return decodeValues(resp.Body, label)
}

// decodeValues reads a list of series to its end while it comes, and keeps the values of one label, in order.
func decodeValues(r io.Reader, label string) (values []string, warnings v1.Warnings, err error) {
	a := &answer{r: r, buf: make([]byte, bufferSize)}
	known := map[string]bool{}
	err = a.object(func(name string) error {
		if name != "data" {
			return a.field(name)
		}
		return a.array(func() error {
			return a.object(func(name string) error {
				if name != label {
					return a.skip()
				}
				value, err := a.text()
				if err == nil && value != "" {
					known[value] = true
				}
				return err
			})
		})
	})
	if err = a.ended(err); err != nil {
		return nil, nil, err
	}
	for value := range known {
		values = append(values, value)
	}
	slices.Sort(values)
	return values, a.warnings, nil
}

// ended returns what is wrong with an answer that was read up to an error, or whole: the error of the reader, or a
// *v1.Error.
func (a *answer) ended(err error) error {
	if err == nil {
		if _, err = a.peek(); err == nil {
			err = errFormat
		} else if errors.Is(err, errEnds) {
			err = nil
		}
	}
	switch {
	case errors.Is(err, errFormat), errors.Is(err, errEnds):
		return &v1.Error{Type: v1.ErrBadResponse, Msg: err.Error()}
	case err != nil:
		return err
	case a.status == "error":
		return &v1.Error{Type: v1.ErrorType(a.errorType), Msg: a.message}
	case a.status != "success":
		return &v1.Error{Type: v1.ErrBadResponse, Msg: "it has no status"}
	}
	return nil
}
