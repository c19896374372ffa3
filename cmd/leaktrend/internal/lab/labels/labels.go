// Package labels reads what is known of a set of recordings from a YAML file: which ones leak, in which resource,
// since when. The recordings themselves are read by dataset.
package labels

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Recording is one labelled recording.
type Recording struct {
	Path    string        // of the file, as it can be opened
	Process string        // which of several in the file, as replay calls it or by its value alone; "" = all of them
	Program string        // what was recorded: recordings of one program are not independent
	Healthy bool          // nothing in it leaks
	Soak    time.Duration // setting that the label holds for; 0 = the physical time constants
	Note    string
	Leaks   []Leak
	Line    int // in the labels file
}

// Leak is growth of one resource that is known to be a leak.
type Leak struct {
	Resource string
	Start    time.Time // zero = from the first sample on
	Kind     string    // mechanism
	Also     []string  // resources that grow as its consequence
}

// fromBegin is the start of a leak that was there from the first sample.
const fromBegin = "begin"

// Load reads a labels file. Paths in it are relative to it. The error names all that is wrong, each with file and line;
// the entries without a fault are returned with it.
func Load(path string) ([]Recording, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(data, path)
}

func parse(data []byte, path string) ([]Recording, error) {
	p := parser{path: path}
	top, err := root(data, path)
	if err != nil {
		return nil, err
	}
	var (
		all     []Recording
		seen    = make(map[entry]int)
		entries []*yaml.Node
	)
	if top != nil {
		p.mapping(top, "the file", "recordings: [...]", func(key string, value *yaml.Node) error {
			if key != "recordings" {
				return errUnknown
			}
			entries = p.sequence(value)
			return nil
		})
	}
	if len(entries) == 0 && len(p.faults) == 0 {
		return nil, fmt.Errorf("%s: no recordings", path)
	}
	for _, node := range entries {
		before := len(p.faults)
		r := p.recording(node)
		of := entry{r.Path, r.Process}
		if len(p.faults) == before && seen[of] > 0 {
			p.fault(r.Line, fmt.Errorf("%s is labelled on line %d already", shown(r.Path), seen[of]))
		}
		if len(p.faults) == before {
			seen[of] = r.Line
			all = append(all, r)
		}
	}
	return all, errors.Join(p.faults...)
}

// entry is what may be labelled once.
type entry struct{ path, process string }

// root returns the value of the one document in data, nil if there is none.
func root(data []byte, path string) (*yaml.Node, error) {
	documents, err := config.Documents(data, path)
	switch {
	case err != nil:
		return nil, err
	case len(documents) > 1:
		return nil, fmt.Errorf("%s:%d: a second document in the file", path, documents[1].Line)
	case len(documents) == 0 || documents[0].Content[0].ShortTag() == "!!null":
		return nil, nil
	}
	return documents[0].Content[0], nil
}

type parser struct {
	path   string
	faults []error
}

func (p *parser) fault(line int, err error) {
	p.faults = append(p.faults, fmt.Errorf("%s:%d: %w", p.path, line, err))
}

var errUnknown = errors.New("unknown key")

// mapping gives each key of a mapping to set, whose errors become faults on the line of the key.
// what names the mapping, and like shows one.
func (p *parser) mapping(node *yaml.Node, what, like string, set func(key string, value *yaml.Node) error) {
	node = dereference(node)
	if node.Kind != yaml.MappingNode {
		is := "nothing"
		switch {
		case node.Kind == yaml.SequenceNode:
			is = "a list"
		case node.ShortTag() != "!!null":
			is = strconv.Quote(node.Value)
		}
		p.fault(node.Line, fmt.Errorf("%s must be keys with values, as in %s, not %s", what, like, is))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := dereference(node.Content[i]), dereference(node.Content[i+1])
		line := node.Content[i].Line
		if first := seen[key.Value]; first > 0 {
			p.fault(line, fmt.Errorf("%s: stands on line %d already", shown(key.Value), first))
			continue
		}
		seen[key.Value] = line
		if err := set(key.Value, value); err != nil {
			p.fault(line, fmt.Errorf("%s: %w", shown(key.Value), err))
		}
	}
}

// sequence returns the members of a list. Nothing is an empty list.
func (p *parser) sequence(node *yaml.Node) []*yaml.Node {
	if node.Kind != yaml.SequenceNode && node.ShortTag() != "!!null" {
		p.fault(node.Line, errors.New("must be a list"))
	}
	if node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// shown quotes a text that would not show as it is.
func shown(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

func dereference(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func (p *parser) recording(node *yaml.Node) Recording {
	r := Recording{Line: node.Line}
	var (
		file    string
		healthy *bool
		before  = len(p.faults)
	)
	p.mapping(node, "a recording", "{file: a.csv, healthy: true}", func(key string, value *yaml.Node) error {
		switch key {
		case "file":
			return text(value, &file)
		case "process":
			return text(value, &r.Process)
		case "program":
			return text(value, &r.Program)
		case "healthy":
			if value.Decode(&healthy) != nil {
				return fmt.Errorf("%q is neither true nor false", value.Value)
			}
			return nil
		case "soak":
			return duration(value, &r.Soak)
		case "note":
			return text(value, &r.Note)
		case "leaks":
			for _, entry := range p.sequence(value) {
				r.Leaks = append(r.Leaks, p.leak(entry))
			}
			return nil
		}
		return errUnknown
	})
	switch {
	case len(p.faults) > before: // what is missing may be what is misspelt
	case file == "":
		p.fault(node.Line, errors.New("file is missing"))
	case healthy == nil:
		p.fault(node.Line, errors.New("healthy is missing: true or false"))
	case *healthy != (len(r.Leaks) == 0):
		p.fault(node.Line, errors.New("healthy and leaks contradict each other"))
	default:
		r.Healthy = *healthy
		r.Path = filepath.Join(filepath.Dir(p.path), filepath.FromSlash(file))
	}
	return r
}

func (p *parser) leak(node *yaml.Node) Leak {
	var (
		l      Leak
		before = len(p.faults)
	)
	p.mapping(node, "a leak", "{resource: rss_bytes}", func(key string, value *yaml.Node) error {
		switch key {
		case "resource":
			return text(value, &l.Resource)
		case "start":
			return start(value, &l.Start)
		case "kind":
			return text(value, &l.Kind)
		case "also":
			if value.Decode(&l.Also) != nil {
				return errors.New("must be a list of resources")
			}
			return nil
		}
		return errUnknown
	})
	if len(p.faults) == before && l.Resource == "" {
		p.fault(node.Line, errors.New("resource is missing"))
	}
	return l
}

func text(value *yaml.Node, into *string) error {
	if value.Decode(into) != nil {
		return errors.New("must be text")
	}
	return nil
}

func duration(value *yaml.Node, into *time.Duration) error {
	var written string
	if err := text(value, &written); err != nil || written == "" {
		return err
	}
	d, err := sampler.ParseDuration(written)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no length of time, as in 20m", written)
	}
	*into = d
	return nil
}

func start(value *yaml.Node, into *time.Time) error {
	var written string
	if err := text(value, &written); err != nil || written == "" || written == fromBegin {
		return err
	}
	t, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return fmt.Errorf("%q is neither a time, as in 2026-11-23T08:15:48Z, nor %s", written, fromBegin)
	}
	*into = t
	return nil
}
