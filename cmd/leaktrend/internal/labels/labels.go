// Package labels reads what is known of a set of recordings: which ones leak, in which resource, since when.
package labels

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"
)

// Recording is one labelled recording.
type Recording struct {
	Path    string        // of the file, as it can be opened
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

type file struct {
	Recordings []yaml.Node `yaml:"recordings"`
}

type recording struct {
	File    string  `yaml:"file"`
	Program string  `yaml:"program"`
	Healthy *bool   `yaml:"healthy"`
	Soak    string  `yaml:"soak"`
	Note    string  `yaml:"note"`
	Leaks   []entry `yaml:"leaks"`
}

type entry struct {
	Resource string   `yaml:"resource"`
	Start    string   `yaml:"start"`
	Kind     string   `yaml:"kind"`
	Also     []string `yaml:"also"`
}

// fromBegin is the start of a leak that was there from the first sample.
const fromBegin = "begin"

// Load reads a labels file. Paths in it are relative to it. The error names every entry that is wrong, with its line.
func Load(path string) ([]Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	var in file
	if err := decoder.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(in.Recordings) == 0 {
		return nil, fmt.Errorf("%s: no recordings", path)
	}
	var (
		all    []Recording
		faults []error
		seen   = make(map[string]int)
	)
	for i := range in.Recordings {
		node := &in.Recordings[i]
		r, err := parse(node, filepath.Dir(path))
		if err == nil && seen[r.Path] > 0 {
			err = fmt.Errorf("%s is labelled on line %d already", r.Path, seen[r.Path])
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", path, node.Line, err))
			continue
		}
		seen[r.Path] = node.Line
		all = append(all, r)
	}
	return all, errors.Join(faults...)
}

func parse(node *yaml.Node, dir string) (Recording, error) {
	var in recording
	if err := strict(node, &in); err != nil {
		return Recording{}, err
	}
	r := Recording{Program: in.Program, Note: in.Note, Line: node.Line}
	if in.File == "" {
		return r, errors.New("file is missing")
	}
	r.Path = filepath.Join(dir, filepath.FromSlash(in.File))
	if in.Healthy == nil {
		return r, errors.New("healthy is missing: true or false")
	}
	r.Healthy = *in.Healthy
	if r.Healthy != (len(in.Leaks) == 0) {
		return r, errors.New("healthy and leaks contradict each other")
	}
	if in.Soak != "" {
		var err error
		if r.Soak, err = time.ParseDuration(in.Soak); err != nil {
			return r, fmt.Errorf("soak: %w", err)
		}
	}
	for _, e := range in.Leaks {
		leak := Leak{Resource: e.Resource, Kind: e.Kind, Also: e.Also}
		if e.Resource == "" {
			return r, errors.New("leaks: resource is missing")
		}
		if e.Start != "" && e.Start != fromBegin {
			var err error
			if leak.Start, err = time.Parse(time.RFC3339, e.Start); err != nil {
				return r, fmt.Errorf("leaks: start: %w", err)
			}
		}
		r.Leaks = append(r.Leaks, leak)
	}
	return r, nil
}

// strict decodes a node and refuses unknown keys.
func strict(node *yaml.Node, into any) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("a recording needs the keys file and healthy")
	}
	text, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}
