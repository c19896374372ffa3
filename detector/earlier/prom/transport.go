package prom

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// response is what the transport saw of an answer, and the API client does not tell.
type response struct {
	status      int
	contentType string
	retryAfter  time.Duration
}

type responseKey struct{}

// transport adds the headers, notes the answer's, and bounds its size.
type transport struct {
	next     http.RoundTripper
	headers  http.Header
	compress bool // whether answers may come compressed
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(t.headers) > 0 || t.compress {
		req = req.Clone(req.Context())
		if t.compress {
			req.Header.Set("Accept-Encoding", "gzip")
		}
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
		*seen = response{resp.StatusCode, resp.Header.Get("Content-Type"), retryAfter(resp.Header.Get("Retry-After"),
			time.Now())}
	}
	if t.compress && resp.Header.Get("Content-Encoding") == "gzip" {
		resp.Body = &unpacked{body: resp.Body}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	}
	resp.Body = &boundedBody{resp.Body, maxAnswer}
	return resp, nil
}

// unpacked is what a compressed body holds. Nothing of it is read before somebody reads.
type unpacked struct {
	body io.ReadCloser
	from *gzip.Reader
	err  error // of the begin
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.from == nil && u.err == nil {
		u.from, u.err = gzip.NewReader(u.body)
	}
	if u.err != nil {
		return 0, u.err
	}
	return u.from.Read(p)
}

func (u *unpacked) Close() error { return u.body.Close() }

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
