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

// eachSeries asks once. Errors that the server states are a *v1.Error.
func (c *ranges) eachSeries(ctx context.Context, labels, matches []string, start, end time.Time,
	each func(values []string)) (v1.Warnings, error) {
	resp, err := c.post(ctx, "/api/v1/series", url.Values{"match[]": matches, "start": {seconds(start)},
		"end": {seconds(end)}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp)
	}
	return decodeSeries(resp.Body, labels, each)
}

// decodeSeries reads a list of series to its end while it comes, and hands on the values of some labels of each.
func decodeSeries(r io.Reader, labels []string, each func(values []string)) (v1.Warnings, error) {
	a := &answer{r: r, buf: make([]byte, bufferSize)}
	values := make([]string, len(labels))
	err := a.object(func(name string) error {
		if name != "data" {
			return a.field(name)
		}
		return a.array(func() error {
			clear(values)
			err := a.object(func(name string) (err error) {
				at := slices.Index(labels, name)
				if at < 0 {
					return a.skip()
				}
				values[at], err = a.text()
				return err
			})
			if err == nil {
				each(values)
			}
			return err
		})
	})
	if err = a.ended(err); err != nil {
		return nil, err
	}
	return a.warnings, nil
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
