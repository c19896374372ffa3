package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

func boolKey(name, meaning string, field func(*Config) *bool) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.boolean(); return err },
			func(c *Config) string { return strconv.FormatBool(*field(c)) },
		}},
	}
}

func durationKey(name, meaning string, minimum time.Duration, zero bool, field func(*Config) *time.Duration) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.duration(); return err },
			func(c *Config) string { return sampler.ShortDuration(*field(c)) },
		}},
		check: func(c *Config) error {
			switch d := *field(c); {
			case d < 0:
				return fmt.Errorf("%s is negative", sampler.ShortDuration(d))
			case d == 0 && !zero:
				return errors.New("0s is too short; it must be above zero")
			case d != 0 && d < minimum:
				return fmt.Errorf("%s is below the minimum, %s", sampler.ShortDuration(d),
					sampler.ShortDuration(minimum))
			}
			return nil
		},
		copy: func(to, from *Config) { *field(to) = *field(from) },
	}
}

func integerKey[T int | int64](name, meaning string, maximum int64, field func(*Config) *T) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) error {
				n, err := v.integer()
				if err == nil {
					err = checkInteger(n, maximum) // before the conversion, which may cut
				}
				*field(c) = T(n)
				return err
			},
			func(c *Config) string { return strconv.FormatInt(int64(*field(c)), 10) },
		}},
		check: func(c *Config) error { return checkInteger(int64(*field(c)), maximum) },
		copy:  func(to, from *Config) { *field(to) = *field(from) },
	}
}

// units are those of the spellings of one key that differ in it.
var units = map[string]string{"memory_threshold_mb": "MB", "memory_leak_threshold": "bytes"}

// memoryKey has two spellings of different units: MB of 1024*1024 bytes, and bytes.
func memoryKey() key {
	k := integerKey("memory_leak_threshold", "hard limit: heap in use in MB of 1024*1024 bytes, absolute; if the "+
		"heap in use is not read, the live heap, else resident memory; 0 = off", math.MaxInt64,
		func(c *Config) *int64 { return &c.MemoryThreshold })
	megabytes := spelling{"memory_threshold_mb",
		func(c *Config, v scalar) error {
			n, err := v.integer()
			if err == nil {
				err = checkInteger(n, math.MaxInt64/mib)
			}
			c.MemoryThreshold = n * mib
			return err
		},
		func(c *Config) string {
			if c.MemoryThreshold%mib != 0 {
				return ""
			}
			return strconv.FormatInt(c.MemoryThreshold/mib, 10)
		},
	}
	k.spellings = []spelling{megabytes, k.spellings[0]}
	return k
}

func numberKey(name, meaning string, minimum, maximum float64, field func(*Config) *float64) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.number(); return err },
			func(c *Config) string { return formatNumber(*field(c)) },
		}},
		check: func(c *Config) error {
			switch v := *field(c); {
			case math.IsNaN(v) || math.IsInf(v, 0):
				return fmt.Errorf("%v is not a finite number", v)
			case v < 0:
				return fmt.Errorf("%s is negative", formatNumber(v))
			case v < minimum || v > maximum:
				return fmt.Errorf("%s is not between %s and %s", formatNumber(v), formatNumber(minimum),
					formatNumber(maximum))
			}
			return nil
		},
		copy: func(to, from *Config) { *field(to) = *field(from) },
	}
}

func textKey(name, meaning string, check func(string) error, field func(*Config) *string) key {
	return key{
		meaning: meaning,
		spellings: []spelling{{name,
			func(c *Config, v scalar) (err error) { *field(c), err = v.words(); return err },
			func(c *Config) string { return strconv.Quote(*field(c)) },
		}},
		check: func(c *Config) error { return check(*field(c)) },
		copy:  func(to, from *Config) { *field(to) = *field(from) },
	}
}

// listKey is a list of words, which the field holds with blanks between them.
func listKey(name, meaning string, check func(word string) error, field func(*Config) *string) key {
	k := textKey(name, meaning, func(all string) error {
		for _, word := range strings.Fields(all) {
			if err := check(word); err != nil {
				return err
			}
		}
		return nil
	}, field)
	k.list = true
	k.spellings[0].text = func(c *Config) string {
		var quoted []string
		for _, word := range strings.Fields(*field(c)) {
			quoted = append(quoted, strconv.Quote(word))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return k
}

var fingerprint = regexp.MustCompile(`^[0-9a-f]{16}$`)

func checkFingerprint(s string) error {
	if !fingerprint.MatchString(s) {
		return fmt.Errorf("%s is not a fingerprint, which has 16 hex digits", showText(s))
	}
	return nil
}

func inertKey(name string) key {
	return key{spellings: []spelling{{name: name}}}
}

func checkInteger(v, maximum int64) error {
	switch {
	case v < 0:
		return fmt.Errorf("%d is negative", v)
	case v > maximum:
		return fmt.Errorf("%d is above the maximum, %d", v, maximum)
	}
	return nil
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

var webhookFormats = []string{"auto", "json", "slack", "alertmanager"}

func checkFormat(s string) error {
	if !slices.Contains(webhookFormats, s) {
		return fmt.Errorf("%s is not one of %s", showText(s), strings.Join(webhookFormats, ", "))
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s holds characters that are not text", showText(s))
	}
	return nil
}

// checkSelector takes what stands between braces in a selector of series, which Prometheus checks.
func checkSelector(s string) error {
	if err := checkText(s); err != nil || s == "" {
		return err
	}
	trimmed := strings.TrimSpace(s)
	if len(trimmed) <= len("{}") || trimmed[0] != '{' || trimmed[len(trimmed)-1] != '}' {
		return fmt.Errorf(`%s is not a selector like {job="worker"}`, showText(s))
	}
	return nil
}

// checkURL shows no more of a bad URL than its scheme and host: user, path and query may all be secret, and the errors
// of net/url quote pieces of them.
func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || !utf8.ValidString(s) {
		return errors.New("is not a valid URL (not shown, it may hold a secret)")
	}
	if u.Scheme == "" || u.Hostname() == "" {
		return errors.New("is not a URL with scheme and host (not shown, it may hold a secret)")
	}
	shown := show(redact.URL(u))
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is not an http or https URL", shown)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%s has a port that is not between 1 and 65535", shown)
		}
	}
	return nil
}
