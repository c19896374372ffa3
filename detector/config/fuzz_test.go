package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, name := range []string{"host-config.yaml", "host-enterprise.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{
		"", "resource_monitoring:", "resource_monitoring: &a {<<: *a}",
		"a: &a {fd_threshold: 1_0.0}\n---\nresource_monitoring: {<<: [*a], adaptive: {soak: 1m}}",
		"resource_monitoring:\n  check_interval: 30\n  ? [x]\n  : y\n  profile_dir: \"\\x7f\"\n", "! !00 \xf6",
		"a:\n.\n-", "{{},<<}", "fd_threshold: 5",
		"resource_monitoring: {memory_threshold_mb: 1, memory_leak_threshold: 2, growth_rate_threshold: 1e300, " +
			"alert_webhook_url: http://a}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, warnings, err := Parse(bytes.NewReader(data), "f.yaml")
		for _, w := range warnings {
			if w.File != "f.yaml" || w.Line < 1 || w.Key == "" || w.Message == "" {
				t.Errorf("warning %#v", w)
			}
		}
		if err != nil {
			for _, line := range lines(err) {
				if !strings.HasPrefix(line, "f.yaml:") {
					t.Errorf("error line %q does not name the file", line)
				}
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("loaded but not valid: %v", err)
		}
		var b bytes.Buffer
		if err := Write(&b, c, nil); err != nil {
			t.Fatal(err)
		}
		again, warnings, err := Parse(&b, "again.yaml")
		if err != nil || warnings != nil || again != c {
			t.Errorf("%+v written and read is %+v, %v, %v", c, again, warnings, err)
		}
	})
}
