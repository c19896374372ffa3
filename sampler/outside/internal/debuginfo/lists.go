package debuginfo

import (
	"encoding/binary"
	"io"
)

const (
	maxListed  = 1 << 12 // parts of the code that a list has
	listWindow = 256 << 10
	minWindow  = 32 << 10 // bytes of a list that the window has at least
	maxWindows = 16
)

// cursor reads fields of variable length.
type cursor struct {
	left   []byte
	broken bool // it ended before
}

func (c *cursor) next(n uint64) []byte {
	if n > uint64(len(c.left)) {
		c.broken, c.left = true, nil
		return nil
	}
	b := c.left[:n]
	c.left = c.left[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) word() uint64 {
	if b := c.next(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) number() uint64 {
	value, n := binary.Uvarint(c.left)
	if n <= 0 {
		c.broken, c.left = true, nil
		return 0
	}
	c.left = c.left[n:]
	return value
}

func (c *cursor) signed() int64 {
	value, shift := int64(0), 0
	for {
		b := c.byte()
		if c.broken || shift > 63 {
			c.broken = true
			return 0
		}
		value |= int64(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			if shift < 64 && b&0x40 != 0 {
				value |= -1 << shift
			}
			return value
		}
	}
}

// Kinds of entries in a list since version 5, as in lists of ranges; lists of locations have one more before addresses.
const (
	listEnd       = 0
	listBaseIndex = 1
	listOffsets   = 4
	listBase      = 5
	listAddresses = 6
	listLength    = 7
)

// listed calls visit for each range of code in a list, with its location expression where there is one.
func (d FunctionInfo) listed(in [2]*Lists, at int64, base uint64, five, located bool,
	visit func(start, end uint64, expression []byte)) {
	l := in[0]
	if five {
		l = in[1]
	}
	if l == nil || at < 0 || d.spent.tooMuch() {
		return
	}
	c := cursor{left: l.from(uint64(at), d.spent)}
	first := base // of the function: a base given by an index is always this one
	for range maxListed {
		var start, end uint64
		if five {
			kind := c.byte()
			if located && kind > listBase {
				kind--
			} else if located && kind == listBase {
				return // of all the rest
			}
			switch kind {
			case listBaseIndex:
				c.number()
				base = first
				continue
			case listBase:
				base = c.word()
				continue
			case listOffsets:
				start, end = base+c.number(), base+c.number()
			case listAddresses:
				start, end = c.word(), c.word()
			case listLength:
				start = c.word()
				end = start + c.number()
			default:
				return
			}
		} else {
			start, end = c.word(), c.word()
			if start == 0 && end == 0 {
				return
			}
			if start == ^uint64(0) {
				base = end
				continue
			}
			start, end = base+start, base+end
		}
		var expression []byte
		if located && five {
			expression = c.next(c.number())
		} else if located {
			expression = c.next(uint64(c.byte()) | uint64(c.byte())<<8)
		}
		if c.broken {
			return
		}
		visit(start, end, expression)
	}
}

// Lists is a section of lists, of which a window is kept: it may be far larger than the lists that are needed, and
// packed.
type Lists struct {
	Open    func() io.Reader
	Pause   func()
	reader  io.Reader
	next    uint64 // what the reader reads next
	at      uint64 // offset at which the window starts
	window  []byte
	windows int
}

// from returns the bytes of the section from an offset on, as many as one list may have.
func (l *Lists) from(at uint64, spent *spent) []byte {
	if end := l.at + uint64(len(l.window)); at >= l.at && at < end &&
		(end-at >= minWindow || len(l.window) < listWindow) {
		return l.window[at-l.at:]
	}
	if l.windows++; l.windows > maxWindows {
		return nil
	}
	if l.reader == nil || at < l.next {
		l.reader, l.next = l.Open(), 0
	}
	if l.window == nil {
		l.window = make([]byte, listWindow)
	}
	block := l.window[:cap(l.window)]
	for l.next < at && !spent.tooMuch() {
		n, err := spent.read(l.reader, block[:min(uint64(len(block)), at-l.next)])
		if l.next += uint64(n); err != nil {
			break
		}
		if l.Pause != nil {
			l.Pause()
		}
	}
	l.at, l.window = at, block[:0]
	if l.next != at {
		l.reader = nil
		return nil
	}
	n, err := spent.read(l.reader, block)
	if l.next += uint64(n); err != nil {
		l.reader = nil
	}
	l.window = block[:n]
	return l.window
}
