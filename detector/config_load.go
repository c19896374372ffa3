package detector

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const mostConfigBytes = 16 * mib

// Warning is something in a configuration file that loads but may not do what its writer expects.
type Warning struct {
	File    string
	Line    int // from 1
	Key     string
	Message string
}

// String returns "FILE:LINE: KEY: MESSAGE".
func (w Warning) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", w.File, w.Line, show(w.Key), w.Message)
}

// fault is something in a configuration file that must be corrected.
type fault Warning

func (f fault) Error() string { return Warning(f).String() }

// LoadConfig reads the section resource_monitoring of the YAML file at path, as ParseConfig does.
func LoadConfig(path string) (Config, []Warning, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, nil, err
	}
	defer f.Close()
	return ParseConfig(f, path)
}

// ParseConfig reads the section resource_monitoring from YAML of at most 16 MiB, over the defaults; name stands for the
// input in messages. All else in the input is ignored, so it may be the configuration of a whole application. In a file of
// several documents the first that has the section counts. Without the section the defaults hold, and a warning says so.
//
// Two keys that spell one setting may stand together: the stricter value holds, and a warning names both if they differ.
//
// The error lists every fault of the section in order of line, each as "FILE:LINE: KEY: MESSAGE"; its Unwrap returns
// them one by one. The Config is then the zero value.
func ParseConfig(r io.Reader, name string) (Config, []Warning, error) {
	data, err := io.ReadAll(io.LimitReader(r, mostConfigBytes+1))
	if err != nil {
		return Config{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > mostConfigBytes {
		return Config{}, nil, fmt.Errorf("%s: is larger than %d MiB", name, mostConfigBytes/mib)
	}
	documents, err := parseYAML(data)
	if err != nil {
		return Config{}, nil, fmt.Errorf("%s:%d: %s", name, faultyLine(data, err), yamlPrefix.ReplaceAllString(err.Error(), ""))
	}

	l := loader{file: name}
	c := l.documents(documents)
	slices.SortStableFunc(l.warnings, func(a, b Warning) int { return cmp.Compare(a.Line, b.Line) })
	if len(l.faults) > 0 {
		slices.SortStableFunc(l.faults, func(a, b fault) int { return cmp.Compare(a.Line, b.Line) })
		errs := make([]error, len(l.faults))
		for i, f := range l.faults {
			errs[i] = f
		}
		return Config{}, l.warnings, errors.Join(errs...)
	}
	return c, l.warnings, nil
}

// parseYAML returns the top-level value of each document.
func parseYAML(data []byte) (documents []*yaml.Node, err error) {
	// The parser is known to panic on some malformed input instead of returning an error.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := d.Decode(&n); err == io.EOF {
			return documents, nil
		} else if err != nil {
			return nil, err
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			documents = append(documents, n.Content[0])
		}
	}
}

var yamlPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// faultyLine returns the number of the line on which parsing fails with err. The parser's own number is missing from some
// errors, one too low in others, and often that of the enclosing block: so this looks for the shortest part of
// the input that fails in the same way, for some ten times the cost of parsing it: 0.2 s for 100 KB.
func faultyLine(data []byte, err error) int {
	var ends []int
	for end := range data {
		if data[end] == '\n' {
			ends = append(ends, end+1)
		}
	}
	return 1 + sort.Search(len(ends), func(i int) bool {
		_, e := parseYAML(data[:ends[i]])
		return e != nil && e.Error() == err.Error()
	})
}

type loader struct {
	file     string
	faults   []fault
	warnings []Warning
}

