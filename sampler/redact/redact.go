// Package redact keeps secrets out of what is logged, shown and returned as errors: any address that is read from or
// posted to may contain a user, a password or a token, and the answer may repeat it. It also keeps out characters
// that would move a cursor or reverse text, because names come from programs that are watched. It is below all other
// packages, and imports none of them.
package redact

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark replaces what is not shown in a text.
const Mark = "..."

// minSecret is the length in bytes below which a secret is left in a text: to hide it would garble the text and protect
// nothing.
const minSecret = 4

var (
	urlPattern      = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\x60]+`)
	userinfoPattern = regexp.MustCompile(`[^\s"'<>/\x60]+@`)
)

// Text cuts every URL in a text down to scheme and host, and removes what comes before an @. With many webhooks the
// path is the secret, so no path is shown.
func Text(text string) string {
	text = urlPattern.ReplaceAllStringFunc(text, func(match string) string {
		raw := strings.TrimRight(match, ":,;)")
		u, err := url.Parse(raw)
		if err != nil {
			return Mark
		}
		return URL(u) + match[len(raw):]
	})
	return userinfoPattern.ReplaceAllString(text, Mark+"@")
}

// URL returns scheme and host of an address, with Mark for all that follows.
func URL(u *url.URL) string {
	s := u.Scheme + "://" + u.Host
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		s += "/" + Mark
	}
	return s
}

// Secrets returns user, password, query and the values of the query of an address, as written and as decoded.
func Secrets(u *url.URL) (all []string) {
	if u.User != nil {
		password, _ := u.User.Password()
		all = append(all, u.User.String(), u.User.Username(), password)
	}
	all = append(all, u.RawQuery)
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(part, "=")
		all = append(all, value)
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	return all
}

// Replacer puts a mark in the place of secrets, as they are or escaped for a query, in a text that a server or a proxy
// had a hand in. Secrets of less than 4 bytes stay.
func Replacer(mark string, secrets ...string) *strings.Replacer {
	var forms []string
	for _, s := range secrets {
		if len(s) >= minSecret {
			forms = append(forms, s, url.QueryEscape(s))
		}
	}
	// The longest first, as one may be a part of another.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range slices.Compact(forms) {
		pairs = append(pairs, s, mark)
	}
	return strings.NewReplacer(pairs...)
}

// Printable replaces all that is no character of a line by U+FFFD: control characters and escapes, which change a
// terminal, line breaks, and marks that have text run the other way.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// Cause returns what went wrong in a request without the address, which the errors of net/http repeat with its secrets;
// another error as it is.
func Cause(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
