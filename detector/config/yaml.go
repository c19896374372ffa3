package config

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"sort"

	"gopkg.in/yaml.v3"
)

// Documents returns the documents of YAML that hold a value, each a node with that one below it, for those who read
// other files than a configuration. name stands for the input in the error, which is "NAME:LINE: MESSAGE".
func Documents(data []byte, name string) ([]*yaml.Node, error) {
	documents, err := parseYAML(data)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %s", name, faultyLine(data, err), yamlPrefix.ReplaceAllString(err.Error(), ""))
	}
	return documents, nil
}

// parseYAML returns the documents that hold a value.
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
			documents = append(documents, &n)
		}
	}
}

var yamlPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// faultyLine returns the number of the line on which parsing fails with err. The parser's own number is missing from
// some errors, one too low in others, and often that of the enclosing block: so this looks for the shortest part of the
// input that fails in the same way, for some ten times the cost of parsing it: 0.2 s for 100 KB.
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

// entry is one key of a mapping.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// flatten returns the keys of a mapping with those that it merges in, and its faults without the file. As YAML has it,
// the mapping's own keys go before merged ones, and among these the earlier go before the later.
func flatten(m *yaml.Node) (entries []entry, faults []fault) {
	const (
		open = iota + 1
		done
	)
	found := map[string]bool{}
	// Each mapping is added once: merging it again would add nothing, and mappings that merge each other many times
	// over would take for ever.
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