func (l *loader) fault(line int, key, format string, args ...any) {
	l.faults = append(l.faults, fault{l.file, line, key, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(line int, key, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{l.file, line, key, fmt.Sprintf(format, args...)})
}

func (l *loader) documents(documents []*yaml.Node) Config {
	c := DefaultConfig()
	first := 0 // line of the section
	for _, top := range documents {
		if top.Kind != yaml.MappingNode {
			continue
		}
		entries, faults := flatten(top)
		i := slices.IndexFunc(entries, func(e entry) bool { return e.key == sectionName })
		if i < 0 {
			continue
		}
		e := entries[i]
		if first > 0 {
			l.warn(e.line, sectionName, "is not read: an earlier document has the section too, on line %d", first)
			continue
		}
		first = e.line
		for _, f := range faults {
			if f.Key == sectionName { // all else at the top level belongs to others
				l.fault(f.Line, f.Key, "%s", f.Message)
			}
		}
		if value := dereference(e.value); isNull(value) {
			l.warn(e.line, sectionName, "is empty: the defaults hold")
		} else {
			l.group("", e, &c)
		}
	}
	if first == 0 {
		l.missing(documents)
	}
	return c
}

// missing reports that no document has the section, and why that may be.
func (l *loader) missing(documents []*yaml.Node) {
	similar, line := "", 1
	for _, top := range documents {
		if top.Kind != yaml.MappingNode {
			continue
		}
		entries, _ := flatten(top)
		var ours []entry
		for _, e := range entries {
			if nearest(e.key, names("")) != "" {
				ours = append(ours, e)
			}
			if similar == "" && nearest(e.key, []string{sectionName}) != "" {
				similar, line = e.key, e.line
			}
		}
		// An application may have an "enabled" of its own: only a top level that is mostly our keys is a slip.
		if len(ours)*2 > len(entries) {
			l.fault(ours[0].line, ours[0].key, "stands at the top level: put the settings under %s:", sectionName)
			return
		}
	}
	if similar != "" {
		l.warn(line, sectionName, "the section is missing: the defaults hold; did you mean it by %s?", show(similar))
		return
	}
	l.warn(line, sectionName, "the section is missing: the defaults hold")
}

// group reads one mapping of settings into c.
func (l *loader) group(group string, from entry, c *Config) {
	m := dereference(from.value)
	if m.Kind != yaml.MappingNode {
		if isNull(m) {
			l.fault(from.line, from.key, "has no value")
		} else {
			l.fault(from.line, from.key, "must be a mapping of keys to values, not %s", kindName(m))
		}
		return
	}
	entries, faults := flatten(m)
	for _, f := range faults {
		l.fault(f.Line, qualified(group, f.Key), "%s", f.Message)
	}
	known := names(group)
	given := map[string]entry{}
	for _, e := range entries {
		if slices.Contains(known, e.key) {
			given[e.key] = e
		} else {
			l.fault(e.line, qualified(group, e.key), "unknown key%s", advice(group, e.key))
		}
	}
	for i := range keys {
		if keys[i].group == group {
			l.setting(&keys[i], given, c)
		}
	}
	if e, ok := given[adaptiveGroup]; ok && group == "" {
		l.group(adaptiveGroup, e, c)
	}
}

// setting reads one setting into c from whichever of its spellings are given.
func (l *loader) setting(k *key, given map[string]entry, c *Config) {
	type reading struct {
		entry
		text   string
		result Config
	}
	var holds *reading
	for _, s := range k.spellings {
		e, ok := given[s.name]
		if !ok {
			continue
		}
		name := qualified(k.group, s.name)
		v, err := scalarOf(dereference(e.value))
		r := reading{e, v.text, *c}
		if err == nil && s.read != nil {
			err = s.read(&r.result, v)
			if err == nil && k.check != nil {
				err = k.check(&r.result)
			}
		}
		switch {
		case err != nil:
			l.fault(e.line, name, "%v", err)
		case s.read == nil:
			l.warn(e.line, name, "does nothing here; it is accepted so that existing files load")
		case holds == nil:
			holds = &r
		default:
			yields := &r
			if k.rank(&r.result) < k.rank(&holds.result) {
				holds, yields = &r, holds
			}
			if k.rank(&holds.result) != k.rank(&yields.result) {
				l.warn(yields.line, qualified(k.group, yields.key),
					"%s is %s (line %d) and %s is %s (line %d), two names of one setting: the stricter holds, %s: %s",
					yields.key, yields.text, yields.line, holds.key, holds.text, holds.line, holds.key, holds.text)
			}
		}
	}
	if holds != nil {
		*c = holds.result
	}
}

// names returns all that may stand in a group, in the order of the table.
func names(group string) []string {
	var all []string
	for _, k := range keys {
		if k.group == group {
			for _, s := range k.spellings {
				all = append(all, s.name)
			}
		}
	}
	if group == "" {
		all = append(all, adaptiveGroup)
	}
	return all
}

// advice says what an unknown key may have been meant to be.
func advice(group, name string) string {
	for _, k := range keys {
		for _, s := range k.spellings {
			if k.group == group || name != s.name && name != qualified(k.group, s.name) {
				continue
			}
			return fmt.Sprintf("; %s belongs under %s:", s.name, cmp.Or(k.group, sectionName))
		}
	}
	if near := nearest(name, names(group)); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// entry is one key of a mapping.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// flatten returns the keys of a mapping with those that it merges in, and its faults without the file. As YAML has it, the mapping's own keys go before
// merged ones, and among these the earlier go before the later.
func flatten(m *yaml.Node) (entries []entry, faults []fault) {
	const (
		open = iota + 1
		done
	)
	found := map[string]bool{}
	// Each mapping is added once: merging it again would add nothing, and mappings that merge each other many times over
	// would take for ever.
	state := map[*yaml.Node]int{}

	fail := func(e entry, message string) {
		faults = append(faults, fault{Line: e.line, Key: e.key, Message: message})
	}
	var add func(m *yaml.Node)
	merge := func(e entry) {
		sources := []*yaml.Node{e.value}
		if v := dereference(e.value); v.Kind == yaml.SequenceNode {
			sources = v.Content
		}
		for _, s := range sources {
			s = dereference(s)
			switch {
			case s.Kind != yaml.MappingNode:
				fail(e, "can merge mappings only, not "+kindName(s))
			case state[s] == open:
				fail(e, "merges a mapping into itself")
			case state[s] == 0:
				add(s)
			}
		}
	}
	add = func(m *yaml.Node) {
		state[m] = open
		own := map[string]int{}
		var merges []entry
		for i := 0; i+1 < len(m.Content); i += 2 {
			k := dereference(m.Content[i])
			e := entry{k.Value, m.Content[i].Line, m.Content[i+1]}
			switch line, twice := own[e.key]; {
			case k.Kind != yaml.ScalarNode:
				e.key = kindName(k)
				fail(e, "cannot be a key")
			case k.ShortTag() == "!!merge":
				merges = append(merges, e)
			case twice:
				fail(e, fmt.Sprintf("stands here twice, first on line %d", line))
			default:
				own[e.key] = e.line
				if !found[e.key] {
					found[e.key] = true
					entries = append(entries, e)
				}
			}
		}
		for _, e := range merges {
			merge(e)
		}
		state[m] = done
	}
	add(m)
	return entries, faults
}

// dereference returns the node that an alias stands for.
func dereference(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// scalar is a single value: its text, and what YAML takes it for (nil, bool, int, int64, uint64, float64, string or time.Time).
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

func (s scalar) whole() (int64, error) {
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
	const form = "a duration like 30s, 5m or 1h30m"
	switch v := s.value.(type) {
	case string:
		if isNumber(v) {
			return 0, noUnit(v)
		}
		if d, err := time.ParseDuration(v); err == nil {
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
