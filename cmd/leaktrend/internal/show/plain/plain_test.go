package plain

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/mdzesseis/leaktrend/alerting/webhook"
)

func TestError(t *testing.T) {
	_, missing := os.Open(filepath.Join("no", "such"))
	_, unnamed := os.Stat("")
	_, pattern := regexp.Compile(strings.Repeat("a(", 1)) // by a call, as a literal is checked before
	_, hook := webhook.New(webhook.Config{URL: "foo"})
	_, refused := http.Get("http://127.0.0.1:1/metrics")
	_, port := net.Listen("tcp", "foo")
	for want, err := range map[string]error{
		"plain": errors.New("plain"),
		missing.(*fs.PathError).Path + ": no such file or directory": missing,
		"--config: x: is a directory": fmt.Errorf("--config: %w",
			&fs.PathError{Op: "read", Path: "x", Err: syscall.EISDIR}),
		"x: is a directory": fmt.Errorf("x: %w",
			&fs.PathError{Op: "read", Path: "x", Err: syscall.EISDIR}),
		`"": no such file or directory`: unnamed,
		"b: file exists": &os.LinkError{Op: "rename", Old: "a",
			New: "b", Err: syscall.EEXIST},
		"missing closing ): a(":                                             fmt.Errorf("sampler: %w", pattern),
		"webhook URL must begin with http:// or https://":                   hook,
		`Get "http://127.0.0.1:1/metrics": 127.0.0.1:1: connection refused`: refused,
		"--listen foo: missing port in address":                             fmt.Errorf("--listen foo: %w", port),
		"db: no such host": &net.OpError{Op: "dial", Net: "tcp",
			Err: &net.DNSError{Err: "no such host", Name: "db", Server: "10.0.0.1:53"}},
		"x: permission denied\ny: file exists": errors.Join(&fs.PathError{Op: "open",
			Path: "x", Err: syscall.EACCES}, &fs.PathError{Op: "mkdir", Path: "y", Err: syscall.EEXIST}),
	} {
		if got := Error(err); got != want {
			t.Errorf("%v\n is said as %q, want %q", err, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp 127.0.0.1:1: connect: connection refused":             "127.0.0.1:1: connection refused",
		"http://a/m: dial tcp [::1]:1: i/o timeout":                     "http://a/m: [::1]:1: i/o timeout",
		"dial tcp: lookup db.invalid on 10.255.255.53:53: no such host": "db.invalid: no such host",
		"lookup db: i/o timeout":                                        "db: i/o timeout",
		"sampler: process 5 (a): sampler: not read: open_fds: stat: denied": "process 5 (a): not read: open_fds: " +
			"stat: denied",
		"a.gz: the file ends too early: unexpected EOF":    "a.gz: the file ends too early",
		"http://a/m: unexpected EOF":                       "http://a/m: it ends too early",
		"process 5: no such process (file does not exist)": "process 5: no such process",
		"resampler: x": "resampler: x",
	} {
		if got := Text(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 lines", 1: "1 line", 2: "2 lines"} {
		if got := Count(n, "line"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
