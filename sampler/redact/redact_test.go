package redact

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"slack", `Post "https://hooks.slack.com/services/T000/B000/XXXX": EOF`,
			`Post "https://hooks.slack.com/...": EOF`},
		{"userinfo", "GET http://bob:s3cret@example.com:9093 failed", "GET http://example.com:9093 failed"},
		{"query", "https://example.com?token=s3cret", "https://example.com/..."},
		{"root", "http://example.com/", "http://example.com"},
		{"fragment", "http://example.com#s3cret", "http://example.com/..."},
		{"unparsable", "bad http://bob:s3cret@exa mple:x", "bad http://exa mple:x"},
		{"bad escape", "http://h/%zz/s3cret now", "... now"},
		{"followed", "http://a/b: x, (http://c/d)", "http://a/...: x, (http://c/...)"},
		{"twice", "http://a/...: x", "http://a/...: x"},
		{"no scheme", "proxy bob:s3cret@host:3128 refused", "proxy ...@host:3128 refused"},
		{"none", "dial tcp 127.0.0.1:9: connection refused", "dial tcp 127.0.0.1:9: connection refused"},
	} {
		if got := Text(tc.text); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestSecretsAreReplaced(t *testing.T) {
	u, err := url.Parse("https://bob:pa%20ss@example.com/path?token=to%2Fken&tokens=to%2Fken2&x=y")
	if err != nil {
		t.Fatal(err)
	}
	hide := Replacer("xxx", append(Secrets(u), "Bearer 1 2")...)
	for text, want := range map[string]string{
		"nothing to hide at example.com/path?x=y": "nothing to hide at example.com/path?x=y",
		"user bob, password pa ss or pa%20ss":     "user bob, password xxx or pa%20ss",
		"bob:pa%20ss@example.com":                 "xxx@example.com",
		"to/ken2 to%2Fken2 to/ken to%2Fken":       "xxx xxx xxx xxx",
		"?token=to%2Fken&tokens=to%2Fken2&x=y":    "?xxx",
		"Bearer 1 2, Bearer+1+2":                  "xxx, xxx",
	} {
		if got := hide.Replace(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCause(t *testing.T) {
	plain := errors.New("refused")
	for _, err := range []error{plain, &url.Error{Op: "Get", URL: "http://bob:s3cret@h/", Err: plain},
		fmt.Errorf("in all: %w", &url.Error{URL: "s3cret", Err: plain})} {
		if got := Cause(err); got != plain {
			t.Errorf("%v: %v, want %v", err, got, plain)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("Post ", ": EOF")
	f.Add(`x://"`, "@#?:%zz")
	f.Add("http://", "://")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "s3cr3t"
		if strings.Contains(before+after, secret) {
			return
		}
		if got := Text(before + "https://bob:s3cr3t@example.com/s3cr3t?a=s3cr3t" + after); strings.Contains(got,
			secret) {
			t.Errorf("%q and %q around it: %q", before, after, got)
		}
	})
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"redis-server 7.2, größer: ✓":     "redis-server 7.2, größer: ✓",
		"a\x1b[2J\x1b]0;pwn\x07b\x7f":     "a\ufffd[2J\ufffd]0;pwn\ufffdb\ufffd",
		"two\nlines\r\tand a tab":         "two\ufffdlines\ufffd\ufffdand a tab",
		"\u202eevil\u2066\u200b\ufeff":    "\ufffdevil\ufffd\ufffd\ufffd",
		"not UTF-8: \xff\xfe, C1: \u009b": "not UTF-8: \ufffd\ufffd, C1: \ufffd",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
