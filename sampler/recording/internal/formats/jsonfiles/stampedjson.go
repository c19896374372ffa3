package jsonfiles

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// StampedJSON is JSON under dates.
var StampedJSON = gathered.Format{Recognizes: isStampedJSON, Read: readStampedJSON}

const stampedFormat = "JSON under dates"

// isStampedJSON reports whether a text begins with a date and JSON behind it, or on the next line: what a loop around
// date and a tool that writes JSON gives.
func isStampedJSON(start []byte) bool {
	dated := false
	for line := range bytes.Lines(start) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		if !dated {
			at, rest := tokens.LeadingInstant(text)
			if dated = !at.IsZero(); !dated {
				return false
			}
			if text = jsonBehind(rest); text == "" {
				continue
			}
		}
		inner := strings.TrimLeft(text[1:], " \t[")
		return (text[0] == '{' || text[0] == '[') && (inner == "" || inner[0] == '"' || inner[0] == '{' &&
			text[0] == '[')
	}
	return false
}

// beforeJSON is what loggers write between the time and an object: a level, a tag, a text.
var beforeJSON = regexp.MustCompile(`^[^{}"=\[]{1,160}?(\{".*)$`)

// jsonBehind leaves out what stands before an object.
func jsonBehind(text string) string {
	if m := beforeJSON.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return text
}

// readStampedJSON makes rows of the objects under each date.
func readStampedJSON(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, stampedFormat)
	faults := input.FaultLog{Name: t.Name}
	var (
		at    string
		value []byte
		depth jsonDepth
	)
	expandAll := func(number int) {
		var items []json.RawMessage
		if value[0] != '[' {
			items = []json.RawMessage{value}
		} else if err := json.Unmarshal(value, &items); err != nil {
			faults.Fault(number, "%w", explainObject(value, err))
		}
		for _, item := range items {
			if err := expand(s, t, item, []member{{key: "time", value: at}}, "", 0); err != nil {
				faults.Fault(number, "%w", explainObject(item, err))
			}
		}
	}
	t.Longest = t.Bounds.Item
	for number, raw := range t.Lines() {
		line := bytes.TrimSpace(raw)
		if len(line) == 0 {
			continue
		}
		if len(value) == 0 || bytes.ContainsAny(line[:1], "0123456789") && bytes.Contains(line, []byte(":")) {
			if stamp, rest := tokens.LeadingInstant(string(line)); !stamp.IsZero() {
				if len(value) > 0 {
					faults.Fault(number, "%w before this line: skipped", jsonwalk.ErrEnd)
				}
				at, line, value, depth = stamp.Format(time.RFC3339Nano), []byte(jsonBehind(rest)), nil, jsonDepth{}
			}
		}
		if len(line) == 0 {
			continue
		}
		if at == "" || len(value) == 0 && line[0] != '{' && line[0] != '[' {
			faults.Fault(number, "neither a date nor JSON: skipped")
			continue
		}
		if value = append(append(value, line...), '\n'); len(value) > t.Bounds.Item {
			faults.Fault(number, "more than %d bytes of JSON: skipped", t.Bounds.Item)
			value, depth = nil, jsonDepth{}
			continue
		}
		if depth.add(line); depth.open <= 0 {
			expandAll(number)
			value, depth = nil, jsonDepth{}
		}
	}
	if len(value) > 0 {
		faults.Fault(t.Number, "%w", jsonwalk.ErrEnd)
	}
	return s.Finish(t, &faults, o)
}

// jsonDepth counts the brackets that are open.
type jsonDepth struct {
	open            int
	quoted, escaped bool
}

func (d *jsonDepth) add(text []byte) {
	for _, c := range text {
		switch {
		case d.escaped:
			d.escaped = false
		case d.quoted && c == '\\':
			d.escaped = true
		case c == '"':
			d.quoted = !d.quoted
		case d.quoted:
		case c == '{' || c == '[':
			d.open++
		case c == '}' || c == ']':
			d.open--
		}
	}
}
