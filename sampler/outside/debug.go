package outside

import (
	"bytes"
	"debug/dwarf"
	"fmt"
	"strings"
)

const (
	maxTypes  = 64      // types that are gone through from one to what it stands for
	maxFields = 1 << 12 // of a struct
)

// debugInfo is what debuggers read of a program. Its types are read one by one, as they are asked for: package debug/dwarf
// reads all that one leads to, without an end where it leads to itself, and the file may be anybody's.
type debugInfo struct {
	data *dwarf.Data // nil where there is none
	info []byte      // section .debug_info
}

// openDebugInfo opens what the sections of a program have.
func openDebugInfo(abbrev, info, text []byte, more map[string][]byte) (d debugInfo, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, err = debugInfo{}, fmt.Errorf("debug information: %v", r)
		}
	}()
	data, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, text)
	if err != nil {
		return debugInfo{}, err
	}
	for name, section := range more {
		if err := data.AddSection(name, section); err != nil {
			return debugInfo{}, err
		}
	}
	return debugInfo{data, info}, nil
}

// variable returns the type of a variable; 0 where that is not there. Go writes the names of variables where it describes
// them, behind the number of their form: to look for one takes less than to read all there is.
func (d debugInfo) variable(name string) dwarf.Offset {
	for from := 0; d.data != nil && from < len(d.info); {
		i := bytes.Index(d.info[from:], []byte(name+"\x00"))
		if i < 0 {
			break
		}
		for back := 1; back <= 2 && from+i-back >= 0; back++ {
			entry, ok := d.entry(dwarf.Offset(from + i - back))
			if !ok || entry.Tag != dwarf.TagVariable || entry.Val(dwarf.AttrName) != name {
				continue
			}
			if of, ok := entry.Val(dwarf.AttrType).(dwarf.Offset); ok {
				return of
			}
		}
		from += i + 1
	}
	return 0
}

// entry reads what is at an offset.
func (d debugInfo) entry(at dwarf.Offset) (*dwarf.Entry, bool) {
	all := d.data.Reader()
	all.Seek(at)
	entry, err := all.Next()
	return entry, err == nil && entry != nil
}

// debugType is one type.
type debugType struct {
	tag    dwarf.Tag
	name   string       // in Go's words; "" where it has none
	size   uint64       // in bytes; 0 where it does not tell, as those of other names do not
	of     dwarf.Offset // what it stands for, points to or has; 0 where nothing
	fields []debugField
}

type debugField struct {
	name string
	at   uint64 // in bytes from where the type begins
	of   dwarf.Offset
}

// typeAt reads a type.
func (d debugInfo) typeAt(at dwarf.Offset) (t debugType, ok bool) {
	if d.data == nil || at == 0 {
		return t, false
	}
	all := d.data.Reader()
	all.Seek(at)
	entry, err := all.Next()
	if err != nil || entry == nil {
		return t, false
	}
	t.tag = entry.Tag
	t.name, _ = entry.Val(dwarf.AttrName).(string)
	if size, ok := entry.Val(dwarf.AttrByteSize).(int64); ok && size > 0 {
		t.size = uint64(size)
	}
	t.of, _ = entry.Val(dwarf.AttrType).(dwarf.Offset)
	switch t.tag {
	case dwarf.TagPointerType, dwarf.TagSubroutineType:
		t.size = 8
	case dwarf.TagStructType:
		if entry.Children {
			t.fields = fieldsOf(all)
		}
	}
	return t, true
}

// fieldsOf reads what follows the head of a struct.
func fieldsOf(all *dwarf.Reader) (fields []debugField) {
	for len(fields) < maxFields {
		entry, err := all.Next()
		if err != nil || entry == nil || entry.Tag == 0 {
			break
		}
		if entry.Children {
			all.SkipChildren()
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		at, ok := entry.Val(dwarf.AttrDataMemberLoc).(int64)
		of, known := entry.Val(dwarf.AttrType).(dwarf.Offset)
		if entry.Tag == dwarf.TagMember && ok && known && at >= 0 {
			fields = append(fields, debugField{name, uint64(at), of})
		}
	}
	return fields
}

// plain returns what a type is that may be another name of it.
func (d debugInfo) plain(at dwarf.Offset) (t debugType, ok bool) {
	for range maxTypes {
		if t, ok = d.typeAt(at); !ok || t.tag != dwarf.TagTypedef {
			return t, ok
		}
		at = t.of
	}
	return t, false
}

// sizeOf returns the size of a type, in bytes.
func (d debugInfo) sizeOf(at dwarf.Offset) (uint64, bool) {
	t, ok := d.plain(at)
	return t.size, ok && t.size > 0
}

// offsetIn returns the offset of a field, as in "sched.sp", of a type.
func (d debugInfo) offsetIn(of dwarf.Offset, path string) (at uint64, found bool) {
	for deeper := true; deeper; {
		var name string
		name, path, deeper = strings.Cut(path, ".")
		kind, ok := d.plain(of)
		if !ok {
			return 0, false
		}
		found = false
		for _, f := range kind.fields {
			if f.name == name {
				at, of, found = at+f.at, f.of, true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	return at, found
}
