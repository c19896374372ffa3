// Package jsonwalk walks JSON as it comes, so that of a large file only a value at a time is held.
package jsonwalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// Reader walks JSON as it comes. Of what it walks it holds what is decoded at once, which is
// bounded.
type Reader struct {
	*json.Decoder
	src *jsonSource
}

// jsonSource bounds what the decoder holds, and knows where lines end.
type jsonSource struct {
	t      *input.Text
	dec    *json.Decoder
	read   int64
	breaks []int64 // offsets of the ends of lines from the last requested one on
	line   int
}

// New returns a reader of JSON, which the text is to hold.
func New(t *input.Text) *Reader {
	src := &jsonSource{t: t, line: 1}
	src.dec = json.NewDecoder(src)
	return &Reader{src.dec, src}
}

func (s *jsonSource) Read(p []byte) (int, error) {
	if err := s.t.Ctx.Err(); err != nil {
		return 0, err
	}
	if s.read-s.dec.InputOffset() > int64(s.t.Bounds.Item) {
		return 0, fmt.Errorf("a value of more than %d bytes: split the file", s.t.Bounds.Item)
	}
	n, err := s.t.In.Read(p)
	for i, c := range p[:n] {
		if c == '\n' && len(s.breaks) < s.t.Bounds.Values {
			s.breaks = append(s.breaks, s.read+int64(i))
		}
	}
	s.read += int64(n)
	return n, err
}

// Here returns the number of the line in which the value that was read last ends.
func (r *Reader) Here() int {
	n, s := 0, r.src
	for at := r.InputOffset(); n < len(s.breaks) && s.breaks[n] < at; {
		n++
	}
	s.line += n
	s.breaks = s.breaks[:copy(s.breaks, s.breaks[n:])]
	return s.line
}

// ErrShape says that there is no list or object where one is needed.
var ErrShape = errors.New("JSON with values of another kind than this format has")

// Open takes the beginning of a list or object.
func (r *Reader) Open(delim json.Delim) error {
	token, err := r.Token()
	if err == nil && token != delim {
		err = ErrShape
	}
	return err
}

// Object walks an object: each has to take the value of the key.
func (r *Reader) Object(each func(key string) error) error {
	if err := r.Open('{'); err != nil {
		return err
	}
	return r.Members(each)
}

// Members walks what follows the brace of an object.
func (r *Reader) Members(each func(key string) error) error {
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

// List walks a list: each has to take an item.
func (r *Reader) List(each func() error) error {
	if err := r.Open('['); err != nil {
		return err
	}
	return r.Items(each)
}

// Items walks what follows the bracket of a list.
func (r *Reader) Items(each func() error) error {
	for r.More() {
		if err := r.src.t.Ctx.Err(); err != nil {
			return err
		}
		if err := each(); err != nil {
			return err
		}
		if r.src.t.Stopped != "" {
			return ErrStopped
		}
	}
	_, err := r.Token()
	return err
}

// Cells takes a list of cells.
func (r *Reader) Cells() ([]string, error) {
	var values []json.RawMessage
	if err := r.Decode(&values); err != nil {
		return nil, err
	}
	cells := make([]string, len(values))
	for i, value := range values {
		cells[i] = Cell(value)
	}
	return cells, nil
}

// ErrStopped ends a walk at a bound.
var ErrStopped = errors.New("a limit was reached")

// Skip skips a value.
func (r *Reader) Skip() error {
	for depth := 0; ; {
		token, err := r.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// Failed explains why a walk ended early; nil if it did so at a bound.
func (r *Reader) Failed(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil, errors.Is(err, ErrStopped):
		return nil
	case errors.Is(err, r.src.t.Ctx.Err()):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &syntax) &&
		syntax.Error() == "unexpected end of JSON input":
		return fmt.Errorf("%s: %w", r.src.t.Name, ErrEnd)
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: line %d: not valid JSON: %w", r.src.t.Name, r.Here(), err)
	}
	return fmt.Errorf("%s: %w", r.src.t.Name, input.Cause(err))
}

// ErrEnd says that a text was cut off.
var ErrEnd = errors.New("JSON that ends too early")

// Outline is what the beginning of a JSON text shows of its first value, or of the first item where that is a list.
type Outline struct {
	List    bool
	Item    byte            // with which the first item of a list begins
	Keys    map[string]bool // of the object, those of objects in it joined by points, three deep
	Lists   bool            // whether its values are lists
	Objects bool            // whether one of these is of objects
	Split   string          // the name of a list of lists
}

// OutlineOf reads the beginning of a text, which is not empty.
func OutlineOf(head []byte) Outline {
	o := Outline{Keys: map[string]bool{}, Lists: true}
	head = bytes.TrimLeft(head, " \t\r\n")
	if o.List = head[0] == '['; o.List {
		if head = bytes.TrimLeft(head[1:], " \t\r\n"); len(head) == 0 {
			return o
		}
		o.Item = head[0]
	}
	if head[0] != '{' {
		return o
	}
	dec := json.NewDecoder(bytes.NewReader(head))
	o.walk(dec, "", 0)
	return o
}

// walk returns false where the text ends, or is none.
func (o *Outline) walk(dec *json.Decoder, prefix string, depth int) bool {
	open, err := dec.Token()
	if err != nil {
		return false
	}
	delim, nested := open.(json.Delim)
	if depth == 1 && delim != '[' {
		o.Lists = false
	}
	if !nested {
		return true
	}
	if depth == 2 && strings.Count(prefix, ".") == 1 {
		o.Objects = o.Objects || delim == '{' && o.Lists
		if name := strings.TrimSuffix(prefix, "."); delim == '[' && slices.Contains([]string{"data", "rows", "values"},
			name) {
			o.Split = name
		}
	}
	for dec.More() {
		name := prefix
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return false
			}
			if depth < 3 { // names further down are never needed, and may be long in a hostile text
				name += fmt.Sprint(key)
				o.Keys[name] = true
				name += "."
			}
		}
		if !o.walk(dec, name, depth+1) {
			return false
		}
	}
	_, err = dec.Token()
	return err == nil
}

// Cell returns a value as a cell of a table; what is neither text nor a number is absent.
func Cell(value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		var text string
		if json.Unmarshal(value, &text) != nil {
			return ""
		}
		return strings.TrimSpace(text)
	case '{', '[', 'n', 't', 'f':
		return ""
	}
	return string(value)
}

// Explain says where a JSON text is at fault.
func Explain(data []byte, err error) error {
	var syntax *json.SyntaxError
	isSyntax := errors.As(err, &syntax)
	// One decoder names an end by the reader's error, another by one of its own.
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isSyntax &&
		syntax.Error() == "unexpected end of JSON input" {
		return ErrEnd
	}
	if isSyntax && int(syntax.Offset) <= len(data) {
		return fmt.Errorf("line %d: not valid JSON: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
	}
	return fmt.Errorf("not the JSON of a Prometheus range query: %w", err)
}
