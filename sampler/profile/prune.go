package profile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// maxPruned is the maximum length of a profile, uncompressed, that is pruned.
const maxPruned = 64 << 20

var errNoProfile = errors.New("profile: not in the pprof format")

// Prune leaves out of a profile in pprof's format, compressed as files of profiles are, the stacks of those whose
// functions theirs reports: on the way from the innermost function outwards, one of theirs comes before any of the
// application. All else stays as it is.
func Prune(data []byte, theirs func(function string) bool) ([]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(zipped, maxPruned+1))
	if err != nil {
		return nil, err
	}
	if len(plain) > maxPruned {
		return nil, errNoProfile
	}
	var p pprofTables
	if err := eachField(plain, p.read); err != nil {
		return nil, err
	}
	var kept bytes.Buffer
	out, err := gzip.NewWriterLevel(&kept, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	err = eachField(plain, func(f pprofField) error {
		if f.number == 2 && p.isOf(f.data, theirs) {
			return nil
		}
		_, err := out.Write(f.all)
		return err
	})
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	return kept.Bytes(), nil
}

// pprofField is a field of a message of protocol buffers.
type pprofField struct {
	number uint64
	value  uint64 // of a varint
	data   []byte // of what has a length
	all    []byte // with its key
}

// eachField calls f with each field of a message.
func eachField(message []byte, f func(pprofField) error) error {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return errNoProfile
		}
		field := pprofField{number: key >> 3}
		var end int
		switch key & 7 {
		case 0:
			value, m := binary.Uvarint(message[n:])
			if m <= 0 {
				return errNoProfile
			}
			field.value, end = value, n+m
		case 1:
			end = n + 8
		case 2:
			length, m := binary.Uvarint(message[n:])
			if m <= 0 || length > uint64(len(message)-n-m) {
				return errNoProfile
			}
			end = n + m + int(length)
			field.data = message[n+m : end]
		case 5:
			end = n + 4
		default:
			return errNoProfile
		}
		if end > len(message) {
			return errNoProfile
		}
		field.all = message[:end]
		if err := f(field); err != nil {
			return err
		}
		message = message[end:]
	}
	return nil
}

// pprofTables are what the samples of a profile refer to.
type pprofTables struct {
	strings   [][]byte
	functions map[uint64][2]uint64 // name and file, by id
	locations map[uint64][]uint64  // functions, innermost first, by id
}

// read takes a field of a profile.
func (p *pprofTables) read(f pprofField) error {
	switch f.number {
	case 4:
		var id uint64
		var functions []uint64
		err := eachField(f.data, func(f pprofField) error {
			switch f.number {
			case 1:
				id = f.value
			case 4:
				return eachField(f.data, func(f pprofField) error {
					if f.number == 1 {
						functions = append(functions, f.value)
					}
					return nil
				})
			}
			return nil
		})
		if p.locations == nil {
			p.locations = make(map[uint64][]uint64)
		}
		p.locations[id] = functions
		return err
	case 5:
		var id uint64
		var of [2]uint64
		err := eachField(f.data, func(f pprofField) error {
			switch f.number {
			case 1:
				id = f.value
			case 2:
				of[0] = f.value
			case 4:
				of[1] = f.value
			}
			return nil
		})
		if p.functions == nil {
			p.functions = make(map[uint64][2]uint64)
		}
		p.functions[id] = of
		return err
	case 6:
		p.strings = append(p.strings, f.data)
	}
	return nil
}

func (p *pprofTables) text(i uint64) string {
	if i < uint64(len(p.strings)) {
		return string(p.strings[i])
	}
	return ""
}

// isOf reports whether a sample is of those whose functions theirs reports.
func (p *pprofTables) isOf(sample []byte, theirs func(function string) bool) bool {
	var stack []uint64
	_ = eachField(sample, func(f pprofField) error { // it was read before
		switch {
		case f.number != 1:
		case f.data == nil:
			stack = append(stack, f.value)
		default:
			for rest := f.data; len(rest) > 0; {
				id, n := binary.Uvarint(rest)
				if n <= 0 {
					return errNoProfile
				}
				stack, rest = append(stack, id), rest[n:]
			}
		}
		return nil
	})
	for _, location := range stack {
		for _, id := range p.locations[location] {
			f := Frame{Function: p.text(p.functions[id][0]), File: p.text(p.functions[id][1])}
			switch {
			case theirs(f.Function):
				return true
			case originOf(f) == ofApplication:
				return false
			}
		}
	}
	return false
}
