package jsonfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// addObject makes rows of an object.
func addObject(s *table.Rows, t *input.Text, raw []byte) error {
	if all := rowsOfColumns(raw); all != nil {
		for _, row := range all {
			putMembers(s, t, row)
		}
		return nil
	}
	return expand(s, t, raw, nil, "", 0)
}

// member is a name and a value of an object; in is the list that the object is in, "" if it is in none.
type member struct{ key, value, in string }

// memberNames finds members by their names where they are many; nil where they are few.
type memberNames map[string]int

// find returns the place of the first member of a name; -1 where there is none.
func (n *memberNames) find(members []member, key string) int {
	const few = 64
	if len(members) <= few {
		return slices.IndexFunc(members, func(m member) bool { return m.key == key })
	}
	if *n == nil {
		*n = make(memberNames, 2*len(members))
		for i, m := range slices.Backward(members) {
			(*n)[m.key] = i
		}
	}
	if i, ok := (*n)[key]; ok {
		return i
	}
	return -1
}

// put notes where a member of a name is.
func (n *memberNames) put(key string, at int) {
	if *n != nil {
		(*n)[key] = at
	}
}

// expand makes rows of an object. Lists in it, as of processes, of points or of columns, are rows of their own, which
// have what stands beside the lists too.
func expand(s *table.Rows, t *input.Text, raw json.RawMessage, above []member, in string, depth int) error {
	beside := slices.Clone(above)
	var inner, pairs, columns []list
	var names memberNames
	if points, ok := pointsIn(raw); ok {
		raw = slices.Concat([]byte(`{"value":`), points, []byte("}"))
	}
	err := flatten("", raw, 0, func(key, value string) {
		i := names.find(beside, key)
		// what names a bucket, and the time of each in it
		if i >= 0 && i < len(above) && beside[i].in != "" && beside[i].in != in {
			beside[i].key = beside[i].in + "." + key
			names.put(beside[i].key, i)
			i = -1
		}
		if i >= 0 {
			beside[i].value = value
			return
		}
		names.put(key, len(beside))
		beside = append(beside, member{key, value, in})
	}, func(key string, value json.RawMessage) {
		l := list{key: key}
		if json.Unmarshal(value, &l.items) != nil || len(l.items) == 0 {
			return
		}
		switch l.items[0][0] {
		case '{':
			inner = append(inner, l)
		case '[':
			pairs = append(pairs, l)
		default:
			columns = append(columns, l)
		}
	})
	if err != nil {
		return err
	}
	const deep = 4
	made := 0
	for _, l := range inner {
		if labels := labelsOf(l.items); labels != nil {
			beside = append(beside, labels...)
		}
	}
	alike := likeEachOther(inner)
	for _, l := range inner {
		// the latter what docker tells of each disk
		if labelsOf(l.items) != nil || strings.HasSuffix(l.key, "_recursive") {
			continue
		}
		if (len(inner) > 1 || len(pairs) > 0) && onlyText(l.items) { // what describes the other lists
			if len(l.items) == 1 {
				_ = flatten(l.key+".", l.items[0], 0, func(key, value string) {
					beside = append(beside, member{key, value, in})
				}, func(string, json.RawMessage) {})
			}
			continue
		}
		with := beside
		if alike {
			with = append(slices.Clone(beside), member{"list", l.key, in})
		}
		for _, item := range l.items {
			if depth < deep && len(item) > 0 && item[0] == '{' && t.Stopped == "" {
				made++
				if err := expand(s, t, item, with, l.key, depth+1); err != nil {
					return err
				}
			}
		}
	}
	for _, l := range pairs {
		for _, item := range l.items {
			if t.Stopped != "" {
				break
			}
			var pair []json.RawMessage
			if json.Unmarshal(item, &pair) != nil || len(pair) != 2 {
				continue
			}
			if made++; depth < deep && pair[1][0] == '{' { // what there is at a time
				at := member{"time", jsonwalk.Cell(pair[0]), in}
				if err := expand(s, t, pair[1], append(slices.Clone(beside), at), l.key, depth+1); err != nil {
					return err
				}
			} else {
				putMembers(s, t, beside, pointOf(pair)...)
			}
		}
	}
	if len(columns) > 1 && !slices.ContainsFunc(columns, func(l list) bool {
		return len(l.items) != len(columns[0].items)
	}) {
		for i := range columns[0].items {
			if t.Stopped != "" {
				break
			}
			var row []member
			for _, l := range columns {
				row = append(row, member{l.key, jsonwalk.Cell(l.items[i]), in})
			}
			made++
			putMembers(s, t, beside, row...)
		}
	}
	if made == 0 {
		putMembers(s, t, beside)
	}
	return nil
}

// explainObject says where an object is at fault.
func explainObject(data []byte, err error) error {
	if errors.Is(err, errDeep) || errors.Is(err, errNoObject) {
		return err
	}
	return jsonwalk.Explain(data, err)
}

