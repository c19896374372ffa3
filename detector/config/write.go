package config

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Write writes c as the section resource_monitoring of a YAML file, which Parse reads back identically.
// Above each key stand its meaning and default, and then what notes holds under the name of the key, as in
// "check_interval" or "adaptive.sensitivity". It writes nothing if c is not valid or a note belongs to no key.
// The webhook URL is written in full, secrets included.
func Write(w io.Writer, c Config, notes map[string]string) error {
	return write(w, c, notes, func(*key, string, string) bool { return true })
}

// WriteChanged writes as Write does, but only the keys whose value is not the default, and those with a note.
func WriteChanged(w io.Writer, c Config, notes map[string]string) error {
	return write(w, c, notes, func(k *key, text, standard string) bool {
		// which has another default
		return text != standard || notes[k.name()] != "" || k.name() == checkInterval && c.Adaptive.Soak > 0
	})
}

// write writes the keys that are wanted, by their value and default.
func write(w io.Writer, c Config, notes map[string]string, wanted func(k *key, text, standard string) bool) error {
	if err := c.Validate(); err != nil {
		return err
	}
	for name := range notes {
		if !slices.ContainsFunc(keys, func(k key) bool { return k.name() == name && !k.inert() }) {
			return fmt.Errorf("note on %s, which is no key of the configuration", show(name))
		}
	}
	defaults := Default()
	var b bytes.Buffer
	b.WriteString(sectionName + ":\n")
	group, indent := "", "  "
	for i := range keys {
		k := &keys[i]
		if k.inert() {
			continue
		}
		_, standard := k.text(&defaults)
		name, text := k.text(&c)
		if !wanted(k, text, standard) {
			continue
		}
		if k.group != group {
			group = k.group
			fmt.Fprintf(&b, "%s%s:\n", indent, group)
			indent += "  "
		}
		fmt.Fprintf(&b, "%s# %s (default %s)\n", indent, k.meaning, standard)
		if note := notes[k.name()]; note != "" {
			for _, line := range strings.FieldsFunc(note, func(r rune) bool {
				return r != '\t' && !strconv.IsPrint(r)
			}) {
				fmt.Fprintf(&b, "%s# %s\n", indent, line)
			}
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, text)
	}
	if b.Len() == len(sectionName)+2 {
		b.Reset()
		b.WriteString(sectionName + ": {}\n") // all defaults hold
	}
	_, err := w.Write(b.Bytes())
	return err
}
