package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	maxBytes = 16 * mib

	noSection = "the section is missing: the defaults hold"
)

// Warning is something in a configuration file that loads but may not do what its writer expects.
type Warning struct {
	File    string
	Line    int // from 1
	Key     string
	Message string
}

// NoSection reports whether the warning is that no document of the file has the section resource_monitoring, so that
// the defaults hold.
func (w Warning) NoSection() bool {
	return w.Key == sectionName && strings.HasPrefix(w.Message, noSection)
}

// String returns "FILE:LINE: KEY: MESSAGE".
func (w Warning) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", w.File, w.Line, show(w.Key), w.Message)
}

// fault is something in a configuration file that must be corrected.
type fault Warning

func (f fault) Error() string { return Warning(f).String() }

// Load reads the section resource_monitoring of the YAML file at path, as Parse does.
func Load(path string) (Config, []Warning, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, nil, err
	}
	defer f.Close()
	return Parse(f, path)
}

// Parse reads the section resource_monitoring from YAML of at most 16 MiB, over the defaults; name stands for the input
// in messages. All else in the input is ignored, so it may be the configuration of a whole application. In a file of
// several documents the first that has the section counts. Without the section the defaults hold, and a warning says
// so.
//
// Two keys that spell one setting may stand together: the one that the documentation has first holds, and a warning
// names both if they differ.
//
// The error lists every fault of the section in order of line, each as "FILE:LINE: KEY: MESSAGE"; its Unwrap returns
// them one by one. The Config is then the zero value.
func Parse(r io.Reader, name string) (Config, []Warning, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return Config{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxBytes {
		return Config{}, nil, fmt.Errorf("%s: is larger than %d MiB", name, maxBytes/mib)
	}
	documents, err := Documents(data, name)
	if err != nil {
		return Config{}, nil, err
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

type loader struct {
	file     string
	faults   []fault
	warnings []Warning
	interval bool // whether the time between samples was given
}

func (l *loader) fault(line int, key, format string, args ...any) {
	l.faults = append(l.faults, fault{l.file, line, key, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(line int, key, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{l.file, line, key, fmt.Sprintf(format, args...)})
}

func (l *loader) documents(documents []*yaml.Node) Config {
	c := Default()
	first := 0 // line of the section
	for _, document := range documents {
		top := document.Content[0]
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
			l.tracking(entries, &c)
			if interval := c.Adaptive.SoakInterval(); interval > 0 && !l.interval {
				c.CheckInterval = min(interval, c.CheckInterval)
			}
		}
	}
	if first == 0 {
		l.missing(documents)
	}
	return c
}

// tracking says where captures are turned on, to those who do so where the first host has it: in a section that is not
// read here.
func (l *loader) tracking(sections []entry, c *Config) {
	i := slices.IndexFunc(sections, func(e entry) bool { return e.key == "goroutine_tracking" })
	if i < 0 || c.StackTraceOnLeak {
		return
	}
	section := dereference(sections[i].value)
	if section.Kind != yaml.MappingNode {
		return
	}
	entries, _ := flatten(section)
	for _, e := range entries {
		if e.key != "stack_trace_on_leak" {
			continue
		}
		if v, err := scalarOf(dereference(e.value)); err != nil {
			return
		} else if on, err := v.boolean(); err == nil && on {
			l.warn(e.line, "goroutine_tracking.stack_trace_on_leak", "is not read here: for stacks and profiles with "+
				"each leak, put it under %s:", sectionName)
		}
	}
}

// missing reports that no document has the section, and why that may be.
func (l *loader) missing(documents []*yaml.Node) {
	similar, line := "", 1
	for _, document := range documents {
		top := document.Content[0]
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
		l.warn(line, sectionName, noSection+" (is %s a typo?)", show(similar))
		return
	}
	l.warn(line, sectionName, noSection)
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
	if group != "" {
		return
	}
	l.history(given, c)
	if e, ok := given[adaptiveGroup]; ok {
		l.group(adaptiveGroup, e, c)
	}
}

// history warns of one of two settings that do nothing without the other.
func (l *loader) history(given map[string]entry, c *Config) {
	const from, selector = "history_from", "history_selector"
	switch {
	case c.HistoryFrom != "" && c.HistorySelector == "":
		l.warn(given[from].line, from, "does nothing without %s", selector)
	case c.HistoryFrom == "" && c.HistorySelector != "":
		l.warn(given[selector].line, selector, "does nothing without %s", from)
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
		v, err := k.valueOf(dereference(e.value))
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
		case r.result != holds.result:
			l.warn(e.line, name, "%s is %s (line %d) and %s is %s (line %d), two names of one setting%s: %s: %s holds",
				holds.key, holds.text, holds.line, r.key, r.text, r.line, unitsOf(holds.key, r.key), holds.key,
				holds.text)
		}
	}
	if holds != nil {
		*c = holds.result
		l.interval = l.interval || k.name() == checkInterval
	}
}

// unitsOf says as a clause in which units two names of one setting are, where these differ.
func unitsOf(a, b string) string {
	if units[a] == units[b] {
		return ""
	}
	return ", in " + units[a] + " and in " + units[b]
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
