package prom

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/common/config"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// loadHTTPConfig reads a file of the Prometheus tools. The errors of their YAML parser may quote a line that holds a
// secret.
func loadHTTPConfig(path string) (*config.HTTPClientConfig, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	c, _, err := config.LoadHTTPConfigFile(path)
	if err != nil {
		text := err.Error()
		if strings.Contains(text, "yaml") || strings.Contains(text, "`") {
			text = "not YAML in the form of the Prometheus tools' HTTP configuration"
			for _, word := range strings.Fields(err.Error()) {
				if _, e := strconv.Atoi(strings.TrimSuffix(word, ":")); e == nil {
					text += ", line " + strings.TrimSuffix(word, ":")
					break
				}
			}
		}
		return nil, fmt.Errorf("%s: %s", path, text)
	}
	return c, nil
}

// readHeaders reads a file with a header a line. Its errors name the line and never show a value.
func readHeaders(path string) (http.Header, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	headers := http.Header{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || value == "" || name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%s:%d: want NAME: VALUE", path, number)
		}
		headers.Add(name, value)
	}
	return headers, nil
}

// isToken reports whether a header's name may hold a character (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func secretsOf(u *url.URL, c *config.HTTPClientConfig, headers http.Header) (all []string) {
	file := func(path string) {
		if text, err := os.ReadFile(path); path != "" && err == nil {
			all = append(all, strings.TrimSpace(string(text)))
		}
	}
	all = append(all, redact.Secrets(u)...)
	if b := c.BasicAuth; b != nil {
		all = append(all, string(b.Password))
		file(b.PasswordFile)
	}
	if a := c.Authorization; a != nil {
		all = append(all, string(a.Credentials))
		file(a.CredentialsFile)
	}
	if o := c.OAuth2; o != nil {
		all = append(all, string(o.ClientSecret))
		file(o.ClientSecretFile)
	}
	for _, values := range headers {
		all = append(all, values...)
	}
	return all
}
