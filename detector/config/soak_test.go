package config

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Where only the length of a soak run is given, samples come often enough for it.
func TestSoakSetsTheInterval(t *testing.T) {
	for _, test := range []struct {
		yaml string
		want time.Duration
	}{
		{"{}", 30 * time.Second},
		{"{adaptive: {sensitivity: 2}}", 30 * time.Second},
		{"{adaptive: {soak: 0s}}", 30 * time.Second},
		{"{adaptive: {soak: 20s}}", 50 * time.Millisecond},
		{"{adaptive: {soak: 20m}}", time.Second},
		{"{adaptive: {soak: 48h}}", 30 * time.Second},
		{"{check_interval: 30s, adaptive: {soak: 20m}}", 30 * time.Second},
		{"{monitoring_interval: 2s, adaptive: {soak: 20m}}", 2 * time.Second},
	} {
		c, _, err := Parse(strings.NewReader("resource_monitoring: "+test.yaml), "config.yaml")
		if err != nil || c.CheckInterval != test.want {
			t.Errorf("%s: %s, %v; want %s", test.yaml, c.CheckInterval, err, test.want)
		}
		var b bytes.Buffer
		if err := WriteChanged(&b, c, nil); err != nil {
			t.Fatal(err)
		}
		if again, _, err := Parse(&b, "written.yaml"); err != nil || again != c {
			t.Errorf("%s: read back as %+v, %v; want %+v", test.yaml, again, err, c)
		}
	}
}
