package alerting

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"slack", `Post "https://hooks.slack.com/services/T000/B000/XXXX": EOF`, `Post "https://hooks.slack.com/...": EOF`},
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
		if got := redact(tc.text); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestClip(t *testing.T) {
	got := clip("http://h/s3cret " + strings.Repeat("é", 500))
	if len(got) > maxErrorText+len(hidden) || !utf8.ValidString(got) || !strings.HasPrefix(got, "http://h/... é") || !strings.HasSuffix(got, hidden) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("Post ", ": EOF")
	f.Add(`x://"`, "@#?:%zz")
	f.Add("http://", "://")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "s3cr3t"
		if strings.Contains(before+after, secret) {
			return
		}
		if got := redact(before + "https://bob:s3cr3t@example.com/s3cr3t?a=s3cr3t" + after); strings.Contains(got, secret) {
			t.Errorf("%q and %q around it: %q", before, after, got)
		}
	})
}
