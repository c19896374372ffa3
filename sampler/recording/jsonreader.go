package recording

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

// jsonReader walks JSON as it comes. Of what it walks it holds what is decoded at once, which is
// bounded.
type jsonReader struct {
	*json.Decoder
	src *jsonSource
}

// jsonSource bounds what the decoder holds, and knows where lines end.
type jsonSource struct {
	t      *input.Text
	dec    *json.Decoder
	read   int64
	breaks []int64 // offsets of the ends of lines from the last one asked for on
	line   int
}

func newJSONReader(t *input.Text) *jsonReader {
	src := &jsonSource{t: t, line: 1}
	src.dec = json.NewDecoder(src)
	return &jsonReader{src.dec, src}
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

// here returns the number of the line in which the value that was read last ends.
func (r *jsonReader) here() int {
	n, s := 0, r.src
	for at := r.InputOffset(); n < len(s.breaks) && s.breaks[n] < at; {
		n++
	}
	s.line += n
	s.breaks = s.breaks[:copy(s.breaks, s.breaks[n:])]
	return s.line
}

var errShape = errors.New("JSON in which another kind of value stands than in this format")

// open takes the beginning of a list or object.
func (r *jsonReader) open(delim json.Delim) error {
	token, err := r.Token()
	if err == nil && token != delim {
		err = errShape
	}
	return err
}

// object walks an object: each has to take the value of the key.
func (r *jsonReader) object(each func(key string) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	return r.members(each)
}

// members walks what follows the brace of an object.
func (r *jsonReader) members(each func(key string) error) error {
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

// list walks a list: each has to take an item.
func (r *jsonReader) list(each func() error) error {
	if err := r.open('['); err != nil {
		return err
	}
	return r.items(each)
}

// items walks what follows the bracket of a list.
func (r *jsonReader) items(each func() error) error {
	for r.More() {
		if err := r.src.t.Ctx.Err(); err != nil {
			return err
		}
		if err := each(); err != nil {
			return err
		}
		if r.src.t.Stopped != "" {
			return errStopped
		}
	}
	_, err := r.Token()
	return err
}

// cells takes a list of cells.
func (r *jsonReader) cells() ([]string, error) {
	var values []json.RawMessage
	if err := r.Decode(&values); err != nil {
		return nil, err
	}
	cells := make([]string, len(values))
	for i, value := range values {
		cells[i] = cellOf(value)
	}
	return cells, nil
}

// errStopped ends a walk at a bound.
var errStopped = errors.New("a bound was reached")

// skip takes a value that nobody needs.
func (r *jsonReader) skip() error {
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

// failed explains why a walk ended early; nil if it did so at a bound.
func (r *jsonReader) failed(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil, errors.Is(err, errStopped):
		return nil
	case errors.Is(err, r.src.t.Ctx.Err()):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &syntax) &&
		syntax.Error() == "unexpected end of JSON input":
		return fmt.Errorf("%s: %w", r.src.t.Name, errJSONEnd)
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: line %d: not valid JSON: %w", r.src.t.Name, r.here(), err)
	}
	return fmt.Errorf("%s: %w", r.src.t.Name, input.Cause(err))
}

var errJSONEnd = errors.New("JSON that ends too early")

// outline is what the beginning of a JSON text shows of its first value, or of the first item where that is a list.
type outline struct {
	list    bool
	item    byte            // with which the first item of a list begins
	keys    map[string]bool // of the object, those of objects in it joined by points, three deep
	lists   bool            // whether its values are lists
	objects bool            // whether one of these is of objects
	split   string          // the name of a list of lists
	whole   bool            // the value ends in what was looked at
}

func outlineOf(head []byte) outline {
	o := outline{keys: map[string]bool{}, lists: true}
	head = bytes.TrimLeft(head, " \t\r\n")
	if o.list = head[0] == '['; o.list {
		if head = bytes.TrimLeft(head[1:], " \t\r\n"); len(head) == 0 {
			return o
		}
		o.item = head[0]
	}
	if head[0] != '{' {
		return o
	}
	dec := json.NewDecoder(bytes.NewReader(head))
	o.whole = o.walk(dec, "", 0)
	return o
}

// walk returns false where the text ends, or is none.
func (o *outline) walk(dec *json.Decoder, prefix string, depth int) bool {
	open, err := dec.Token()
	if err != nil {
		return false
	}
	delim, nested := open.(json.Delim)
	if depth == 1 && delim != '[' {
		o.lists = false
	}
	if !nested {
		return true
	}
	if depth == 2 && strings.Count(prefix, ".") == 1 {
		o.objects = o.objects || delim == '{' && o.lists
		if name := strings.TrimSuffix(prefix, "."); delim == '[' && slices.Contains([]string{"data", "rows", "values"},
			name) {
			o.split = name
		}
	}
	for dec.More() {
		name := prefix
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return false
			}
			if depth < 3 { // names further down are never asked for, and long where the text is hostile
				name += fmt.Sprint(key)
				o.keys[name] = true
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

// cellOf returns a value as a cell of a table; what is neither text nor a number is absent.
func cellOf(value json.RawMessage) string {
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

// explainJSON says where a JSON text is at fault.
func explainJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	isSyntax := errors.As(err, &syntax)
	// One decoder names an end by the reader's error, another by one of its own.
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isSyntax &&
		syntax.Error() == "unexpected end of JSON input" {
		return errJSONEnd
	}
	if isSyntax && int(syntax.Offset) <= len(data) {
		return fmt.Errorf("line %d: not valid JSON: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
	}
	return fmt.Errorf("not the JSON of a Prometheus range query: %w", err)
}
