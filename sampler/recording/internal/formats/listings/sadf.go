package listings

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// ReadSadf reads what sadf -j writes: hosts, and for each of them what was read at each time.
func ReadSadf(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, "JSON of sysstat (sadf)")
	faults := input.FaultLog{Name: t.Name}
	r := jsonwalk.New(t)
	host := ""
	var member func(key string) error
	member = func(key string) error {
		switch key {
		case "sysstat":
			return r.Object(member)
		case "hosts":
			return r.List(func() error { return r.Object(member) })
		case "nodename":
			return r.Decode(&host)
		case "statistics":
			return r.List(func() error {
				var raw json.RawMessage
				if err := r.Decode(&raw); err != nil {
					return err
				}
				t.Number = r.Here()
				row := s.Set(make([]string, len(s.Header)), "time", "")
				row = s.Set(row, "hostname", host)
				err := sadfValues("", raw, func(key, value string) { row = s.Set(row, key, value) })
				if err != nil {
					faults.Fault(t.Number, "%w", err)
					return nil
				}
				s.Put(t, row)
				return nil
			})
		}
		return r.Skip()
	}
	if err := r.Failed(r.Object(member)); err != nil {
		return nil, err
	}
	if len(s.Rows) == 0 && faults.Faults == 0 {
		return nil, gathered.New(t, s.Format).Refuse("it has no statistics", "write them with sadf -j FILE -- -r ALL")
	}
	return s.Finish(t, &faults, o)
}

// sadfValues puts what was read at one time under the names of the sections: of lists, as of devices, each item has the
// text that names it in its own.
func sadfValues(prefix string, raw json.RawMessage, put func(key, value string)) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return errors.New("not an object of names and values")
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value := object[key]
		name := prefix + key
		switch value[0] {
		case '{':
			if key == "timestamp" && prefix == "" {
				if err := sadfTime(value, put); err != nil {
					return err
				}
				continue
			}
			if err := sadfValues(name+".", value, put); err != nil {
				return err
			}
		case '[':
			var items []json.RawMessage
			if err := json.Unmarshal(value, &items); err != nil {
				return err
			}
			for _, item := range items {
				if len(item) == 0 || item[0] != '{' {
					continue
				}
				if err := sadfValues(name+"."+sadfName(item), item, put); err != nil {
					return err
				}
			}
		case '"': // the name of a device
		default:
			put(name+sadfUnit(prefix, key), jsonwalk.Cell(value))
		}
	}
	return nil
}

// sadfName returns the texts of an item that name it, with a point behind each.
func sadfName(item json.RawMessage) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(item, &object) != nil {
		return ""
	}
	name := ""
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if object[key][0] == '"' {
			name += jsonwalk.Cell(object[key]) + "."
		}
	}
	return name
}

// sadfUnit is the unit of sizes of memory: kilobytes.
func sadfUnit(section, key string) string {
	counted := strings.Contains(key, "percent") || strings.Contains(key, "huge") || strings.Contains(key, "/") ||
		strings.HasSuffix(key, "-kb")
	if section != "memory." || counted {
		return ""
	}
	return "_kb"
}

func sadfTime(raw json.RawMessage, put func(key, value string)) error {
	var at struct{ Date, Time string }
	if err := json.Unmarshal(raw, &at); err != nil {
		return errors.New("its timestamp has no date and time")
	}
	stamp := strings.TrimSpace(at.Date + " " + at.Time)
	if _, form := scan.Instant(stamp, scan.MonthFirst); form != scan.Text {
		return errors.New(scan.Shown([]byte(stamp)) + ": no time that can be read")
	}
	put("time", stamp)
	return nil
}
