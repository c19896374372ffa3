package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/mdzesseis/leaktrend/sampler"
)

// scalar is a single value: its text, and what YAML takes it for (nil, bool, int, int64, uint64, float64, string or
// time.Time).
type scalar struct {
	text  string // for messages
	value any
}

func scalarOf(n *yaml.Node) (scalar, error) {
	if n.Kind != yaml.ScalarNode {
		return scalar{}, fmt.Errorf("must be a single value, not %s", kindName(n))
	}
	switch tag := n.ShortTag(); tag {
	case "!!null", "!!bool", "!!int", "!!float", "!!str", "!!timestamp", "!!merge":
	default:
		return scalar{}, fmt.Errorf("has the tag %s, which has no meaning here", show(tag))
	}
	v := scalar{text: show(n.Value)}
	if err := n.Decode(&v.value); err != nil {
		return scalar{}, fmt.Errorf("is not what its tag %s says", show(n.ShortTag()))
	}
	if s, ok := v.value.(string); ok && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		v.text = showText(s)
	}
	return v, nil
}

// listOf returns the single values of a list, or one alone, as one text with blanks between them: each as it stands
// there, as 1234567890123456 is no number in a list of words.
func listOf(n *yaml.Node) (scalar, error) {
	var all []string
	for _, one := range itemsOf(n) {
		one = dereference(one)
		if one.Kind != yaml.ScalarNode {
			return scalar{}, fmt.Errorf("must be a list of single values, not of %s", kindName(one))
		}
		if !isNull(one) {
			all = append(all, strings.Fields(one.Value)...)
		}
	}
	text := strings.Join(all, " ")
	return scalar{text: show(text), value: text}, nil
}

func itemsOf(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func (s scalar) not(what string) error {
	if s.value == nil {
		return errors.New("has no value")
	}
	return fmt.Errorf("%s is not %s", s.text, what)
}

// quoted is not for a value that would be right without its quotes.
func (s scalar) quoted(what string) error { return s.not(what + "; remove the quotes") }

// boolean takes what the YAML decoder takes for a bool: those of YAML 1.2, and the usual words of 1.1.
func (s scalar) boolean() (bool, error) {
	switch v := s.value.(type) {
	case bool:
		return v, nil
	case string:
		switch v {
		case "y", "Y", "yes", "on":
			return true, nil
		case "n", "N", "no", "off":
			return false, nil
		case "true", "false":
			return false, s.quoted("true or false")
		}
	}
	return false, s.not("true or false")
}

func (s scalar) words() (string, error) {
	if v, ok := s.value.(string); ok {
		return v, nil
	}
	if s.value == nil {
		return "", s.not("text")
	}
	return "", s.not("text; put it in quotes if it is meant")
}

func (s scalar) integer() (int64, error) {
	switch v := s.value.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case uint64:
		return 0, fmt.Errorf("%s is too large", s.text)
	case float64:
		switch {
		case math.IsInf(v, 0) || math.IsNaN(v) || v != math.Trunc(v):
			return 0, s.not("a whole number")
		case v < 0:
			return 0, fmt.Errorf("%s is negative", s.text)
		case v >= math.MaxInt64:
			return 0, fmt.Errorf("%s is too large", s.text)
		}
		return int64(v), nil
	case string:
		if isNumber(v) {
			return 0, s.quoted("a whole number")
		}
	}
	return 0, s.not("a whole number")
}

func (s scalar) number() (float64, error) {
	switch v := s.value.(type) {
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if isNumber(v) {
			return 0, s.quoted("a number")
		}
	}
	return 0, s.not("a number")
}

func (s scalar) duration() (time.Duration, error) {
	const form = "a duration like 30s, 1h30m or 7d"
	switch v := s.value.(type) {
	case string:
		if isNumber(v) {
			return 0, noUnit(v)
		}
		if d, err := sampler.ParseDuration(v); err == nil {
			return d, nil
		}
	case int, int64, uint64:
		return 0, noUnit(fmt.Sprint(v))
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return 0, noUnit(strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return 0, s.not(form)
}

func noUnit(number string) error {
	if strings.HasPrefix(number, "-") {
		return fmt.Errorf("%s is negative and has no unit", number)
	}
	return fmt.Errorf("%s has no unit; write %ss", number, number)
}

func isNumber(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
