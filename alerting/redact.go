package alerting

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	urlPattern      = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\x60]+`)
	userinfoPattern = regexp.MustCompile(`[^\s"'<>/\x60]+@`)
)

const hidden = "..."

// redact cuts every URL in a text down to scheme and host, and removes what stands before an @. With many webhooks the path
// is the secret, so no path is shown.
func redact(text string) string {
	text = urlPattern.ReplaceAllStringFunc(text, func(match string) string {
		raw := strings.TrimRight(match, ":,;)")
		u, err := url.Parse(raw)
		if err != nil {
			return hidden
		}
		return redactURL(u) + match[len(raw):]
	})
	return userinfoPattern.ReplaceAllString(text, hidden+"@")
}

func redactURL(u *url.URL) string {
	s := u.Scheme + "://" + u.Host
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		s += "/" + hidden
	}
	return s
}