// labelsOf returns what a list of objects with a key and a value each says of what stands beside it, as OpenTelemetry
// writes attributes; nil where it is none.
func labelsOf(items []json.RawMessage) (labels []member) {
	for _, item := range items {
		var label struct {
			Key   *string         `json:"key"`
			Value json.RawMessage `json:"value"`
		}
		dec := json.NewDecoder(bytes.NewReader(item))
		dec.DisallowUnknownFields()
		if dec.Decode(&label) != nil || label.Key == nil || label.Value == nil {
			return nil
		}
		value := jsonwalk.Cell(label.Value)
		if label.Value[0] == '{' {
			_ = flatten("", label.Value, 0, func(_, v string) { value = v }, func(string, json.RawMessage) {})
		}
		labels = append(labels, member{key: *label.Key, value: value})
	}
	return labels
}

// likeEachOther reports whether an object holds several lists of objects that have the same names: the rows of several
// processes or series, each under its name.
func likeEachOther(lists []list) bool {
	names := func(item json.RawMessage) string {
		var all []string
		_ = flatten("", item, 0, func(key, _ string) {
			all = append(all, key)
		}, func(key string, _ json.RawMessage) { all = append(all, key) })
		slices.Sort(all)
		return strings.Join(all, "\x00")
	}
	if len(lists) < 2 {
		return false
	}
	first := names(lists[0].items[0])
	return !slices.ContainsFunc(lists[1:], func(l list) bool { return names(l.items[0]) != first })
}

// onlyText reports whether objects have neither numbers nor times in them.
func onlyText(items []json.RawMessage) bool {
	for _, item := range items {
		text := true
		_ = flatten("", item, 0, func(_, value string) {
			text = text && !tokens.HasData([]string{value}, scan.Thousands)
		}, func(string, json.RawMessage) { text = false })
		if !text {
			return false
		}
	}
	return true
}

// list is one in an object.
type list struct {
	key   string
	items []json.RawMessage
}

// pointOf returns what a pair is: a time and a value, in either order.
func pointOf(pair []json.RawMessage) []member {
	at, value := jsonwalk.Cell(pair[0]), jsonwalk.Cell(pair[1])
	if _, form := scan.Instant(at, scan.MonthFirst); form == scan.NoTime {
		at, value = value, at
	}
	return []member{{key: "time", value: at}, {key: "value", value: value}}
}

func putMembers(s *table.Rows, t *input.Text, beside []member, more ...member) {
	row := make([]string, len(s.Header))
	for _, m := range slices.Concat(beside, more) {
		row = s.Set(row, m.key, m.value)
	}
	s.Put(t, row)
}

// rowsOfColumns returns the rows of an object that has, for each column, the cells under their row numbers, as pandas
// writes tables; nil where it is none.
func rowsOfColumns(raw []byte) (rows [][]member) {
	if !numberedColumns.Match(raw[:min(len(raw), 256)]) {
		return nil
	}
	var columns map[string]map[string]json.RawMessage
	if json.Unmarshal(raw, &columns) != nil || len(columns) < 2 {
		return nil
	}
	names := slices.Sorted(maps.Keys(columns))
	n := len(columns[names[0]])
	for i := range n {
		var row []member
		for _, name := range names {
			cell, ok := columns[name][strconv.Itoa(i)]
			if !ok || len(columns[name]) != n {
				return nil
			}
			row = append(row, member{key: name, value: jsonwalk.Cell(cell)})
		}
		rows = append(rows, row)
	}
	return rows
}

var numberedColumns = regexp.MustCompile(`^\s*\{\s*"[^"]*"\s*:\s*\{\s*"0"\s*:`)

// deepest is how many objects within objects are taken apart: each level is read and named once more.
const deepest = 32

var (
	errDeep     = fmt.Errorf("objects within objects, more than %d deep", deepest)
	errNoObject = errors.New("not an object of names and values")
)

// flatten puts the values of an object, and of those in it, under their names joined by points; lists apart.
func flatten(prefix string, raw json.RawMessage, depth int, put func(key, value string),
	lists func(key string, value json.RawMessage)) error {
	if depth > deepest {
		return errDeep
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return errNoObject
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		name := prefix + fmt.Sprint(key)
		switch value[0] {
		case '{':
			if pairs, ok := pointsIn(value); ok {
				lists(name, pairs)
				continue
			}
			if err := flatten(name+".", value, depth+1, put, lists); err != nil {
				return err
			}
		case '[':
			lists(name, value)
		case '"':
			if inner, ok := objectIn(value); ok {
				if err := flatten(name+".", inner, depth+1, put, lists); err != nil {
					return err
				}
				continue
			}
			put(name, jsonwalk.Cell(value))
		default:
			put(name, jsonwalk.Cell(value))
		}
	}
	_, err = dec.Token()
	return err
}

// objectIn returns the object that a text is, as in the logs of containers.
func objectIn(text json.RawMessage) (object json.RawMessage, ok bool) {
	if !bytes.HasPrefix(text, []byte(`"{\"`)) {
		return nil, false
	}
	var s string
	if json.Unmarshal(text, &s) != nil || !json.Valid([]byte(s)) {
		return nil, false
	}
	return json.RawMessage(strings.TrimSpace(s)), true
}

// pointsIn returns the values of an object whose names are times as a list of pairs.
func pointsIn(object json.RawMessage) (pairs json.RawMessage, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	out := []byte{'['}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		name, _ := key.(string)
		if _, form := scan.Instant(name, scan.MonthFirst); form == scan.NoTime {
			return nil, false
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil || value[0] == '[' {
			return nil, false
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "[%q,%s]", name, value)
	}
	return append(out, ']'), len(out) > 1
}
